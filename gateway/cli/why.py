"""``gateway why``: why a submission stands where it stands, in plain words, and what is to be done about it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, assert_never

import click
from sqlalchemy.engine import Connection

from gateway.cli.output import RefusedError, print_json, when, with_config, with_json
from gateway.cli.show import meaning
from gateway.site import open_site, settings_file
from spool import effects, holds, institutions, submissions
from spool.effects import Kind
from spool.holds import Hold, Word
from spool.journal import now
from spool.submissions import OPEN_STATES, Event, State, Submission

_REASONS: Final = {
    "EarlierUndecidedError": "An earlier submission of the same name had no verdict yet.",
    "TrustUnavailable": "Whether its certificate still counts could not be found out: revocation data were missing.",
    "TimestampUnavailable": "The answer has to carry a timestamp, and none was to be had.",
    "ScannerUnavailable": "The content scanner said nothing of it: it was away, slow, or made no sense.",
    "TooLargeToScan": "The content scanner does not look at so much, or not at all of it.",
    "WorkerFailedError": "The process that looked at it ended before it was done.",
    "WithdrawnMeanwhileError": "A TD file came while it was judged.",
    "HeldMeanwhileError": "An operator held it while it was judged.",
    "JournalError": "The journal could not be used.",
}
_NEXT: Final = {
    "TrustUnavailable": "Nothing, if the authority's server comes back; else `gateway authority crl` brings a list.",
    "TimestampUnavailable": "Nothing, if the timestamp authority comes back.",
    "ScannerUnavailable": "Nothing, if clamd comes back; its own log says what ails it.",
    "TooLargeToScan": "Raise the limits of clamd and `scanner.max_bytes`: docs/scanner.md.",
    "WorkerFailedError": "Look for worker.* in the log: memory, time, or a file that breaks the reader.",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a submission: what holds it, who dropped it, what came before it, what is undone, the last step.

    ``undone`` has for each kind of effect how many are not done, and why the first of them is not.
    """

    submission: Submission
    events: tuple[Event, ...] = ()
    hold: Hold | None = None
    drop: Word | None = None
    blocker: Submission | None = None
    undone: tuple[tuple[str, int, str | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why, and what to do next, in sentences."""

    why: tuple[str, ...]
    then: tuple[str, ...]


@click.command(short_help="Say why a ticket stands where it stands.")
@click.argument("ticket")
@with_json
@with_config
def why(ticket: str, config: Path | None, *, as_json: bool) -> None:
    """Say why TICKET was refused, is held, quarantined or waits, and what to do next."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        known = look(connection, ticket)
        message = institutions.load(connection, ticket) if known is None else None
    if known is None:
        words = f"{ticket} is an institution's message; see `gateway show`"
        raise RefusedError(words if message is not None else f"there is no submission {ticket}")
    explained = explain(known)
    if as_json:
        print_json(_facts(known.submission, explained))
        return
    submission = known.submission
    click.echo(f"{ticket} ({submission.name} from {submission.sender}) is {submission.state}.")
    for line in explained.why:
        click.echo(f"  {line}")
    for line in explained.then:
        click.echo(f"next: {line}")


def _facts(submission: Submission, explained: Explanation) -> dict[str, Any]:
    return {
        "ticket": submission.ticket,
        "state": submission.state.value,
        "why": list(explained.why),
        "next": list(explained.then),
    }


def look(connection: Connection, ticket: str) -> Known | None:
    """What is known of a ticket, None if it is no submission's."""
    submission = submissions.load(connection, ticket)
    if submission is None:
        return None
    is_open = submission.state in OPEN_STATES
    earlier = submissions.namesake(connection, submission) if is_open else None
    return Known(
        submission,
        tuple(submissions.timeline(connection, ticket)),
        holds.standing_on(connection, submission, now()) if is_open else None,
        holds.dropped(connection, ticket),
        earlier if earlier is not None and earlier.state is not State.ACCEPTED else None,
        tuple(_undone(connection, ticket)),
    )


def _undone(connection: Connection, ticket: str) -> Iterator[tuple[str, int, str | None]]:
    for kind in Kind:
        waiting = [one for one in effects.standings(connection, kind, ticket) if one.state != "done"]
        if waiting:
            yield str(kind), len(waiting), next((one.reason for one in waiting if one.reason), None)


def explain(known: Known) -> Explanation:
    """Why, and what to do next.  Pure."""
    match known.submission.state:
        case State.RECEIVED:
            return _received(known)
        case State.HELD:
            return _held(known)
        case State.QUARANTINED:
            return _quarantined(known)
        case State.REJECTED:
            return _rejected(known)
        case State.ACCEPTED | State.REPEATED:
            return _settled(known)
    assert_never(known.submission.state)


def _received(known: Known) -> Explanation:
    if known.drop is not None:
        words = f"{known.drop.actor} dropped it: {known.drop.reason}"
        return Explanation((words,), ("Nothing: it is refused, with 277, as soon as the gateway runs.",))
    return Explanation(
        ("It is in custody and waits for its turn.",),
        ("Nothing. If it stays so, see whether the gateway runs: `gateway health`.",),
    )


def _held(known: Known) -> Explanation:
    if known.hold is not None:
        return _held_by_hand(known.hold)
    if known.blocker is not None:
        return _behind(known.blocker)
    return _by_reason(known, ("It is tried again by itself; `gateway release` tries at once.",))


def _held_by_hand(hold: Hold) -> Explanation:
    since, word = when(hold.placed_at), hold.word
    end = "until it is released" if hold.ends_at is None else f"until {when(hold.ends_at)}"
    words = f"Hold {hold.number} of {word.actor}, since {since}, {end}: {word.reason}"
    return Explanation((words,), (f"`gateway release --hold {hold.number} --reason ...` when it may be judged.",))


def _behind(blocker: Submission) -> Explanation:
    words = f"It waits behind {blocker.ticket}, which has the same name, came before it and is {blocker.state}."
    if blocker.state is State.QUARANTINED:
        return Explanation(
            (words,),
            (f"Mend what failed, then `gateway quarantine return {blocker.ticket}`; or `gateway quarantine drop` it.",),
        )
    return Explanation((words,), (f"See `gateway why {blocker.ticket}`; this one follows by itself.",))


def _quarantined(known: Known) -> Explanation:
    ticket = known.submission.ticket
    return _by_reason(
        known,
        (
            "Nobody tries it again. Its sender reads that it is held; what has the same name waits behind it.",
            f"Look for judge.failed with this ticket in the log; mend it; then `gateway quarantine return {ticket}`.",
            f"If it can't be mended: `gateway quarantine drop {ticket}` refuses it, and frees the name.",
        ),
    )


def _by_reason(known: Known, then: tuple[str, ...]) -> Explanation:
    last = next((event for event in reversed(known.events) if "reason" in event.facts), None)
    if last is None:
        return Explanation(("No reason was written down.",), then)
    reason = str(last.facts["reason"])
    name = reason.partition(":")[0].partition(" ")[0]
    attempts = known.submission.attempts
    words = [_REASONS.get(name, ""), f"At {when(last.at)}: {reason}"]
    if attempts:
        words.append(f"It failed {attempts} times in a way that nobody thought of.")
    return Explanation(tuple(filter(None, words)), (*filter(None, (_NEXT.get(name),)), *then))


def _rejected(known: Known) -> Explanation:
    words = tuple(
        " ".join(filter(None, (f"{code}: {meaning(code)}", detail))) for code, detail in known.submission.findings
    )
    if known.drop is not None:
        words = (*words, f"{known.drop.actor} dropped it: {known.drop.reason}")
    then = "Its sender mends that and may use the name again; what was refused is in `gateway show`, step by step."
    return Explanation(words, (then, *_undone_words(known)))


def _settled(known: Known) -> Explanation:
    submission = known.submission
    first = next((event.facts.get("repeats") for event in known.events if "repeats" in event.facts), None)
    words = ["Everything was found to be right."] if submission.state is State.ACCEPTED else []
    if first is not None:
        words.append(f"It is {first} again, byte for byte, and gets the answer that {first} got.")
    if submission.closed_at is None:
        words += [f"{count} times {kind} still to do" + _because(reason) for kind, count, reason in known.undone]
    return Explanation(tuple(words), tuple(_undone_words(known)) or ("Nothing.",))


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else "."


def _undone_words(known: Known) -> Iterator[str]:
    kinds = {kind for kind, _, _ in known.undone}
    if Kind.FORWARD in kinds:
        yield "Declarations go to the queue by themselves; parked ones by `gateway replay --ticket`."
    if Kind.PUBLISH in kinds:
        yield "Answers are published as soon as the broker takes them."
    if Kind.ANSWER in kinds:
        yield "Answers are placed as soon as the gateway runs and the disk takes them."
