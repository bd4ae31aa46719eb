"""How many submissions came, of which type and with which outcome, and how long did each stage take?

Read from the events of the journal, which every process of a gateway shares, from where the last look ended
(:mod:`gateway.metrics.steps`); what was before this process began is another's count.
"""

from collections.abc import Callable, Collection, Mapping
from threading import Lock
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import CollectorRegistry

from gateway.metrics import steps
from gateway.metrics.heard import OTHER
from gateway.metrics.steps import Step
from schemas.codes import Code
from schemas.filename import FileName, parse
from spool.journal import Journal, now

_SECOND: Final = 1_000_000
_MOST_BATCHES: Final = 25
_BUCKETS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, 14_400, 86_400)
_CODES: Final = frozenset(code.value for code in Code)

LABELS: Final[Mapping[str, tuple[str, ...]]] = {
    "gateway_submissions": ("type", "stage", "outcome"),
    "gateway_refusals": ("code",),
    "gateway_stage_seconds": ("stage",),
    "gateway_answer_seconds": ("channel",),
}


class Timeline:
    """Counts what the journal tells.

    Args:
        registry: where the metrics are registered.
        journal: what is read.
        purposes: answers the types of message that get a label of their own now.
    """

    def __init__(self, registry: CollectorRegistry, journal: Journal, purposes: Callable[[], Collection[str]]) -> None:
        self._journal = journal
        self._purposes = purposes
        self._number: int | None = None
        self._looking = Lock()
        self._count = Counter(
            "gateway_submissions",
            "Submissions that came to a stage, by type, stage and outcome.",
            LABELS["gateway_submissions"],
            registry=registry,
        )
        self._refusals = Counter(
            "gateway_refusals",
            "Findings of refused submissions, by code.",
            LABELS["gateway_refusals"],
            registry=registry,
        )
        self._seconds = Histogram(
            "gateway_stage_seconds",
            "Seconds that a submission spent in a stage: received from the end of its last file (but for what is found"
            " after a crash), judged from the OK, answered and closed from the verdict.",
            LABELS["gateway_stage_seconds"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._answer = Histogram(
            "gateway_answer_seconds",
            "Seconds from the OK to the answer in OUT or on the sender's queue.",
            LABELS["gateway_answer_seconds"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._behind = Gauge(
            "gateway_timeline_behind",
            "Events of the journal that are not counted yet; more than a few thousand: the journal is read too seldom.",
            registry=registry,
        )
        for stage in ("received", "judged", "answered", "closed"):
            self._seconds.labels(stage)
        for channel in ("sftp", "mq"):
            self._answer.labels(channel)

    def begin(self) -> None:
        """Count from here on.

        Raises:
            JournalError: the journal cannot be read.
        """
        with self._journal.read() as connection:
            self._number = steps.last(connection)

    def look(self, at: int | None = None) -> None:
        """Count what is new and was there some seconds before ``at`` (microseconds; now).

        Raises:
            JournalError: the journal cannot be read.
        """
        until = (now() if at is None else at) - steps.SETTLED
        with self._looking, self._journal.read() as connection:
            if self._number is None:
                self._number = steps.last(connection)
            purposes = self._purposes()
            for _ in range(_MOST_BATCHES):
                upto, found = steps.after(connection, self._number, until)
                for step in found:
                    self._add(step, purposes)
                if upto is None:
                    break
                self._number = upto
            self._behind.set(max(0, steps.last(connection) - self._number))

    def _add(self, step: Step, purposes: Collection[str]) -> None:
        stage, outcome = steps.STEPS[step.event]
        name = parse(step.name)
        purpose = name.purpose if isinstance(name, FileName) and name.purpose in purposes else OTHER
        self._count.labels(purpose, stage, outcome).inc()
        if outcome == "rejected":
            for code in step.facts.get("codes", ()):
                self._refusals.labels(code if code in _CODES else OTHER).inc()
        if stage == "received" and not step.facts.get("recovered"):  # what is found after a crash is nobody's receipt
            self._seconds.labels(stage).observe(_waited(step.facts) + _between(step.received_at, step.at))
        if stage == "judged" and step.event.startswith("verdict."):
            self._seconds.labels(stage).observe(_between(step.received_at, step.at))
        # What was closed before is only given again: nobody waited for that since the verdict.
        again = step.closed_at is not None and step.closed_at < step.at and stage == "answered"
        if stage in ("answered", "closed") and step.verdict_at is not None and not again:
            self._seconds.labels(stage).observe(_between(step.verdict_at, step.at))
        if stage == "answered" and not again:
            self._answer.labels(step.channel if step.channel in ("sftp", "mq") else OTHER).observe(
                _between(step.received_at, step.at)
            )


def _waited(facts: Mapping[str, Any]) -> float:
    """Seconds that a sender had waited when custody was taken; none where facts are gone, or of an older release."""
    return _between(0, facts.get("waited", 0))


def _between(start: int, end: int) -> float:
    """Seconds; none where the clock was set back."""
    return max(0, end - start) / _SECOND
