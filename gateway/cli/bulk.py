"""``gateway party import`` and ``export``: the register from files, and into files."""

import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import click

from config.errors import ConfigurationError
from gateway.cli.acting import actor_of, with_reason
from gateway.cli.changes import ChangesError
from gateway.cli.output import RefusedError, print_json, with_config, with_json
from gateway.register import inss
from gateway.register.bulk import exporting, files
from gateway.register.bulk.files import BadFile, Record
from gateway.register.bulk.importing import Faults, Import
from gateway.register.bulk.kinds import LAYOUTS, Kind
from gateway.register.bulk.staging import open_staging
from gateway.register.bulk.writing import Change
from gateway.site import open_site, settings_file
from spool.journal import Journal

_KINDS = [kind.value for kind in Kind]
_FORMATS = ("csv", "json")


@click.command("import", short_help="Enter or change many parties from files.")
@click.argument("path", type=click.Path(path_type=Path, allow_dash=True, exists=True))
@click.option("--kind", type=click.Choice(_KINDS), help="Of a CSV file.  [default: the name of the file]")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="[default: by the name of the file]")
@click.option("--dry-run", is_flag=True, help="Show what would change; exit status 1 if something would.")
@with_reason
@with_json
@with_config
def import_register(  # noqa: PLR0913 - a command line has as many options as it has
    path: Path, kind: str | None, form: str | None, reason: str, config: Path | None, *, dry_run: bool, as_json: bool
) -> None:
    """Enter what the file PATH says, or the CSV files in the folder PATH; - is a pipe.

    Everything is read and held against every rule before anything is changed; with a single fault nothing is. What a
    file doesn't name stays as it is, and what was imported already is not done again. See docs/bulk.md.
    """
    settings, journal = open_site(settings_file(config))
    with open_staging() as staging:
        importing = Import(journal, staging)
        importing.read(_records(path, kind, form), _marker(journal, inss.key_file(settings)))
        importing.examine()
        if importing.faults:
            _tell(importing.faults, as_json=as_json)
            raise RefusedError(f"{importing.faults.total} faults; nothing is changed")
        if dry_run:
            for change in importing.differences():
                click.echo(_line(change, as_json=as_json))
        else:
            importing.carry_out(actor_of(None), reason, path.name)
        _count(importing, as_json=as_json)
        if dry_run and importing.changes_something:
            raise ChangesError("nothing is changed: this was a dry run")


@click.command("export", short_help="Write parties into files.")
@click.argument("path", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--kind", type=click.Choice(_KINDS), help="Only these.  [default: all]")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="[default: by the name of the file, else csv]")
@with_config
def export_register(path: Path, kind: str | None, form: str | None, config: Path | None) -> None:
    """Write the register to PATH: a JSON file, a CSV file of one kind, or a folder of CSV files; - is a pipe.

    An import takes what was written. INSSs are not in it: they are not kept.
    """
    _, journal = open_site(settings_file(config))
    kinds = [Kind(kind)] if kind else list(Kind)
    form = form or ("json" if path.suffix == ".json" else "csv")
    alone = str(path) == "-" or path.suffix == f".{form}"
    if form == "csv" and alone and kind is None:
        raise click.UsageError("a CSV file holds one kind: say --kind, or name a folder")
    with journal.read() as connection:
        if form == "csv" and not alone:
            exporting.export_folder(connection, path, kinds)
            return
        # What is piped is not ours to close.
        with nullcontext(sys.stdout) if str(path) == "-" else exporting.open_private(path) as file:
            if form == "csv":
                exporting.export_csv(connection, file, kinds[0])
            else:
                exporting.export_json(connection, file, kinds)


def _marker(journal: Journal, path: Path) -> Callable[[str], str] | None:
    """What turns an INSS into its mark; None where there is no key, which matters only if a record names one."""
    try:
        with journal.read() as connection:
            return partial(inss.mark, inss.key_of(connection, path))
    except ConfigurationError:
        return None


def _records(path: Path, kind: str | None, form: str | None) -> Iterator[Record | BadFile]:
    if path.is_dir():
        if kind is not None or form == "json":
            raise click.UsageError("a folder holds CSV files named after their kinds")
        yield from files.read_folder(path)
        return
    form = form or ("json" if path.suffix == ".json" else "csv")
    named = kind or path.stem
    if form == "csv" and named not in _KINDS:
        raise click.UsageError("say of which --kind the CSV file is")
    with files.text_of(sys.stdin.buffer if str(path) == "-" else path.open("rb")) as file:
        if form == "json":
            yield from files.read_json(file, path.name)
        else:
            yield from files.read_csv(file, path.name, Kind(named))


def _tell(faults: Faults, *, as_json: bool) -> None:
    if as_json:
        print_json([{"file": told.source, "line": told.line, "fault": told.words} for told in faults.told])
        return
    for told in faults.told:
        click.echo(f"{told.source}:{told.line}: {told.words}", err=True)
    if faults.total > len(faults.told):
        click.echo(f"and {faults.total - len(faults.told)} more", err=True)


def _line(change: Change, *, as_json: bool) -> str:
    before, after = change.shown
    if as_json:
        facts = {"kind": change.kind, "line": change.line, "key": change.key, "before": before, "after": after}
        return files.one_line(facts)
    if before is None:
        return f"+ {change.kind} {_called(change)}"
    said = files.shown(change.kind, before), files.shown(change.kind, after)
    words = ", ".join(f"{name}: {said[0][name]} -> {said[1][name]}" for name in said[1])
    return f"~ {change.kind} {_called(change)}  {words or 'inss'}"


def _called(change: Change) -> str:
    """The key as a file has it, with its moments as people read them."""
    said = files.shown(change.kind, change.after)
    return " ".join(str(said[name] or "-") for name in LAYOUTS[change.kind].key)


def _count(importing: Import, *, as_json: bool) -> None:
    counts = {kind: count for kind, count in importing.counts.items() if count.new or count.changed or count.same}
    if as_json:
        click.echo(files.one_line({kind: count.facts for kind, count in counts.items()}))
        return
    for kind, count in counts.items():
        click.echo(f"{kind:12} {count.new:8} new {count.changed:8} changed {count.same:8} as they were")
