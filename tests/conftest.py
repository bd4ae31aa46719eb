"""Fixtures that tests on every rung may ask for."""

from tests.broker import broker, broker_node
from tests.journals import journal

__all__ = ["broker", "broker_node", "journal"]
