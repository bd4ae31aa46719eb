"""Which of the files that wait are with the kernel only, and how do they get onto the disk?

A file that its client has closed waits for the rest of its set; its sender has been promised nothing yet, so the close
waits for no disk.  Its permissions tell: 0600 as long as nobody has seen to it that its bytes and its name are on the
disk, 0640 from then on.  After a power cut a file with 0600 may have its length and not its bytes, and is removed.
"""

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from spool.files import sync_file, sync_folder
from spool.layout import Layout
from spool.mailbox import Mailbox
from spool.received_files import names_in, stored_as
from spool.submissions import StoredFile

UNSETTLED: Final = 0o600
"""The permissions of a file that is with the kernel only."""
_SETTLED: Final = 0o640
_READ_ONLY: Final = 0o440

Fingerprint = tuple[int, int, int]
Fingerprints = frozenset[Fingerprint]
Seen = Mapping[str, Fingerprint]
"""Files that are there, by their names."""


def unsettle(path: Path) -> None:
    """What is at ``path`` is with the kernel only; to be said before it gets its name."""
    path.chmod(UNSETTLED)


def is_unsettled(path: Path) -> bool:
    """Whether nobody has seen to it that what is at ``path`` is on the disk; false if there is nothing."""
    try:
        return stat.S_IMODE(path.lstat().st_mode) == UNSETTLED
    except FileNotFoundError:
        return False


class _Unsettled:
    """Files that are with the kernel only, held open so that none is taken for another meanwhile."""

    def __init__(self, files: dict[str, int]) -> None:
        self._files = files

    def sync(self, lost: Callable[[str], None]) -> Fingerprints:
        """Put the bytes onto the disk; may take long, and needs no lock.  Answers which files those are.

        Raises:
            OSError: the disk did not take them.  The kernel says so once, so ``lost`` is called for a file that is
                still there.
        """
        synced = set()
        for path, descriptor in self._files.items():
            facts = os.fstat(descriptor)
            try:
                if facts.st_size:  # of an empty file there is nothing but its name
                    os.fsync(descriptor)
            except OSError:
                if _is_same(path, descriptor):
                    lost(path)
                raise
            synced.add(fingerprint(facts))
        return frozenset(synced)

    def settle(self) -> list[int]:
        """Put their names onto the disk too, and say that all is well with them; nobody may rename them meanwhile.

        Answers the descriptors of those of which that has still to get onto the disk.
        """
        here = {path: descriptor for path, descriptor in self._files.items() if _is_same(path, descriptor)}
        folders = {Path(path).parent for path in here}
        for folder in [*folders, *{folder.parent for folder in folders}]:
            sync_folder(folder)
        for descriptor in here.values():
            os.fchmod(descriptor, _SETTLED)
        return list(here.values())


class Settling(Layout, ABC):
    """How what waits in the inboxes gets onto the disk."""

    @abstractmethod
    def locked(self, mailbox: Mailbox) -> AbstractContextManager[object]:
        """Hold ``mailbox`` so that no file of it comes, goes or is renamed meanwhile."""

    @abstractmethod
    def _drop(self, mailbox: Mailbox, path: Path) -> bool:
        """Remove a file, if there is one."""

    def sync(
        self, mailbox: Mailbox, folder: Path, synced: Fingerprints = frozenset(), names: Collection[str] | None = None
    ) -> Fingerprints:
        """Put the bytes of what waits in ``folder`` onto the disk; a file that the disk did not keep is removed.

        Args:
            mailbox, folder: where.
            synced: what an earlier call has answered; nothing is done about those that have not changed since.
            names: what is there, for who has just looked; else it is looked for.

        Raises:
            OSError: there was such a file.
        """
        found = dict(_unsettled(folder, names_in(folder) if names is None else names))
        # An empty file is on the disk with its name; what is there in its place by then is another.
        synced |= {fingerprint(facts) for facts in found.values() if not facts.st_size}
        with _opened(path for path, facts in found.items() if fingerprint(facts) not in synced) as unsettled:
            return synced | unsettled.sync(lambda path: self._lose(mailbox, path))

    def settle(self, mailbox: Mailbox, *folders: Path) -> None:
        """The same of several, and their names too: a power cut cannot take them back any more."""
        with _opened(path for folder in folders for path, _ in _unsettled(folder, names_in(folder))) as unsettled:
            unsettled.sync(lambda path: self._lose(mailbox, path))
            with self.locked(mailbox):
                settled = unsettled.settle()
            for descriptor in settled:
                os.fsync(descriptor)

    def settle_all(self, mailbox: Mailbox, folder: Path) -> None:
        """The same of everything in ``folder``, also what another thread is just at: its sender is to be told so.

        Raises:
            OSError: as :meth:`sync`, or nobody knows whether all of it is on the disk.
        """
        with self.locked(mailbox):
            self.settle(mailbox, folder)
            for name in names_in(folder):
                sync_file(folder / name)

    def settle_temporary(self) -> None:
        """Do so for everything under a temporary name.

        Raises:
            OSError: as :meth:`sync`; of what comes after that file nothing was done.
        """
        for folder in self.root.glob("*/*/.temporary"):
            self.settle(Mailbox(folder.parts[-3], folder.parts[-2]), folder)

    def _lose(self, mailbox: Mailbox, path: str) -> None:
        with self.locked(mailbox):
            self._drop(mailbox, Path(path))


def _unsettled(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, os.stat_result]]:
    """Those of them that are with the kernel only; some may be gone."""
    for name in names:
        path = f"{folder}/{name}"
        with suppress(FileNotFoundError):
            facts = os.lstat(path)
            if stat.S_IMODE(facts.st_mode) == UNSETTLED:
                yield path, facts


@contextmanager
def _opened(paths: Iterable[str]) -> Iterator[_Unsettled]:
    """Those of ``paths`` that are there."""
    files = {}
    with ExitStack() as stack:
        for path in paths:
            with suppress(FileNotFoundError):
                files[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                stack.callback(os.close, files[path])
        yield _Unsettled(files)


def secured(folder: Path, name: str, synced: Fingerprints) -> StoredFile:
    """A file of a set whose custody is taken: on the disk, if it is not among those ``synced``, and read-only."""
    descriptor = os.open(f"{folder}/{name}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        if fingerprint(os.fstat(descriptor)) not in synced:
            os.fsync(descriptor)
        os.fchmod(descriptor, _READ_ONLY)
        return stored_as(name, descriptor)
    finally:
        os.close(descriptor)


def fingerprint(facts: os.stat_result) -> Fingerprint:
    """What tells a file from every other, and from itself once it was written to."""
    return facts.st_ino, facts.st_mtime_ns, facts.st_size


def fingerprints(folder: Path, names: Iterable[str]) -> list[Fingerprint]:
    """Those of files that are there."""
    return [fingerprint(os.lstat(f"{folder}/{name}")) for name in names]


def _is_same(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
