"""Which exchanges and queues does the gateway need at the broker?

Names come from the settings; everything else is said here once, as arguments of the declaration: what a message's
safety hangs on must not change under it.  Every queue is a quorum queue (it survives the loss of a node), what it can't
deliver goes to the dead-letter exchange at least once, which RabbitMQ does only for a queue that rejects what doesn't
fit.  Policies say the same once more, for queues that others made, and what arguments cannot: that no queue drops its
oldest message to make room, and how much may wait.  Source: RabbitMQ 3.10, "Quorum Queues", "Dead Letter Exchanges",
"Alternate Exchanges", "Parameters and Policies".

Exchanges and queues are made by ``declaring``, policies by ``policies``.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from config.messages import Mq, Routing, WayBack

ENVIRONMENTS: Final = "RTS"
DEAD: Final = "batch.dead"
BACK: Final = "batch.back"
DELIVERIES: Final = 1000
"""How often the broker delivers a message before it gives it up, by itself and with no reason.

The gateway tells poison by itself, see ``consumer``, and much sooner.  The broker counts also what is no fault of the
message: every restart of the gateway and every lost connection, for all that is in hand, and every message that goes
back for want of room.  Its limit is for what ends the gateway before that can count anything.
"""

PRIORITY: Final = 1
"""Of the gateway's policies: RabbitMQ applies to a queue the one with the highest number, and no other."""

_QUORUM: Final[Mapping[str, str | int]] = MappingProxyType({"x-queue-type": "quorum"})
_DEAD_LETTERED: Final[Mapping[str, str | int]] = MappingProxyType(
    {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERIES,
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
)
_NEWEST: Final[Mapping[str, str | int]] = MappingProxyType(
    {"x-queue-type": "quorum", "x-max-length": 1, "x-overflow": "drop-head"}
)
_KEPT: Final[Mapping[str, str | int]] = MappingProxyType({"overflow": "reject-publish"})
_DEFINED: Final[Mapping[str, str | int]] = MappingProxyType(
    {name.removeprefix("x-"): value for name, value in _DEAD_LETTERED.items() if name not in _QUORUM}
)


class Kind(StrEnum):
    """How an exchange chooses its queues."""

    DIRECT = "direct"
    TOPIC = "topic"
    FANOUT = "fanout"


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange; ``alternate`` is the one that takes what no queue is bound for."""

    name: str
    kind: Kind
    alternate: str | None = None

    @property
    def arguments(self) -> dict[str, str | int]:
        """What goes with its declaration."""
        return {"alternate-exchange": self.alternate} if self.alternate else {}


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue."""

    name: str
    arguments: Mapping[str, str | int] = field(default_factory=lambda: _QUORUM)


@dataclass(frozen=True, slots=True)
class Binding:
    """What of an exchange goes to a queue."""

    exchange: str
    key: str
    queue: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for every queue whose name has ``pattern``, a regular expression, besides its arguments."""

    name: str
    pattern: str
    definition: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Topology:
    """Exchanges, queues and bindings, in the order in which they can be made, and the policies of the queues."""

    exchanges: tuple[Exchange, ...] = ()
    queues: tuple[Queue, ...] = ()
    bindings: tuple[Binding, ...] = ()
    policies: tuple[Policy, ...] = ()

    @property
    def things(self) -> tuple[Exchange | Queue, ...]:
        """Exchanges, then queues."""
        return (*self.exchanges, *self.queues)

    def __add__(self, other: "Topology") -> "Topology":
        """Both, each thing once."""
        return Topology(
            tuple(dict.fromkeys(self.exchanges + other.exchanges)),
            tuple({queue.name: queue for queue in self.queues + other.queues}.values()),
            tuple(dict.fromkeys(self.bindings + other.bindings)),
            tuple({policy.name: policy for policy in self.policies + other.policies}.values()),
        )


def in_queue(exchange: str, environment: str) -> str:
    """The queue of what senders bring for an environment (R, T or S)."""
    return f"{exchange}.{environment}"


def entrance(exchange: str, username: str) -> str:
    """The exchange to which nobody but that technical user may write, for clients that can't say a ``user_id``."""
    return f"{exchange}.{username}"


def entrance_owner(exchange: str, published_to: str) -> str:
    """Whose entrance it is that a message was published to; empty if it is nobody's.

    The broker has made sure of it, as it does of ``user_id``: a delivery names the exchange that its publisher named.
    """
    return published_to.removeprefix(f"{exchange}.") if published_to.startswith(f"{exchange}.") else ""


def out_queue(exchange: str, sender: str) -> str:
    """The queue of a sender's answers."""
    return f"{exchange}.{sender}"


def notice_exchange(answers: str) -> str:
    """The exchange of notices, beside that of answers; its keys are the numbers of senders."""
    return f"{answers}.notice"


def notice_queue(answers: str, sender: str) -> str:
    """The queue of what a sender is told that answers none of its files: the newest notice, and no other."""
    return f"{notice_exchange(answers)}.{sender}"


def _policy(name: str, rest: str, definition: Mapping[str, str | int], limit: int | None = None) -> Policy:
    """Of queues called ``name`` and ``rest``, an expression, in which at most ``limit`` bytes may wait."""
    limits = {} if limit is None else {"max-length-bytes": limit}
    return Policy(f"gateway {name}", f"^{re.escape(name)}{rest}$", {**definition, **limits})


DEAD_LETTERS: Final = Topology(
    (Exchange(DEAD, Kind.FANOUT),), (Queue(DEAD),), (Binding(DEAD, "", DEAD),), (_policy(DEAD, "", _KEPT),)
)
"""Where everything ends that can't be delivered or understood, whatever its key; nothing there is thrown away."""


def door(mq: Mq) -> Topology:
    """What senders write to: an exchange whose keys are the environments, each with a queue."""
    return DEAD_LETTERS + Topology(
        (Exchange(mq.exchange, Kind.DIRECT),),
        tuple(Queue(in_queue(mq.exchange, environment), _DEAD_LETTERED) for environment in ENVIRONMENTS),
        tuple(Binding(mq.exchange, environment, in_queue(mq.exchange, environment)) for environment in ENVIRONMENTS),
        (_policy(mq.exchange, rf"\.[{ENVIRONMENTS}]", _DEFINED, mq.max_queue_bytes),),
    )


def entrances(mq: Mq, usernames: Iterable[str]) -> Topology:
    """An entrance for each of these users, to the queues of the door."""
    names = tuple(entrance(mq.exchange, username) for username in usernames)
    bindings = ((name, environment) for name in names for environment in ENVIRONMENTS)
    return Topology(
        tuple(Exchange(name, Kind.DIRECT) for name in names),
        (),
        tuple(Binding(name, environment, in_queue(mq.exchange, environment)) for name, environment in bindings),
    )


def answers(mq: Mq, senders: Iterable[str]) -> Topology:
    """What senders read: a queue for each, whose key is the sender's number.

    No alternate exchange: an answer that no queue takes must come back to the gateway, which keeps it.
    """
    numbers = tuple(senders)
    return Topology(
        (Exchange(mq.answers, Kind.DIRECT),),
        tuple(Queue(out_queue(mq.answers, number)) for number in numbers),
        tuple(Binding(mq.answers, number, out_queue(mq.answers, number)) for number in numbers),
        (_policy(mq.answers, r"\.[0-9]+", _KEPT, mq.max_queue_bytes),),
    )


def notices(mq: Mq, senders: Iterable[str]) -> Topology:
    """Where senders read that maintenance is planned or off: a queue for each, in which a notice replaces the last."""
    numbers, exchange = tuple(senders), notice_exchange(mq.answers)
    return Topology(
        (Exchange(exchange, Kind.DIRECT),),
        tuple(Queue(notice_queue(mq.answers, number), _NEWEST) for number in numbers),
        tuple(Binding(exchange, number, notice_queue(mq.answers, number)) for number in numbers),
    )


def way_back(back: WayBack) -> Topology:
    """What institutions write to, with any key."""
    return DEAD_LETTERS + Topology(
        (Exchange(BACK, Kind.FANOUT),),
        (Queue(back.queue, _DEAD_LETTERED),),
        (Binding(BACK, "", back.queue),),
        (_policy(back.queue, "", _DEFINED),),
    )


def routing(settings: Routing) -> Topology:
    """Where accepted declarations go, by default and by routes, and where those go that no queue is bound for.

    What comes to the exchange of a route goes to queues that its readers bind.
    """
    alternate = settings.alternate or None
    names = dict.fromkeys((settings.exchange, *(route.exchange or settings.exchange for route in settings.routes)))
    main = Topology(
        tuple(Exchange(name, Kind.TOPIC, alternate) for name in names),
        (Queue(settings.queue),),
        (Binding(settings.exchange, "#", settings.queue),),
        (_policy(settings.queue, "", _KEPT),),
    )
    if alternate is None:
        return main
    kept = (_policy(alternate, "", _KEPT),)
    unrouted = (Exchange(alternate, Kind.FANOUT),), (Queue(alternate),), (Binding(alternate, "", alternate),), kept
    return Topology(*unrouted) + main


class Wrong(StrEnum):
    """What may be wrong with an exchange, a queue, a binding or a policy."""

    MISSING = "missing"
    DIFFERENT = "different"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that isn't as it should be, in words for an operator."""

    what: str
    wrong: Wrong
    words: str


_INEQUIVALENT: Final = re.compile(r"inequivalent arg '([^']*)' for .*: received (.*) but current is (.*)")


def difference(thing: Exchange | Queue, said: str) -> str:
    """What the broker said of a declaration that it refused, in words for an operator."""
    kind = "exchange" if isinstance(thing, Exchange) else "queue"
    found = _INEQUIVALENT.search(said)
    if found is None:
        return f"{kind} {thing.name}: the broker says: {said}"
    argument, wanted, current = (part.replace("the value ", "").replace("'", "") for part in found.groups())
    return (
        f"{kind} {thing.name} is there, but its {argument} is {current} and not {wanted}; empty and delete it, or give "
        "the setting its old value"
    )


def unbound(binding: Binding) -> str:
    """That a binding is missing, in words for an operator."""
    key = f" with the key {binding.key}" if binding.key else ""
    return f"queue {binding.queue} is not bound to the exchange {binding.exchange}{key}"
