"""``gateway purge``: take away what is kept no longer, or say what would go."""

import getpass
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click

from config.retention import NOT_SETTLED
from config.settings import Settings
from gateway.cli.output import print_rows, with_config, with_json
from gateway.holding import word_of
from gateway.purge import Preview, Purger, preview
from gateway.register.actor import Operator
from gateway.register.history import record
from gateway.site import open_site, settings_file
from signing.own.own_keys import open_keys
from spool import purges
from spool.journal import Journal, now
from spool.purges import Due, Kind, Plan
from spool.purging import Odd
from spool.submissions import note

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_NAMED: Final = 100
# Of payloads and answers the items are files, of evidence events.
_COLUMNS: Final = ("kind", "type", "day", "tickets", "items", "bytes")


@click.command(short_help="Take away what is kept no longer, or say what would go.")
@click.option("--dry-run", is_flag=True, help="Say what would go, by kind, type and day it came; change nothing.")
@click.option("--reason", default="", metavar="WORDS", help="Why now; it stands in the history. Not for --dry-run.")
@click.option(
    "--without-archive",
    is_flag=True,
    help="Let go this once what no archive has a proof of; not where [retention] names one.",
)
@with_json
@with_config
def purge(reason: str, config: Path | None, *, dry_run: bool, without_archive: bool, as_json: bool) -> None:
    """Take away files, answers and facts of events whose time is up, as [retention] of the settings says.

    Where that names no archive, nothing goes, unless it says without_archive = true, or you do here.

    What is open, held, under a legal hold, not sealed yet or not archived stays.  The gateway may be at work, and a
    purge that was cut off is gone on with by the next.  Exit status 1 if something could not go that should.
    """
    settings, journal = open_site(settings_file(config))
    if without_archive and settings.retention.archive is not None:
        raise click.UsageError(
            "--without-archive: [retention] names an archive, and what goes has to stand in it; to purge without it,"
            " take `archive` out of the settings"
        )
    if dry_run:
        _print_preview(list_of(preview(settings, journal, now())), as_json=as_json)
        return
    if not reason:
        raise click.UsageError("say with --reason why, or look first with --dry-run")
    settings = _settled(settings, without_archive=without_archive)
    _write_down(journal, reason, archived=settings.retention.archive is not None)
    counts, sizes, odd = Counter[Kind](), Counter[Kind](), list[Odd]()
    for step in Purger(settings, journal, open_keys(settings.signing)).everything(now()):
        for kind, plan in step.gone:
            counts[kind] += 1
            sizes[kind] += plan.size
        odd += step.odd
    rows = [{"kind": kind.value, "tickets": counts[kind], "bytes": sizes[kind]} for kind in Kind]
    print_rows(rows, ("kind", "tickets", "bytes"), as_json=as_json)
    _name(odd)
    if odd:
        raise click.exceptions.Exit(1)


def _settled(settings: Settings, *, without_archive: bool) -> Settings:
    """Settings that say whether there is an archive.

    Raises:
        UsageError: they do not, and neither does the operator.
    """
    kept = settings.retention
    if without_archive:
        return settings.model_copy(update={"retention": kept.model_copy(update={"without_archive": True})})
    if not kept.is_archive_settled:
        raise click.UsageError(f"{NOT_SETTLED} in [retention], or --without-archive for this once")
    return settings


def _write_down(journal: Journal, reason: str, *, archived: bool) -> None:
    who = Operator(getpass.getuser())
    word = word_of(who, reason)
    with journal.write() as connection:
        note(connection, None, "purge.asked", actor=word.actor, reason=word.reason, archived=archived)
        record(connection, who, "purge.asked", "retention", reason, None, None)


Row = Mapping[str, Any]


def list_of(pages: Iterable[Preview]) -> tuple[Sequence[Row], Sequence[Odd]]:
    """What would go, added up by kind, type and day, and what is odd."""
    sums: dict[tuple[str, str, str], list[int]] = {}
    odd: list[Odd] = []
    for page in pages:
        odd += page.odd
        for one, plan in page.going:
            counted = sums.setdefault(_key(page.kind, one), [0, 0, 0])
            _count(counted, plan)
    rows = [dict(zip(_COLUMNS, (*key, *counted), strict=True)) for key, counted in sorted(sums.items())]
    return rows, odd


def _key(kind: Kind, one: Due) -> tuple[str, str, str]:
    day = _EPOCH + timedelta(days=one.received_at // purges.DAY)
    return kind.value, one.purpose, day.date().isoformat()


def _count(counted: list[int], plan: Plan) -> None:
    for place, amount in enumerate((1, plan.files, plan.size)):
        counted[place] += amount


def _print_preview(found: tuple[Sequence[Row], Sequence[Odd]], *, as_json: bool) -> None:
    rows, odd = found
    print_rows(rows, _COLUMNS, as_json=as_json)
    if not as_json and not rows:
        click.echo("Nothing would go.")
    _name(odd)


def _name(odd: Sequence[Odd]) -> None:
    for one in odd[:_MOST_NAMED]:
        click.echo(f"odd: {one.ticket}, {one.kind}: {one.reason}", err=True)
    if len(odd) > _MOST_NAMED:
        click.echo(f"odd: {len(odd) - _MOST_NAMED} more", err=True)
