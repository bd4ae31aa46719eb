"""What a client reads: answers and messages, which it may delete, and status documents, which it may not.

A document of STATUS and a message of EBOX are read into a file without a name when they are opened, so that however
many are open they fill no memory.
"""

import os
import tempfile
from itertools import groupby
from operator import itemgetter
from typing import Final

import structlog

from channels.ports import Account
from channels.sftp.handles import Outgoing
from channels.sftp.place import EBOX, STATUS, Place
from channels.sftp.premises import Premises
from channels.sftp.refusal import log_trouble
from channels.sftp.share import Share
from config.errors import TemporaryError
from spool.mailbox import Document, Entry, Mailbox, MailboxRefusal, Trouble

_NO_FILE: Final = "no such file"
_DOCUMENTS: Final = (EBOX, STATUS)


class Departures:
    """The outboxes, the e-Box and the status documents of one sender, as one channel sees them."""

    def __init__(self, account: Account, behind: Premises, share: Share) -> None:
        self._sender = account.sender
        self._username = account.username
        self._outbox = behind.outbox
        self._records = behind.records
        self._ebox = behind.ebox
        self._share = share
        self._log = structlog.get_logger().bind(sender=account.sender, username=account.username)

    def _mailbox(self, place: Place) -> Mailbox:
        return Mailbox(self._sender, place.directory)

    async def find(self, place: Place) -> Entry | None:
        """The file at ``place``, or None."""
        if place.directory == EBOX:
            return await self._share.list(self._ebox.find, self._sender, place.name)
        if place.directory != STATUS:
            return self._outbox.find(self._mailbox(place), place.name)
        document = await self._share.list(self._records.document, self._sender, place.name)
        return None if document is None else Entry(place.name, len(document.data), document.modified)

    async def entries(self, place: Place) -> list[Entry]:
        """What the directory ``place`` lists; of too many answers the oldest, so that deleting them shows the next."""
        if place.directory == STATUS:
            return list(await self._share.list(self._records.entries, self._sender))
        if place.directory == EBOX:
            return list(await self._share.list(self._ebox.entries, self._sender, self._share.limits.listing))
        found = await self._share.list(self._outbox.entries, self._mailbox(place))
        if len(found) > self._share.limits.listing:
            self._share.tell("files in a listing")
            found = oldest_answers(found, self._share.limits.listing)
        return found

    async def open(self, place: Place) -> Outgoing:
        """Start reading."""
        if place.directory not in _DOCUMENTS:
            return Outgoing(place, self._outbox.open(self._mailbox(place), place.name))
        return await self._share.list(self._open_document, place)

    def _open_document(self, place: Place) -> Outgoing:
        document = self._document(place)
        if document is None:
            raise MailboxRefusal(Trouble.MISSING, _NO_FILE)
        with tempfile.TemporaryFile() as file:
            file.write(document.data)
            file.flush()
            return Outgoing(place, os.dup(file.fileno()), document.modified)

    def _document(self, place: Place) -> Document | None:
        source = self._ebox if place.directory == EBOX else self._records
        return source.document(self._sender, place.name)

    async def close(self, file: Outgoing, *, asked: bool) -> None:
        """Give a handle back; an answer that was read to its end is fetched, if the client has ``asked`` for this."""
        os.close(file.descriptor)
        place, entry = file.place, file.entry
        self._log_file("sftp.download", place, reached=file.reached, size=entry.size, **file.transfer)
        if asked and file.is_complete and place.directory != STATUS:
            try:
                await self._share.run(self._fetched, place, entry)
            except (TemporaryError, OSError) as error:  # the client has its answer whatever we write down
                log_trouble("sftp.download.not_recorded", error)

    def _fetched(self, place: Place, entry: Entry) -> None:
        if place.directory == EBOX:
            self._ebox.fetched(self._sender, place.name)
        else:
            self._records.fetched(self._mailbox(place), place.name, entry.modified, self._username)

    async def remove(self, place: Place) -> None:
        """Delete an answer or a message."""
        if place.directory == STATUS:
            raise MailboxRefusal(Trouble.DENIED, "what is in STATUS cannot be deleted; it is made for you to read")
        if place.directory == EBOX:
            await self._share.run(self._ebox.remove, self._sender, place.name)
            self._log_file("sftp.removed", place)
            return
        await self._share.run(self._outbox.remove, self._mailbox(place), place.name)
        self._log_file("sftp.removed", place)
        try:
            await self._share.run(self._records.deleted, self._mailbox(place), place.name)
        except (TemporaryError, OSError) as error:  # the file is gone whatever we write down
            log_trouble("sftp.removal.not_recorded", error)

    def _log_file(self, event: str, place: Place, **facts: float | str) -> None:
        self._log.info(event, directory=place.directory, file=place.name, **facts)


def oldest_answers(entries: list[Entry], limit: int) -> list[Entry]:
    """About ``limit`` of ``entries``: whole answers, those whose names come first (they begin with a date)."""
    keyed = sorted((_day(entry.name), entry.name.partition(".")[2], entry.name, entry) for entry in entries)
    chosen: list[Entry] = []
    for _, files in groupby(keyed, key=itemgetter(0, 1)):
        answer = [entry for *_, entry in files]
        if chosen and len(chosen) + len(answer) > limit:
            break
        chosen += answer
    return sorted(chosen, key=lambda entry: entry.name)


def _day(name: str) -> str:
    return ".".join(name.split(".")[3:5])
