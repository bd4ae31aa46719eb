"""How is the SFTP door opened, and closed without losing an upload?

Closing: no new connections.  Who is at work goes on, for a bounded time, and who is not is sent away with words; those
who wait in the queue of a socket that somebody else holds open (systemd) are served by the gateway that comes next.
After that time no new files either: uploads and downloads that are open may end, again for a bounded time; then
everybody is sent away and what was still open is treated as cut.
"""

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import asyncssh
import structlog

from channels.ports import Account, Accounts
from channels.sftp.admission import Admission, Drops
from channels.sftp.algorithms import load_host_keys
from channels.sftp.guest import Guest
from channels.sftp.listening import DoorUnavailable, listen
from channels.sftp.login import Login
from channels.sftp.parting import GOODBYE, is_long_quiet, is_quiet
from channels.sftp.premises import Premises
from channels.sftp.refusal import log_trouble
from channels.sftp.session import SftpSession
from channels.sftp.settings import DoorSettings
from channels.sftp.tree import Tree
from channels.sftp.visit import Visit
from spool.mailbox import Mailbox

__all__ = ["Door", "DoorSettings", "DoorUnavailable", "Premises", "open_door"]

_log = structlog.get_logger()

_GOODBYE: Final = 5.0
_LOOK: Final = 0.1
_TURNS: Final = 5
_LATEST: Final = 50


class Door:
    """The open door; ``port`` is where it listens."""

    def __init__(self, settings: DoorSettings, accounts: Accounts, behind: Premises) -> None:
        self.settings = settings
        self.accounts = accounts
        self.port = settings.port
        self._behind = behind
        behind.shares.take_over(settings.share)
        self._present: dict[Guest, Visit] = {}
        self._admission = Admission(lambda: secrets.randbelow(100), behind.seats)
        self._drops = Drops()
        self._acceptors: list[asyncssh.SSHAcceptor] = []
        self._closing = self._shut = False
        self._stirred = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """How many clients are connected, logged in or not."""
        return len(self._present)

    @property
    def is_open(self) -> bool:
        """Whether clients may come."""
        return bool(self._acceptors) and not self._closing

    # --- for the connections

    def enter(self, guest: Guest, source: str) -> Visit | str:
        """Count a new connection, or say why it may not be."""
        reason = self._refusal(guest, source)
        if reason:
            if count := self._drops.count(reason, asyncio.get_running_loop().time()):
                _log.warning("sftp.connection.refused", reason=reason, source=source, count=count)
            return reason
        visit = self._present[guest] = Visit(self.settings, source, self._stirred, self._tasks)
        return visit

    def _refusal(self, guest: Guest, source: str) -> str:
        if self._shut:
            return "the gateway stops"
        if self.accounts.is_locked("", source):
            return "too many failed log-ins from this address"
        return self._admission.begin(guest, source, self.settings.admission)

    def come_in(self, guest: Guest, username: str) -> str:
        """Count one that has logged in, or say why it may not stay."""
        return self._admission.come_in(guest, username, self.settings.admission)

    def leave(self, guest: Guest) -> None:
        """The connection is gone."""
        self._admission.leave(guest)
        visit = self._present.pop(guest, None)
        self._stirred.set()
        if visit is None or not isinstance(guest, Login):
            return
        for username in guest.suspects:
            task = asyncio.get_running_loop().create_task(self._report(username, visit.source))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _report(self, username: str, source: str) -> None:
        try:
            await self.accounts.failed(username, source)
        except Exception as error:  # it is not known then, and the door stays open
            log_trouble("sftp.login.unrecorded", error)

    def notice(self) -> str:
        """What everybody is greeted with, empty if nothing is."""
        return self._behind.notice()

    def open_session(self, visit: Visit, account: Account) -> SftpSession:
        """A session for somebody who has logged in."""
        return SftpSession(visit, lambda channel: Tree(channel, visit, account, self._behind))

    # --- for the daemon

    def attach(self, acceptors: list[asyncssh.SSHAcceptor]) -> None:
        """The door listens."""
        self._acceptors = acceptors
        self.port = acceptors[0].get_port()

    def reload(self, settings: DoorSettings) -> None:
        """Take over host keys and limits, those of one connection for such to come; address, port, who is here stay.

        Raises:
            ConfigurationError: a host key cannot be used; nothing was taken over.
        """
        host_keys = load_host_keys(settings.host_keys)
        for acceptor in self._acceptors:
            acceptor.update(server_host_keys=host_keys)
        self.settings = settings
        self._behind.shares.take_over(settings.share)
        _log.info("sftp.reloaded", host_keys=len(host_keys))

    async def recheck(self) -> None:
        """Ask again and again whether who is in may stay."""
        while True:
            await asyncio.sleep(self.settings.recheck_interval)
            try:
                await self._recheck()
            except Exception as error:  # asked again in a moment; nobody is sent away for our own trouble
                log_trouble("sftp.recheck.failed", error)

    async def _recheck(self) -> None:
        usernames = {visit.account.username for visit in self._present.values() if visit.account is not None}
        accounts = await self.accounts.standing(usernames)
        for guest, visit in list(self._present.items()):
            # Whoever has come in meanwhile was not asked about.
            if isinstance(guest, Login) and visit.account is not None and visit.account.username in usernames:
                guest.recheck(accounts.get(visit.account.username))

    async def close(self) -> None:
        """Let work end, then send everybody away and wait for what their connections leave to do."""
        self._closing = True
        await self._part()
        self._shut = True
        for visit in self._present.values():
            visit.leaving = True
        if not await self._settled(self.settings.drain_timeout, self._is_busy):
            _log.warning("sftp.stop.cut", connections=sum(visit.busy for visit in self._present.values()))
        for login in list(self._present):
            login.dismiss("the gateway stops")
        # What a connection leaves to do begins when it is gone.
        await self._settled(_GOODBYE, lambda: bool(self._present))
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=_GOODBYE)
            for task in unfinished:
                task.cancel()
            if unfinished:
                _log.error("sftp.stop.unfinished", requests=len(unfinished))

    async def _part(self) -> None:
        """Let who is at work go on, and send who is not away, until nobody is left or the time is up."""
        for _ in range(_TURNS):
            if not self._present:
                await asyncio.sleep(0)  # who was accepted before the door stopped listening comes in now
        if not self._present:
            return
        _log.info("sftp.closing", connections=len(self._present))
        loop = asyncio.get_running_loop()
        until = loop.time() + self.settings.finish_timeout
        while self._present and (left := until - loop.time()) > 0:
            for guest, visit in list(self._present.items()):
                if self._may_go(visit, is_late=left < self.settings.finish_timeout / 2):
                    guest.dismiss(GOODBYE)
            await asyncio.sleep(_LOOK)

    def _may_go(self, visit: Visit, *, is_late: bool) -> bool:
        standing = visit.standing
        return is_long_quiet(standing) or (is_quiet(standing, is_late=is_late) and not self._is_in_a_set(visit))

    def _is_in_a_set(self, visit: Visit) -> bool:
        """Whether something that the client has brought lately still waits for the rest of its set."""
        if visit.account is None:
            return False
        sender, find = visit.account.sender, self._behind.intake.find
        with suppress(OSError):  # nobody is sent away early for trouble with our disk
            return any(find(Mailbox(sender, place.directory), place.name) for place in visit.latest(_LATEST))
        return True

    def _is_busy(self) -> bool:
        return any(visit.busy for visit in self._present.values())

    async def _settled(self, timeout_s: float, unsettled: Callable[[], bool]) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while unsettled():
                    self._stirred.clear()
                    await self._stirred.wait()
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def open_door(
    settings: DoorSettings, accounts: Accounts, behind: Premises, sockets: Sequence[socket.socket] = ()
) -> AsyncIterator[Door]:
    """Listen until the block is left, then close as the module says.

    Args:
        settings, accounts, behind: how, who may come in, and where what they bring goes.
        sockets: already listening ones, which are closed at the end; without any, host and port of ``settings`` count.

    Raises:
        ConfigurationError: the host keys cannot be used; every fault is told.
        DoorUnavailable: the address cannot be listened on.
    """
    asyncssh.set_log_level(logging.CRITICAL)  # it logs names and paths as clients send them, line breaks included
    host_keys = load_host_keys(settings.host_keys)
    door = Door(settings, accounts, behind)
    acceptors = [await listen(settings, lambda: Login(door), host_keys, listener) for listener in (sockets or (None,))]
    door.attach(acceptors)
    if not door.port:  # what makes sockets passes over families that it may not use, to the last
        raise DoorUnavailable("this process may open no port itself, and none was handed over")
    rechecking = asyncio.create_task(door.recheck())
    _log.info("sftp.open", port=door.port, handed_over=len(sockets))
    try:
        yield door
    finally:
        for acceptor in acceptors:
            acceptor.close()
        try:
            await door.close()
        finally:
            rechecking.cancel()
            # From Python 3.12 this waits for the last connection, so it must come last.
            for acceptor in acceptors:
                await acceptor.wait_closed()
            _log.info("sftp.closed", port=door.port)
