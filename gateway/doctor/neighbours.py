"""Does the broker let us in, and has it what we need there; does the content scanner answer, in a short time?"""

import asyncio
import time
from collections.abc import Iterator
from typing import Final

from channels.mq.connection import Brokers, BrokerUnavailable, LoginRefused, brokers_of, open_channel
from channels.mq.declaring import administering
from config.errors import ConfigurationError, TemporaryError
from config.settings import Settings
from gateway.broker_needs import needed, unknown_users
from gateway.clamd import Clamd, ScannerUnavailable
from gateway.doctor.finding import Finding, Mark, Patient, fine, of_fault, trouble, unknown
from gateway.metrics.signatures import made_at
from spool.journal import open_journal

_OLD: Final = 3 * 86_400.0


def broker(patient: Patient) -> Iterator[Finding]:
    """One connection to see whether it is there, one that asks for exchanges and queues; nothing is made or sent."""
    if not patient.settings.broker.urls:
        yield fine("no broker is configured; declarations go onto the embedded queue")
        return
    try:
        where = brokers_of(patient.settings.broker)
    except ConfigurationError as fault:
        yield from map(of_fault, fault.faults)
        return
    found = _looked(where, patient.seconds / 2)
    yield found
    if found.mark is Mark.FINE:
        yield from _lacking(where, patient.settings)


def _lacking(where: Brokers, settings: Settings) -> Iterator[Finding]:
    """What `gateway mq declare` would make there, and users of channel profiles whom nobody registered."""
    try:
        journal = open_journal(settings.journal.place)
        wanted, strangers = needed(settings, journal), unknown_users(settings, journal)
        with administering(where.addresses) as administration:
            faults = [fault.words for fault in administration.look(wanted)]
    except (ConfigurationError, TemporaryError):
        yield unknown("whether the broker has all that is needed: journal or broker went away", "Ask again.")
        return
    if faults:
        more = f", and {len(faults) - 1} more" if faults[1:] else ""
        yield trouble(
            f"{faults[0]}{more}", "`gateway mq check` says it all, `gateway mq declare` makes what is missing."
        )
    yield from (
        trouble(words, "Correct the name in [mq] profiles, or register the user.") for words in strangers.values()
    )


def _looked(where: Brokers, seconds: float) -> Finding:
    async def look() -> None:
        async with asyncio.timeout(seconds), open_channel(where):
            pass

    try:
        asyncio.run(look())
    except LoginRefused as fault:
        to_do = "Correct user, password, certificate or virtual host in [broker]."
        return trouble(f"the broker refuses us: {fault}", to_do, "GatewayBrokerAway")
    except TimeoutError:
        return trouble("the broker does not answer in time", "See the network and the broker.", "GatewayBrokerAway")
    except BrokerUnavailable as fault:
        to_do = "`gateway mq check`; submissions are taken in, and wait."
        return trouble(f"the broker is not reached: {fault}", to_do, "GatewayBrokerAway")
    return fine("the broker is reached and lets us in")


def scanner(patient: Patient) -> Iterator[Finding]:
    """Its version, in its own words; nothing is scanned."""
    rules = patient.settings.scanner
    place = rules.place
    if place is None:
        yield fine("no content scanner is configured")
        return

    async def ask() -> str:
        async with asyncio.timeout(patient.seconds / 2):
            return await Clamd(place, rules).version()

    try:
        said = asyncio.run(ask())
    except (ScannerUnavailable, TimeoutError, OSError) as fault:
        words = str(fault) or "no answer in time"
        yield trouble(f"the content scanner: {words}", "Start clamd, or see its socket.", "GatewayScannerAway")
    else:
        made = made_at(said)
        if made is not None and time.time() - made > _OLD:
            words = f"the content scanner answers, and its signatures are old: {said}"
            yield trouble(words, "See why freshclam brings no new ones.", "GatewayScannerSignaturesOld")
        else:
            yield fine(f"the content scanner answers: {said}")
