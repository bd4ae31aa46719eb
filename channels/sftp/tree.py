"""What does a client see, and what may it do there?

A root with eight directories (batch channel: IN, INTEST, INTEST-S to write in, OUT, OUTTEST, OUTTEST-S to read and
delete in; our own EBOX, likewise, and STATUS to read), those of the sender the client has logged in for.  Everything is
a virtual tree over spool and journal; a client's path is never one of the operating system.  What a set of files means
is not decided here.
"""

import time
from collections.abc import Awaitable, Iterable, Sequence
from contextlib import suppress
from typing import Final

import asyncssh
from asyncssh.channel import SSHServerChannel

from channels.ports import Account
from channels.sftp.arrivals import Arrivals
from channels.sftp.departures import Departures
from channels.sftp.handles import Incoming, Outgoing
from channels.sftp.listing import directory_attributes, file_attributes, file_names, root_names
from channels.sftp.packets import Piece
from channels.sftp.place import EBOX, STATUS, Place, locate
from channels.sftp.premises import Premises
from channels.sftp.visit import Visit
from spool.mailbox import INBOXES, Entry, MailboxRefusal, Trouble
from spool.tally import TallyHeldError

_CHANGING: Final = asyncssh.FXF_WRITE | asyncssh.FXF_APPEND | asyncssh.FXF_CREAT | asyncssh.FXF_TRUNC
_NO_FILE: Final = "no such file"
_USES: Final = {STATUS: "for you to read", EBOX: "for messages to you"}


class Tree(asyncssh.SFTPServer):
    """The directories of one sender, as one channel sees them."""

    def __init__(self, channel: "SSHServerChannel[bytes]", visit: Visit, account: Account, behind: Premises) -> None:
        super().__init__(channel)
        self.close_asked = False
        self.ended = False
        self._visit = visit
        self.share = behind.shares.of(account.sender)
        self._arrivals = Arrivals(account, visit, behind, self.share)
        self._departures = Departures(account, behind, self.share)
        self._since = time.time()
        self._files: set[Incoming | Outgoing] = set()

    # --- looking

    def realpath(self, path: bytes) -> bytes:
        """The one way to write ``path``."""
        return locate(path).path

    async def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """The attributes of what is at ``path``."""
        try:
            place = locate(path)
        except MailboxRefusal:
            raise MailboxRefusal(Trouble.MISSING, _NO_FILE) from None
        if not place.name:
            return directory_attributes(place, self._since)
        entry = await self._find(place)
        if entry is None:
            raise MailboxRefusal(Trouble.MISSING, _NO_FILE)
        return file_attributes(entry, place)

    lstat = stat

    async def _find(self, place: Place) -> Entry | None:
        return self._arrivals.find(place) if place.directory in INBOXES else await self._departures.find(place)

    def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
        """The attributes of an open file."""
        if not isinstance(file_obj, Incoming | Outgoing):
            raise TypeError("not a handle of this tree")
        return file_attributes(file_obj.entry, file_obj.place)

    async def names(self, path: bytes) -> Iterable[asyncssh.SFTPName]:
        """Everything in the directory ``path``."""
        place = locate(path)
        if place.name:
            raise MailboxRefusal(Trouble.MISSING, "not a directory")
        if not place.directory:
            return root_names(self._since)
        shown = self._arrivals if place.directory in INBOXES else self._departures
        return file_names(await shown.entries(place), place)

    async def statvfs(self, path: bytes) -> asyncssh.SFTPVFSAttrs:
        """How much more the sender may have waiting."""
        return await self._arrivals.room(locate(path))

    async def fstatvfs(self, file_obj: object) -> asyncssh.SFTPVFSAttrs:
        """The same, asked of an open file."""
        if not isinstance(file_obj, Incoming | Outgoing):
            raise TypeError("not a handle of this tree")
        return await self._arrivals.room(file_obj.place)

    # --- opening, reading, writing

    async def open(  # type: ignore[override]  # what a client says of its file is nobody's business here
        self, path: bytes, pflags: int
    ) -> Incoming | Outgoing:
        """Start an upload in an inbox or a download from another directory."""
        place = _file_place(path, pflags)
        if self._visit.leaving:
            raise MailboxRefusal(Trouble.BUSY, "the gateway is about to stop; try again later")
        file: Incoming | Outgoing
        if place.directory in INBOXES:
            file = await self._arrivals.begin(place, pflags)
        elif pflags & _CHANGING:
            use = _USES.get(place.directory, "for answers")
            raise MailboxRefusal(Trouble.DENIED, f"{place.directory} is {use}; files go into an IN directory")
        else:
            file = await self._departures.open(place)
        self._files.add(file)
        return file

    def read(self, file_obj: object, offset: int, size: int) -> bytes:
        """Bytes of a download."""
        if not isinstance(file_obj, Outgoing):
            raise MailboxRefusal(Trouble.DENIED, "an upload cannot be read back")
        return file_obj.read(offset, size)

    def write(self, file_obj: object, offset: int, *data: Piece) -> int | Awaitable[int]:
        """Bytes of an upload, put on disk from the loop: handing them to a thread would cost more."""
        if not isinstance(file_obj, Incoming):
            raise MailboxRefusal(Trouble.DENIED, "this file is open for reading only")
        size = sum(map(len, data))
        if file_obj.upload.missing_room(file_obj.start(offset) + size):
            return self._write_later(file_obj, offset, size, data)
        try:
            file_obj.write(offset, *data)
        except TallyHeldError:
            return self._write_later(file_obj, offset, size, data)
        return size

    async def _write_later(self, file: Incoming, offset: int, size: int, data: Sequence[Piece]) -> int:
        while True:
            await self._arrivals.have_room(file, file.start(offset) + size)
            with suppress(TallyHeldError):  # somebody has taken the room meanwhile
                file.write(offset, *data)
                return size

    async def fsync(self, file_obj: object) -> None:
        """Make what was written so far durable."""
        if isinstance(file_obj, Incoming):
            await self.share.run(file_obj.sync)

    # --- closing

    async def close(self, file_obj: object) -> None:
        """Give a handle back; an upload becomes a file only if the client asked for it (``close_asked``).

        asyncssh calls this in the same way when the connection is cut or sends nonsense.
        """
        if isinstance(file_obj, Outgoing):
            self._files.discard(file_obj)
            # Some programs (lftp) leave without closing what they have read.
            await self._departures.close(file_obj, asked=self.close_asked or self.ended)
        elif isinstance(file_obj, Incoming):
            self._files.discard(file_obj)
            if self.close_asked:
                await self._arrivals.finish(file_obj)
            else:
                await self._arrivals.give_up(file_obj)

    async def release(self) -> None:
        """Give everything back, as if the connection were cut."""
        self.close_asked = False
        for file in list(self._files):
            await self.close(file)

    def exit(self) -> None:
        """Tell the client that all went well: OpenSSH's scp fails without an exit status."""
        if not self._chan.is_closing():
            self._chan.exit(0)

    # --- changing

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Give a waiting file another name that is not taken."""
        await self._arrivals.rename(locate(oldpath), locate(newpath), replace=False)

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Give a waiting file another name, taken or not."""
        await self._arrivals.rename(locate(oldpath), locate(newpath), replace=True)

    async def remove(self, path: bytes) -> None:
        """Take back a waiting file, or delete an answer."""
        place = locate(path)
        if not place.name:
            raise MailboxRefusal(Trouble.DENIED, "a directory cannot be removed")
        if place.directory in INBOXES:
            await self._arrivals.remove(place)
        else:
            await self._departures.remove(place)

    async def setstat(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> None:
        """Accept and ignore rights, owners and times, which many clients set after an upload."""
        await self.stat(path)
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


def _file_place(path: bytes, pflags: int) -> Place:
    """The place of a file that is to be opened."""
    try:
        place = locate(path)
    except MailboxRefusal as refusal:
        if pflags & asyncssh.FXF_CREAT and refusal.trouble is Trouble.MISSING:
            words = "files go into " + ", ".join(INBOXES[:-1]) + " or " + INBOXES[-1] + ", and into no other directory"
            raise MailboxRefusal(Trouble.DENIED, words) from None
        raise
    if not place.name:
        raise MailboxRefusal(Trouble.DENIED, "this is a directory")
    return place


def _no_links() -> MailboxRefusal:
    return MailboxRefusal(Trouble.DENIED, "there are no links here")
