"""Who exchanged data about a person?

Every form that was accepted, and every message of an institution, leaves a row for each person it names: the mark of
the INSS (:mod:`gateway.register.inss`), never the number.  Who sent it, what it was and where it went stands with the
submission, its effects or the institution's message already, and is looked up there.

A question is answered for a reason, and is itself a line of the history.  What this does not know: what an institution
did with a declaration afterwards.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.errors import ConfigurationError, TemporaryError
from config.settings import Settings
from gateway.register import history, inss
from gateway.register.actor import Actor
from gateway.register.marker import Marker
from schemas.filename import FileName, parse
from spool import many_rows
from spool.effects import Kind
from spool.journal import Journal
from spool.prepared import Prepared
from spool.register_tables import disclosures, institution_messages
from spool.tables import effects, submissions

_ROWS_AT_ONCE: Final = 20_000


class InssKeyUnusableError(TemporaryError):
    """Persons cannot be noted, so nothing that names some can be accepted just now."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange that concerned a person; what was forwarded to several places is several.

    ``at`` is when it was received (microseconds), ``sent_by`` a sender number or the name an institution publishes by,
    ``message_type`` the purpose code of the file or message, ``form`` the form's place in it, from 1.  ``forwarded_to``
    is ``exchange key`` or ``channel sender``, None where it went nowhere; ``state`` and ``forwarded_at`` are of that.
    """

    at: int
    sent_by: str
    message_type: str
    environment: str
    ticket: str
    form: int
    forwarded_to: str | None
    state: str | None
    forwarded_at: int | None


def marker(settings: Settings, journal: Journal) -> Callable[[str], str]:
    """What turns an INSS into its mark; it holds the key, and goes to a worker with the content to look at.

    Raises:
        InssKeyUnusableError: the key is missed, or cannot be read.
    """
    try:
        with journal.read() as connection:
            return Marker(inss.key_of(connection, inss.key_file(settings)))
    except ConfigurationError as fault:
        raise InssKeyUnusableError("; ".join(fault.faults)) from fault


def marker_at_hand(settings: Settings) -> Callable[[str], str] | None:
    """The same where the key is there and fit for use, which is nearly always; it takes no longer than a thread would.

    None says nothing of why: :func:`marker` does.
    """
    try:
        return Marker(inss.read_key(inss.key_file(settings)))
    except ConfigurationError:
        return None


def record(connection: Connection, ticket: str, marks: Iterable[tuple[int, str]], at: int) -> None:
    """Write down which persons the forms of a ticket name; what is there for the ticket already stays as it is.

    Args:
        connection: the transaction that the submission or message becomes accepted in.
        ticket: its ticket.
        marks: the form, counted from 1, and the mark of a person in it; read as they are written, never all at once.
        at: when it was received, in microseconds.
    """
    if _KNOWN.first(connection, {"of": ticket}) is not None:
        return
    rest = iter(marks)
    while batch := list(islice(rest, _ROWS_AT_ONCE)):
        # In the order of the index, which then is gone through once.
        rows = sorted((mark, at, ticket, form) for form, mark in batch)
        many_rows.insert(connection, _COLUMNS, rows)


_KNOWN: Final = Prepared(sa.select(disclosures.c.number).where(disclosures.c.ticket == sa.bindparam("of")).limit(1))
_COLUMNS: Final = (disclosures.c.inss_mark, disclosures.c.at, disclosures.c.ticket, disclosures.c.form)


def ask(connection: Connection, actor: Actor, mark: str, *, reason: str) -> list[Exchange]:
    """Every exchange that concerned a person, oldest first; that it was asked is recorded in the same transaction.

    Args:
        connection: a transaction that may write; nothing of the answer may be shown before it is committed.
        actor: who asks.
        mark: of the person's INSS.
        reason: why, in the actor's words.
    """
    found = list(_exchanges(connection, mark))
    history.record(connection, actor, "disclosures.asked", f"inss:{mark}", reason, None, {"exchanges": len(found)})
    return found


def _exchanges(connection: Connection, mark: str) -> Iterator[Exchange]:
    # A message with a whole file has every form of it, not only the one it was planned for.
    of_form, of_file = effects.c.ordinal == disclosures.c.form, effects.c.facts["payload"].as_string() != "form"
    forwards = (effects.c.ticket == disclosures.c.ticket) & (effects.c.kind == Kind.FORWARD) & (of_form | of_file)
    query = (
        sa.select(
            disclosures.c.at,
            disclosures.c.ticket,
            disclosures.c.form,
            submissions.c.sender,
            submissions.c.name,
            effects.c.facts,
            effects.c.state,
            effects.c.done_at,
            institution_messages.c.publisher,
            institution_messages.c.purpose,
            institution_messages.c.environment,
            institution_messages.c.sender.label("recipient"),
            institution_messages.c.channel,
            institution_messages.c.state.label("delivery"),
        )
        .outerjoin_from(disclosures, submissions, submissions.c.ticket == disclosures.c.ticket)
        .outerjoin(effects, forwards)
        .outerjoin(institution_messages, institution_messages.c.ticket == disclosures.c.ticket)
        .where(disclosures.c.inss_mark == mark)
        .order_by(disclosures.c.at, disclosures.c.number, effects.c.ordinal)
    )
    return (_exchange(row) for row in connection.execute(query))


def _exchange(row: Any) -> Exchange:
    if row.publisher is not None:
        to = None if row.channel is None else f"{row.channel} {row.recipient or ''}".rstrip()
        return Exchange(
            row.at, row.publisher, row.purpose, row.environment, row.ticket, row.form, to, row.delivery, None
        )
    name = parse(row.name or "")
    purpose, environment = (name.purpose, str(name.environment)) if isinstance(name, FileName) else ("", "")
    facts = row.facts or {}
    to = " ".join(filter(None, (facts.get("exchange"), facts.get("routing_key")))) or None
    return Exchange(row.at, row.sender or "", purpose, environment, row.ticket, row.form, to, row.state, row.done_at)
