"""``gateway route``: where the declarations of a ticket went, or will go, and where they would go now."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from config.messages import Routing
from gateway import routes
from gateway.cli.output import RefusedError, print_rows, when, with_config, with_json
from gateway.routes import Declared
from gateway.site import open_site, settings_file
from schemas.filename import FileName, parse
from spool import effects, submissions
from spool.effects import Kind, Standing


@click.group(short_help="Explain where declarations go, and why.")
def route() -> None:
    """Explain where declarations go, and why."""


@route.command()
@click.argument("ticket")
@with_json
@with_config
def explain(ticket: str, config: Path | None, *, as_json: bool) -> None:
    """Say of each message of TICKET where it goes, and which route of the settings fits it now; sends nothing.

    Where a message goes was chosen when its declaration was accepted.  What would be chosen now is told beside it, with
    the reason why each route before it does not fit.
    """
    settings, journal = open_site(settings_file(config))
    with journal.read() as connection:
        submission = submissions.load(connection, ticket)
        if submission is None:
            raise RefusedError(f"there is no submission {ticket}")
        planned = list(effects.standings(connection, Kind.FORWARD, ticket))
    if not planned:
        raise RefusedError(f"{ticket} is {submission.state}: it has no declarations to send")
    rows = [_explained(standing, settings.routing) for standing in planned]
    if as_json:
        print_rows(rows, (), as_json=True)
        return
    print_rows(rows, ("message_id", "payload", "bytes", "exchange", "routing_key", "state", "now"), as_json=False)
    for row in rows:
        for reason in row["not_fitting"]:
            click.echo(f"{row['message_id']}: {reason}")


def _explained(standing: Standing, routing: Routing) -> dict[str, Any]:
    effect, facts = standing.effect, standing.effect.facts
    declared = _declared(facts)
    chosen = routes.place(declared, routing)
    name = f"route {chosen.route}" if chosen.route else "no route fits"
    return {
        "message_id": f"{effect.ticket}-{effect.ordinal:06d}",
        "form_code": declared.form_code or None,
        "payload": facts.get("payload", "form"),
        "bytes": facts["length"],
        "exchange": facts.get("exchange", routing.exchange),
        "routing_key": facts["routing_key"],
        "state": standing.state,
        "attempts": effect.attempts,
        "next_attempt": when(standing.next_attempt_at or None) if standing.state == "pending" else None,
        "reason": standing.reason,
        "now": f"{name}: {chosen.payload} to {chosen.exchange} as {chosen.key}",
        "not_fitting": list(_not_fitting(declared, routing)),
    }


def _not_fitting(declared: Declared, routing: Routing) -> Iterator[str]:
    for number, each in enumerate(routing.routes, 1):
        reason = routes.unmet(declared, each)
        if reason is None:
            return
        yield f"route {number} does not fit: {reason}"


def _declared(facts: Any) -> Declared:
    headers = facts["headers"]
    # Messages planned by an earlier version have neither the code of their form nor the employers that it names.
    name = parse(headers["file"])
    return Declared(
        environment=str(name.environment) if isinstance(name, FileName) else "",
        purpose=headers["message_type"],
        form_code=facts.get("form_code", ""),
        sender=headers["sender"],
        employers=tuple(facts.get("employers", ())),
    )
