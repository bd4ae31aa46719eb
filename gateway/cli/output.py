"""How listings look: a table for people, JSON for programs; and the options every command shares."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.table import Table

F = TypeVar("F", bound=Callable[..., Any])
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RefusedError(click.ClickException):
    """What was asked for is refused; exit status 1."""

    exit_code = 1


def with_config(function: F) -> F:
    """Add ``--config``, also read from GATEWAY_CONFIG."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path),
        envvar="GATEWAY_CONFIG",
        help="The settings file.  [default: ./gateway.toml, then /etc/batch-gateway/gateway.toml]",
    )(function)


def with_json(function: F) -> F:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(function)


def when(at: int | None) -> str | None:
    """A time of the journal (microseconds) as ISO 8601 in UTC."""
    if at is None:
        return None
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def print_json(value: object) -> None:
    """Print ``value`` as JSON."""
    click.echo(json.dumps(value, indent=2))


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print ``rows``: all they hold as JSON, or ``columns`` of them as a table."""
    if as_json:
        print_json(list(rows))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
