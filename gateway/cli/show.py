"""``gateway show``: the timeline of a ticket, with what was found, what was answered, what is still to do."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy.engine import Connection

from gateway.cli.output import RefusedError, print_json, when, with_config, with_json
from gateway.cli.submissions import facts_of
from gateway.site import open_site, settings_file
from schemas.codes import Code
from spool import answers, ebox, effects, institutions
from spool import submissions as journal_of
from spool.answers import FETCHED
from spool.effects import Kind
from spool.submissions import Event

_SHOWN: Final = (
    "ticket", "state", "sender", "user", "directory", "name", "about", "received", "verdict", "closed", "forms",
    "waiting", "parked",
)  # fmt: skip
_SECOND: Final = 1_000_000
_MINUTE: Final = 60


@click.command(short_help="Show the timeline of a ticket.")
@click.argument("ticket")
@with_json
@with_config
def show(ticket: str, config: Path | None, *, as_json: bool) -> None:
    """Show the timeline of TICKET, of a submission or of an institution's message.

    Every step has its time and how long after the first it came; before them stand what was found, in words, what was
    answered and when it was fetched, and what is still to do.  `gateway why` says why it stands where it stands.
    """
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        facts = _of_submission(connection, ticket) or _of_message(connection, ticket)
        if facts is None:
            raise RefusedError(f"there is no submission {ticket}")
        events = journal_of.timeline(connection, ticket)
    facts["fetched"] = list(_fetched(events, facts["sender"]))
    if as_json:
        print_json(facts | {"timeline": list(_steps(events))})
        return
    _print_facts(facts)
    for event in events:
        _print_event(event, event.at - events[0].at)


def _of_submission(connection: Connection, ticket: str) -> dict[str, Any] | None:
    submission = journal_of.load(connection, ticket)
    if submission is None:
        return None
    declarations = effects.counts(connection, Kind.FORWARD, ticket)
    findings = [{"code": code, "meaning": meaning(code), "detail": detail} for code, detail in submission.findings]
    return facts_of(submission) | {
        "waiting": declarations.get("pending"),
        "parked": declarations.get("parked"),
        "effects": {str(kind): counted for kind in Kind if (counted := effects.counts(connection, kind, ticket))},
        "answers": [answer.file_name for answer in answers.names(connection, ticket)],
        "not_published": _not_published(connection, ticket),
        "findings": findings,
        "files": [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in submission.files],
    }


def _of_message(connection: Connection, ticket: str) -> dict[str, Any] | None:
    message = institutions.load(connection, ticket)
    if message is None:
        return None
    placed = [*answers.names(connection, ticket), *ebox.of_ticket(connection, ticket)]
    return dict.fromkeys(_SHOWN) | {
        "ticket": ticket,
        "state": message.state.value,
        "sender": message.sender,
        "user": message.publisher,
        "name": message.message_id,
        "directory": placed[0].mailbox.directory if placed and message.channel != "mq" else None,
        "received": when(message.received_at),
        "purpose": message.purpose,
        "environment": message.environment,
        "channel": message.channel,
        "about": message.about,
        "effects": {},
        "answers": [name.file_name for name in placed],
        "not_published": _not_published(connection, ticket),
        "findings": [],
        "files": [],
    }


def meaning(code: str) -> str:
    """What a code of the acknowledgement says, empty where it is none of ours."""
    digits = code.removeprefix("ACRF-")
    return Code(digits).meaning if digits in set(Code) else ""


def _not_published(connection: Connection, ticket: str) -> list[str]:
    """Why the broker has not taken answers yet that it was given."""
    waiting = effects.standings(connection, Kind.PUBLISH, ticket)
    return [f"{one.effect.attempts} times, {one.reason}" for one in waiting if one.state != "done" and one.reason]


def _fetched(events: Sequence[Event], sender: str) -> Iterator[dict[str, Any]]:
    for event in events:
        if event.name == FETCHED:
            yield {"file": event.facts.get("file"), "at": when(event.at), "by": sender}


def _steps(events: Sequence[Event]) -> Iterator[dict[str, Any]]:
    """Each with the seconds since the first and since the one before."""
    for before, event in pairwise([*events[:1], *events]):
        since_first = (event.at - events[0].at) / _SECOND
        since_last = (event.at - before.at) / _SECOND
        yield {
            "at": when(event.at),
            "event": event.name,
            "seconds": since_first,
            "seconds_since_last": since_last,
            **event.facts,
        }


def _print_facts(facts: dict[str, Any]) -> None:
    for key in _SHOWN:
        if facts.get(key) is not None:
            click.echo(f"{key:10} {facts[key]}")
    for key, words in _lines(facts):
        click.echo(f"{key:10} {words}")
    click.echo("timeline")


def _lines(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for file in facts["files"]:
        yield "file", f"{file['name']}, {file['size']} bytes, sha256 {file['sha256']}"
    for finding in facts["findings"]:
        said = " ".join(filter(None, (finding["meaning"], finding["detail"])))
        yield "finding", f"{finding['code']}: {said}"
    yield from (("answer", name) for name in facts["answers"])
    yield from (("not sent", reason) for reason in facts["not_published"])
    for one in facts["fetched"]:
        yield "fetched", f"{one['file']} by {one['by']} at {one['at']}"
    for kind, states in facts["effects"].items():
        yield kind, ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def _print_event(event: Event, since: int) -> None:
    """One line, and below it a block for each thing that has facts of its own, such as the signature of a part."""
    known = {key: value for key, value in event.facts.items() if value not in (None, [], {})}
    blocks = {key: value for key, value in known.items() if _is_of_blocks(value)}
    details = "  ".join(f"{key}={_text(value)}" for key, value in known.items() if key not in blocks)
    click.echo(f"  {when(event.at)} {duration(since):>10}  {event.name:24} {details}".rstrip())
    for key, entries in blocks.items():
        for number, entry in enumerate(entries, 1):
            click.echo(f"    {key}, part {number}: {'' if entry else 'none'}".rstrip())
            for name, value in (entry or {}).items():
                for line in value if isinstance(value, list) else (value,):
                    if line is not None:
                        click.echo(f"      {name:15} {line}")


def duration(microseconds: int) -> str:
    """So long, as people read it: ``+0.125 s``, ``+2 min 5 s``, ``+3 h 20 min``."""
    seconds = microseconds / _SECOND
    if seconds < _MINUTE:
        return f"{seconds:+.3f} s"
    minutes, rest = divmod(int(seconds), _MINUTE)
    hours, of_hour = divmod(minutes, _MINUTE)
    return f"+{hours} h {of_hour} min" if hours else f"+{minutes} min {rest} s"


def _is_of_blocks(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}:{_text(each)}" for name, each in value.items())
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
