"""What the gateway's limits cost, each measured beside what it is compared with."""
