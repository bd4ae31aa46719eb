"""A group of commands that loads one when it is asked for: most of them bring a database along, and help needs none.

What commands log goes to stderr, unless it was said otherwise.
"""

import sys
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that knows its commands by name, place and purpose.

    Args:
        lazy: by the name of each command, in the order of the help: ``module:attribute``, and what it is for
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.commands = _Commands({name: place for name, (place, _) in lazy.items()})
        self._purposes = {name: purpose for name, (_, purpose) in lazy.items()}

    def list_commands(self, _context: click.Context) -> list[str]:
        """The names of the commands."""
        return list(self.commands)

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command is for, without loading one."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._purposes.items()))


class _Commands(MutableMapping[str, click.Command]):
    """Commands by their names; each is loaded when it is looked up."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._known: dict[str, str | click.Command] = dict(places)

    def __getitem__(self, name: str) -> click.Command:
        known = self._known[name]
        if isinstance(known, click.Command):
            return known
        module, _, attribute = known.partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        _let_events_go_beside()
        self._known[name] = command
        return command

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._known[name] = command

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)


class _Beside:
    """Says events on stderr, whatever that is by then: what a command prints is what it was asked for."""

    def msg(self, message: str) -> None:
        """Say one."""
        click.echo(message, err=True)

    debug = info = warning = error = critical = exception = msg


def _let_events_go_beside() -> None:
    """See to the events of commands, where one that logs is loaded and nobody has said yet where they go."""
    structlog = sys.modules.get("structlog")
    if structlog is not None and isinstance(structlog.get_config()["logger_factory"], structlog.PrintLoggerFactory):
        structlog.configure(logger_factory=lambda *_: _Beside())
