"""How is the SFTP door opened, and closed without losing an upload?

Closing: no new connections, no new files; uploads and downloads that are open may end, for a bounded time; then
everybody is sent away and what was still open is treated as cut.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import asyncssh
import structlog

from channels.ports import Account, Accounts, Reception
from channels.sftp.algorithms import CIPHERS, KEY_EXCHANGES, MACS, SIGNATURES, load_host_keys
from channels.sftp.login import Login
from channels.sftp.session import SftpSession
from channels.sftp.settings import DoorSettings
from channels.sftp.tree import Premises, Tree
from channels.sftp.visit import Visit
from config.errors import TemporaryError
from spool.intake import Intake
from spool.outbox import Outbox

__all__ = ["Door", "DoorSettings", "DoorUnavailable", "open_door"]

_log = structlog.get_logger()

_KEEPALIVES: Final = 3
_GOODBYE: Final = 5.0


class DoorUnavailable(TemporaryError):  # noqa: N818 - says what is missing, as the others do
    """The address cannot be listened on."""


class Door:
    """The open door; ``port`` is where it listens."""

    def __init__(self, settings: DoorSettings, accounts: Accounts, behind: Premises) -> None:
        self.settings = settings
        self.accounts = accounts
        self.port = settings.port
        self._behind = behind
        self._present: dict[Login, Visit] = {}
        self._closing = False
        self._stirred = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """How many clients are connected, logged in or not."""
        return len(self._present)

    # --- for the connections

    def enter(self, login: Login, source: str) -> Visit | None:
        """Count a new connection, or None if there are too many or the door closes."""
        if self._closing or len(self._present) >= self.settings.max_connections:
            return None
        visit = self._present[login] = Visit(self.settings, source, self._stirred, self._tasks)
        return visit

    def leave(self, login: Login) -> None:
        """The connection is gone."""
        self._present.pop(login, None)
        self._stirred.set()

    def open_session(self, visit: Visit, account: Account) -> SftpSession:
        """A session for somebody who has logged in."""
        return SftpSession(visit, lambda channel: Tree(channel, visit, account, self._behind))

    # --- for the daemon

    async def close(self) -> None:
        """Let open files end, then send everybody away and wait for what their connections leave to do."""
        self._closing = True
        for visit in self._present.values():
            visit.leaving = True
        if not await self._settled(self.settings.drain_timeout):
            _log.warning("sftp.stop.cut", connections=sum(visit.busy for visit in self._present.values()))
        for login in list(self._present):
            login.dismiss("the gateway stops")
        if self._tasks:
            _, unfinished = await asyncio.wait(self._tasks, timeout=_GOODBYE)
            for task in unfinished:
                task.cancel()
            if unfinished:
                _log.error("sftp.stop.unfinished", requests=len(unfinished))

    async def _settled(self, timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while any(visit.busy for visit in self._present.values()):
                    self._stirred.clear()
                    await self._stirred.wait()
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def open_door(
    settings: DoorSettings, accounts: Accounts, reception: Reception, intake: Intake, outbox: Outbox
) -> AsyncIterator[Door]:
    """Listen until the block is left, then close as the module says.

    Raises:
        ConfigurationError: the host keys cannot be used; every fault is told.
        DoorUnavailable: the address cannot be listened on.
    """
    # asyncssh logs names and paths as the client sends them, line breaks included.
    asyncssh.set_log_level(logging.CRITICAL)
    host_keys = load_host_keys(settings.host_keys)
    door = Door(settings, accounts, Premises(reception, intake, outbox))
    acceptor = await _listen(settings, door, host_keys)
    door.port = acceptor.get_port()
    _log.info("sftp.open", port=door.port)
    try:
        yield door
    finally:
        acceptor.close()
        await door.close()
        # From Python 3.12 this waits for the last connection, so it must come last.
        await acceptor.wait_closed()
        _log.info("sftp.closed", port=door.port)


async def _listen(settings: DoorSettings, door: Door, host_keys: list[asyncssh.SSHKeyPair]) -> asyncssh.SSHAcceptor:
    try:
        return await asyncssh.listen(
            settings.host,
            settings.port,
            config=None,
            server_factory=lambda: Login(door),
            server_host_keys=host_keys,
            server_version=settings.version,
            kex_algs=KEY_EXCHANGES,
            encryption_algs=CIPHERS,
            mac_algs=MACS,
            signature_algs=SIGNATURES,
            compression_algs=("none",),
            x509_trusted_certs=None,
            public_key_auth=True,
            password_auth=False,
            kbdint_auth=False,
            host_based_auth=False,
            gss_host=None,
            login_timeout=settings.login_timeout,
            keepalive_interval=settings.keepalive_interval,
            keepalive_count_max=_KEEPALIVES,
            allow_pty=False,
            allow_scp=False,
            agent_forwarding=False,
            x11_forwarding=False,
            line_editor=False,
        )
    except OSError as error:
        raise DoorUnavailable(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}") from error
