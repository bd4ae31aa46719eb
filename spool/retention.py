"""How long does an answer stay in OUT, and a message in the e-Box, and how does it come back?

An answer goes some time after it was fetched first, or a longer time after it was placed if nobody has fetched it; a
message in the e-Box likewise.  Its bytes stay in the journal: it can be read in STATUS, and given again.  One answer
that cannot be removed keeps no other.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from spool import answers as made
from spool import ebox
from spool.answers import AnswerName
from spool.effects import Kind
from spool.holds import Word
from spool.journal import Journal, JournalError
from spool.mailbox import OUTBOXES, Mailbox, MailboxRefusal, entry_of
from spool.outbox import Outbox
from spool.purges import are_answers_gone
from spool.status import FETCHED
from spool.submissions import note
from spool.tables import answers, effects, events

log = structlog.get_logger()

EXPIRED = "answer.expired"


@dataclass(frozen=True, slots=True)
class Retention:
    """Seconds that an answer stays after it was ``fetched`` first, and after it was placed if it was not."""

    fetched: float
    unfetched: float


@dataclass(frozen=True, slots=True)
class Placed:
    """An answer that lies in ``mailbox``: its files by name, and since when, in seconds since the epoch."""

    mailbox: Mailbox
    stem: str
    names: tuple[str, ...]
    since: float


def is_due(placed: Placed, fetched: float | None, retention: Retention, at: float) -> bool:
    """Whether an answer that was ``fetched`` first at that moment has to go ``at`` this one."""
    if fetched is not None and fetched >= placed.since:
        return at - fetched >= retention.fetched
    return at - placed.since >= retention.unfetched


def expire(journal: Journal, outbox: Outbox, retention: Retention, at: float) -> int:
    """Remove every answer and message whose time is up ``at`` a moment; answers how many.  Blocks on disk, journal."""
    read_before, placed_before = (int((at - age) * 1_000_000) for age in (retention.fetched, retention.unfetched))
    count = _expire_boxed(journal, read_before, placed_before)
    youngest = at - min(retention.fetched, retention.unfetched)
    for placed in _placed(outbox):
        if placed.since > youngest:
            continue
        try:
            count += _expire(journal, outbox, placed, retention, at)
        except (OSError, MailboxRefusal) as fault:
            log.error("answer.not_expired", sender=placed.mailbox.sender, stem=placed.stem, fault=type(fault).__name__)
    return count


def _expire_boxed(journal: Journal, read_before: int, placed_before: int) -> int:
    """The same in the e-Boxes; their trouble keeps no answer in OUT."""
    try:
        return ebox.expire(journal, read_before, placed_before)
    except JournalError as fault:
        log.error("ebox.not_expired", fault=type(fault).__name__)
        return 0


def _expire(journal: Journal, outbox: Outbox, placed: Placed, retention: Retention, at: float) -> bool:
    with journal.read() as connection:
        ticket = _ticket(connection, placed)
        if ticket is None or not is_due(placed, _fetched(connection, ticket, placed), retention, at):
            return False
    # GO goes first: what is left without it is not whole, for whoever looks just now.
    for name in sorted(placed.names, key=lambda name: not name.startswith("GO.")):
        outbox.remove(placed.mailbox, name)
    with journal.write() as connection:
        note(connection, ticket, EXPIRED, stem=placed.stem)
    log.info(EXPIRED, ticket=ticket, sender=placed.mailbox.sender, stem=placed.stem)
    return True


def _placed(outbox: Outbox) -> Iterator[Placed]:
    for sender in sorted(outbox.root.glob("[0-9]" * 6)):
        for directory in OUTBOXES:
            stems: dict[str, list[Path]] = defaultdict(list)
            for path in (sender / directory).glob("[!.]*.*"):
                stems[made.stem_of(path.name)].append(path)
            for stem, paths in stems.items():
                if not stem.isascii():
                    continue  # none of ours, and a name in no encoding is one that the journal cannot be asked for
                found = [entry for entry in map(entry_of, paths) if entry is not None]
                names = tuple(entry.name for entry in found)
                if found:
                    since = max(entry.modified for entry in found)
                    yield Placed(Mailbox(sender.name, directory), stem, names, since)


def _ticket(connection: Connection, placed: Placed) -> str | None:
    mine = (answers.c.sender == placed.mailbox.sender) & (answers.c.directory == placed.mailbox.directory)
    ticket: str | None = connection.execute(
        sa.select(answers.c.ticket).where(answers.c.stem == placed.stem, mine)
    ).scalar()
    return ticket


def _fetched(connection: Connection, ticket: str, placed: Placed) -> float | None:
    """When the answer itself, not its signature, was fetched first since it was placed."""
    files = [f"{prefix}.{placed.stem}" for prefix in ("FO", "CO")]
    at = connection.execute(
        sa.select(sa.func.min(events.c.at)).where(
            events.c.ticket == ticket,
            events.c.name == FETCHED,
            events.c.facts["file"].as_string().in_(files),
            events.c.at >= int(placed.since * 1_000_000),
        )
    ).scalar()
    return None if at is None else at / 1_000_000


class NotAnsweredError(LookupError):
    """There is no such ticket, or no answer to it was given yet."""


class NotKeptError(LookupError):
    """The answers were given, and are kept no longer."""


def place_again(connection: Connection, outbox: Outbox, ticket: str, word: Word) -> list[AnswerName]:
    """Have every answer to ``ticket`` given once more, whatever its sender has deleted; answers which these are.

    By the channel that it was given by: placed in OUT, published under the same message id, or put into the e-Box.

    Args:
        word: who wants it, and why

    Raises:
        NotAnsweredError: there is none, or it is still to be given for the first time.
        NotKeptError: their time was up.
    """
    if are_answers_gone(connection, ticket):
        raise NotKeptError(ticket)
    if boxed := ebox.put_back(connection, ticket, word):
        return boxed
    mine = (effects.c.ticket == ticket) & effects.c.kind.in_((Kind.ANSWER, Kind.PUBLISH))
    planned = connection.execute(sa.select(effects.c.facts, effects.c.state, effects.c.kind).where(mine)).all()
    if not planned or any(state != "done" for _, state, _ in planned):
        raise NotAnsweredError(ticket)
    if any(are_answers_gone(connection, facts["answer_of"]) for facts, _, _ in planned):
        raise NotKeptError(ticket)
    ways = {facts["answer_of"]: "mq" if kind == Kind.PUBLISH else "sftp" for facts, _, kind in planned}
    names = [replace(name, channel=way) for first, way in ways.items() for name in made.names(connection, first)]
    for name in names:
        outbox.forget_removal(name.mailbox, name.stem)
    anew = {"state": "pending", "done_at": None, "attempts": 0, "next_attempt_at": 0, "reason": None}
    connection.execute(sa.update(effects).where(mine).values(**anew))
    stems = [name.stem for name in names]
    note(connection, ticket, "answer.asked_again", actor=word.actor, reason=word.reason, stems=stems)
    return names
