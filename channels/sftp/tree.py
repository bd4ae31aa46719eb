"""What does a client see, and what may it do there?

A root with six directories (batch channel: IN, INTEST, INTEST-S to write in, OUT, OUTTEST, OUTTEST-S to read and
delete in), those of the sender the client has logged in for.  Everything is a virtual tree over the spool; a client's
path is never one of the operating system.  What a set of files means is not decided here.
"""

import asyncio
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import asyncssh
import structlog
from asyncssh.channel import SSHServerChannel

from channels.ports import Account, Reception
from channels.sftp.handles import Incoming, Outgoing
from channels.sftp.listing import directory_attributes, file_attributes, file_names, root_names
from channels.sftp.place import Place, locate
from channels.sftp.refusal import log_trouble
from channels.sftp.visit import Visit
from schemas.filename import is_temporary
from spool.intake import Intake
from spool.mailbox import INBOXES, Entry, Mailbox, MailboxRefusal, Trouble
from spool.outbox import Outbox

_CHANGING: Final = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND | asyncssh.FXF_CREAT | asyncssh.FXF_TRUNC
_NO_FILE: Final = "no such file"


@dataclass(frozen=True, slots=True)
class Premises:
    """What lies behind the door."""

    reception: Reception
    intake: Intake
    outbox: Outbox


class Tree(asyncssh.SFTPServer):
    """The directories of one sender, as one channel sees them."""

    def __init__(self, channel: "SSHServerChannel[bytes]", visit: Visit, account: Account, behind: Premises) -> None:
        super().__init__(channel)
        self.close_asked = False
        self._visit = visit
        self._account = account
        self._behind = behind
        self._since = time.time()
        self._files: set[Incoming | Outgoing] = set()
        self._log = structlog.get_logger().bind(sender=account.sender, username=account.username)

    # --- looking

    def realpath(self, path: bytes) -> bytes:
        """The one way to write ``path``."""
        return locate(path).path

    def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """The attributes of what is at ``path``."""
        try:
            place = locate(path)
        except MailboxRefusal:
            raise MailboxRefusal(Trouble.MISSING, _NO_FILE) from None
        if not place.name:
            return directory_attributes(self._since)
        entry = self._find(place)
        if entry is None:
            raise MailboxRefusal(Trouble.MISSING, _NO_FILE)
        return file_attributes(entry)

    lstat = stat

    def _find(self, place: Place) -> Entry | None:
        box = self._mailbox(place)
        if box.directory in INBOXES:
            return self._behind.intake.find(box, place.name) or self._visit.finished(place)
        return self._behind.outbox.find(box, place.name)

    def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
        """The attributes of an open file."""
        if not isinstance(file_obj, Incoming | Outgoing):
            raise TypeError("not a handle of this tree")
        return file_attributes(file_obj.entry)

    async def names(self, path: bytes) -> Iterable[asyncssh.SFTPName]:
        """Everything in the directory ``path``."""
        place = locate(path)
        if place.name:
            raise MailboxRefusal(Trouble.MISSING, "not a directory")
        if not place.directory:
            return root_names(self._since)
        box = self._mailbox(place)
        entries = self._behind.intake.entries if box.directory in INBOXES else self._behind.outbox.entries
        return file_names(await asyncio.to_thread(entries, box))

    # --- opening, reading, writing

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Incoming | Outgoing:
        """Start an upload in an inbox or a download from an outbox."""
        place = locate(path)
        if not place.name:
            raise MailboxRefusal(Trouble.DENIED, "this is a directory")
        if self._visit.leaving:
            raise MailboxRefusal(Trouble.BUSY, "the gateway is about to stop; try again later")
        file: Incoming | Outgoing
        if place.directory in INBOXES:
            file = await self._receive(place, pflags)
        else:
            file = self._hand_out(place, pflags)
        self._files.add(file)
        return file

    async def _receive(self, place: Place, pflags: int) -> Incoming:
        if not pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_APPEND):
            raise MailboxRefusal(Trouble.DENIED, f"files in {place.directory} cannot be read back")
        box, exclusive = self._mailbox(place), bool(pflags & asyncssh.FXF_EXCL)
        self._check_beginning(box, place.name, pflags)
        upload = await asyncio.to_thread(self._behind.intake.begin, box, place.name, exclusive=exclusive)
        return Incoming(place, upload, append=bool(pflags & asyncssh.FXF_APPEND))

    def _check_beginning(self, box: Mailbox, name: str, pflags: int) -> None:
        if pflags & asyncssh.FXF_CREAT and pflags & (asyncssh.FXF_TRUNC | asyncssh.FXF_EXCL):
            return
        exists = self._behind.intake.find(box, name) is not None
        if exists and not pflags & asyncssh.FXF_TRUNC:
            raise MailboxRefusal(Trouble.EXISTS, "an upload cannot be resumed; send the whole file again")
        if not exists and not pflags & asyncssh.FXF_CREAT:
            raise MailboxRefusal(Trouble.MISSING, _NO_FILE)

    def _hand_out(self, place: Place, pflags: int) -> Outgoing:
        if pflags & _CHANGING:
            raise MailboxRefusal(Trouble.DENIED, f"{place.directory} is for answers; files go into an IN directory")
        return Outgoing(place, self._behind.outbox.open(self._mailbox(place), place.name))

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        """Bytes of a download."""
        if not isinstance(file_obj, Outgoing):
            raise MailboxRefusal(Trouble.DENIED, "an upload cannot be read back")
        return file_obj.read(offset, size)

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        """Bytes of an upload, put on disk from the loop: handing them to a thread would cost more."""
        if not isinstance(file_obj, Incoming):
            raise MailboxRefusal(Trouble.DENIED, "this file is open for reading only")
        file_obj.write(offset, data)
        return len(data)

    async def fsync(self, file_obj: object) -> None:
        """Make what was written so far durable."""
        if isinstance(file_obj, Incoming):
            await asyncio.to_thread(file_obj.sync)

    # --- closing

    async def close(self, file_obj: object) -> None:
        """Give a handle back; an upload becomes a file only if the client asked for it (``close_asked``).

        asyncssh calls this in the same way when the connection is cut or sends nonsense.
        """
        if isinstance(file_obj, Outgoing):
            self._files.discard(file_obj)
            os.close(file_obj.descriptor)
            self._log_file("sftp.download", file_obj.place, reached=file_obj.reached, size=file_obj.entry.size)
        elif isinstance(file_obj, Incoming):
            self._files.discard(file_obj)
            if self.close_asked:
                await self._finish(file_obj)
            else:
                await self._abandon(file_obj)

    async def release(self) -> None:
        """Give everything back, as if the connection were cut."""
        self.close_asked = False
        for file in list(self._files):
            await self.close(file)

    def exit(self) -> None:
        """Tell the client that all went well: OpenSSH's scp fails without an exit status."""
        if not self._chan.is_closing():
            self._chan.exit(0)

    async def _finish(self, file: Incoming) -> None:
        try:
            file.check()
            await asyncio.to_thread(self._behind.intake.finish, file.upload)
        except Exception:
            await self._abandon(file)
            raise
        self._log_file("sftp.upload.finished", file.place, size=file.upload.size)
        await self._arrived(file.place, file.upload.size)

    async def _abandon(self, file: Incoming) -> None:
        self._log_file("sftp.upload.torn", file.place, size=file.upload.size)
        try:
            await asyncio.to_thread(self._behind.intake.abandon, file.upload)
        except Exception as error:  # an exception here would keep asyncssh from giving back the other handles
            log_trouble("sftp.upload.left", error)

    async def _arrived(self, place: Place, size: int) -> None:
        if not is_temporary(place.name):
            await self._behind.reception.arrived(self._mailbox(place), self._account.username, place.name)
            self._visit.remember(place, size)

    # --- changing

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Give a waiting file another name that is not taken."""
        await self._rename(oldpath, newpath, replace=False)

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Give a waiting file another name, taken or not."""
        await self._rename(oldpath, newpath, replace=True)

    async def _rename(self, oldpath: bytes, newpath: bytes, *, replace: bool) -> None:
        old, new = locate(oldpath), locate(newpath)
        if not (old.name and new.name and old.directory == new.directory and old.directory in INBOXES):
            raise MailboxRefusal(Trouble.DENIED, "only a file in an IN directory can be renamed, and only within it")
        size = await asyncio.to_thread(self._move, self._mailbox(old), old.name, new.name, replace)
        self._visit.forget(old)
        self._log_file("sftp.renamed", new, before=old.name, size=size)
        await self._arrived(new, size)

    def _move(self, box: Mailbox, old: str, new: str, replace: bool) -> int:
        intake = self._behind.intake
        with intake.locked(box):
            if not replace and intake.find(box, new) is not None:
                raise MailboxRefusal(Trouble.EXISTS, "a file of this name is already waiting")
            entry = intake.find(box, old)
            intake.rename(box, old, new)
        return 0 if entry is None else entry.size

    async def remove(self, path: bytes) -> None:
        """Take back a waiting file, or delete an answer."""
        place = locate(path)
        if not place.name:
            raise MailboxRefusal(Trouble.DENIED, "a directory cannot be removed")
        box = self._mailbox(place)
        remove = self._behind.intake.remove if box.directory in INBOXES else self._behind.outbox.remove
        await asyncio.to_thread(remove, box, place.name)
        self._visit.forget(place)
        self._log_file("sftp.removed", place)

    def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Accept and ignore rights, owners and times, which many clients set after an upload."""
        self.stat(path)
        if attrs.size is not None:
            raise MailboxRefusal(Trouble.DENIED, "the size of a file cannot be set")

    def fsetstat(self, file_obj: object, attrs: asyncssh.SFTPAttrs) -> None:
        """The same for an open file; an upload can also be cut shorter."""
        if attrs.size is None:
            return
        if not isinstance(file_obj, Incoming) or attrs.size > file_obj.upload.size:
            raise MailboxRefusal(Trouble.DENIED, "a file can only be made shorter, and only while it is uploaded")
        file_obj.upload.truncate(attrs.size)

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Refused."""
        raise MailboxRefusal(Trouble.DENIED, "directories cannot be made here")

    def rmdir(self, path: bytes) -> None:
        """Refused."""
        raise MailboxRefusal(Trouble.DENIED, "a directory cannot be removed")

    def readlink(self, path: bytes) -> bytes:
        """Refused."""
        raise _no_links()

    def symlink(self, oldpath: bytes, newpath: bytes) -> None:
        """Refused."""
        raise _no_links()

    # --- naming

    def _mailbox(self, place: Place) -> Mailbox:
        return Mailbox(self._account.sender, place.directory)

    def _log_file(self, event: str, place: Place, **facts: int | str) -> None:
        self._log.info(event, directory=place.directory, name=place.name, **facts)


def _no_links() -> MailboxRefusal:
    return MailboxRefusal(Trouble.DENIED, "there are no links here")
