"""How is what only one process knows: its workers, its door, its connection to the broker?"""

from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.health import Running

INSIDE: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "gateway_broker_up": ("Whether messages can be handed to the broker; only where there is one.", ()),
    "gateway_workers_up": ("Whether there are worker processes.", ()),
    "gateway_door_up": ("Whether the SFTP door is open.", ()),
    "gateway_sessions": ("Connections to the SFTP door, logged in or not.", ()),
}
HASHINGS: Final = ("gateway_password_hashings", "Passwords compared at the SFTP door, each of which costs a hash.")

Samples = Iterator[tuple[str, tuple[str, ...], float]]


def samples(running: Running) -> Samples:
    """What runs, and how."""
    if running.publisher is not None:
        yield "gateway_broker_up", (), running.publisher.connected
    if running.workers is not None:
        yield "gateway_workers_up", (), running.workers.alive()
    if running.door is not None:
        yield "gateway_door_up", (), running.door.is_open
        yield "gateway_sessions", (), running.door.connections


def hashings(running: Running) -> Iterator[Metric]:
    """How many passwords were compared, where there is a door."""
    if running.gatekeeper is not None:
        family = CounterMetricFamily(*HASHINGS)
        family.add_metric((), running.gatekeeper.compared)
        yield family


class Inside(Collector):
    """Tells it of one process, from any thread."""

    def __init__(self, running: Running) -> None:
        self._running = running

    def describe(self) -> Iterator[Metric]:
        """Every metric, without values."""
        yield CounterMetricFamily(*HASHINGS)
        for name, (text, labels) in INSIDE.items():
            yield GaugeMetricFamily(name, text, labels=labels)

    def collect(self) -> Iterator[Metric]:
        """Every metric that can be known."""
        for name, labels, value in samples(self._running):
            family = GaugeMetricFamily(name, INSIDE[name][0], labels=INSIDE[name][1])
            family.add_metric(labels, value)
            yield family
        yield from hashings(self._running)
