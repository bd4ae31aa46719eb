"""The busiest day of a quarter, replayed at speed: what becomes of it, hour by hour, and is anything lost?

    python -m benchmarks.day [--minutes 10] [--peak 18] [--quick] [--page FILE]

starts a RabbitMQ of its own (Debian's rabbitmq-server, on the loopback), an authority's server with revocation lists
that are good for an hour of the day, and a gateway as it is installed, with evidence and with every file synced.  Forty
senders bring the files of :mod:`benchmarks.day_trace` over SFTP with real signatures, of each kind and hour so many
that ``--peak`` come a second in the busiest hour; they fetch and delete their answers, and an institution takes the
declarations from the broker.  From half past nine to half past eleven there is no broker, from half past five in the
afternoon to eight there is no server with revocation lists.  At the end everything is compared with everything.

What it was like is written to docs/deadline-day.md; with ``--quick`` the day takes two minutes, and the page is only
printed.  Exits with 1 if anything was lost, came twice, or was not answered.  All happens in ``TMPDIR``.
"""

import argparse
import asyncio
import os
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from benchmarks.day_account import Replay, account_of, promised, reconciled, seen_of
from benchmarks.day_figures import Account
from benchmarks.day_page import Course, page
from benchmarks.day_senders import Institution, Sender
from benchmarks.day_trace import DAY_SECONDS, HOURS, SENDERS, Arrival, share_for, trace
from benchmarks.throughput_site import serving
from gateway.parties import SignatureProfile
from signing.trust import authorities
from signing.trust.terms import Terms
from tests.authority import Pki, now
from tests.broker import Broker, Member
from tests.faults.campaign.senders import sender_names
from tests.gateway_process import Site, make_test_site
from tests.revocation_server import RevocationServer

PAGE: Final = Path(__file__).parents[1] / "docs" / "deadline-day.md"
BROKER_AWAY: Final = (9.5, 11.5)
LISTS_AWAY: Final = (17.5, 20.0)
"""From when until when, in hours of the day."""

_MINUTES: Final = 10.0
_QUICK_MINUTES: Final = 2.0
_PEAK: Final = 18.0
_LIST: Final = "/issuing.crl"
_LEAD_SECONDS: Final = 3.0
_FETCHES_AN_HOUR: Final = 2.5
_CHANGES: Final = (
    ("user_connections = 20", "user_connections = 100"),
    ("source_connections = 100", "source_connections = 500"),
    ("source_logins = 20", "source_logins = 200"),
    ("login_start = 50", "login_start = 500"),
    ("login_rate = 30", "login_rate = 10"),
    ("login_full = 150", "login_full = 1500"),
    ("max_connections = 200", "max_connections = 500"),
    ("\nfetch = false", "\nfetch = true"),
)
"""All senders are at one address here; lists are fetched."""


@dataclass(frozen=True, slots=True)
class World:
    """What takes part: the site, its authority and that one's server, the broker, the senders' numbers and users."""

    site: Site
    pki: Pki
    lists: RevocationServer
    broker: Broker
    senders: dict[str, str]


@contextmanager
def world(folder: Path, hour: float) -> Iterator[World]:
    """All of it but the gateway; an hour takes so many seconds, and so long is a revocation list good."""
    (folder / "broker").mkdir()
    pki, lists = Pki.create(folder / "pki"), RevocationServer()
    lists.stop()
    [lists.port] = _lasting_ports(1)
    broker = Broker(folder / "broker", member=_member())
    site = make_test_site(folder, pki, pki.issue("Payroll"))
    senders = sender_names(SENDERS)
    for number, user in senders.items():
        site.add_sender(number, user, SignatureProfile.DETACHED, site.signer)
    for old, new in _CHANGES:
        site.configure(old, new)
    site.configure("urls = []", f'urls = ["{broker.url}"]')
    site.configure("fetch_minutes = 60.0", f"fetch_minutes = {hour / 60 / _FETCHES_AN_HOUR:.3f}")
    root_list = folder / "root-for-the-day.crl"
    root_list.write_bytes(pki.crls[0].read_bytes())
    lists.pages[_LIST] = fresh_list(pki, hour)
    entries = site.settings.trust.authorities
    authorities.remove(entries, "test")
    authorities.add(entries, "staff", pki.issuing, [pki.root], [root_list], Terms(crl_from=(lists.url(_LIST),)))
    try:
        broker.start()
        lists.start_again()
        yield World(site, pki, lists, broker, senders)
    finally:
        lists.stop()
        broker.close()


def _member() -> Member:
    """A broker by itself whose ports are free when it comes back."""
    port, epmd_port, distribution_port = _lasting_ports(3)
    return Member("127.0.0.1", port, epmd_port, distribution_port, secrets.token_hex(16), secrets.token_hex(16))


def _lasting_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on, and that nobody's connection gets while nobody does."""
    found: list[int] = []
    while len(found) < count:
        port = 10_000 + secrets.randbelow(20_000)  # below those that the kernel deals out (ip(7))
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            found.append(port)
    return found


def fresh_list(pki: Pki, seconds: float) -> Callable[[bytes], bytes]:
    """What the authority's server answers: a list made now that is good for so long."""

    def answer(_: bytes) -> bytes:
        pki.write_crls(this_update=now(), next_update=now() + timedelta(seconds=max(2.0, seconds)))
        return pki.crls[1].read_bytes()

    return answer


# --- the day


def live(among: World, arrivals: Sequence[Arrival], hour: float) -> Replay:
    """Serve and replay; the gateway has ended when this returns."""
    pace = hour * HOURS / DAY_SECONDS
    people = [
        Sender(who, among.site, [one for one in arrivals if one.sender == rank], pace)
        for rank, who in enumerate(among.senders.items())
    ]
    with (
        serving(among.site) as gateway,
        Institution(among.broker.url, among.site.settings.routing.queue) as institution,
    ):
        before = gateway.spent()
        began = time.time() + _LEAD_SECONDS
        outages = asyncio.run(_replay(among, people, began, hour))
        gateway.await_closed(int(began * 1e6))
        after = gateway.spent()
    main, workers = after.main - before.main, after.workers - before.workers
    return Replay(began, people, outages, main, workers, dict(institution.ids), institution.again)


async def _replay(among: World, people: Sequence[Sender], began: float, hour: float) -> dict[str, tuple[float, float]]:
    async with asyncio.TaskGroup() as group:
        away = {
            "broker": group.create_task(_away(BROKER_AWAY, began, hour, among.broker.stop, among.broker.start)),
            "lists": group.create_task(_away(LISTS_AWAY, began, hour, among.lists.stop, among.lists.start_again)),
        }
        for one in people:
            group.create_task(one.live(began, hour))
    return {name: task.result() for name, task in away.items()}


async def _away(
    span: tuple[float, float], began: float, hour: float, stop: Callable[[], None], start: Callable[[], None]
) -> tuple[float, float]:
    """Take something away for a span of the day; answers from when until when it was away, in hours of the day."""
    times = []
    for moment, act in zip(span, (stop, start), strict=True):
        await asyncio.sleep(max(0.0, began + moment * hour - time.time()))
        times.append(time.time())
        await asyncio.to_thread(act)
    return (times[0] - began) / hour, (time.time() - began) / hour


def _busy() -> float:
    """CPU seconds that all processors were at work so far, whoever had them."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:8])
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def run(folder: Path, minutes: float, peak: float) -> tuple[str, Account]:
    """Live a day; answers the page and the account."""
    hour = minutes * 60 / HOURS
    share = share_for(peak, hour)
    arrivals = trace(share)
    busy, own, started = _busy(), sum(os.times()[:4]), time.monotonic()
    with world(folder, hour) as among:
        replay = live(among, arrivals, hour)
    took = time.monotonic() - started
    others = (_busy() - busy - (sum(os.times()[:4]) - own)) / (took * len(os.sched_getaffinity(0)))
    account = account_of(replay)
    said = reconciled(among.site, replay)
    account.wrong += [f"{one['ticket']} {one['mismatch']}" for one in said["mismatches"]]
    brought = [each for one in replay.senders for each in one.brought]
    course = Course(
        minutes=minutes,
        peak=peak,
        share=share,
        arrivals=arrivals,
        began=int(replay.began * 1e6),
        seen=seen_of(among.site, brought),
        outages=replay.outages,
        main=replay.main,
        workers=replay.workers,
        others=max(0.0, others),
        again=replay.again,
        retried=sum(one.sent.again for one in replay.senders),
        promised=promised(among.site, replay),
        reconciled=said,
    )
    return page(course, account), account


def main() -> int:
    """Replay, write the page, and answer the exit status."""
    parser = argparse.ArgumentParser(description="The busiest day of a quarter, replayed at speed.")
    parser.add_argument("--minutes", type=float, default=_MINUTES, help="how long the day takes")
    parser.add_argument("--peak", type=float, default=_PEAK, help="files a second in the busiest hour")
    parser.add_argument("--quick", action="store_true", help="two minutes; print the page only")
    parser.add_argument("--page", type=Path, help="where the page is written; docs/deadline-day.md unless --quick")
    words = parser.parse_args()
    # Whoever ends this must not leave a gateway and a broker behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    structlog.configure(processors=[_drop])
    target = words.page or (None if words.quick else PAGE)
    with tempfile.TemporaryDirectory() as folder:
        text, account = run(Path(folder), _QUICK_MINUTES if words.quick else words.minutes, words.peak)
    for misfit in [*account.lost, *account.wrong, *account.twice, *account.unanswered][:50]:
        sys.stderr.write(f"{misfit}\n")
    if target is not None:
        target.write_text(text, encoding="utf-8")
    sys.stdout.write(text if target is None else f"{account.closing}\n")
    return 0 if account.is_kept else 1


def _drop(*_line: object) -> dict[str, object]:
    raise structlog.DropEvent


if __name__ == "__main__":
    sys.exit(main())
