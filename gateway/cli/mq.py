"""``gateway mq``: what the gateway needs at the broker, made or found missing."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, Final

import click

from channels.mq import policies, topology
from channels.mq.addresses import brokers_of
from channels.mq.declaring import administering
from channels.mq.management import Management, open_management
from channels.mq.topology import Fault, Topology, Wrong
from config.credential import revealed
from config.errors import ConfigurationError
from config.settings import Settings
from gateway.broker_needs import needed, unknown_users
from gateway.cli.output import RefusedError, print_json, with_config, with_json
from gateway.site import open_site, settings_file
from spool.journal import Journal

_UNSEEN: Final = (
    "bindings and policies were not looked at: that takes [mq] management; `gateway mq declare` makes all the bindings"
)
_BY_HAND: Final = "Policies take [mq] management; without it, run this where the broker is:"


@click.group()
def mq() -> None:
    """Make, or look at, the exchanges, queues and policies at the broker.

    Which they are follows from [mq], [back] and [routing], as far as they are enabled there, and from the senders that
    have a channel mq: run `declare` again when one was added. See docs/mq.md.
    """


@mq.command()
@with_config
def declare(config: Path | None) -> None:
    """Make what is missing at the broker.

    What is there stays as it is; may it be otherwise than it should be, that is said, and the exit status is 1. Only
    the gateway's own policies are changed. Without [mq] management the commands that set them are printed instead.
    """
    settings, journal = _opened(config)
    wanted = needed(settings, journal)
    parameters = brokers_of(settings.broker).addresses
    with administering(parameters) as administration:
        faults = list(administration.declare(wanted))
    vhost = parameters[0].virtual_host
    managed = _managing(settings, lambda management: policies.set_all(management, vhost, wanted))
    if not managed:
        click.echo("\n".join((_BY_HAND, *policies.commands(wanted, vhost))))
    if faults:
        raise RefusedError("\n".join(fault.words for fault in faults))
    also = f" and {len(wanted.policies)} policies" if managed else ""
    click.echo(f"There are {len(wanted.exchanges)} exchanges, {len(wanted.queues)} queues with their bindings{also}.")


@mq.command()
@with_json
@with_config
def check(config: Path | None, *, as_json: bool) -> None:
    """Say what is missing or otherwise at the broker, and change nothing; exit status 1 if there is anything.

    Users of a channel profile whom the register doesn't know are missing too.
    """
    settings, journal = _opened(config)
    wanted = needed(settings, journal)
    parameters = brokers_of(settings.broker).addresses
    with administering(parameters) as administration:
        faults = list(administration.look(wanted))
    faults += [Fault(name, Wrong.MISSING, words) for name, words in unknown_users(settings, journal).items()]
    gone = [fault.what for fault in faults if fault.wrong is Wrong.MISSING]
    vhost = parameters[0].virtual_host

    async def look(management: Management) -> None:
        faults.extend(await _missing_bindings(management, vhost, wanted, gone))
        faults.extend(await policies.look(management, vhost, wanted))

    managed = _managing(settings, look)
    if as_json:
        print_json([{"what": fault.what, "wrong": fault.wrong, "words": fault.words} for fault in faults])
    if not managed:
        click.echo(f"gateway: {_UNSEEN}", err=True)
    if faults:
        raise RefusedError("\n".join(fault.words for fault in faults))
    if not as_json:
        click.echo("Nothing is missing at the broker.")


def _opened(config: Path | None) -> tuple[Settings, Journal]:
    settings, journal = open_site(settings_file(config))
    if not settings.broker.urls:
        raise ConfigurationError(["broker.urls: names no broker"])
    return settings, journal


def _managing(settings: Settings, work: Callable[[Management], Coroutine[Any, Any, None]]) -> bool:
    """Do ``work`` by the management interface; false if there is none."""
    url = settings.mq.management
    if url is None:
        return False

    async def managing() -> None:
        async with open_management(revealed(url), settings.broker.authority) as management:
            await work(management)

    asyncio.run(managing())
    return True


async def _missing_bindings(
    management: Management, vhost: str, wanted: Topology, missing: Iterable[str]
) -> list[Fault]:
    gone = set(missing)
    faults = []
    for exchange in wanted.exchanges:
        if exchange.name in gone:
            continue
        found = await management.bindings(vhost, exchange.name)
        faults += [
            Fault(binding.queue, Wrong.MISSING, topology.unbound(binding))
            for binding in wanted.bindings
            if binding.exchange == exchange.name and binding.queue not in gone
            if (binding.key, binding.queue) not in found
        ]
    return faults
