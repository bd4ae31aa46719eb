"""Whose are messages that came, and which of them are in custody already?  Of many, by a few looks at the journal."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from gateway import accounts
from gateway.accounts import UnknownUserError
from spool.custody import Custody
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.redelivery import Message, came_before, is_in_custody


@dataclass(frozen=True, slots=True)
class Asked:
    """A message of ``username`` that came for a ``directory``; ``sha256`` of its bytes in hex."""

    username: str
    directory: str
    message_id: str
    name: str
    sha256: str

    def of(self, sender: str) -> Message:
        """As one of ``sender``'s."""
        return Message(Mailbox(sender, self.directory), self.username, self.message_id, self.name, self.sha256)


@dataclass(frozen=True, slots=True)
class Owned:
    """The sender that a message is of, empty if it is nobody's; whether its user ``may`` send; is it here already."""

    sender: str = ""
    may: bool = False
    is_known: bool = False


def look(journal: Journal, custody: Custody, asked: Sequence[Asked]) -> list[Owned | Exception]:
    """Of each message whose it is, or why nobody can tell now.  Blocks on journal and disk.

    Raises:
        TemporaryError: of none of them it can be told now.
    """
    with journal.read() as connection:
        owners = _owners(connection, {each.username for each in asked})
    found: list[Owned | Exception] = [owners[each.username] for each in asked]
    places = [place for place, each in enumerate(asked) if owners[each.username].sender]
    messages = {place: asked[place].of(owners[asked[place].username].sender) for place in places}
    for place, message in messages.items():
        try:
            # Before the journal is asked what it has: it could be just this that is in doubt.
            custody.settle_doubts_like(message.mailbox, message.name)
        except Exception as fault:  # of the others it can be told
            found[place] = fault
    with journal.read() as connection:
        before = dict(zip(places, came_before(connection, list(messages.values())), strict=True))
    for place, message in messages.items():
        if before[place] and isinstance(owned := found[place], Owned):
            found[place] = _looked_up(journal, custody, message, owned)
    return found


def _owners(connection: Connection, usernames: Collection[str]) -> dict[str, Owned]:
    standing = accounts.standing(connection, usernames, now())
    return {username: _owner(connection, username, may=username in standing) for username in usernames}


def _owner(connection: Connection, username: str, *, may: bool) -> Owned:
    try:
        sender = accounts.owner(connection, username)
    except UnknownUserError:
        return Owned()
    return Owned(sender or "", may and sender is not None)


def _looked_up(journal: Journal, custody: Custody, message: Message, owned: Owned) -> Owned | Exception:
    try:
        return Owned(owned.sender, owned.may, is_in_custody(journal, custody, message))
    except Exception as fault:  # as above
        return fault
