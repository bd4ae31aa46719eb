"""Can evidence be written, or does intake have to wait?

What is taken in while no checkpoint can be written, or none has been for too long, could be changed afterwards without
anybody seeing it. So nothing more is begun then. It goes on by itself: every look decides anew.
"""

import os
from pathlib import Path
from typing import Final

from spool.checkpoints import CHECKPOINTS
from spool.files import make_folder
from spool.relied import EVIDENCE, Kind

_FOLDERS: Final = (CHECKPOINTS, *(f"{EVIDENCE}/{kind}" for kind in Kind))
_PROBE: Final = ".probe"


class Unsealed:
    """Whether intake has to wait for evidence; asking costs nothing, and is safe from any thread.

    Args:
        spool: the spool's folder
        limit: for how many microseconds an event may wait for its checkpoint
    """

    def __init__(self, spool: Path, limit: int) -> None:
        self._folders = tuple(spool / name for name in _FOLDERS)
        self.limit = limit
        self.words = ""

    @property
    def stops_intake(self) -> bool:
        """Whether nothing new may begin; ``words`` says why."""
        return bool(self.words)

    def look(self, oldest: int | None, at: int) -> bool:
        """Decide anew at ``at``, the oldest event without a checkpoint being of ``oldest`` (microseconds both).

        Answers whether anything has changed.
        """
        before = self.words
        self.words = self._unwritable() or overdue(oldest, at, self.limit)
        return before != self.words

    def _unwritable(self) -> str:
        for folder in self._folders:
            try:
                _probe(folder)
            except OSError as fault:
                return f"{folder.parent.name}/{folder.name} cannot be written to ({fault.strerror})"
        return ""


def overdue(oldest: int | None, at: int, limit: int) -> str:
    """In words, that the oldest event without a checkpoint waits too long at ``at``; empty if it does not."""
    if oldest is None or at - oldest <= limit:
        return ""
    return f"events wait for a checkpoint for more than {limit // 1_000_000} seconds"


def _probe(folder: Path) -> None:
    """Write a file and take it away again: only that tells of a full or read-only disk, whoever asks."""
    make_folder(folder)
    path = folder / _PROBE
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
    try:
        os.write(descriptor, b"?")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)
