"""How long is a connection kept, from its first byte to its last?

Until it is sent away, with words: because there are too many, because nobody logged in or asked for anything in time,
or because somebody else says so.  Who may log in is ``login``'s question.
"""

import asyncio
from typing import Protocol

import asyncssh
import structlog

from channels.ports import Account, Accounts
from channels.sftp.session import SftpSession
from channels.sftp.settings import DoorSettings
from channels.sftp.visit import Visit

_log = structlog.get_logger()


class Porch(Protocol):
    """What a connection needs from the door it comes through."""

    settings: DoorSettings
    accounts: Accounts

    def enter(self, guest: "Guest", source: str) -> Visit | str:
        """Count a new connection, or say why it may not be."""

    def come_in(self, guest: "Guest", username: str) -> str:
        """Count one that has logged in, or say why it may not stay."""

    def leave(self, guest: "Guest") -> None:
        """The connection is gone."""

    def notice(self) -> str:
        """What everybody is greeted with, empty if nothing is."""

    def open_session(self, visit: Visit, account: Account) -> SftpSession:
        """A session for somebody who has logged in."""


class Guest(asyncssh.SSHServer):
    """One connection; it may not do anything yet."""

    def __init__(self, porch: Porch) -> None:
        self._porch = porch
        self._conn: asyncssh.SSHServerConnection | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.visit: Visit | None = None

    # --- the connection

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """A client has connected."""
        self._conn = conn
        loop = asyncio.get_running_loop()
        visit = self._porch.enter(self, str(conn.get_extra_info("peername", ("",))[0]))
        if isinstance(visit, str):
            # Only a client that has been told our version understands anything else.
            words = f"{visit}; try again later"
            loop.call_soon(conn.disconnect, asyncssh.DISC_TOO_MANY_CONNECTIONS, words)
            return
        self.visit = visit
        self.greet(conn)
        conn.pause_writing = visit.pause  # type: ignore[method-assign]  # asyncssh ignores what is said here
        conn.resume_writing = visit.resume  # type: ignore[method-assign]
        self._timer = loop.call_later(self._porch.settings.login_timeout, self._too_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
        if self.visit is not None:
            self.visit.resume()
        self._porch.leave(self)

    def dismiss(self, words: str, code: int = asyncssh.DISC_BY_APPLICATION) -> None:
        """Send the client away."""
        if self._conn is not None:
            self._conn.disconnect(code, words)
            self._conn = None

    def greet(self, conn: asyncssh.SSHServerConnection) -> None:
        """The connection is counted, and may log in."""

    def session_requested(self) -> SftpSession | bool:
        """A channel for somebody who is in."""
        visit = self.visit
        if visit is None or visit.account is None:
            return False
        if not visit.take_seat():
            _log.warning("sftp.session.refused", sender=visit.account.sender, username=visit.account.username)
            return False
        return self._porch.open_session(visit, visit.account)

    # --- a client that does nothing

    def _too_late(self) -> None:
        _log.warning("sftp.login.refused", reason="too slow", source="" if self.visit is None else self.visit.source)
        self.dismiss("log-in took too long")

    def stay(self) -> None:
        """Let the client be until it has done nothing for too long, from now on."""
        if self._timer is not None:
            self._timer.cancel()
        if self.visit is not None:
            self.visit.touch()
        self._timer = asyncio.get_running_loop().call_later(self._porch.settings.idle_timeout, self._watch)

    def _watch(self) -> None:
        if self.visit is None:
            return
        left = self._porch.settings.idle_timeout - self.visit.idle_for
        if left <= 0:
            _log.info("sftp.idle", source=self.visit.source)
            self.dismiss("nothing was asked for too long")
            return
        self._timer = asyncio.get_running_loop().call_later(left, self._watch)
