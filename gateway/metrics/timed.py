"""When did each submission of a time come, when was it recorded, answered, and why was it held?

Read from the journal: an answer is the first that was placed or published, whether or not it was given again; what was
closed without one counts as answered then.  For how long the sender had waited before it came, custody has said, and
whether it was found there only later.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.answer_times import Timed
from gateway.metrics.heard import OTHER
from schemas.filename import FileName, parse
from spool.tables import events, submissions

_RECORDED = ("custody.taken", "custody.recovered")
_ANSWERED = ("answer.placed", "answer.published")
_HELD = ("submission.held", "submission.quarantined")
_WAITED = sa.cast(events.c.facts["waited"].as_string(), sa.BigInteger)
_RECOVERED = sa.or_(
    events.c.name == "custody.recovered",
    sa.and_(events.c.name == "custody.taken", events.c.facts["recovered"].as_boolean()),
)


def timed(connection: Connection, start: int, end: int) -> Iterator[Timed]:
    """Every submission that came from ``start`` on and before ``end`` (microseconds), in the order of receipt."""
    of_the_time = (submissions.c.received_at >= start) & (submissions.c.received_at < end)
    tickets = sa.select(submissions.c.ticket).where(of_the_time)
    first = (
        sa.select(
            events.c.ticket,
            sa.func.min(sa.case((events.c.name.in_(_RECORDED), events.c.at))).label("recorded_at"),
            sa.func.min(sa.case((events.c.name.in_(_ANSWERED), events.c.at))).label("answered_at"),
            sa.func.max(sa.case((events.c.name == "custody.taken", _WAITED))).label("waited"),
            sa.func.max(sa.case((_RECOVERED, 1), else_=0)).label("recovered"),
        )
        .where(events.c.ticket.in_(tickets), events.c.name.in_((*_RECORDED, *_ANSWERED)))
        .group_by(events.c.ticket)
        .subquery()
    )
    query = (
        sa.select(
            submissions.c.ticket,
            submissions.c.sender,
            submissions.c.name,
            submissions.c.state,
            submissions.c.received_at,
            first.c.recorded_at,
            sa.func.coalesce(first.c.answered_at, submissions.c.closed_at),
            sa.func.coalesce(first.c.waited, 0),
            sa.func.coalesce(first.c.recovered, 0),
        )
        .outerjoin(first, first.c.ticket == submissions.c.ticket)
        .where(of_the_time)
        .order_by(submissions.c.received_at, submissions.c.ticket)
    )
    held = _held(connection, tickets)
    for ticket, sender, name, state, received, recorded, answered, waited, found in connection.execute(query):
        why = held.get(ticket, ())
        yield Timed(ticket, sender, _purpose(name), state, received, recorded, answered, why, waited, bool(found))


def _held(connection: Connection, tickets: sa.Select[tuple[str]]) -> Mapping[str, tuple[str, ...]]:
    """Why each was held, every reason once, in order."""
    query = (
        sa.select(events.c.ticket, events.c.facts)
        .where(events.c.ticket.in_(tickets), events.c.name.in_(_HELD))
        .order_by(events.c.number)
    )
    reasons: dict[str, dict[str, None]] = defaultdict(dict)
    for ticket, facts in connection.execute(query):
        reasons[ticket][str(facts.get("reason", "no longer known"))] = None
    return {ticket: tuple(words) for ticket, words in reasons.items()}


def _purpose(name: str) -> str:
    parsed = parse(name)
    return parsed.purpose if isinstance(parsed, FileName) else OTHER
