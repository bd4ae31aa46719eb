"""What has come in lately, what became of it, and which senders were refused most?

Bars of five minutes count every submission of the last hour; the rest is said of the newest few thousand of a day,
which an index leads to.  How far back these reach is said with them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from schemas.codes import Code
from schemas.filename import FileName, parse
from spool.submissions import State
from spool.tables import submissions

NEWEST: Final = 5_000
"""Of so many of the newest submissions types, codes and senders are counted."""

MOST: Final = 100_000
"""So many of the last hour are counted at most."""

BARS: Final = 12
_SECOND: Final = 1_000_000
_BAR: Final = 300 * _SECOND
_DAY: Final = 86_400 * _SECOND
_EXAMPLES: Final = 3
_OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A submission: its type as the name says it, where it stands, and the codes it was refused with."""

    ticket: str
    received_at: int
    sender: str
    purpose: str
    state: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OfType:
    """How many of a type came, and stand where: by state."""

    purpose: str
    count: int
    states: dict[str, int]


@dataclass(frozen=True, slots=True)
class Refused:
    """A code, what it says, how many submissions were refused with it, and the newest of these."""

    code: str
    words: str
    count: int
    tickets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RefusedSender:
    """A sender, how many of its submissions were counted, how many of them were refused, and with what most."""

    sender: str
    count: int
    refused: int
    code: str
    ticket: str


@dataclass(frozen=True, slots=True)
class Incoming:
    """What came: ``bars`` of five minutes, the latest last; of ``count`` submissions since ``since`` the rest.

    ``since`` is None where nothing came, ``more`` whether there was more within the day.
    """

    bars: tuple[int, ...]
    count: int
    since: int | None
    more: bool
    types: tuple[OfType, ...]
    refused: tuple[Refused, ...]
    senders: tuple[RefusedSender, ...]

    @property
    def hour(self) -> int:
        """How many came in the last hour; `MOST` stands for more too."""
        return sum(self.bars)

    @property
    def rejected(self) -> int:
        """How many of those counted were refused."""
        return sum(line.states.get(State.REJECTED, 0) for line in self.types)


def look(connection: Connection, at: int) -> Incoming:
    """What came before ``at`` (microseconds)."""
    arrivals = list(_newest(connection, at))
    return summary(_bars(connection, at), arrivals[:NEWEST], more=len(arrivals) > NEWEST)


def summary(bars: Sequence[int], arrivals: Sequence[Arrival], *, more: bool) -> Incoming:
    """What there is to say of ``arrivals``, the newest first.  Pure."""
    return Incoming(
        bars=tuple(bars),
        count=len(arrivals),
        since=arrivals[-1].received_at if arrivals else None,
        more=more,
        types=tuple(_types(arrivals)),
        refused=tuple(_refused(arrivals)),
        senders=tuple(_senders(arrivals)),
    )


def meaning(code: str) -> str:
    """What a code of the acknowledgement says, empty where it is none of ours."""
    digits = code.removeprefix("ACRF-")
    return Code(digits).meaning if digits in set(Code) else ""


def _types(arrivals: Iterable[Arrival]) -> list[OfType]:
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for arrival in arrivals:
        states[arrival.purpose][arrival.state] += 1
    lines = [OfType(purpose, counted.total(), dict(counted)) for purpose, counted in states.items()]
    return sorted(lines, key=lambda line: (-line.count, line.purpose))


def _refused(arrivals: Iterable[Arrival]) -> list[Refused]:
    tickets: dict[str, list[str]] = defaultdict(list)
    for arrival in arrivals:
        for code in dict.fromkeys(arrival.codes):
            tickets[code].append(arrival.ticket)
    lines = [Refused(code, meaning(code), len(found), tuple(found[:_EXAMPLES])) for code, found in tickets.items()]
    return sorted(lines, key=lambda line: (-line.count, line.code))


def _senders(arrivals: Iterable[Arrival]) -> list[RefusedSender]:
    came: Counter[str] = Counter()
    refused: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        came[arrival.sender] += 1
        if arrival.state == State.REJECTED:
            refused[arrival.sender].append(arrival)
    lines = []
    for sender, found in refused.items():
        codes = Counter(code for arrival in found for code in dict.fromkeys(arrival.codes))
        most = codes.most_common(1)[0][0] if codes else ""
        lines.append(RefusedSender(sender, came[sender], len(found), most, found[0].ticket))
    return sorted(lines, key=lambda line: (-line.refused, line.sender))


def _bars(connection: Connection, at: int) -> list[int]:
    newest = (
        sa.select(submissions.c.received_at)
        .where(submissions.c.received_at > at - BARS * _BAR, submissions.c.received_at <= at)
        .order_by(submissions.c.received_at.desc())
        .limit(MOST)
        .subquery()
    )
    bar = (sa.literal(at, sa.BigInteger) - newest.c.received_at) // _BAR
    rows = connection.execute(sa.select(bar, sa.func.count()).group_by(bar))
    counted = {int(number): int(count) for number, count in rows}
    return [counted.get(number, 0) for number in reversed(range(BARS))]


def _newest(connection: Connection, at: int) -> list[Arrival]:
    rejected = sa.case((submissions.c.state == State.REJECTED, submissions.c.findings))
    query = (
        sa.select(
            submissions.c.ticket,
            submissions.c.received_at,
            submissions.c.sender,
            submissions.c.name,
            submissions.c.state,
            rejected,
        )
        .where(submissions.c.received_at > at - _DAY, submissions.c.received_at <= at)
        .order_by(submissions.c.received_at.desc())
        .limit(NEWEST + 1)
    )
    return [
        Arrival(ticket, received, sender, _purpose(name), state, _codes(findings))
        for ticket, received, sender, name, state, findings in connection.execute(query)
    ]


def _codes(findings: Any) -> tuple[str, ...]:
    return tuple(str(code) for code, _ in findings or ())


def _purpose(name: str) -> str:
    parsed = parse(name)
    return parsed.purpose if isinstance(parsed, FileName) else _OTHER
