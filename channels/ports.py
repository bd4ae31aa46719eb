"""What the doors need from the rooms above them, and are handed by the daemon."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum, auto
from typing import Final, Protocol

from spool.mailbox import Mailbox

SSH_RSA: Final = "ssh-rsa"


class Authentication(StrEnum):
    """What a technical user has to prove: a key, a password, or a key and then a password."""

    KEY = "key"
    PASSWORD = "password"  # noqa: S105 - a word, not one
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Account:
    """A technical user who may log in: the sender it acts for and its public keys of today, as OpenSSH lines.

    ``sources`` are the networks it may come from (CIDR), none for all; ``login_leniencies`` what is tolerated of its
    log-in, such as ``ssh-rsa`` (signatures with SHA-1).
    """

    username: str
    sender: str
    keys: Sequence[str]
    authentication: Authentication = Authentication.KEY
    sources: tuple[str, ...] = ()
    login_leniencies: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody at the address ``source`` says a password; ``after_key`` once a key of the user was proved.

    With ``place_later`` the source is a word that failures are counted by, and the address is looked at afterwards.
    """

    username: str
    source: str
    password: str = field(repr=False)
    after_key: bool = False
    place_later: bool = False


class Answer(Enum):
    """What there is to say to a password."""

    GOOD = auto()
    WRONG = auto()
    CHANGE = auto()
    LOCKED = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to an attempt; ``account`` comes with ``GOOD``, ``words`` for the user with ``CHANGE``."""

    answer: Answer
    account: Account | None = None
    words: str = ""


class TooManyAtOnceError(Exception):
    """More passwords are being looked at than there is memory for; nothing was found out about this one."""


class Accounts(Protocol):
    """Who may log in, and who has failed too often to try again now."""

    async def find(self, username: str) -> Account | None:
        """The account of ``username`` if it may log in now, else None."""

    async def standing(self, usernames: Collection[str]) -> Mapping[str, Account]:
        """Those of ``usernames`` that may still log in, as they are now; asked again and again, so let it be cheap."""

    async def check_password(self, attempt: Attempt) -> Verdict:
        """Whether the password is right, in the same time for every user there is and every one there isn't.

        Raises:
            TooManyAtOnceError: not now.
        """

    async def change_password(self, attempt: Attempt, new: str) -> Verdict:
        """Give the user the password ``new`` if that of ``attempt`` is right and the rules allow it.

        Raises:
            TooManyAtOnceError: not now.
        """

    def is_locked(self, username: str, source: str) -> bool:
        """Whether nobody at ``source`` may try now to be ``username``; an empty ``username``: to be anybody."""

    async def failed(self, username: str, source: str) -> None:
        """Somebody at ``source`` has failed to prove by a key to be ``username``."""


class Reception(Protocol):
    """Where a finished upload is reported."""

    def is_waiting(self, mailbox: Mailbox, username: str, name: str) -> bool:
        """Whether a file that has just got its name is a part of a set that nothing has closed yet; does not block.

        If so, that is all there is to do about it; if it cannot be told at once, it is not said to be so.
        """

    async def arrived(self, mailbox: Mailbox, username: str, name: str, since: float | None = None) -> None:
        """A file has got its final name; if that closes a set, custody is taken before this returns.

        The client waits since ``since`` (`time.monotonic`).

        Raises:
            TemporaryError: custody could not be taken; the client is told to try again.
        """
