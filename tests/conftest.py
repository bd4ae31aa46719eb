"""Fixtures that tests on every rung may ask for."""

from tests.broker import broker, broker_node
from tests.journals import journal
from tests.sites import accepted, gateway, pki, signer, site

__all__ = ["accepted", "broker", "broker_node", "gateway", "journal", "pki", "signer", "site"]
