"""``gateway report``: the answers of a day against what is promised."""

import csv
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from config.administration import Promised
from gateway import answer_times
from gateway.answer_times import Line, Promise, Report, Timed
from gateway.cli.output import print_json, print_rows, when, with_config
from gateway.metrics.timed import timed
from gateway.site import open_site, settings_file
from spool.journal import now

_LINE: Final = (
    "type", "submissions", "counted", "within", "percent", "kept", "unanswered", "median", "longest",
    "receipts", "receipts_within", "receipts_percent",
)  # fmt: skip
_TICKET: Final = ("ticket", "type", "sender", "state", "received", "answered", "seconds", "held")


@click.command("report", short_help="Compare the answers of a day with what is promised.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Received on this day (UTC).  [default: yesterday]")
@click.option("--worst", type=click.IntRange(0, 1000), default=10, show_default=True, help="So many of the slowest.")
@click.option(
    "--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True,
    help="How it is printed; CSV has the types alone.",
)  # fmt: skip
@with_config
def report(day: datetime | None, worst: int, form: str, config: Path | None) -> None:
    """Compare the answers of a day with what is promised.

    By type: how many were answered in time ([promise] in the settings), and whether that is the share that is promised;
    then the slowest that were not, and what was held and why.  What has no answer yet is counted once it is too late.
    A receipt is in time if so few seconds passed from the end of the last file to the record of the whole set.
    """
    settings, journal = open_site(settings_file(config))
    start = (day or datetime.now(UTC) - timedelta(days=1)).replace(
        tzinfo=UTC, hour=0, minute=0, second=0, microsecond=0
    )
    edges = [int(moment.timestamp()) * 1_000_000 for moment in (start, start + timedelta(days=1))]
    at, promise = now(), _promise(settings.promise)
    with journal.read() as connection:
        found = answer_times.report(timed(connection, *edges), promise, at, worst)
    lines = [_line(line) for line in found.lines]
    if form == "csv":
        _print_csv(start, lines)
    elif form == "json":
        print_json({"day": f"{start:%Y-%m-%d}", "promise": asdict(promise), "types": lines, **_tickets(found, at)})
    else:
        _print_tables(start, promise, lines, _tickets(found, at))


def _promise(own: Promised) -> Promise:
    return Promise(own.share, own.answer_seconds, own.receipt_seconds)


def _print_csv(start: datetime, lines: Iterable[Mapping[str, Any]]) -> None:
    writer = csv.DictWriter(sys.stdout, ["day", *_LINE], lineterminator="\n")
    writer.writeheader()
    writer.writerows({"day": f"{start:%Y-%m-%d}", **line} for line in lines)


def _print_tables(
    start: datetime, promise: Promise, lines: list[dict[str, Any]], tickets: Mapping[str, list[dict[str, Any]]]
) -> None:
    click.echo(
        f"{start:%Y-%m-%d} (UTC); promised: {100 * promise.share:g} % answered within {promise.answer_seconds:g} s,"
        f" received within {promise.receipt_seconds:g} s"
    )
    print_rows([line | {"kept": "yes" if line["kept"] else "no"} for line in lines], _LINE, as_json=False)
    for title, rows in tickets.items():
        if rows:
            click.echo(f"\n{title}")
            print_rows(rows, _TICKET, as_json=False)


def _tickets(found: Report, at: int) -> dict[str, list[dict[str, Any]]]:
    return {"worst": [_ticket(one, at) for one in found.worst], "held": [_ticket(one, at) for one in found.held]}


def _line(line: Line) -> dict[str, Any]:
    return {
        "type": line.purpose,
        "submissions": line.submissions,
        "counted": line.counted,
        "within": line.within,
        "percent": _percent(line.share),
        "kept": line.kept,
        "unanswered": line.unanswered,
        "median": _rounded(line.median),
        "longest": _rounded(line.longest),
        "receipts": line.receipts,
        "receipts_within": line.receipts_within,
        "receipts_percent": _percent(line.receipt_share),
    }


def _ticket(one: Timed, at: int) -> dict[str, Any]:
    return {
        "ticket": one.ticket,
        "type": one.purpose,
        "sender": one.sender,
        "state": one.state,
        "received": when(one.received_at),
        "answered": when(one.answered_at),
        "seconds": _rounded(one.seconds(at)),
        "held": list(one.held),
    }


def _percent(share: float | None) -> float | None:
    # Downwards: 99.96 is not what was promised as 100.
    return None if share is None else int(100_000 * share) / 1000


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
