"""What ``gateway check`` does, once its command line is read."""

import io
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path
from typing import BinaryIO, Final
from zoneinfo import ZoneInfo

import click

from config.doors import Intake
from config.errors import ConfigurationError
from config.settings import Judging
from gateway.check import Rules, bounded_memory, check
from gateway.cli.check_report import as_line, as_text
from gateway.lot import gather
from schemas import catalogue
from schemas.validate import Limits
from schemas.wording import Language

_LARGE: Final = 4 * 1024**2


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says about how to judge; see `gateway.cli.check`."""

    purpose: str | None
    folders: tuple[Path, ...]
    authorities: Path | None
    day: datetime | None
    enveloped: bool


def run(files: Iterable[Path], options: Options, language: Language, *, as_json: bool) -> bool:
    """Check files and print a report on each; answers whether all were accepted.

    Raises:
        ConfigurationError, click.ClickException: what was given to judge by is not right
        OSError: a file can't be read
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that can't show a sign gets it spelled out, rather than nothing.
        sys.stdout.reconfigure(errors="backslashreplace")
    rules = _rules(options)
    batches = gather(files)
    if not batches:
        raise click.UsageError("there is no file in what was named")
    render = as_line if as_json else as_text
    accepted = True
    with bounded_memory(Judging().worker_memory_bytes):
        for report in check(batches, rules):
            click.echo(render(report, language))
            accepted = accepted and report.accepted
    return accepted


def _rules(options: Options) -> Rules:
    """What a gateway judges by whose settings nobody changed."""
    intake = Intake()
    zone = ZoneInfo(intake.time_zone)
    at = datetime.now(UTC) if options.day is None else datetime.combine(options.day.date(), time(12), zone)
    types = _types(options.folders)
    if options.purpose is not None and types.find(options.purpose) is None:
        raise click.BadParameter(f"there is no type {options.purpose}", param_hint="--type")
    return Rules(
        catalogue=types,
        limits=Limits(max_bytes=intake.max_file_bytes, max_forms=Judging().max_forms),
        day=at.astimezone(zone).date(),
        at=at,
        max_age_days=intake.max_age_days,
        max_parts=intake.max_parts,
        purpose=options.purpose,
        enveloped=options.enveloped,
        authorities=options.authorities,
        opened=opened,
    )


def _types(folders: tuple[Path, ...]) -> catalogue.Catalogue:
    """The types that ship and those in the folders; schemas of the latter are compiled, as nobody did that before."""
    types = catalogue.load(*folders)
    added = [kind for folder in folders for kind in catalogue.own(folder)]
    if faults := [fault for kind in added for fault in catalogue.faults_of(kind)]:
        raise ConfigurationError(faults)
    return types


def opened(path: Path) -> AbstractContextManager[BinaryIO]:
    """The file, open for reading; somebody at a terminal sees how far a large one is read."""
    if path.stat().st_size < _LARGE or not sys.stderr.isatty():
        return path.open("rb")
    import rich.progress  # noqa: PLC0415 - only for whom it is shown
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415

    console = Console(stderr=True)
    return rich.progress.open(path, "rb", description=escape(path.name), console=console, transient=True)
