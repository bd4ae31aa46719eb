"""``gateway check``: what a gateway would say of files, before anybody sends them."""

import os
from datetime import datetime
from pathlib import Path

import click

from schemas.wording import Language

_folder = click.Path(path_type=Path, exists=True, file_okay=False)


def spoken() -> str:
    """The language of the person at the terminal, as POSIX has it; English if we don't speak it."""
    named = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    code = named[:2].lower()
    return str(Language(code) if code in set(Language) else Language.EN)


@click.command(short_help="Judge files as a gateway would, off line.")
@click.argument("files", type=click.Path(path_type=Path, exists=True), nargs=-1, required=True, metavar="FILE...")
@click.option("--language", type=click.Choice(list(map(str, Language))), default=spoken, help="[default: by LANG]")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a file, each on a line of its own.")
@click.option("--type", "purpose", metavar="PURPOSE", help="What files are whose name doesn't say it, such as DIMN.")
@click.option("--schemas", "folders", type=_folder, multiple=True, help="A folder with types of message of your own.")
@click.option("--authorities", type=_folder, help="A folder of accepted authorities: judge the signers as well.")
@click.option("--enveloped", is_flag=True, help="The signatures are inside the FI files.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Judge as on this day.  [default: today]")
@click.pass_context
def check(  # noqa: PLR0913, PLR0917 - a command line has as many options as it has
    context: click.Context,
    files: tuple[Path, ...],
    language: str,
    purpose: str | None,
    folders: tuple[Path, ...],
    authorities: Path | None,
    day: datetime | None,
    *,
    as_json: bool,
    enveloped: bool,
) -> None:
    """Judge files as a gateway would, without a gateway: names, signatures, schema, rules, identifiers.

    A FILE is an FI file, or a folder in which every FI is judged along with its FS and GO.

    Exit status: 0 all accepted, 1 some refused, 2 wrong usage.
    """
    from gateway.cli import check_lot  # noqa: PLC0415 - loads the engine, which --help doesn't need

    for path in files:
        if not (path.is_file() or path.is_dir()):
            raise click.BadParameter(f"{path} is neither a file nor a folder", param_hint="FILE")
    options = check_lot.Options(purpose, folders, authorities, day, enveloped)
    accepted = check_lot.run(files, options, Language(language), as_json=as_json)
    context.exit(0 if accepted else 1)
