"""``gateway logs``: what the gateway has written to its log, filtered, for people or for programs."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click

from gateway.cli.log_sources import UNIT, FileSource, JournalSource, PipeSource, Source, together, wait
from gateway.cli.moments import WHEN, counted
from gateway.log_lines import LEVELS, Line, Wanted, as_json, as_words, parse

_FEW: Final = 10


@click.command(short_help="Show the log, filtered: of a ticket, a sender, an event; and follow it.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, allow_dash=True), metavar="[FILE]...")
@click.option("--ticket", metavar="TICKET", help="Only of this ticket.")
@click.option("--sender", metavar="NUMBER", help="Only of this sender.")
@click.option("--event", "events", multiple=True, metavar="NAME", help="Only these events; `sftp.*` is all below sftp.")
@click.option("--stage", metavar="WORD", help="Only of this stage, such as judged; docs/events.md lists them.")
@click.option("--outcome", metavar="WORD", help="Only what ended so, such as failed.")
@click.option("--file", metavar="NAME", help="Only of this file; `*.DIMN.*` is all with such names.")
@click.option("--level", type=click.Choice(LEVELS), help="Only from this level on.")
@click.option("--since", type=WHEN, metavar="WHEN", help="Only since a moment, or for so long: 30m, 2h, 3d.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what is written from now on, also into new files.")
@click.option("--unit", default=UNIT, show_default=True, help="The unit in systemd's journal.")
@click.option("--json", "as_lines", is_flag=True, help="One line of JSON each, also on a terminal.")
def logs(  # noqa: PLR0913, PLR0917 - one parameter for each option
    files: tuple[Path, ...],
    ticket: str | None,
    sender: str | None,
    events: tuple[str, ...],
    stage: str | None,
    outcome: str | None,
    file: str | None,
    level: str | None,
    since: datetime | timedelta | None,
    unit: str,
    *,
    follow: bool,
    as_lines: bool,
) -> None:
    """Show the log of the gateway: of systemd's journal, or of FILEs (`-` is a pipe, .gz are unpacked).

    For people on a terminal, and else one line of JSON each.  Lines of others are shown where nothing is filtered.
    With --follow it begins with the last lines, or with --since.
    """
    first = None if since is None else counted(-since if isinstance(since, timedelta) else since, datetime.now(UTC))
    wanted = Wanted(ticket, sender, events, level, first, stage, outcome, file)
    sources: list[Source] = [_source(path, follow=follow) for path in files]
    lines = together(sources or [JournalSource(unit, first, follow=follow)])
    show: Callable[[Line], str] = as_json
    if sys.stdout.isatty() and not as_lines:
        show = _coloured
    try:
        _print(_late(lines) if follow and first is None else lines, wanted, show)
    except BrokenPipeError:
        # Who reads has seen enough; what is buffered still must not be written at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        pass


def _source(path: Path, *, follow: bool) -> Source:
    return PipeSource(sys.stdin.fileno()) if str(path) == "-" else FileSource(path, follow=follow)


def _late(lines: Iterator[str | None]) -> Iterator[str | None]:
    """Of what is there already only the last lines."""
    last: deque[str] = deque(maxlen=_FEW)
    for line in lines:
        if line is None:
            break
        last.append(line)
    yield from last
    yield None
    yield from lines


def _print(lines: Iterable[str | None], wanted: Wanted, show: Callable[[Line], str]) -> None:
    for text in lines:
        if text is None:
            sys.stdout.flush()
            if not wait(sys.stdout.fileno()):
                return
            continue
        line = parse(text)
        if wanted.fits(line):
            sys.stdout.write(show(line) + "\n")
    sys.stdout.flush()


def _coloured(line: Line) -> str:
    return as_words(line, coloured="NO_COLOR" not in os.environ)
