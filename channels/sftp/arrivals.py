"""What happens to a file in an inbox: it is begun, gone on with, finished, renamed or taken back.

An upload that a connection leaves open is set aside, so that its client can go on with it; one that has failed is gone.
"""

from asyncio import get_running_loop
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Final, TypeVar

import asyncssh
import structlog

from channels.ports import Account
from channels.sftp.handles import Incoming
from channels.sftp.place import Place
from channels.sftp.premises import Premises
from channels.sftp.refusal import log_trouble
from channels.sftp.share import Share
from channels.sftp.visit import Visit
from schemas.filename import is_safe, is_temporary
from spool.mailbox import INBOXES, Entry, Mailbox, MailboxRefusal, Trouble
from spool.shared_quota import UncountedError
from spool.tally import TallyHeldError

_BLOCK: Final = 1024
_LONGEST_NAME: Final = 100

Result = TypeVar("Result")


class Arrivals:
    """The inboxes of one sender, as one channel sees them."""

    def __init__(self, account: Account, visit: Visit, behind: Premises, share: Share) -> None:
        self._account = account
        self._visit = visit
        self._intake = behind.intake
        self._reception = behind.reception
        self._passing = behind.passing
        self._names = behind.names
        self._share = share
        self._boxes = {directory: Mailbox(account.sender, directory) for directory in INBOXES}
        self._log = structlog.get_logger().bind(sender=account.sender, username=account.username)

    def _mailbox(self, place: Place) -> Mailbox:
        return self._boxes[place.directory]

    def find(self, place: Place) -> Entry | None:
        """The file at ``place``; also one that is in custody already, if this connection has brought it."""
        return self._intake.find(self._mailbox(place), place.name) or self._visit.finished(place)

    async def entries(self, place: Place) -> list[Entry]:
        """Everything in the inbox ``place``."""
        return await self._share.list(self._intake.entries, self._mailbox(place))

    async def begin(self, place: Place, pflags: int) -> Incoming:
        """Start an upload; without FXF_TRUNC or FXF_EXCL it goes on with what is there."""
        if not pflags & (asyncssh.FXF_WRITE | asyncssh.FXF_APPEND):
            raise MailboxRefusal(Trouble.DENIED, f"files in {place.directory} cannot be read back")
        box, exclusive = self._mailbox(place), bool(pflags & asyncssh.FXF_CREAT and pflags & asyncssh.FXF_EXCL)
        if not pflags & asyncssh.FXF_CREAT and self._intake.find(box, place.name) is None:
            raise MailboxRefusal(Trouble.MISSING, "no such file")
        await self._check(box, place.name)
        resume = not exclusive and not pflags & asyncssh.FXF_TRUNC
        upload = await self._run(box, partial(self._intake.begin, box, place.name, exclusive=exclusive, resume=resume))
        if upload.size:
            self._log_file("sftp.upload.resumed", place, size=upload.size)
        return Incoming(place, upload, append=bool(pflags & asyncssh.FXF_APPEND))

    async def _check(self, box: Mailbox, name: str) -> None:
        if self._names is not None and self._names.are_checked and is_safe(name) and not is_temporary(name):
            words = await self._share.run(self._names.fault, box, name)
            if words:
                raise MailboxRefusal(Trouble.DENIED, words)

    async def finish(self, file: Incoming) -> None:
        """The client has closed the file: it gets its name, and custody is taken if it closes a set."""
        since = monotonic()
        try:
            file.check()
            await self._run(file.upload.mailbox, partial(self._intake.finish, file.upload))
        except Exception as error:
            file.break_off(error)
            await self.give_up(file)
            raise
        # Written when the client has its answer, or while custody is taken: it waits for no line of the log.
        get_running_loop().call_soon(
            lambda: self._log_file("sftp.upload.finished", file.place, size=file.upload.size, **file.transfer)
        )
        await self._arrived(file.place, file.upload.size, since)

    async def _run(self, box: Mailbox, act: Callable[[], Result]) -> Result:
        """Do what waits for no disk: at once if nobody holds what it needs, else in a thread that waits for it."""
        with self._intake.at_once(box) as free, suppress(TallyHeldError, UncountedError):
            if free:
                return act()
        return await self._share.run(act)

    async def have_room(self, file: Incoming, end: int) -> None:
        """See that ``file`` can be written up to ``end`` without waiting for other doors."""
        file.check()
        try:
            while missing := file.upload.missing_room(end):
                await self._fetch(partial(self._intake.fetch_room, file.upload.mailbox.sender, missing))
        except Exception as error:
            file.break_off(error)
            raise

    async def _fetch(self, fetch: Callable[[], None]) -> None:
        """Have room: at once if nobody else is at the counters just now, else in a thread that waits for them."""
        with suppress(TallyHeldError, UncountedError):
            fetch()
            return
        await self._share.run(fetch)

    async def give_up(self, file: Incoming) -> None:
        """The file will not be finished on this connection."""
        failed = file.broken is not None
        self._log_file(
            "sftp.upload.failed" if failed else "sftp.upload.torn", file.place, size=file.upload.size, **file.transfer
        )
        try:
            await self._share.run(self._intake.abandon if failed else self._intake.set_aside, file.upload)
        except Exception as error:  # an exception here would keep asyncssh from giving back the other handles
            log_trouble("sftp.upload.left", error)

    async def _arrived(self, place: Place, size: int, since: float) -> None:
        if not is_temporary(place.name):
            box, username = self._mailbox(place), self._account.username
            if not self._reception.is_waiting(box, username, place.name):
                # Who waits to pass holds no thread meanwhile: the sender's other sessions go on.
                async with self._passing(box.sender), self._share.turn():
                    await self._reception.arrived(box, username, place.name, since)
        self._visit.remember(place, size)

    async def rename(self, old: Place, new: Place, *, replace: bool) -> None:
        """Give a waiting file another name."""
        if not (old.name and new.name and old.directory == new.directory and old.directory in INBOXES):
            raise MailboxRefusal(Trouble.DENIED, "only a file in an IN directory can be renamed, and only within it")
        await self._check(self._mailbox(new), new.name)
        since = monotonic()
        size = await self._share.run(self._move, self._mailbox(old), old.name, new.name, replace)
        self._visit.forget(old)
        self._log_file("sftp.renamed", new, before=old.name, size=size)
        await self._arrived(new, size, since)

    def _move(self, box: Mailbox, old: str, new: str, replace: bool) -> int:
        with self._intake.locked(box):
            if not replace and self._intake.find(box, new) is not None:
                raise MailboxRefusal(Trouble.EXISTS, "a file of this name is already waiting")
            entry = self._intake.find(box, old)
            self._intake.rename(box, old, new)
        return 0 if entry is None else entry.size

    async def remove(self, place: Place) -> None:
        """Take back a waiting file."""
        await self._share.run(self._intake.remove, self._mailbox(place), place.name)
        self._visit.forget(place)
        self._log_file("sftp.removed", place)

    async def room(self, place: Place) -> asyncssh.SFTPVFSAttrs:
        """How much more the sender may have waiting, as ``df`` shows it."""
        box = self._mailbox(place if place.directory in INBOXES else Place(INBOXES[0]))
        room = await self._share.list(self._intake.room, box)
        free, files = room.free_bytes // _BLOCK, room.free_files
        return asyncssh.SFTPVFSAttrs(
            bsize=_BLOCK, frsize=_BLOCK, blocks=room.total_bytes // _BLOCK, bfree=free, bavail=free,
            files=room.total_files, ffree=files, favail=files, namemax=_LONGEST_NAME,
        )  # fmt: skip

    def _log_file(self, event: str, place: Place, **facts: float | str) -> None:
        self._log.info(event, directory=place.directory, file=place.name, **facts)
