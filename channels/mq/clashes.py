"""What is wrong with the settings of messages, taken together?  Pure.

Sections that take messages need a broker.  And no exchange or queue may have two purposes: the broker would refuse the
second declaration, or take it and mix what two readers expect.  The names of dead letters and of what institutions send
to are fixed, and taken.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from channels.mq.topology import BACK, DEAD, ENVIRONMENTS, in_queue
from config.messages import Mq, Routing, WayBack, without_broker
from config.settings import Settings

_Named = tuple[str, str]
"""A key of the settings, and the name it gives."""


def faults_of_messages(settings: Settings) -> list[str]:
    """Every fault, each told by its key."""
    faults = without_broker(settings.broker, settings.mq, settings.back)
    return faults + clashes(settings.mq, settings.back, settings.routing) if settings.broker.urls else faults


def clashes(mq: Mq, back: WayBack, routing: Routing) -> list[str]:
    """A fault for every exchange and queue with two purposes, of what is enabled."""
    return [
        *_shared("exchange", [*_exchanges_of_the_door(mq), *_exchanges_of_routing(routing)]),
        *_shared("queue", [*_queues_of_the_doors(mq, back), *_queues_of_routing(routing)]),
    ]


def _exchanges_of_the_door(mq: Mq) -> Iterator[_Named]:
    yield "dead letters", DEAD
    yield "institutions' messages", BACK
    if mq.enabled:
        yield "mq.exchange", mq.exchange
        yield "mq.answers", mq.answers


def _exchanges_of_routing(routing: Routing) -> Iterator[_Named]:
    yield "routing.exchange", routing.exchange
    if routing.alternate:
        yield "routing.alternate", routing.alternate
    others = {route.exchange for route in routing.routes if route.exchange} - {routing.exchange}
    for name in sorted(others):
        yield "routing.routes", name


def _queues_of_the_doors(mq: Mq, back: WayBack) -> Iterator[_Named]:
    yield "dead letters", DEAD
    if mq.enabled:
        for environment in ENVIRONMENTS:
            yield "mq.exchange", in_queue(mq.exchange, environment)
    if back.enabled:
        yield "back.queue", back.queue


def _queues_of_routing(routing: Routing) -> Iterator[_Named]:
    yield "routing.queue", routing.queue
    if routing.alternate:
        yield "routing.alternate", routing.alternate


def _shared(kind: str, named: Iterable[_Named]) -> Iterator[str]:
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for key, name in named:
        keys[name].append(key)
    for name, several in keys.items():
        if len(several) > 1:
            yield f"{several[-1]}: the {kind} {name!r} is already that of {' and of '.join(several[:-1])}"
