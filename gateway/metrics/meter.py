"""What does one process tell of itself in OpenMetrics?

A registry of our own, so that nothing is told that this package doesn't name.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST, generate_latest

from config.errors import TemporaryError
from config.settings import Settings
from gateway.health import Running
from gateway.logs import heard_by
from gateway.metrics.heard import Ears
from gateway.metrics.inside import Inside
from gateway.metrics.surroundings import Surroundings
from gateway.metrics.timeline import Timeline
from schemas import catalogue
from spool.journal import Journal

MEDIA_TYPE: Final = CONTENT_TYPE_LATEST


class Meter:
    """The metrics of one process.  Make it with :func:`measuring`."""

    def __init__(self) -> None:
        # When a counter began is the process's start, told once.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own
        self.registry = CollectorRegistry()
        self.ears = Ears(self.registry)
        self._timeline: Timeline | None = None
        ProcessCollector(registry=self.registry)

    def attach(self, settings: Settings, journal: Journal, running: Running) -> None:
        """Look at these too, from now on; once.

        Raises:
            JournalError: the journal cannot be read.
        """
        self._timeline = Timeline(self.registry, journal, partial(_purposes, settings.schemas.folder))
        self._timeline.begin()
        self.registry.register(Surroundings(settings, journal, running))

    def attach_inside(self, running: Running) -> None:
        """Look at what this process alone knows, from now on; once."""
        self.registry.register(Inside(running))

    def text(self) -> bytes:
        """Everything, as OpenMetrics; blocks on the journal and the disk."""
        if self._timeline is not None:
            # What was not counted is counted next time, and that the journal is away is a metric.
            with suppress(TemporaryError):
                self._timeline.look()
        text: bytes = generate_latest(self.registry)  # type: ignore[no-untyped-call]  # the library's own
        return text


def _purposes(folder: Path) -> frozenset[str]:
    """The types of message there are now; those that ship alone, where the site's own can't be read."""
    try:
        types = catalogue.current(folder)
    except TemporaryError:
        types = catalogue.current()
    return frozenset(kind.purpose for kind in types)


@contextmanager
def measuring() -> Iterator[Meter]:
    """A meter that hears every event of the log for the time of the block."""
    meter = Meter()
    with heard_by(meter.ears.hear):
        yield meter
