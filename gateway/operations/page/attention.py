"""What, of all there is to see, needs a look now?  Pure.

A trouble is what keeps a sender waiting or breaks a promise; what may become one, or is meant so, weighs less.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.answer_times import Promise
from gateway.health import Part
from gateway.metrics.waiting import Waiting
from gateway.operations.page.ending import Dates, Own, Registered, days_left
from gateway.operations.page.incoming import Incoming
from gateway.operations.page.promised import OfDay
from gateway.operations.page.troubled import Troubled
from spool.maintenance import Window

_SECOND: Final = 1_000_000
_WARNED_DAYS: Final = 30
_PRESSING_DAYS: Final = 7
_MANY: Final = 10


class Weight(StrEnum):
    """Whether it is a trouble, or worth a notice."""

    TROUBLE = "trouble"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that needs a look: words, and the page that tells more, empty where this one does."""

    weight: Weight
    words: str
    page: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """All there is to see at a moment.

    ``today`` is None where it could not be measured in time, ``authorities`` where they could not be read.  What of the
    processes is not ready is ``unfit``, which only the overview asks for.
    """

    at: datetime
    maintenance: Window | None
    waiting: tuple[Waiting, ...]
    incoming: Incoming
    promise: Promise
    today: OfDay | None
    authorities: tuple[Dates, ...] | None
    own: tuple[Own, ...]
    registered: Registered
    troubled: Troubled
    unfit: tuple[Part, ...] = ()

    @property
    def present(self) -> int:
        """The moment, in microseconds."""
        return int(self.at.timestamp() * _SECOND)


def notices(seen: Seen) -> tuple[Notice, ...]:
    """What needs a look, troubles first."""
    found = [
        *(Notice(Weight.TROUBLE, f"Not ready, {part.name}: {part.words}.") for part in seen.unfit),
        *_of_maintenance(seen),
        *_of_waiting(seen),
        *_of_answers(seen.today),
        *_of_authorities(seen.authorities, seen.at),
        *_of_certificates(seen.own, seen.registered, seen.at),
        *_of_senders(seen.troubled, seen.incoming),
    ]
    return tuple(sorted(found, key=lambda notice: notice.weight is Weight.NOTICE))


def _of_maintenance(seen: Seen) -> Iterator[Notice]:
    window = seen.maintenance
    if window is not None:
        closed = window.is_closed(seen.present)
        yield Notice(Weight.NOTICE, "The intake is closed for maintenance." if closed else "Maintenance is announced.")


_WORDS: Final = {
    "judge": "waiting to be judged",
    "answer": "answers not placed",
    "publish": "answers not published",
    "quarantined": "in quarantine: a person has to look",
    "parked": "declarations parked: a person has to say when",
    "unpublished": "answers that the broker refused: a person has to say when",
    "held": "held: see why",
}
_BY_AGE: Final = ("judge", "answer", "publish")
_BY_A_PERSON: Final = ("quarantined", "parked", "unpublished")


def _of_waiting(seen: Seen) -> Iterator[Notice]:
    promised = seen.promise.answer_seconds * _SECOND
    for stage in seen.waiting:
        if not stage.count:
            continue
        late = stage.since is not None and seen.present - stage.since > promised
        if stage.stage in _BY_A_PERSON or (stage.stage in _BY_AGE and late):
            yield Notice(Weight.TROUBLE, f"{stage.count} {_WORDS[stage.stage]}.", "#waiting")
        elif stage.stage == "held":
            yield Notice(Weight.NOTICE, f"{stage.count} {_WORDS[stage.stage]}.", "answers")


def _of_answers(today: OfDay | None) -> Iterator[Notice]:
    if today is not None and not today.whole.kept:
        yield Notice(Weight.TROUBLE, "Today's answers are not within the promise.", "answers")


def _of_authorities(authorities: Iterable[Dates] | None, at: datetime) -> Iterator[Notice]:
    if authorities is None:
        yield Notice(Weight.TROUBLE, "The accepted authorities cannot be read.", "ending")
        return
    for one in authorities:
        if one.fresh_until is not None and one.fresh_until <= at:
            yield Notice(Weight.TROUBLE, f"The revocation list of {one.name} is too old: its senders wait.", "ending")
        yield from _of_end(f"The authority {one.name}", one.ends, at)


def _of_certificates(own: Iterable[Own], registered: Registered, at: datetime) -> Iterator[Notice]:
    for one in own:
        yield from _of_end(f"The gateway's certificate ({one.setting})", one.ends, at)
    if registered.nearest and registered.nearest[0].days_left(int(at.timestamp() * _SECOND)) < _PRESSING_DAYS:
        yield Notice(Weight.NOTICE, f"A key or certificate of a sender ends within {_PRESSING_DAYS} days.", "ending")


def _of_end(what: str, end: datetime, at: datetime) -> Iterator[Notice]:
    left = days_left(end, at)
    if left < 0:
        yield Notice(Weight.TROUBLE, f"{what} has ended.", "ending")
    elif left < _WARNED_DAYS:
        weight = Weight.TROUBLE if left < _PRESSING_DAYS else Weight.NOTICE
        yield Notice(weight, f"{what} ends in {left} {'day' if left == 1 else 'days'}.", "ending")


def _of_senders(troubled: Troubled, incoming: Incoming) -> Iterator[Notice]:
    if troubled.locks:
        yield Notice(Weight.NOTICE, f"{len(troubled.locks)} locked out after failed log-ins.", "senders")
    many = [line for line in incoming.senders if is_many(line.refused, line.count)]
    if many:
        yield Notice(
            Weight.NOTICE,
            f"Most of what {len(many)} {'sender sends' if len(many) == 1 else 'senders send'} is refused.",
            "senders",
        )


def is_many(refused: int, count: int) -> bool:
    """Whether so many refusals of so many submissions are more than an accident."""
    return refused >= _MANY and 2 * refused >= count
