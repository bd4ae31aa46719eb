"""What a sender has uploaded and the gateway has not yet taken into custody.

On disk, below ``incoming/<sender>/<directory>/``::

    .uploads/<name>        bytes of an upload that is open, or was cut and can be gone on with
    .temporary/<name>      finished uploads under a temporary name (.part, .filepart, .tmp)
    set-<key>/<name>       finished uploads, one folder for the files of one set

One folder a set makes taking custody a single rename.  That a finished upload is on the disk is seen to when its set is
taken, or soon after (:mod:`spool.settling`).  A connection that ends without closing its file leaves what came
under ``.uploads``, where no set is made of it: a client may go on with it, also after the gateway was started again.
After the machine was started again nobody knows which of its bytes reached the disk, and :meth:`Intake.recover` removes
it.  Names are those :func:`schemas.filename.is_safe` allows, and no other.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

from schemas.filename import is_safe
from spool import leftovers
from spool.files import make_folder, size_of, sync_folder
from spool.in_use import HUNG_SECONDS, InUse, MailboxLock
from spool.inbox_room import InboxRoom
from spool.mailbox import INBOXES, Entry, Mailbox, MailboxRefusal, Room, Trouble, check_name, entry_of
from spool.quota import Quota
from spool.settling import Settling, unsettle
from spool.shared_quota import SharedQuota
from spool.upload import IntakeLimits, Upload, open_upload

__all__ = ["Intake", "IntakeLimits", "Upload"]

_BUSY: Final = "this file is being uploaded by another connection; if that one was lost, try again in two minutes"
_COUNTED_FOR: Final = 5.0  # seconds that a look at what all have counted is good for where other processes do so too


class Intake(Settling):
    """The inboxes of every sender.  Every method may block on the disk; all are safe from several threads.

    With ``is_shared`` they are safe beside other processes too, with which a sender's bytes are counted together.
    """

    def __init__(
        self, root: Path, limits: IntakeLimits, *, is_shared: bool = False, hung: float = HUNG_SECONDS
    ) -> None:
        make_folder(root)
        super().__init__(root)
        most = limits.sender_bytes
        self._quota = SharedQuota(most, root, _COUNTED_FOR, hung) if is_shared else Quota(most)
        self._room = InboxRoom(self, limits, self._quota)
        self._in_use = InUse(self, is_shared=is_shared, hung=hung)
        self._alone = ""

    def take_over(self, limits: IntakeLimits) -> None:
        """Let other limits count for uploads that begin from now on, and for the bytes that a sender has waiting."""
        self._room.take_over(limits)

    def locked(self, mailbox: Mailbox) -> MailboxLock:
        """Hold ``mailbox`` so that no file of it comes, goes or is renamed meanwhile."""
        return self._in_use.lock(mailbox)

    def check(self, mailbox: Mailbox) -> None:
        """See that ``mailbox``, which the caller holds, is not held by others by now; raises OSError if it is."""
        self._in_use.lock(mailbox).check()

    @contextmanager
    def at_once(self, mailbox: Mailbox) -> Iterator[bool]:
        """Hold ``mailbox`` if nobody else does, and if what it has was counted; answers whether that is so.

        Then a file is begun, or given its name, in as little time as handing the work to a thread would take.
        """
        counted = self._room.is_known(mailbox)
        lock = self._in_use.lock(mailbox)
        held = counted and lock.acquire(blocking=False)
        try:
            yield held
        finally:
            if held:
                lock.release()

    # --- uploads

    def begin(self, mailbox: Mailbox, name: str, *, exclusive: bool = False, resume: bool = False) -> Upload:
        """Start an upload under ``name``; nothing that waits is replaced before :meth:`finish`.

        Args:
            mailbox, name: where it goes.
            exclusive: only if there is no such file.
            resume: go on with the bytes of an upload that was cut, or else of the file that waits, if there is one.

        Raises:
            MailboxRefusal: the name is not allowed, is being uploaded now, exists and ``exclusive`` was asked
                for, or the directory or the sender's room is full.
        """
        check_name(name)
        self._count(mailbox.sender)
        with self.locked(mailbox):
            if self._in_use.is_open(mailbox, name):
                raise MailboxRefusal(Trouble.BUSY, _BUSY)
            if exclusive and self.find(mailbox, name) is not None:
                raise MailboxRefusal(Trouble.EXISTS, "a file of this name is already waiting")
            self._room.take(mailbox, lambda: self.is_begun(mailbox, name))
            path, waiting = self.growing(mailbox, name), self._path(mailbox, name)
            upload = open_upload(mailbox, name, path, waiting, self._room.allowed, resume=resume)
            self._in_use.begun(upload)
            return upload

    def fetch_room(self, sender: str, size: int) -> None:
        """See that an upload can take ``size`` bytes without waiting; refuses if ``sender`` has too much there."""
        self._room.fetch(sender, size, self._count)

    def finish(self, upload: Upload) -> None:
        """The client closed the file: give its bytes their name.  That they are on the disk, :meth:`sync` sees to.

        Raises:
            MailboxRefusal: some of its bytes never came.
        """
        if not upload.is_whole:
            words = f"the bytes from {upload.prefix} on did not all come; send the file again from its beginning"
            raise MailboxRefusal(Trouble.DENIED, words)
        with self.locked(upload.mailbox):
            if not (upload.is_first and upload.is_fresh):
                _stamp(upload.path)
            self.check(upload.mailbox)
            self._place(upload.mailbox.sender, upload.path, self._path(upload.mailbox, upload.name))
            self._in_use.ended(upload)

    def is_alone(self, folder: Path, name: str) -> bool:
        """Whether ``name`` was the last to get its place, and the first in ``folder``; true of no older file."""
        return self._alone == f"{folder}/{name}"

    def set_aside(self, upload: Upload) -> None:
        """The connection was lost before the file was closed: what came can be gone on with."""
        with self.locked(upload.mailbox):
            upload.truncate(upload.prefix)
            if upload.size:
                self._in_use.ended(upload)
            else:
                self.abandon(upload)

    def abandon(self, upload: Upload) -> None:
        """The upload failed: nothing of it stays."""
        with self.locked(upload.mailbox):
            try:
                upload.path.unlink(missing_ok=True)
                self._quota.give_back(upload.mailbox.sender, upload.size)
            finally:
                self._in_use.ended(upload)

    # --- changing what waits

    def rename(self, mailbox: Mailbox, old: str, new: str) -> None:
        """Give a waiting file another name; an older file of that name is replaced.

        Raises:
            MailboxRefusal: a name is not allowed, is being uploaded, or ``old`` is not there.
        """
        check_name(old)
        check_name(new)
        with self.locked(mailbox):
            if self._in_use.is_open(mailbox, old) or self._in_use.is_open(mailbox, new):
                raise MailboxRefusal(Trouble.BUSY, "this file is being uploaded")
            source = self._path(mailbox, old)
            if self.growing(mailbox, old).exists():
                raise MailboxRefusal(Trouble.BUSY, "the upload of this file was cut; finish it before it is renamed")
            if not source.exists():
                raise MailboxRefusal(Trouble.MISSING, "no such file")
            self._drop(mailbox, self.growing(mailbox, new))
            if old != new:
                _stamp(source)
                self.check(mailbox)
                self._place(mailbox.sender, source, self._path(mailbox, new))
                _drop_if_empty(source.parent)

    def remove(self, mailbox: Mailbox, name: str) -> None:
        """Take back a waiting file, or one whose upload was cut.

        Raises:
            MailboxRefusal: it is not there, or is being uploaded.
        """
        check_name(name)
        with self.locked(mailbox):
            if self._in_use.is_open(mailbox, name):
                raise MailboxRefusal(Trouble.BUSY, "this file is being uploaded")
            path = self._path(mailbox, name)
            was_cut = self._drop(mailbox, self.growing(mailbox, name))
            if self._drop(mailbox, path):
                sync_folder(path.parent)
                _drop_if_empty(path.parent)
            elif not was_cut:
                raise MailboxRefusal(Trouble.MISSING, "no such file")

    def left(self, mailbox: Mailbox, folder: Path, size: int) -> None:
        """The set that was gathered in ``folder``, ``size`` bytes, is in custody: it no longer waits."""
        with self.locked(mailbox), suppress(OSError):  # custody stands; what is cut stays until its time is up
            self._quota.give_back(mailbox.sender, size)
            for name in self.uploads(mailbox):
                if self.set_folder(mailbox, name) == folder and not self._in_use.is_open(mailbox, name):
                    self._drop(mailbox, self.growing(mailbox, name))

    # --- looking

    def find(self, mailbox: Mailbox, name: str) -> Entry | None:
        """The file ``name``, be it growing, cut or waiting, or None."""
        if not is_safe(name):
            return None
        upload = self._in_use.find(mailbox, name)
        if upload is not None:
            return Entry(name, upload.size, time.time())
        return entry_of(self.growing(mailbox, name)) or entry_of(self._path(mailbox, name))

    def entries(self, mailbox: Mailbox) -> list[Entry]:
        """Every growing, cut or waiting file of ``mailbox``, by name."""
        with self.locked(mailbox):
            names = {path.name for path in self.waiting_files(mailbox)}
            found = (self.find(mailbox, name) for name in sorted(names))
            return [entry for entry in found if entry is not None]

    def room(self, mailbox: Mailbox) -> Room:
        """How much more the sender may put into ``mailbox``."""
        self._count(mailbox.sender)
        return self._room.left(mailbox)

    def is_growing(self, mailbox: Mailbox, folder: Path) -> bool:
        """Whether a file of the set in ``folder`` is being uploaded just now."""
        return any(self.set_folder(mailbox, name) == folder for name in self._in_use.names(mailbox))

    # --- clearing away

    def recover(self) -> int:
        """Remove cut uploads that cannot be gone on with; answers how many files that were.

        To be called before anything else is: these are uploads with a gap, and all if the machine was started again;
        then those too that were closed, but not known to be on the disk.
        """
        return leftovers.remove(self.root)

    def expire_temporary(self, older_than: float) -> int:
        """Remove what was left cut or under a temporary name since before ``older_than`` (seconds since the epoch)."""
        stale = 0
        for path in [*self.root.glob("*/*/.temporary/*"), *self.root.glob("*/*/.uploads/*")]:
            mailbox = Mailbox(path.parts[-4], path.parts[-3])
            with self.locked(mailbox):
                entry = entry_of(path)
                busy = path.parent.name == ".uploads" and self._in_use.is_open(mailbox, path.name)
                if entry is not None and entry.modified < older_than and not busy:
                    stale += self._drop(mailbox, path)
        return stale

    # --- counting

    def _count(self, sender: str) -> None:
        if self._quota.knows(sender):
            return
        self._quota.see_that_it_may_wait()
        boxes = [Mailbox(sender, directory) for directory in INBOXES]
        with ExitStack() as stack:
            for box in boxes:
                stack.enter_context(self.locked(box))
            measure = partial(self._room.measured, sender)
            self._quota.count(sender, measure, lambda: not any(map(self._in_use.names, boxes)))

    def _place(self, sender: str, source: Path, target: Path) -> None:
        self._alone, replaced = str(target), 0
        try:
            os.mkdir(target.parent, 0o750)  # noqa: PTH102 - for every file of every set
        except FileExistsError:
            self._alone, replaced = "", size_of(target)
        os.rename(source, target)  # noqa: PTH104 - as above
        if replaced:
            self._quota.give_back(sender, replaced)

    def _drop(self, mailbox: Mailbox, path: Path) -> bool:
        self.check(mailbox)
        size = size_of(path)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        self._quota.give_back(mailbox.sender, size)
        return True


def _stamp(path: Path) -> None:
    """Say of a file that is to get its name that it changes now, and that it is with the kernel only."""
    # Patience is counted from the moment a file has its name, not from its last byte.
    os.utime(path)
    unsettle(path)


def _drop_if_empty(folder: Path) -> None:
    if folder.name.startswith("set-") and not any(folder.glob("[!.]*")):
        shutil.rmtree(folder)  # what may be left is the gateway's own note of who uploaded
