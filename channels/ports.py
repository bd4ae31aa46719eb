"""What the doors need from the rooms above them, and are handed by the daemon."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from spool.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class Account:
    """A technical user who may log in: the sender it acts for and its public keys, as OpenSSH lines."""

    username: str
    sender: str
    keys: Sequence[str]


class Accounts(Protocol):
    """Who may log in."""

    async def find(self, username: str) -> Account | None:
        """The account of ``username`` if it may log in now, else None."""


class Reception(Protocol):
    """Where a finished upload is reported."""

    async def arrived(self, mailbox: Mailbox, username: str, name: str) -> None:
        """A file has got its final name; if that closes a set, custody is taken before this returns.

        Raises:
            TemporaryError: custody could not be taken; the client is told to try again.
        """
