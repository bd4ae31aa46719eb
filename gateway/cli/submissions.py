"""``gateway show``, ``submissions`` and ``release``: what became of what was sent."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
from sqlalchemy.engine import Connection

from gateway.cli.output import RefusedError, print_json, print_rows, when, with_config, with_json
from gateway.site import open_site, settings_file
from spool import answers, ebox, effects, institutions
from spool import submissions as journal_of
from spool.effects import Kind
from spool.submissions import Event, State, Submission

_SHOWN: Final = (
    "ticket", "state", "sender", "user", "directory", "name", "about", "received", "closed", "forms",
    "waiting", "parked",
)  # fmt: skip


@click.command(short_help="Show the timeline of a ticket.")
@click.argument("ticket")
@with_json
@with_config
def show(ticket: str, config: Path | None, *, as_json: bool) -> None:
    """Show the timeline of TICKET, of a submission or of an institution's message: every step, with its time."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        facts = _of_submission(connection, ticket) or _of_message(connection, ticket)
        if facts is None:
            raise RefusedError(f"there is no submission {ticket}")
        events = journal_of.timeline(connection, ticket)
    steps = [{"at": when(event.at), "event": event.name, **event.facts} for event in events]
    if as_json:
        print_json(facts | {"timeline": steps})
        return
    _print_facts(facts)
    for event in events:
        _print_event(event)


def _of_submission(connection: Connection, ticket: str) -> dict[str, Any] | None:
    submission = journal_of.load(connection, ticket)
    if submission is None:
        return None
    declarations = effects.counts(connection, Kind.FORWARD, ticket)
    return _facts(submission) | {
        "waiting": declarations.get("pending"),
        "parked": declarations.get("parked"),
        "answers": [answer.file_name for answer in answers.names(connection, ticket)],
        "not_published": _not_published(connection, ticket),
        "findings": [{"code": code, "detail": detail} for code, detail in submission.findings],
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
        "answers": [name.file_name for name in placed],
        "not_published": _not_published(connection, ticket),
        "findings": [],
    }


def _not_published(connection: Connection, ticket: str) -> list[str]:
    """Why the broker has not taken answers yet that it was given."""
    waiting = effects.standings(connection, Kind.PUBLISH, ticket)
    return [f"{one.effect.attempts} times, {one.reason}" for one in waiting if one.state != "done" and one.reason]


def _print_facts(facts: dict[str, Any]) -> None:
    for key in _SHOWN:
        if facts.get(key) is not None:
            click.echo(f"{key:10} {facts[key]}")
    for name in facts["answers"]:
        click.echo(f"{'answer':10} {name}")
    for reason in facts["not_published"]:
        click.echo(f"{'not sent':10} {reason}")
    for finding in facts["findings"]:
        click.echo(f"{'finding':10} {finding['code']}: {finding['detail']}")
    click.echo("timeline")


def _print_event(event: Event) -> None:
    """One line, and below it a block for each thing that has facts of its own, such as the signature of a part."""
    known = {key: value for key, value in event.facts.items() if value not in (None, [])}
    blocks = {key: value for key, value in known.items() if _is_of_blocks(value)}
    details = "  ".join(f"{key}={_text(value)}" for key, value in known.items() if key not in blocks)
    click.echo(f"  {when(event.at)}  {event.name:24} {details}".rstrip())
    for key, entries in blocks.items():
        for number, entry in enumerate(entries, 1):
            click.echo(f"    {key}, part {number}: {'' if entry else 'none'}".rstrip())
            for name, value in (entry or {}).items():
                for line in value if isinstance(value, list) else (value,):
                    if line is not None:
                        click.echo(f"      {name:15} {line}")


def _is_of_blocks(value: object) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict) for each in value)


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


@click.command("submissions")
@click.option("--state", type=click.Choice([state.value for state in State]), help="Only those in this state.")
@click.option("--sender", help="Only those of this sender number.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Only those received on this day (UTC).")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="So many at most.")
@with_json
@with_config
def submissions(
    state: str | None, sender: str | None, day: datetime | None, limit: int, config: Path | None, *, as_json: bool
) -> None:
    """List submissions, newest first."""
    _, journal = open_site(settings_file(config))
    with journal.read() as connection:
        found = journal_of.search(
            connection,
            state=State(state) if state else None,
            sender=sender,
            between=_microseconds_of(day) if day else None,
            limit=limit,
        )
        rows = [_facts(submission) | {"codes": [code for code, _ in submission.findings]} for submission in found]
    print_rows(rows, ("ticket", "received", "state", "sender", "name", "forms", "codes"), as_json=as_json)


@click.command(short_help="Have a held submission judged again.")
@click.argument("ticket")
@with_config
def release(ticket: str, config: Path | None) -> None:
    """Have TICKET, held or put aside (quarantined), judged again at once."""
    _, journal = open_site(settings_file(config))
    with journal.write() as connection:
        if not journal_of.release(connection, ticket):
            raise RefusedError(f"{ticket} is neither held nor quarantined")
    click.echo(f"{ticket} will be judged again.")


def _microseconds_of(day: datetime) -> tuple[int, int]:
    start = day.replace(tzinfo=UTC)
    return int(start.timestamp() * 1_000_000), int((start + timedelta(days=1)).timestamp() * 1_000_000)


def _facts(submission: Submission) -> dict[str, Any]:
    return {
        "ticket": submission.ticket,
        "state": submission.state.value,
        "sender": submission.sender,
        "user": submission.username,
        "directory": submission.directory,
        "name": submission.name,
        "received": when(submission.received_at),
        "verdict": when(submission.verdict_at),
        "closed": when(submission.closed_at),
        "forms": submission.forms,
    }
