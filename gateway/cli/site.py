"""``gateway init``, ``serve`` and ``check-config``."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from config.retention import NOT_SETTLED
from config.roles import ALL, Role
from config.settings import Settings, read_settings
from gateway.broker_needs import unknown_users
from gateway.cli.output import with_config
from gateway.logs import configure_logging
from gateway.site import check_site, make_site, open_types, remarks, settings_file
from spool.journal import open_journal
from spool.processes import Process, working


@click.command(short_help="Make a site: settings, keys, folders, journal.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
def init(folder: Path) -> None:
    """Make a site in DIR: settings, host key, signing key, folders and journal."""
    path = make_site(folder)
    click.echo(f"Made {path}.  Next: an accepted authority and a sender, then `gateway serve` in {folder}.")
    click.echo(
        "The signing certificate is self-signed: good for trying things out; a real site names its own in [signing]."
    )


@click.command(short_help="Run the gateway until SIGTERM or Ctrl-C.")
@click.option(
    "roles",
    "--role",
    type=click.Choice([role.value for role in Role]),
    multiple=True,
    help="What this process does; again for another role; without it, everything.",
)
@with_config
def serve(config: Path | None, roles: Sequence[str]) -> None:
    """Run the gateway until SIGTERM or Ctrl-C; logs go to stderr ([logging] stream), one JSON line an event.

    On SIGHUP it reads its host keys and the limits of its doors anew; nobody is sent away.

    With --role it does only that, and other processes do the rest: sftp (uploads, custody), mq (messages), judge
    (verdicts, signed answers), deliver (answers, forwarding, seals), operations (metrics, health, interface).
    """
    path = settings_file(config)
    settings = read_settings(path)
    configure_logging(settings.logging)
    open_types(settings)
    # Held until the last thread has ended, which is after the last coroutine has.
    chosen = frozenset(map(Role, roles)) or ALL
    with working(settings.spool.path, chosen, on_one_host=isinstance(settings.journal.place, Path)) as me:
        _run(_serve(settings, me, path))


def _run(main: Coroutine[Any, Any, None]) -> None:
    """Run ``main`` on uvloop's event loop if it is installed, else on asyncio's own."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415 - the extra `speed`, and only `serve` wants it

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


async def _serve(settings: Settings, me: Process, path: Path) -> None:
    from gateway.daemon import serve as serve_until_stopped  # noqa: PLC0415 - what it imports takes a second to load

    try:
        await serve_until_stopped(settings, me, lambda: read_settings(path))
    except ExceptionGroup as group:
        raise _first(group) from group


def _first(group: ExceptionGroup[Exception]) -> Exception:
    """What went wrong, out of the groups that a task group makes of it."""
    fault = group.exceptions[0]
    return _first(fault) if isinstance(fault, ExceptionGroup) else fault


@click.command("check-config", short_help="Say what `serve` would refuse to start with.")
@with_config
def check_config(config: Path | None) -> None:
    """Say everything that `serve` would refuse to start with; exit status 2 if there is anything."""
    path = settings_file(config)
    settings = check_site(path)
    strangers = unknown_users(settings, open_journal(settings.journal.place))
    choice = [f"retention: by_itself, but {NOT_SETTLED}"] if settings.retention.waits_for_a_choice else []
    for remark in (*remarks(settings), *choice, *strangers.values()):
        click.echo(f"gateway: {remark}", err=True)
    click.echo(f"{path}: no fault found")
