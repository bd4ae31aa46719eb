"""How fast are messages taken into custody, beside what the disk allows?

``benchmarks.mq`` and ``benchmarks.flood`` run it.  Each message is a set of one part: an FI, and its signature, which
nobody looks at here.
"""

import asyncio
import base64
import sqlite3
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from benchmarks.forwarding import BODY
from channels.mq.connection import Brokers, connection_parameters
from channels.mq.messages import OutgoingMessage
from channels.mq.publisher import Destination, Outcome, open_publisher
from channels.mq.topology import door
from config.messages import Mq
from gateway.message_door import Behind, Bounds, open_message_door
from gateway.parties import SignatureProfile
from spool.custody import Custody
from spool.files import sync_file, sync_folder, write_durably
from spool.journal import open_journal
from tests.authority import Pki
from tests.gateway_process import Site, make_test_site

_AT_ONCE: Final = 16  # sets taken into custody side by side, as the door does
_SENDER: Final = "654321"
_USER: Final = "gateway"  # who publishes has to be who is connected


async def taking(url: str, count: int, folder: Path) -> str:
    """From the queue into custody, beside the same files synced by as many threads and nothing else."""
    site = make_taking_site(url, folder)
    names = (f"{number:05d}" for number in range(1, count + 1))
    await fill_queue(url, site.settings.mq, names, BODY * 5)
    seconds = await take(url, site, count)
    floor = await asyncio.to_thread(_sync_as_much, folder / "floor", count)
    share = floor / seconds
    return f"queue to custody: {count / seconds:,.0f} sets/s; the disk alone {count / floor:,.0f}/s: {share:.2f} of it"


def make_taking_site(url: str, folder: Path) -> Site:
    """A site whose door of messages is open, for the one sender who publishes."""
    pki = Pki.create(folder / "pki")
    site = make_test_site(folder, pki, pki.issue("a sender"))
    site.add_sender(_SENDER, _USER, SignatureProfile.DETACHED, pki.issue("who publishes"))
    site.configure("urls = []", f'urls = ["{url}"]')
    site.configure('enabled = false\nexchange = "batch.in"', 'enabled = true\nexchange = "batch.in"')
    return site


async def fill_queue(url: str, mq: Mq, sequences: Iterable[str], body: bytes) -> None:
    """Publish one declaration of ``body`` for each of these sequences of its name."""
    signature = base64.b64encode(b"s" * 1500).decode()
    async with open_publisher(Destination(Brokers((connection_parameters(url),)), door(mq))) as publisher:
        await publisher.wait_connected()
        messages = (
            OutgoingMessage(
                mq.exchange,
                "R",
                f"message {sequence}",
                body,
                {"FileName": f"FI.DIMN.{_SENDER}.20261121.{sequence}.R.1.1", "Signature": signature},
                user_id=_USER,
            )
            for sequence in sequences
        )
        await publisher.publish_all(messages, lambda _place, outcome: _must_be_none(outcome))


def _must_be_none(outcome: Outcome) -> None:
    if outcome is not None:
        raise SystemExit(f"a message was not published: {outcome}")


async def take(url: str, site: Site, count: int, counted: Callable[[int], None] = lambda _: None) -> float:
    """Seconds until so many sets are in custody; ``counted`` hears of each."""
    settings = site.settings
    journal = open_journal(settings.journal.place)
    custody = Custody(settings.spool.path / "custody", journal)
    done = asyncio.Event()
    taken = 0

    def took() -> None:
        nonlocal taken
        taken += 1
        counted(taken)
        if taken == count:
            done.set()

    async with open_publisher(Destination(Brokers((connection_parameters(url),)))) as publisher:
        start = time.perf_counter()
        async with open_message_door(
            Bounds(settings),
            Behind(custody, journal, publisher, took, lambda: False, settings.spool.path / "messages"),
        ):
            await done.wait()
            seconds = time.perf_counter() - start
    journal.close()
    return seconds


def _sync_as_much(folder: Path, count: int) -> float:
    """Seconds for as many files, fsyncs, renames and commits as custody of ``count`` sets of one part takes."""
    folder.mkdir()
    target = folder / "custody"
    target.mkdir()
    database = sqlite3.connect(folder / "journal", check_same_thread=False, isolation_level=None)
    database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE sets (name, facts)")
    writing = ThreadPoolExecutor(1)

    def commit(name: str) -> None:
        database.execute("INSERT INTO sets VALUES (?, ?)", (name, "x" * 500))

    def take(number: int) -> None:
        place = folder / str(number)
        place.mkdir()
        for name, data in (("FI", BODY * 5), ("FS", b"s" * 2000)):
            (place / name).write_bytes(data)
            sync_file(place / name)
        write_durably(place / "envelope", b"{}")
        place.rename(target / place.name)
        sync_folder(target)
        writing.submit(commit, place.name).result()

    start = time.perf_counter()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(take, range(count)))
    seconds = time.perf_counter() - start
    writing.shutdown()
    database.close()
    return seconds
