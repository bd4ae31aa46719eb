"""Who may come in?

By a key, a password, or a key and then a password (RFC 4252, 5.1, 7 and 8), as the account wants it.  Everything is
refused unless it was proved: the answers of asyncssh's callbacks are not enough, a log-in succeeds only if a good
signature or password of this very user name was seen, and the account is bound to the connection only then.  asyncssh
(2.24) knows no log-in by two proofs, bounds no tries and doesn't check the algorithm of a signature, so three methods
of the connection are replaced; a contract test watches them.
"""

from collections.abc import Awaitable, Callable
from typing import Final, assert_never

import asyncssh
import structlog

from channels.ports import Account, Answer, Attempt, Authentication, TooManyAtOnceError, Verdict
from channels.sftp.algorithms import is_registered, is_strong_signature, weakness
from channels.sftp.guest import Guest, Porch
from channels.sftp.proof import Proof, Step, next_step, withdrawn
from channels.sftp.refusal import log_trouble
from channels.sftp.wire import lighten
from channels.sources import is_within
from schemas.filename import is_safe

_log = structlog.get_logger()

_USERAUTH: Final = b"ssh-userauth"
# A key is asked for and then proved.  asyncssh drops a request when the next one comes, so not all of them fail.
_REQUESTS_FOR_A_TRY: Final = 3


class Login(Guest):
    """One connection, from its first byte to its last."""

    def __init__(self, porch: Porch) -> None:
        super().__init__(porch)
        self._username = ""
        self._known = ""
        self._candidate: Account | None = None
        self._by_key: Proof | None = None
        self._by_password: Proof | None = None
        self._tries = 0
        self._requests = 0
        self._suspects: set[str] = set()
        self._reason = ""
        self._is_greeted = False

    # --- the log-in

    def begin_auth(self, username: str) -> bool:
        """Somebody says who they are; answering anything but True would let them in."""
        self._username = username
        self._candidate = self._by_key = self._by_password = None
        self._show_notice()
        return True

    def _show_notice(self) -> None:
        words = "" if self._is_greeted or self._conn is None else self._porch.notice()
        if words and self._conn is not None:
            self._is_greeted = True
            self._conn.send_auth_banner(f"{words}\r\n", "en")

    def public_key_auth_supported(self) -> bool:
        """A key is taken, until one is proved."""
        return self._by_key is None

    def password_auth_supported(self) -> bool:
        """A password is taken after a key, and alone if the site has it so: for all names alike, known or not."""
        return self._by_key is not None or self._porch.settings.password_alone

    def kbdint_auth_supported(self) -> bool:
        """Nothing else is typed."""
        return False

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        """Whether a signature of ``key`` would let ``username`` in; nothing is proved by this."""
        self._candidate = None
        self._reason = weakness(key)
        if self._reason:
            return False
        account = await self._porch.accounts.find(username) if is_safe(username) else None
        self._heard_of(username, account)
        self._reason = self._refusal(username, account, key)
        if self._reason:
            return False
        self._candidate = account
        return True

    def _heard_of(self, username: str, account: Account | None) -> None:
        if account is not None:
            self._known = username

    def _refusal(self, username: str, account: Account | None, key: asyncssh.SSHKey) -> str:
        source = "" if self.visit is None else self.visit.source
        if is_safe(username):
            if self._porch.accounts.is_locked(username, source):
                return "locked out"
            self._suspects.add(username)
        if account is None:
            return "no such user, or blocked"
        if account.authentication is Authentication.PASSWORD:
            return "this user has no key"
        if account.sources and not is_within(source, account.sources):
            return "not an address of this sender"
        return "" if is_registered(key, account.keys) else "not a key of this user"

    async def validate_password(self, username: str, password: str) -> bool:
        """Whether the password is right; one that has to be changed is asked for again with a new one."""
        return await self._judge(username, password, None)

    async def change_password(self, username: str, old_password: str, new_password: str) -> bool:
        """Whether the old password was right and the new one has taken its place."""
        self._tries += 1
        return await self._judge(username, old_password, new_password)

    async def _judge(self, username: str, password: str, new: str | None) -> bool:
        self._by_password = None
        if not self._may_ask() or self.visit is None or not is_safe(username):
            return False
        after_key = self._by_key is not None and self._by_key.username == username
        attempt = Attempt(username, self.visit.source, password, after_key)
        accounts = self._porch.accounts
        try:
            self._heard_of(username, await accounts.find(username))
            if new is None:
                verdict = await accounts.check_password(attempt)
            else:
                verdict = await accounts.change_password(attempt, new)
        except TooManyAtOnceError:
            self._log_refusal("too many passwords at once")
            words = "too many log-ins at once; try again later"
            self.dismiss(words, asyncssh.DISC_TOO_MANY_CONNECTIONS)
            return False
        except Exception as error:  # whatever went wrong, nobody comes in by it
            log_trouble("sftp.login.failed", error)
            self._reason = "trouble"
            return False
        return self._heed(verdict, username)

    def _heed(self, verdict: Verdict, username: str) -> bool:
        match verdict.answer:
            case Answer.GOOD:
                if verdict.account is None:
                    return False
                self._by_password = Proof(username, verdict.account)
                return True
            case Answer.WRONG:
                self._reason = "wrong password"
                # It is counted already; many clients offer keys first, whatever is wanted.
                self._suspects.discard(username)
            case Answer.LOCKED:
                self._reason = "locked out"
            case Answer.CHANGE:
                if self._tries < self._porch.settings.max_tries:
                    raise asyncssh.PasswordChangeRequired(verdict.words)
                self._reason = "password not changed"
            case _:
                assert_never(verdict.answer)
        return False

    def auth_completed(self) -> None:
        """The client has been told that it is in."""
        proof = self._by_password or self._by_key
        if self.visit is None or proof is None:
            return
        account = self.visit.account = proof.account
        by = [name for name, proved in (("key", self._by_key), ("password", self._by_password)) if proved]
        _log.info(
            "sftp.login.accepted", sender=account.sender, username=account.username, source=self.visit.source, by=by
        )
        self.stay()

    @property
    def suspects(self) -> frozenset[str]:
        """Every user name that was tried with a key and not proved; none if somebody is in."""
        is_in = self.visit is not None and self.visit.account is not None
        return frozenset() if is_in else frozenset(self._suspects)

    def recheck(self, account: Account | None) -> None:
        """Send somebody away who may no longer be in; ``account`` is what there is to his user name now."""
        visit = self.visit
        if visit is None or visit.account is None:
            return
        reason = withdrawn(self._by_key, self._by_password, account, visit.source)
        if reason:
            sender, username = visit.account.sender, visit.account.username
            _log.warning("sftp.login.ended", reason=reason, sender=sender, username=username, source=visit.source)
            self.dismiss("this access has been withdrawn")

    # --- what asyncssh leaves open

    def greet(self, conn: asyncssh.SSHServerConnection) -> None:
        """Take over what asyncssh does not let be set from outside."""
        lighten(conn)
        succeed, fail, verify = conn.send_userauth_success, conn.send_userauth_failure, conn.validate_public_key

        async def success() -> None:
            step = next_step(self._username, self._by_key, self._by_password)
            if step is not Step.IN:
                failure(step is Step.PASSWORD_NEXT)
            elif self._may_stay():
                await succeed()

        def failure(partial_success: bool) -> None:
            if not partial_success:
                self._count_failure()
            if self._conn is None:
                return
            fail(partial_success)
            # paramiko asks for the service again before every try and would be thrown out for it.
            conn._next_service = _USERAUTH  # noqa: SLF001 - there is no other way

        async def check(username: str, key_data: bytes, msg: bytes, signature: bytes) -> bool:
            return await self._check(verify, username, key_data, msg, signature)

        conn.send_userauth_success = success  # type: ignore[method-assign]
        conn.send_userauth_failure = failure  # type: ignore[method-assign]
        conn.validate_public_key = check  # type: ignore[method-assign]

    def _may_stay(self) -> bool:
        words = self._porch.come_in(self, self._username)
        if words:
            self._log_refusal(words)
            self.dismiss(f"{words}; close one first", asyncssh.DISC_TOO_MANY_CONNECTIONS)
        return not words

    async def _check(
        self, verify: Callable[..., Awaitable[bool]], username: str, key_data: bytes, msg: bytes, signature: bytes
    ) -> bool:
        self._by_key = self._by_password = None
        if not self._may_ask():
            return False
        try:
            good = await verify(username, key_data, msg, signature)
            account = self._candidate
            if good is True and msg and account is not None:
                if not is_strong_signature(signature, account.login_leniencies):
                    self._reason = "weak signature algorithm"
                    return False
                self._by_key = Proof(username, account, key_data)
                self._suspects.discard(username)
        except Exception as error:  # whatever went wrong, nobody comes in by it
            log_trouble("sftp.login.failed", error)
            self._reason = "trouble"
            return False
        if good is not True and msg and not self._reason:
            self._reason = "bad signature"
        return good is True

    def _may_ask(self) -> bool:
        self._requests += 1
        if self._requests <= _REQUESTS_FOR_A_TRY * self._porch.settings.max_tries:
            return True
        self._log_refusal("too many requests")
        self.dismiss("too many authentication requests")
        return False

    def _count_failure(self) -> None:
        self._tries += 1
        if self._reason:
            self._log_refusal(self._reason)
            self._reason = ""
        if self._tries >= self._porch.settings.max_tries:
            self._log_refusal("too many tries")
            self.dismiss("too many authentication failures", asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE)

    def _log_refusal(self, reason: str) -> None:
        # What nobody is called may be a password, typed one line too early.
        username = self._username if self._username == self._known else ""
        source = "" if self.visit is None else self.visit.source
        _log.warning("sftp.login.refused", reason=reason, username=username, source=source)
