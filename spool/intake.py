"""What a sender has uploaded and the gateway has not yet taken into custody.

On disk, below ``incoming/<sender>/<directory>/``::

    .uploads/<random>      bytes of an upload that is still open
    .temporary/<name>      finished uploads under a temporary name (.part, .filepart, .tmp)
    set-<key>/<name>       finished uploads, one folder for the files of one set

One folder a set makes taking custody a single rename.  Bytes under ``.uploads`` belong to a connection; a
connection that ends without closing its file leaves nothing, and so does a process that dies: both are removed,
the latter by :meth:`Intake.recover`.  Names are those :func:`schemas.filename.is_safe` allows, and no other.
"""

import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.filename import is_safe, is_temporary, set_key
from spool.files import free_bytes, make_folder, move_durably, sync_folder
from spool.mailbox import INBOXES, Entry, Mailbox, MailboxRefusal, Trouble


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """``file_bytes``: largest upload; ``files``: most waiting in a directory; ``reserve``: free bytes to keep."""

    file_bytes: int
    files: int
    reserve: int


def check_reserve(folder: Path, reserve: int) -> None:
    """Refuse more bytes while the disk has fewer than ``reserve`` left: journal and answers need them.

    Raises:
        MailboxRefusal: it has.
    """
    if free_bytes(folder) < reserve:
        raise MailboxRefusal(Trouble.FULL, "the gateway has no room left just now; try again later")


class Upload:
    """An upload in progress; its bytes are nobody's until :meth:`Intake.finish`."""

    def __init__(self, mailbox: Mailbox, name: str, path: Path, limits: IntakeLimits) -> None:
        self.mailbox = mailbox
        self.name = name
        self.path = path
        self._limits = limits
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self.descriptor = os.open(path, flags, 0o640)
        self.size = 0

    def write(self, offset: int, data: bytes) -> None:
        """Put ``data`` at ``offset`` bytes, in whatever order a client with several requests under way sends them.

        Raises:
            MailboxRefusal: the file would be larger than allowed.
        """
        if offset + len(data) > self._limits.file_bytes:
            raise MailboxRefusal(Trouble.FULL, f"a file may have at most {self._limits.file_bytes} bytes (184)")
        if offset + len(data) > self.size:
            check_reserve(self.path.parent, self._limits.reserve)
        view = memoryview(data)
        while view:
            written = os.pwrite(self.descriptor, view, offset)
            view, offset = view[written:], offset + written
        self.size = max(self.size, offset)

    def truncate(self, size: int) -> None:
        """Cut the upload to ``size`` bytes; never makes it longer."""
        if size < self.size:
            os.ftruncate(self.descriptor, size)
            self.size = size

    def close(self) -> None:
        """Give the descriptor back; harmless twice."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Intake:
    """The inboxes of every sender.  Every method may block on the disk; all are safe from several threads."""

    def __init__(self, root: Path, limits: IntakeLimits) -> None:
        make_folder(root)
        self.root = root
        self._limits = limits
        self._open: dict[tuple[Mailbox, str], Upload] = {}
        self._locks: dict[Mailbox, threading.RLock] = {}
        self._room: dict[Mailbox, int] = {}
        self._guard = threading.Lock()

    @contextmanager
    def locked(self, mailbox: Mailbox) -> Iterator[None]:
        """Hold ``mailbox`` so that no file of it comes, goes or is renamed meanwhile."""
        with self._guard:
            lock = self._locks.setdefault(mailbox, threading.RLock())
        with lock:
            yield

    def folder(self, mailbox: Mailbox) -> Path:
        """Where ``mailbox`` is kept; the only place where a sender's number becomes a path."""
        if not (len(mailbox.sender) == 6 and mailbox.sender.isascii() and mailbox.sender.isdigit()):
            raise ValueError("a sender number has six digits")
        if mailbox.directory not in INBOXES:
            raise ValueError("not an inbox")
        return self.root / mailbox.sender / mailbox.directory

    def set_folder(self, mailbox: Mailbox, name: str) -> Path:
        """Where the set that ``name`` belongs to is gathered."""
        return self.folder(mailbox) / f"set-{set_key(name)}"

    def begin(self, mailbox: Mailbox, name: str, *, exclusive: bool = False) -> Upload:
        """Start an upload under ``name``; nothing is replaced before :meth:`finish`.

        Raises:
            MailboxRefusal: the name is not allowed, is being uploaded now, exists and ``exclusive`` was asked
                for, or the directory is full.
        """
        _check(name)
        with self.locked(mailbox):
            if (mailbox, name) in self._open:
                raise MailboxRefusal(Trouble.BUSY, "this file is being uploaded by another connection")
            if exclusive and self._path(mailbox, name).exists():
                raise MailboxRefusal(Trouble.EXISTS, "a file of this name is already waiting")
            self._check_room(mailbox)
            folder = self.folder(mailbox) / ".uploads"
            make_folder(folder)
            upload = Upload(mailbox, name, folder / secrets.token_hex(16), self._limits)
            self._open[mailbox, name] = upload
            return upload

    def finish(self, upload: Upload) -> None:
        """The client closed the file: make its bytes durable and give them their name."""
        os.fsync(upload.descriptor)
        with self.locked(upload.mailbox):
            self._place(upload.path, self._path(upload.mailbox, upload.name))
            self._forget(upload)

    def abandon(self, upload: Upload) -> None:
        """The connection was lost before the file was closed: nothing of it stays."""
        with self.locked(upload.mailbox):
            try:
                upload.path.unlink(missing_ok=True)
            finally:
                self._forget(upload)

    def _forget(self, upload: Upload) -> None:
        self._open.pop((upload.mailbox, upload.name), None)
        upload.close()

    def rename(self, mailbox: Mailbox, old: str, new: str) -> None:
        """Give a waiting file another name; an older file of that name is replaced.

        Raises:
            MailboxRefusal: a name is not allowed, is being uploaded, or ``old`` is not there.
        """
        _check(old)
        _check(new)
        with self.locked(mailbox):
            if (mailbox, old) in self._open or (mailbox, new) in self._open:
                raise MailboxRefusal(Trouble.BUSY, "this file is being uploaded")
            source = self._path(mailbox, old)
            if not source.exists():
                raise MailboxRefusal(Trouble.MISSING, "no such file")
            self._place(source, self._path(mailbox, new))
            _drop_if_empty(source.parent)

    def remove(self, mailbox: Mailbox, name: str) -> None:
        """Take back a waiting file.

        Raises:
            MailboxRefusal: it is not there, or is being uploaded.
        """
        _check(name)
        with self.locked(mailbox):
            if (mailbox, name) in self._open:
                raise MailboxRefusal(Trouble.BUSY, "this file is being uploaded")
            path = self._path(mailbox, name)
            try:
                path.unlink()
            except FileNotFoundError:
                raise MailboxRefusal(Trouble.MISSING, "no such file") from None
            sync_folder(path.parent)
            _drop_if_empty(path.parent)

    def find(self, mailbox: Mailbox, name: str) -> Entry | None:
        """The waiting or growing file ``name``, or None."""
        if not is_safe(name):
            return None
        upload = self._open.get((mailbox, name))
        if upload is not None:
            return Entry(name, upload.size, time.time())
        return _entry(self._path(mailbox, name))

    def entries(self, mailbox: Mailbox) -> list[Entry]:
        """Every waiting or growing file of ``mailbox``, by name."""
        found: dict[str, Entry] = {}
        with self.locked(mailbox):
            for path in self._files(mailbox):
                entry = _entry(path)
                if entry is not None:
                    found[path.name] = entry
            for (box, name), upload in list(self._open.items()):
                if box == mailbox:
                    found[name] = Entry(name, upload.size, time.time())
        return [found[name] for name in sorted(found)]

    def sets(self) -> Iterator[tuple[Mailbox, Path]]:
        """Every set still gathering, of every sender."""
        for sender in sorted(self.root.glob("[0-9]" * 6)):
            for directory in INBOXES:
                for folder in sorted((sender / directory).glob("set-*")):
                    yield Mailbox(sender.name, directory), folder

    def is_growing(self, mailbox: Mailbox, folder: Path) -> bool:
        """Whether a file of the set in ``folder`` is being uploaded just now."""
        return any(box == mailbox and self.set_folder(box, name) == folder for box, name in list(self._open))

    def recover(self) -> int:
        """Remove what dead connections of an earlier process left; answers how many files that were."""
        leftovers = [path for path in self.root.glob("*/*/.uploads/*") if path.is_file()]
        for path in leftovers:
            path.unlink()
        return len(leftovers)

    def expire_temporary(self, older_than: float) -> int:
        """Remove uploads left under a temporary name since before ``older_than`` (seconds since the epoch)."""
        stale = 0
        for path in self.root.glob("*/*/.temporary/*"):
            entry = _entry(path)
            if entry is not None and entry.modified < older_than:
                path.unlink(missing_ok=True)
                stale += 1
        return stale

    def _path(self, mailbox: Mailbox, name: str) -> Path:
        if is_temporary(name):
            return self.folder(mailbox) / ".temporary" / name
        return self.set_folder(mailbox, name) / name

    def _files(self, mailbox: Mailbox) -> Iterator[Path]:
        folder = self.folder(mailbox)
        for pattern in ("set-*/*", ".temporary/*"):
            yield from (path for path in folder.glob(pattern) if not path.name.startswith("."))

    def _check_room(self, mailbox: Mailbox) -> None:
        # An upload adds one file at most, so the disk need not be counted again before that room is used up.
        if self._room.get(mailbox, 0) <= 0:
            waiting = sum(1 for _ in self._files(mailbox)) + sum(box == mailbox for box, _ in self._open)
            self._room[mailbox] = self._limits.files - waiting
        check_reserve(self.root, self._limits.reserve)
        if self._room[mailbox] <= 0:
            raise MailboxRefusal(Trouble.FULL, "too many files are waiting in this directory; send their GO first")
        self._room[mailbox] -= 1

    def _place(self, source: Path, target: Path) -> None:
        # Patience is counted from the moment a file has its name, not from its last byte.
        os.utime(source)
        make_folder(target.parent)
        move_durably(source, target)


def _entry(path: Path) -> Entry | None:
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return None
    return Entry(path.name, facts.st_size, facts.st_mtime)


def _check(name: str) -> None:
    if not is_safe(name):
        raise MailboxRefusal(
            Trouble.DENIED, "a file name has at most 100 letters, digits, dots, hyphens and underscores (129)"
        )


def _drop_if_empty(folder: Path) -> None:
    if folder.name.startswith("set-") and not any(folder.glob("[!.]*")):
        shutil.rmtree(folder)  # what may be left is the gateway's own note of who uploaded
