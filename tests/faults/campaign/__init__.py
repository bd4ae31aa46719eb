"""Faults by the thousand on real gateways under load, and after each of them a reconciliation."""
