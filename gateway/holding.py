"""What may an operator do to what is judged?  Hold, release, drop; each with a reason, written down, safe to repeat.

What an act changes, its event in the timeline and its line in the history of the register are one transaction. The
daemon sees it when it next looks for work, within seconds.
"""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from sqlalchemy.engine import Connection

from config.errors import TemporaryError
from gateway.register import inss
from gateway.register.actor import Operator, Refusal, Why, label
from gateway.register.history import record
from spool import holds, submissions
from spool.holds import Hold, Selection, Word
from spool.journal import Journal, now
from spool.submissions import OPEN_STATES, State, Submission, note
from spool.tickets import seconds_since

log = structlog.get_logger()

_LONGEST_REASON: Final = 500
_LONGEST_ACTOR: Final = 80


class HeldMeanwhileError(TemporaryError):
    """An operator has held it between the checks and the verdict."""


def check(connection: Connection, submission: Submission) -> None:
    """Write no verdict over a hold that came while the submission was judged.

    Raises:
        HeldMeanwhileError: there is one; when it is looked at next, it is kept for as long as the hold lasts.
    """
    hold = holds.standing_on(connection, submission, now())
    if hold is not None:
        raise HeldMeanwhileError(holds.words_of(hold))


def keep(journal: Journal, submission: Submission, hold: Hold) -> None:
    """Let a submission wait for the end of a hold, unless that was released meanwhile.  Blocks on the journal."""
    with journal.write() as connection:
        if hold != holds.standing_on(connection, submission, now()):
            return
        is_news = holds.keep(connection, submission, hold)
    if is_news:
        facts = {"sender": submission.sender, "file": submission.name, "reason": holds.words_of(hold)}
        log.info("submission.held", state=State.HELD, seconds=seconds_since(submission.ticket, now()), **facts)


def word_of(who: Operator, reason: str) -> Word:
    """Who says so and why, as it is kept; an INSS in the reason is not."""
    return Word(label(who)[:_LONGEST_ACTOR], inss.veiled(reason)[:_LONGEST_REASON])


def hold(
    connection: Connection, who: Operator, selection: Selection, reason: str, ends_at: int | None
) -> Hold | Refusal:
    """Hold what is selected, until ``ends_at`` (microseconds) or until it is released.

    What is held in the very same way stays as it is; one that ends at another time takes its place.
    """
    at = now()
    submission = None if selection.ticket is None else submissions.load(connection, selection.ticket)
    if selection.ticket is not None and (refusal := _not_to_hold(selection.ticket, submission)):
        return refusal
    same = next((one for one in holds.in_force(connection, at) if one.selection == selection), None)
    if same is not None and same.ends_at == ends_at:
        return same
    if same is not None:
        holds.release(connection, same, at)
    word = word_of(who, reason)
    placed = holds.place(connection, selection, word, at, ends_at)
    if submission is not None:
        note(connection, submission.ticket, "hold.placed", actor=word.actor, reason=word.reason, hold=placed.number)
        holds.keep(connection, submission, placed)
    record(
        connection, who, "hold.placed", _subject(placed), reason, None if same is None else facts(same), facts(placed)
    )
    return placed


def _not_to_hold(ticket: str, submission: Submission | None) -> Refusal | None:
    if submission is None:
        return Refusal(Why.UNKNOWN, f"there is no submission {ticket}")
    if submission.state is State.QUARANTINED:
        return Refusal(Why.CONFLICT, f"{ticket} is quarantined: it waits for a person already")
    if submission.state not in OPEN_STATES:
        return Refusal(Why.CONFLICT, f"{ticket} has its verdict: {submission.state}")
    return None


def release_hold(connection: Connection, who: Operator, number: int, reason: str) -> int | Refusal:
    """End a hold; answers how many submissions had waited."""
    at = now()
    ended = next((one for one in holds.in_force(connection, at) if one.number == number), None)
    if ended is None:
        return Refusal(Why.UNKNOWN, f"there is no hold {number}, or it has ended")
    return _end(connection, who, ended, reason, at)


def _end(connection: Connection, who: Operator, ended: Hold, reason: str, at: int) -> int:
    count = holds.release(connection, ended, at)
    record(connection, who, "hold.released", _subject(ended), reason, facts(ended), None)
    return count


def release_ticket(connection: Connection, who: Operator, ticket: str, reason: str) -> Refusal | None:
    """Have one submission, held or quarantined, judged again at once.

    A hold of its sender or its type goes on: what is one of many is not let out by itself.
    """
    at = now()
    submission = submissions.load(connection, ticket)
    for one in [] if submission is None else holds.in_force(connection, at):
        if one.selection == Selection(ticket=ticket):
            _end(connection, who, one, reason, at)
        elif submission is not None and one.selection.covers(submission):
            return Refusal(
                Why.CONFLICT, f"{ticket} is {holds.words_of(one)}; see `gateway release --hold {one.number}`"
            )
    if not holds.free(connection, ticket, State.HELD, State.QUARANTINED):
        return Refusal(Why.CONFLICT, f"{ticket} is neither held nor quarantined")
    _note(connection, who, ticket, "submission.released", reason)
    return None


def give_back(connection: Connection, who: Operator, ticket: str, reason: str) -> Refusal | None:
    """Have a quarantined submission judged again at once."""
    if not holds.free(connection, ticket, State.QUARANTINED):
        return _not_quarantined(connection, ticket)
    _note(connection, who, ticket, "submission.returned", reason)
    return None


def drop(connection: Connection, who: Operator, ticket: str, reason: str) -> Refusal | None:
    """Have a quarantined submission refused; its files stay in custody, and its sender gets one answer."""
    if holds.drop(connection, ticket, word_of(who, reason), now()):
        _note(connection, who, ticket, "submission.dropped", reason)
        return None
    return None if holds.dropped(connection, ticket) is not None else _not_quarantined(connection, ticket)


def _not_quarantined(connection: Connection, ticket: str) -> Refusal:
    submission = submissions.load(connection, ticket)
    if submission is None:
        return Refusal(Why.UNKNOWN, f"there is no submission {ticket}")
    return Refusal(Why.CONFLICT, f"{ticket} is not quarantined: it is {submission.state}")


def _note(connection: Connection, who: Operator, ticket: str, event: str, reason: str) -> None:
    word = word_of(who, reason)
    note(connection, ticket, event, actor=word.actor, reason=word.reason)
    record(connection, who, event, f"ticket:{ticket}", reason, None, None)


def _subject(placed: Hold) -> str:
    return f"hold:{placed.number}" if placed.selection.ticket is None else f"ticket:{placed.selection.ticket}"


def facts(placed: Hold) -> Mapping[str, Any]:
    """A hold as the history has it."""
    selection = placed.selection
    return {
        "hold": placed.number,
        "ticket": selection.ticket,
        "sender": selection.sender,
        "type": selection.purpose,
        "environment": selection.environment,
        "until": placed.ends_at,
    }
