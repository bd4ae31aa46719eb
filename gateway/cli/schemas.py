"""``gateway schemas``: which types of message are there, and how does one come, change or go?

A type is added to the site's own folder (`gateway.cli.installing`), which is data: a running gateway reads it again
when it changes. Those that ship are never changed; a site's own type of the same root stands before them.
"""

import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from config.errors import ConfigurationError
from config.settings import read_settings
from gateway.cli import installing
from gateway.cli.output import RefusedError, print_json, print_rows, with_config, with_json
from gateway.cli.type_options import said, with_said
from gateway.site import open_site, own_types, settings_file
from schemas import catalogue, published, structure, type_file
from schemas.addition import Change, changes
from schemas.message_type import MessageType
from schemas.published import LANGUAGES, Published
from spool.submissions import note

_folder = click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True)


@click.group(short_help="List, check, add, compare and remove types of message.")
def schemas() -> None:
    """List, check, add, compare and remove types of message; a running gateway takes a change at its next verdict."""


@schemas.command("list")
@click.option("--language", type=click.Choice(LANGUAGES), default="en", show_default=True, help="Of the titles.")
@with_json
@with_config
def list_types(language: str, config: Path | None, *, as_json: bool) -> None:
    """List every type of message: those that ship and, if there is a site, its own."""
    folders = _own_folders(config)
    rows = [_facts(kind, language, folders) for kind in catalogue.load(*folders)]
    shown = ("purpose", "root", "versions", "starts", "direction", "forms", "from", "title")
    print_rows(rows, shown, as_json=as_json)


@schemas.command()
@click.argument("folder", type=_folder, required=False)
@with_config
def check(folder: Path | None, config: Path | None) -> None:
    """Compile and lint schemas, find in them what their types name, and judge their samples; status 2 with any fault.

    FOLDER is a type, a folder of types, or a folder of schemas without type.toml. Left out, all types are checked.
    """
    if folder is not None and not any((*folder.glob("type.toml"), *folder.glob("*/type.toml"))):
        paths = sorted(folder.glob("*.xsd"))
        _refuse([fault for path in paths for fault in structure.faults(path)] if paths else [f"{folder}: no schemas"])
        click.echo(f"{len(paths)} schemas: no fault found")
        return
    kinds = _types_in(folder) if folder is not None else tuple(catalogue.load(*_own_folders(config)))
    kinds = tuple(kind for kind in kinds if kind.versions)
    _refuse([fault for kind in kinds for fault in installing.faults_of_type(kind, _home(kind), _today())])
    click.echo(f"{len(kinds)} types, {sum(len(kind.versions) for kind in kinds)} schemas: no fault found")


@schemas.command()
@click.argument("folder", type=_folder)
@with_said
@click.option("--dry-run", is_flag=True, help="Say what would change, and change nothing.")
@with_json
@with_config
def add(folder: Path, config: Path | None, *, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Add the type, or the versions of one, that the schemas in FOLDER make.

    FOLDER holds schemas as they are published, named <Root>_<version>.xsd, of any number of versions, or a type.toml
    and its schemas. Without a type.toml, what the type is follows from the schemas and from the types that are known;
    the options say what doesn't, and what is to be otherwise.
    """
    file = settings_file(config)
    if dry_run:
        try:
            _show(_would_change(folder, file, options), as_json=as_json)
        except ConfigurationError as fault:
            raise RefusedError("\n".join(fault.faults)) from fault
        return
    settings, journal = open_site(file)
    own = settings.schemas.folder
    installing.prepare(own)
    try:
        with installing.assembled(_read(folder, file, options), own, _today(), beside=own) as kind:
            told = list(changes(kind, catalogue.load(own)))
            if told:
                target = installing.install(kind, own)
                facts = {"versions": sorted(kind.versions), "sha256": _digests(target)}
                with journal.write() as connection:
                    note(connection, None, "type.added", purpose=kind.purpose, root=kind.root, **facts)
    except ConfigurationError as fault:
        raise RefusedError("\n".join(fault.faults)) from fault
    _show(told, as_json=as_json)


@schemas.command()
@click.argument("folder", type=_folder)
@with_said
@with_json
@with_config
def diff(folder: Path, config: Path | None, *, as_json: bool, **options: Any) -> None:
    """Show what `add` with the same options would change, element by element.

    Exit status 0 if nothing changes, 1 if something does, 2 if `add` would refuse it.
    """
    told = _would_change(folder, settings_file(config), options)
    _show(told, as_json=as_json)
    if told:
        click.get_current_context().exit(1)


@schemas.command()
@click.argument("purpose")
@click.argument("root")
@with_config
def remove(purpose: str, root: str, config: Path | None) -> None:
    """Remove the site's own type of PURPOSE with ROOT; one that ships with this root counts again as it is."""
    settings, journal = open_site(settings_file(config))
    try:
        installing.uninstall(purpose, root, settings.schemas.folder)
    except ConfigurationError as fault:
        raise RefusedError("\n".join(fault.faults)) from fault
    with journal.write() as connection:
        note(connection, None, "type.removed", purpose=purpose, root=root)
    click.echo(f"Type {purpose} {root} removed.")


def _own_folders(config: Path | None) -> tuple[Path, ...]:
    """The folder of the site's own types; none without a site, unless one is named."""
    file = settings_file(config)
    return own_types(read_settings(file)) if config is not None or file.exists() else ()


def _types_in(folder: Path) -> tuple[MessageType, ...]:
    return (type_file.read(folder / "type.toml"),) if (folder / "type.toml").exists() else catalogue.own(folder)


def _would_change(folder: Path, file: Path, options: dict[str, Any]) -> list[Change]:
    settings = read_settings(file)
    with installing.assembled(_read(folder, file, options), settings.schemas.folder, _today()) as kind:
        return list(changes(kind, catalogue.load(*own_types(settings))))


def _read(folder: Path, file: Path, options: dict[str, Any]) -> Published:
    return published.read(folder, catalogue.load(*own_types(read_settings(file))), said(options))


def _refuse(faults: Iterable[str]) -> None:
    told = list(faults)
    if told:
        raise ConfigurationError(told)


def _show(told: list[Change], *, as_json: bool) -> None:
    rows = [{"what": change.what, "element": change.element or None, "change": change.words} for change in told]
    if as_json:
        print_json(rows)
    elif rows:
        print_rows(rows, ("what", "element", "change"), as_json=False)
    else:
        click.echo("Nothing changes.")


def _facts(kind: MessageType, language: str, folders: Iterable[Path]) -> dict[str, Any]:
    is_own = any(path.is_relative_to(folder.resolve()) for folder in folders for path in kind.versions.values())
    return {
        "purpose": kind.purpose,
        "root": kind.root or None,
        "versions": list(kind.versions),
        "starts": [kind.starts[version].isoformat() for version in kind.versions],
        "direction": kind.direction,
        "forms": sorted(kind.form_codes),
        "from": "site" if is_own else "shipped" if kind.versions else "no schema yet",
        "title": kind.titles[language],
    }


def _digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.glob("*.xsd"))}


def _home(kind: MessageType) -> Path:
    """The folder with its newest version, and its samples."""
    return kind.versions[max(kind.versions)].parent


def _today() -> date:
    return datetime.now(UTC).date()
