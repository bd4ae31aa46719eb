"""One site under load, its gateway, which is started again whenever it ends, and what has to be true at the end.

A world is small, so that everything in it can be compared after each fault, and again with every byte at its end.
"""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pika
import sqlalchemy as sa

from gateway import reconcile
from gateway.parties import SignatureProfile
from gateway.reconcile import Comparison, Sent, Tally
from spool.journal import Journal, JournalError, open_journal
from spool.reconciliation import Mismatch
from spool.tables import submissions
from tests.authority import Pki
from tests.broker import Broker, free_ports
from tests.faults import ground
from tests.faults.campaign.senders import Records, SetMaker, SftpSender, sender_names
from tests.faults.clock import SECOND, ZONE, know_zone
from tests.faults.hurt import GROUND, Order, boot, clock_of
from tests.gateway_process import GatewayProcess, Site, grandchildren, make_test_site
from tests.postgres import Cluster

FORMS: Final = 3
LEASE_SECONDS: Final = 3.0
_FETCH_EVERY: Final = 3
_SETTLE_SECONDS: Final = 180.0
_TRIES: Final = 100
"""A gateway that ends so often before it is ready never will be."""
_END_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1
_PAUSES: Final = (0.3, 1.0, 3.0)
_CHANGES: Final = (
    ("judging", "worker_seconds = 120.0", "worker_seconds = 10.0"),
    ("judging", "retry_seconds = 5.0", "retry_seconds = 0.2"),
    ("judging", "retry_ceiling_seconds = 300.0", "retry_ceiling_seconds = 1.0"),
    ("judging", "max_failures = 10", "max_failures = 1000"),
    ("routing", "retry_seconds = 5.0", "retry_seconds = 0.2"),
    ("routing", "retry_ceiling_seconds = 900.0", "retry_ceiling_seconds = 1.0"),
    ("routing", "max_attempts = 8", "max_attempts = 1000"),
    ("sftp", "login_start = 50", "login_start = 500"),
    ("sftp", "login_rate = 30", "login_rate = 10"),
    ("sftp", "login_full = 150", "login_full = 1500"),
    ("sftp", "source_logins = 20", "source_logins = 500"),
    ("sftp", "user_connections = 20", "user_connections = 100"),
    ("sftp", "max_connections = 200", "max_connections = 500"),
    ("journal", "lease_seconds = 30.0", f"lease_seconds = {LEASE_SECONDS}"),
    ("intake", 'time_zone = "Europe/Brussels"', f'time_zone = "{ZONE}"'),
    ("spool", "reserve = 268435456", "reserve = 1048576"),
)
"""What fails is tried again soon and often: the outages here are short, and many."""
_AHEAD: Final = 6 * 3600 * SECOND
"""So far ahead is a world's clock at first: it can be set back, and no key or list was made later than it shows."""


@dataclass(frozen=True, slots=True)
class Means:
    """What worlds share: authorities, and the servers; None where a world needs none."""

    pki: Pki
    broker: Broker | None = None
    cluster: Cluster | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a world: submissions told OK, and what does not fit, in words."""

    submissions: int = 0
    accepted: int = 0
    rejected: int = 0
    again: int = 0
    messages: int = 0
    delivered_again: int = 0
    reconciliations: int = 0
    starts: int = 0
    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    unanswered: list[str] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)


class World:
    """A site in ``folder``, with its journal in a file or, if ``means`` have a cluster, in PostgreSQL.

    It lies on what ``on`` names (:mod:`tests.faults.ground`); ``clear`` has to be called when it is done with.  After
    each set its sender waits for ``pace`` seconds.
    """

    def __init__(self, folder: Path, means: Means, senders: int, on: str = "folder", pace: float = 0.0) -> None:
        self.means = means
        self.outcome = Outcome()
        self._pace = pace
        self.orders = folder / "orders"
        self.orders.write_text("{}", encoding="utf-8")
        boot(self.orders)
        know_zone(folder / "zones")
        self.clock = clock_of(self.orders)
        self.clock.jump(_AHEAD)
        self.ground = ground.make(on, folder / GROUND)
        self.ground.lay()
        try:
            self._settle_in(senders)
        except BaseException:
            self.clear()
            raise

    def _settle_in(self, senders: int) -> None:
        means = self.means
        self.site = _make_site(self.ground.folder, means, senders)
        self.ground.settle()
        self.gateway: GatewayProcess | None = None
        self.comparison = Comparison(
            self._journal(), self.site.settings.spool.path, is_embedded=means.broker is None, pauses=_PAUSES
        )
        maker = SetMaker(self.site)
        self._going = asyncio.Event()
        self._senders = [SftpSender(who, self.site, maker, self._going) for who in sender_names(senders).items()]
        self._is_full = False
        self._end = threading.Event()
        self._power = threading.Lock()

    def _journal(self) -> Journal:
        return open_journal(self.site.settings.journal.place)

    @property
    def sent(self) -> int:
        """How many sets were told OK so far."""
        return sum(len(sender.records.told) for sender in self._senders)

    def kill(self) -> bool:
        """Take the gateway away by SIGKILL; whether there was one."""
        running = self.gateway is not None and self.gateway.process.poll() is None
        if running and self.gateway is not None:
            self.gateway.process.kill()
        return running

    def cut_power(self, *, log_written: bool, seconds: float) -> None:
        """Cut the power of the site's disk; the gateway lives on for so long, then the machine starts anew."""
        assert isinstance(self.ground, ground.Disk)
        with self._power:
            self.comparison.journal.close()
            self.ground.cut(log_written=log_written)
            time.sleep(seconds)
            self.kill()
            self.ground.mend()
            boot(self.orders)

    def rival(self) -> GatewayProcess:
        """Start a second process that judges and delivers on this site; whoever asks for it has to end it."""
        return GatewayProcess(self.site, "tests.faults.hurt", str(self.orders), roles=("judge", "deliver")).ready()

    def end(self, gateway: GatewayProcess) -> None:
        """End a gateway and what it has left, as a service manager does: a worker that hangs would stay."""
        gateway.process.kill()
        gateway.process.wait()
        end = time.monotonic() + _END_SECONDS
        while (left := grandchildren(gateway.process.pid)) and time.monotonic() < end:
            for pid in left:  # one of them may just make another
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_POLL_SECONDS / 10)
        gateway.stop()

    def workers(self) -> list[int]:
        """The processes that judge: those of the gateway's session whose parent it is not."""
        return [] if self.gateway is None else grandchildren(self.gateway.process.pid)

    def order(self, order: Order) -> None:
        """Let the gateway that runs, or the next one, carry this out."""
        order.write(self.orders)

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """The gateway runs and sets come, for the time of the block; afterwards everything is done and it has ended."""
        async with asyncio.TaskGroup() as group:
            keeper = group.create_task(self._keep())
            tasks = [group.create_task(self._send(sender)) for sender in self._senders]
            await self._going.wait()
            try:
                yield
                self.order(Order())
                self._is_full = True
                await asyncio.gather(*tasks)
                await self._settle()
                await self._fetch_all()
            finally:
                self._end.set()
                for task in tasks:
                    task.cancel()
                self.kill()
                await keeper
        for each in self._senders:
            await each.leave()

    async def _keep(self) -> None:
        """Start the gateway, and start it again when it has ended, as a service manager does."""
        while not self._end.is_set():
            await asyncio.to_thread(self._start)
            self._going.set()
            assert self.gateway is not None
            if self._end.is_set():
                self.kill()  # it came too late to be ended with the others
            await asyncio.to_thread(self.gateway.process.wait)
            self._going.clear()
            await asyncio.to_thread(self.end, self.gateway)

    def _start(self) -> None:
        tries = 0
        while not self._end.is_set():
            with self._power:
                self.gateway = GatewayProcess(self.site, "tests.faults.hurt", str(self.orders))
            self.outcome.starts += 1
            try:
                self.gateway.ready()
            except AssertionError:  # it ended before, for it was killed, or there is no database
                self.end(self.gateway)
                tries += 1
                if tries == _TRIES:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return

    async def _send(self, sender: SftpSender) -> None:
        while not self._is_full:
            await sender.send()
            if len(sender.records.told) % _FETCH_EVERY == 0:
                await sender.fetch()
            await asyncio.sleep(self._pace)

    async def _settle(self) -> None:
        """Wait until nothing is open any more; what stays open is found afterwards."""
        await asyncio.to_thread(self._rest)

    def _rest(self) -> None:
        end = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < end and self._has_open():
            time.sleep(_POLL_SECONDS)

    def _has_open(self) -> bool:
        query = sa.select(sa.func.count()).select_from(submissions).where(submissions.c.closed_at.is_(None))
        try:
            with self.comparison.journal.read() as connection:
                return bool(connection.execute(query).scalar_one())
        except JournalError:
            return True

    async def _fetch_all(self) -> None:
        for sender in self._senders:
            answered: set[str] = set()
            for _ in range(3):
                await sender.fetch()
                answered = {answer.stem for answer in sender.records.answers.values()}
                if answered >= sender.records.told.keys():
                    break

    async def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is so, at most so long; whether it is."""
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(_POLL_SECONDS / 4)
        return True

    async def more_told(self, sets: int, seconds: float) -> None:
        """Wait until senders are told OK for so many sets more, or that has not come about."""
        before = self.sent
        await self.until(lambda: self.sent >= before + sets, seconds)

    def clear(self) -> None:
        """Have done with it; harmless twice."""
        if comparison := getattr(self, "comparison", None):
            comparison.journal.close()
        self.ground.clear()

    # --- what has to be true

    def reconcile(self) -> list[Mismatch]:
        """What does not fit now, beside the gateway at work."""
        self.outcome.reconciliations += 1
        return list(reconcile.reconcile(self.comparison, Tally()))

    def close(self) -> Outcome:
        """Compare everything with everything, once the gateway has ended; answers what became of this world."""
        outcome = self.outcome
        tally = Tally()
        comparison = Comparison(
            self.comparison.journal,
            self.comparison.spool,
            hashes=True,
            is_embedded=self.means.broker is None,
            pauses=(),
        )
        misfits = list(reconcile.reconcile(comparison, tally))
        outcome.reconciliations += 1
        for sender in self._senders:
            misfits += reconcile.compare_sent(comparison, _list_of(sender.records))
            self._judge(sender.records)
        outcome.misfits += [f"{each.ticket} {each.misfit}: {each.detail}" for each in misfits]
        if self.means.broker is not None:
            self._compare_queue(self.means.broker)
        return outcome

    def _judge(self, records: Records) -> None:
        """Hold a sender's list against the answers that it got."""
        outcome = self.outcome
        outcome.submissions += len(records.told)
        outcome.again += records.again
        outcome.lost += [f"{name} can't be read" for name in records.unreadable]
        tickets: dict[str, set[tuple[str, bool]]] = {}
        for answer in records.answers.values():
            tickets.setdefault(answer.stem, set()).add((answer.ticket, answer.accepted))
        for stem, is_valid in records.told.items():
            found = tickets.get(stem, set())
            accepted = [ticket for ticket, was in found if was]
            outcome.accepted += bool(accepted)
            outcome.rejected += bool(found) and not accepted
            if not found:
                outcome.unanswered.append(stem)
            elif len(accepted) > 1 or (is_valid and len(found) > 1):
                outcome.repeated.append(f"{stem} has the answers {sorted(found)}")
            elif bool(accepted) is not is_valid:
                outcome.lost.append(f"{stem} was to be {'accepted' if is_valid else 'rejected'}")

    def _compare_queue(self, broker: Broker) -> None:
        """Hold what the broker has against what was accepted."""
        expected = set()
        query = sa.select(submissions.c.ticket).where(submissions.c.state == "accepted")
        with self.comparison.journal.read() as connection:
            for (ticket,) in connection.execute(query):
                expected |= {f"{ticket}-{form:06}" for form in range(1, FORMS + 1)}
        delivered = list(_taken(broker, self.site.settings.routing.queue))
        self.outcome.messages += len(expected)
        self.outcome.delivered_again += len(delivered) - len(set(delivered))
        self.outcome.lost += [f"message {name}" for name in sorted(expected - set(delivered))]
        self.outcome.repeated += [f"message {name}" for name in sorted(set(delivered) - expected)]


def _list_of(records: Records) -> list[Sent]:
    tickets = {answer.stem: answer.ticket for answer in records.answers.values()}
    return [Sent(f"FI.{stem}.1.1", tickets.get(stem, "")) for stem in records.told]


def _taken(broker: Broker, queue: str) -> Iterator[str]:
    """The message ids that wait at the broker, those of repeated deliveries too; afterwards there are none."""
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    channel = connection.channel()
    while True:
        method, properties, _ = channel.basic_get(queue, auto_ack=True)
        if method is None:
            break
        yield properties.message_id
    channel.queue_delete(queue)
    connection.close()


def _make_site(folder: Path, means: Means, senders: int) -> Site:
    site = make_test_site(folder, means.pki, means.pki.issue("Payroll"))
    [port] = free_ports(1)
    site.configure("port = 0", f"port = {port}", section="sftp")
    site.port = port
    for section, old, new in _CHANGES:
        site.configure(old, new, section=section)
    if means.broker is not None:
        site.configure("urls = []", f'urls = ["{means.broker.url}"]')
        for word in ("exchange", "queue"):
            site.configure(f'{word} = "declarations"', f'{word} = "declarations.{port}"', section="routing")
    if means.cluster is not None:
        url = means.cluster.journal()
        site.configure('# url = "postgresql://gateway:password@127.0.0.1:5432/gateway"', f'url = "{url}"')
    for number, user in sender_names(senders).items():
        site.add_sender(number, user, SignatureProfile.DETACHED, site.signer)
    return site
