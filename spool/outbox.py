"""The answers a sender may list, read and delete.

On disk, below ``answers/<sender>/<directory>/``: the files themselves, and ``.removed/`` with the names of those a
sender has deleted.  The tombstones exist for one reason: an answer that was placed, fetched and deleted before the
journal knew it was placed must not appear a second time when the gateway starts again after a crash.
"""

import io
import os
import threading
import zipfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from schemas.filename import is_safe
from spool.answers import StoredAnswer, file_names, stem_of
from spool.files import give_name, give_name_alone, make_folder, move_durably, sync_folder, write_hidden
from spool.in_use import HUNG_SECONDS, MailboxLock
from spool.mailbox import OUTBOXES, Entry, Mailbox, MailboxRefusal, Trouble

# The earliest that a ZIP can say, and what a reader on Unix makes of the file: the same for every answer.
_NO_TIME: Final = (1980, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_READABLE_FILE: Final = 0o100644 << 16
_LEVEL: Final = 6


class Outbox:
    """The outboxes of every sender.  Every method may block on the disk; all are safe from several threads.

    With ``is_shared`` they are safe beside other processes too.
    """

    def __init__(self, root: Path, *, is_shared: bool = False, hung: float = HUNG_SECONDS) -> None:
        self.root = root
        self._is_shared = is_shared
        self._hung = hung
        self._locks: dict[Mailbox, MailboxLock] = {}
        self._guard = threading.Lock()

    def _locked(self, mailbox: Mailbox) -> MailboxLock:
        with self._guard:
            if mailbox not in self._locks:
                self._locks[mailbox] = MailboxLock(self.folder(mailbox) if self._is_shared else None, self._hung)
            return self._locks[mailbox]

    def folder(self, mailbox: Mailbox) -> Path:
        """Where ``mailbox`` is kept."""
        if not (len(mailbox.sender) == 6 and mailbox.sender.isascii() and mailbox.sender.isdigit()):
            raise ValueError("a sender number has six digits")
        if mailbox.directory not in OUTBOXES:
            raise ValueError("not an outbox")
        return self.root / mailbox.sender / mailbox.directory

    def place(self, mailbox: Mailbox, files: Sequence[tuple[str, bytes]]) -> None:
        """Put an answer where its sender sees it, all of its files together; harmless twice.

        ``files`` are name and bytes; the last one (GO) says that the others are whole.  If all of them are there, or
        were there and the sender has deleted them, nothing is written.
        """
        folder = self.folder(mailbox)
        removed = folder / ".removed"
        make_folder(removed)
        with self._locked(mailbox) as lock:
            # Of an answer that is new the first look says so.
            if all(os.path.lexists(f"{folder}/{name}") or os.path.lexists(f"{removed}/{name}") for name, _ in files):
                sync_folder(folder)  # the last time may have failed right before it
                return
            for name, data in files:
                if data:
                    write_hidden(folder, name, data)
            for name, data in files:
                lock.check()
                give = give_name if data else give_name_alone
                give(folder, name)
            sync_folder(folder)

    def entries(self, mailbox: Mailbox) -> list[Entry]:
        """Every file of ``mailbox``, by name; never a part of an answer that is just being placed."""
        folder = self.folder(mailbox)
        if not folder.is_dir():
            return []
        found = []
        with self._locked(mailbox), os.scandir(folder) as items:
            for item in items:
                entry = None if item.name.startswith(".") else self.find(mailbox, item.name)
                if entry is not None:
                    found.append(entry)
        return sorted(found, key=lambda entry: entry.name)

    def find(self, mailbox: Mailbox, name: str) -> Entry | None:
        """The file ``name``, or None."""
        if not is_safe(name):
            return None
        try:
            facts = (self.folder(mailbox) / name).lstat()
        except FileNotFoundError:
            return None
        return Entry(name, facts.st_size, facts.st_mtime)

    def open(self, mailbox: Mailbox, name: str) -> int:
        """A descriptor to read ``name`` from; the caller closes it.

        Raises:
            MailboxRefusal: there is no such file.
        """
        if not is_safe(name):
            raise MailboxRefusal(Trouble.MISSING, "no such file")
        try:
            return os.open(self.folder(mailbox) / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise MailboxRefusal(Trouble.MISSING, "no such file") from None

    def remove(self, mailbox: Mailbox, name: str) -> None:
        """The sender deletes ``name``; a tombstone stays until :meth:`bury`.

        Raises:
            MailboxRefusal: there is no such file.
        """
        folder = self.folder(mailbox)
        if self.find(mailbox, name) is None:
            raise MailboxRefusal(Trouble.MISSING, "no such file")
        make_folder(folder / ".removed")
        try:
            move_durably(folder / name, folder / ".removed" / name)
        except FileNotFoundError:
            raise MailboxRefusal(Trouble.MISSING, "no such file") from None

    def forget_removal(self, mailbox: Mailbox, stem: str) -> None:
        """Let the answer of ``stem``, placed long ago, be placed once more."""
        removed = self.folder(mailbox) / ".removed"
        for prefix in ("FO", "CO"):
            for name in file_names(prefix, stem):
                (removed / name).unlink(missing_ok=True)
        if removed.is_dir():
            sync_folder(removed)

    def tombstones(self) -> list[Path]:
        """The names of deleted answers that are still remembered."""
        return list(self.root.glob("*/*/.removed/*"))

    def bury(self, tombstones: Iterable[Path], unsettled: Collection[str]) -> None:
        """Drop ``tombstones``, listed before ``unsettled`` was read, but for those of the answers in the latter."""
        for path in tombstones:
            if stem_of(path.name) not in unsettled:
                path.unlink(missing_ok=True)


def answer_files(answer: StoredAnswer) -> tuple[tuple[str, bytes], ...]:
    """The three files of an answer, in the order in which they may appear: FO or CO, FS, GO."""
    data, signature, start = file_names(answer.name.prefix, answer.name.stem)
    return ((data, answer.data), (signature, answer.signature), (start, b""))


def compressed(name: str, data: bytes) -> bytes:
    """A ZIP that holds just one file; its bytes follow from the name and the data alone."""
    entry = zipfile.ZipInfo(name, date_time=_NO_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system = _UNIX
    entry.external_attr = _READABLE_FILE
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, data, compresslevel=_LEVEL)
    return buffer.getvalue()
