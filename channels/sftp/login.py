"""Who may come in?

Public keys only (RFC 4252, 7).  Everything is refused unless it was proved: the answers of asyncssh's callbacks are not
enough, a log-in succeeds only if a good signature of this very user name was seen, and the account is bound to the
connection only then.  asyncssh (2.24) neither bounds the tries nor checks the algorithm of a signature, so three
methods of the connection are replaced; a contract test watches them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import asyncssh
import structlog

from channels.ports import Account, Accounts
from channels.sftp.algorithms import is_registered, is_strong_signature, weakness
from channels.sftp.refusal import log_trouble
from channels.sftp.session import SftpSession
from channels.sftp.settings import DoorSettings
from channels.sftp.visit import Visit
from schemas.filename import is_safe

_log = structlog.get_logger()

_USERAUTH: Final = b"ssh-userauth"


class Porch(Protocol):
    """What a connection needs from the door it comes through."""

    settings: DoorSettings
    accounts: Accounts

    def enter(self, login: "Login", source: str) -> Visit | None:
        """Count a new connection, or None if there are too many."""

    def leave(self, login: "Login") -> None:
        """The connection is gone."""

    def open_session(self, visit: Visit, account: Account) -> SftpSession:
        """A session for somebody who has logged in."""


@dataclass(frozen=True, slots=True)
class Proof:
    """``username`` has signed with a key of ``account``."""

    username: str
    account: Account


class Login(asyncssh.SSHServer):
    """One connection, from its first byte to its last."""

    def __init__(self, porch: Porch) -> None:
        self._porch = porch
        self._conn: asyncssh.SSHServerConnection | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._username = ""
        self._candidate: Account | None = None
        self._proof: Proof | None = None
        self._tries = 0
        self._reason = ""
        self.visit: Visit | None = None

    # --- the connection

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        """A client has connected."""
        self._conn = conn
        source = str(conn.get_extra_info("peername", ("",))[0])
        self.visit = self._porch.enter(self, source)
        if self.visit is None:
            _log.warning("sftp.login.refused", reason="too many connections", source=source)
            words = "too many connections; try again later"
            # Only a client that has been told our version understands anything else.
            asyncio.get_running_loop().call_soon(conn.disconnect, asyncssh.DISC_TOO_MANY_CONNECTIONS, words)
            return
        self._replace(conn)
        conn.pause_writing = self.visit.pause  # type: ignore[method-assign]  # asyncssh ignores what is said here
        conn.resume_writing = self.visit.resume  # type: ignore[method-assign]

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        if self._idle is not None:
            self._idle.cancel()
        if self.visit is not None:
            self.visit.resume()
        self._porch.leave(self)

    def dismiss(self, words: str) -> None:
        """Send the client away."""
        if self._conn is not None:
            self._conn.disconnect(asyncssh.DISC_BY_APPLICATION, words)

    # --- the log-in

    def begin_auth(self, username: str) -> bool:
        """Somebody says who they are; answering anything but True would let them in."""
        self._username = username
        self._candidate = self._proof = None
        return True

    def public_key_auth_supported(self) -> bool:
        """Keys are taken."""
        return True

    def password_auth_supported(self) -> bool:
        """Passwords are not."""
        return False

    def kbdint_auth_supported(self) -> bool:
        """Nor is anything typed."""
        return False

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether a signature of ``key`` would let ``username`` in; nothing is proved by this."""
        self._candidate = None
        self._reason = weakness(key)
        if self._reason:
            return False
        account = await self._porch.accounts.find(username) if is_safe(username) else None
        if account is None:
            self._reason = "no such user, or blocked"
            return False
        if not is_registered(key, account.keys):
            self._reason = "not a key of this user"
            return False
        self._candidate = account
        return True

    def auth_completed(self) -> None:
        """The client has been told that it is in."""
        if self.visit is None or self._proof is None:
            return
        account = self.visit.account = self._proof.account
        _log.info("sftp.login.accepted", sender=account.sender, username=account.username, source=self.visit.source)
        self._watch()

    def session_requested(self) -> SftpSession | bool:
        """A channel for somebody who is in."""
        visit = self.visit
        if visit is None or visit.account is None:
            return False
        if not visit.take_seat():
            _log.warning("sftp.session.refused", sender=visit.account.sender, username=visit.account.username)
            return False
        return self._porch.open_session(visit, visit.account)

    # --- what asyncssh leaves open

    def _replace(self, conn: asyncssh.SSHServerConnection) -> None:
        succeed, fail, verify = conn.send_userauth_success, conn.send_userauth_failure, conn.validate_public_key

        async def success() -> None:
            if self._proof is None or self._proof.username != self._username:
                failure(False)
            else:
                await succeed()

        def failure(partial_success: bool) -> None:
            self._count_failure()
            if self._tries >= self._porch.settings.max_tries:
                self._log_refusal("too many tries")
                conn.disconnect(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, "too many authentication failures")
                return
            fail(partial_success)
            # paramiko asks for the service again before every try and would be thrown out for it.
            conn._next_service = _USERAUTH  # noqa: SLF001 - there is no other way

        async def check(username: str, key_data: bytes, msg: bytes, signature: bytes) -> bool:
            return await self._check(verify, username, key_data, msg, signature)

        conn.send_userauth_success = success  # type: ignore[method-assign]
        conn.send_userauth_failure = failure  # type: ignore[method-assign]
        conn.validate_public_key = check  # type: ignore[method-assign]

    async def _check(
        self, verify: Callable[..., Awaitable[bool]], username: str, key_data: bytes, msg: bytes, signature: bytes
    ) -> bool:
        self._proof = None
        try:
            if msg and not is_strong_signature(signature):
                self._reason = "weak signature algorithm"
                return False
            good = await verify(username, key_data, msg, signature)
        except Exception as error:  # whatever went wrong, nobody comes in by it
            log_trouble("sftp.login.failed", error)
            self._reason = "trouble"
            return False
        if good is True and msg and self._candidate is not None:
            self._proof = Proof(username, self._candidate)
        elif msg and not self._reason:
            self._reason = "bad signature"
        return good is True

    def _count_failure(self) -> None:
        self._tries += 1
        if self._reason:
            self._log_refusal(self._reason)
            self._reason = ""

    def _log_refusal(self, reason: str) -> None:
        username = self._username if is_safe(self._username) else ""
        source = "" if self.visit is None else self.visit.source
        _log.warning("sftp.login.refused", reason=reason, username=username, source=source)

    # --- a client that does nothing

    def _watch(self) -> None:
        limit = self._porch.settings.idle_timeout
        if self.visit is None:
            return
        left = limit - self.visit.idle_for
        if left <= 0:
            _log.info("sftp.idle", source=self.visit.source)
            self.dismiss("nothing was asked for too long")
            return
        self._idle = asyncio.get_running_loop().call_later(left, self._watch)
