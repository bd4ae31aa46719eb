"""Which events of the log are counted, and as what?

One table: the name of an event, the metric it adds to, and its labels.  A label has values of a closed set only, and
everything else is ``other``: no name, number, address or sentence gets from an event into a metric.  Events are counted
whatever level is written, and the code that reports them knows nothing of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

from gateway.rounds import Round

OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Choice:
    """A label that says what a field of the event says, where that is one of ``values``."""

    field: str
    values: frozenset[str]

    def of(self, event: Mapping[str, Any]) -> str:
        """The label's value."""
        said = event.get(self.field)
        word = "+".join(map(str, said)) if isinstance(said, list) else str(said)
        return word if word in self.values else OTHER


@dataclass(frozen=True, slots=True)
class Heard:
    """What one event adds to: a metric, labels (a word, or a choice of the event's), and the field with the number."""

    metric: str
    labels: Mapping[str, str | Choice] = field(default_factory=dict)
    amount: str | None = None


_WAYS: Final = Choice("by", frozenset({"key", "password", "key+password"}))
_LOGIN: Final = Choice(
    "reason",
    frozenset(
        {
            "bad signature",
            "locked out",
            "no such user, or blocked",
            "not a key of this user",
            "not an address of this sender",
            "password not changed",
            "too many passwords at once",
            "too many requests",
            "too many tries",
            "too slow",
            "trouble",
            "this user has no key",
            "too many connections",
            "too many connections from this address",
            "too many connections of this user",
            "weak signature algorithm",
            "wrong password",
        }
    ),
)
_MQ_LOGIN: Final = Choice("why", frozenset({"wrong", "change", "locked"}))
_CONNECTION: Final = Choice(
    "reason",
    frozenset(
        {
            "the gateway stops",
            "too many failed log-ins from this address",
            "too many connections from this address that have not logged in",
            "too many connections",
            "too many connections that have not logged in",
        }
    ),
)
_ROUND: Final = Choice("round", frozenset(each.value for each in Round))
_KIND: Final = Choice("kind", frozenset({"list", "ocsp"}))
_DATA: Final = Choice("kind", frozenset({"payload", "answers", "evidence"}))
_FAULT: Final = Choice("fault", frozenset({"WorkerFailedError"}))
_LOSS: Final = Choice("reason", frozenset({"died", "hung", "out of memory"}))
_STATUS: Final = Choice("status", frozenset(str(status.value) for status in HTTPStatus))

DOCUMENTATION: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "gateway_logins": ("Log-ins over SFTP that succeeded, by what they proved.", ("by",)),
    "gateway_login_failures": ("Log-ins that failed, by door and reason.", ("door", "reason")),
    "gateway_connections_refused": ("Connections refused before a log-in, by reason.", ("reason",)),
    "gateway_lockouts": ("Locks after too many failed log-ins.", ()),
    "gateway_requests_refused": ("Requests over SFTP refused because a limit of the sender was reached.", ()),
    "gateway_custody_failures": ("Sets that could not be taken into custody; they are tried again.", ()),
    "gateway_judgement_failures": ("Judgements that failed unexpectedly, by what failed.", ("fault",)),
    "gateway_worker_restarts": (
        "Workers that died or hung over a task, and were replaced, or ran out of memory; and times that all were lost.",
        ("reason",),
    ),
    "gateway_round_troubles": ("Turns of a round that ended in trouble, by round and kind.", ("round", "trouble")),
    "gateway_answer_failures": ("Answers that could not be placed or published; they are tried again.", ("way",)),
    "gateway_timestamps_missing": ("Times that the timestamp authority was not to be had.", ()),
    "gateway_checkpoint_copy_failures": ("Times that checkpoints could not be copied to the second place.", ()),
    "gateway_purges": ("Tickets whose payload, answers or facts of events are gone, by kind.", ("kind",)),
    "gateway_purge_failures": ("Tickets that could not be purged, by kind; each once.", ("kind",)),
    "gateway_declarations_forwarded": ("Declarations confirmed by the routing queue.", ()),
    "gateway_declarations_put_off": ("Declarations the routing queue did not take, to be tried again.", ()),
    "gateway_declarations_parked": ("Declarations parked until a person replays them.", ()),
    "gateway_broker_connections": (
        "Connections to the broker that were made, lost, refused or not to be had.",
        ("how",),
    ),
    "gateway_dead_messages": ("Messages that went to the dead-letter exchange.", ()),
    "gateway_institution_messages": ("Messages of institutions, by what became of them.", ("outcome",)),
    "gateway_revocation_fetches": ("Revocation data asked for, by kind and outcome.", ("kind", "outcome")),
    "gateway_scans": ("Files and messages shown to the content scanner, by outcome.", ("outcome",)),
    "gateway_trace_spans": ("Spans of traces, by what became of them.", ("outcome",)),
    "gateway_reloads": ("Reloads of the settings, by outcome.", ("outcome",)),
    "gateway_operations_requests": ("Requests to the interface for programs, by status.", ("status",)),
}

HEARD: Final[Mapping[str, Heard]] = {
    "sftp.login.accepted": Heard("gateway_logins", {"by": _WAYS}),
    "sftp.login.refused": Heard("gateway_login_failures", {"door": "sftp", "reason": _LOGIN}),
    "access.password_refused": Heard("gateway_login_failures", {"door": "mq", "reason": _MQ_LOGIN}),
    "access.too_many": Heard("gateway_login_failures", {"door": "mq", "reason": "too many passwords at once"}),
    "sftp.connection.refused": Heard("gateway_connections_refused", {"reason": _CONNECTION}, amount="count"),
    "defender.locked": Heard("gateway_lockouts"),
    "sftp.limit.reached": Heard("gateway_requests_refused"),
    "custody.failed": Heard("gateway_custody_failures"),
    "judge.failed": Heard("gateway_judgement_failures", {"fault": _FAULT}),
    "worker.lost": Heard("gateway_worker_restarts", {"reason": _LOSS}),
    "workers.lost": Heard("gateway_worker_restarts", {"reason": "all lost"}),
    "round.waiting": Heard("gateway_round_troubles", {"round": _ROUND, "trouble": "temporary"}),
    "round.failed": Heard("gateway_round_troubles", {"round": _ROUND, "trouble": "unexpected"}),
    "answer.not_placed": Heard("gateway_answer_failures", {"way": "sftp"}),
    "answer.not_published": Heard("gateway_answer_failures", {"way": "mq"}),
    "timestamp.unavailable": Heard("gateway_timestamps_missing"),
    "checkpoint.not_copied": Heard("gateway_checkpoint_copy_failures"),
    "data.purged": Heard("gateway_purges", {"kind": _DATA}, amount="count"),
    "data.not_purged": Heard("gateway_purge_failures", {"kind": _DATA}),
    "declarations.forwarded": Heard("gateway_declarations_forwarded", amount="count"),
    "declarations.put_off": Heard("gateway_declarations_put_off", amount="count"),
    "declaration.parked": Heard("gateway_declarations_parked", amount="count"),
    "broker.connected": Heard("gateway_broker_connections", {"how": "made"}),
    "broker.lost": Heard("gateway_broker_connections", {"how": "lost"}),
    "broker.away": Heard("gateway_broker_connections", {"how": "away"}),
    "broker.refused": Heard("gateway_broker_connections", {"how": "refused"}),
    "message.dead": Heard("gateway_dead_messages"),
    "institution.taken": Heard("gateway_institution_messages", {"outcome": "taken"}),
    "institution.repeated": Heard("gateway_institution_messages", {"outcome": "repeated"}),
    "institution.refused": Heard("gateway_institution_messages", {"outcome": "refused"}),
    "revocation.fetched": Heard("gateway_revocation_fetches", {"kind": _KIND, "outcome": "fetched"}),
    "revocation.failed": Heard("gateway_revocation_fetches", {"kind": _KIND, "outcome": "failed"}),
    "content.clean": Heard("gateway_scans", {"outcome": "clean"}),
    "content.found": Heard("gateway_scans", {"outcome": "found"}),
    "scanner.too_large": Heard("gateway_scans", {"outcome": "too_large"}),
    "scanner.unavailable": Heard("gateway_scans", {"outcome": "failed"}),
    "traces.sent": Heard("gateway_trace_spans", {"outcome": "sent"}, amount="count"),
    "traces.dropped": Heard("gateway_trace_spans", {"outcome": "dropped"}, amount="count"),
    "gateway.reloaded": Heard("gateway_reloads", {"outcome": "done"}),
    "gateway.reload_refused": Heard("gateway_reloads", {"outcome": "refused"}),
    "operations.answered": Heard("gateway_operations_requests", {"status": _STATUS}),
}


class Ears:
    """Counts the events that it is told of; from any thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counters = {
            name: Counter(name, text, labels, registry=registry) for name, (text, labels) in DOCUMENTATION.items()
        }
        for heard in HEARD.values():
            # Known before the first time, so that the first time is a rise, which an alert can see.
            for labels in _possible(heard):
                self._counter(heard.metric, labels)

    def hear(self, event: Mapping[str, Any]) -> None:
        """Count ``event`` if the table has it."""
        heard = HEARD.get(str(event.get("event")))
        if heard is None:
            return
        labels = {name: value if isinstance(value, str) else value.of(event) for name, value in heard.labels.items()}
        said = 1 if heard.amount is None else event.get(heard.amount, 1)
        self._counter(heard.metric, labels).inc(said if isinstance(said, int) and said > 0 else 1)

    def _counter(self, metric: str, labels: Mapping[str, str]) -> Counter:
        counter = self._counters[metric]
        return counter.labels(**labels) if labels else counter


def _possible(heard: Heard) -> Iterator[Mapping[str, str]]:
    """The labels that are certain, and those of a choice but for the many of HTTP."""
    chosen = [(name, value) for name, value in heard.labels.items() if isinstance(value, Choice)]
    fixed = {name: value for name, value in heard.labels.items() if isinstance(value, str)}
    if not chosen:
        yield fixed
    for name, choice in chosen:
        if choice is not _STATUS:
            yield from ({**fixed, name: value} for value in sorted(choice.values | {OTHER}))
