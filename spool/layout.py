"""Where on the disk are the inboxes of a sender, and which files in them count?"""

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final

from schemas.filename import is_temporary, set_key
from spool.mailbox import INBOXES, Mailbox

# Each path of a file is asked for several times while it is uploaded.
_REMEMBERED: Final = 1024


class Layout:
    """The folders below ``root``, as :mod:`spool.intake` describes them; nothing is read but names."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._folders: dict[Mailbox, Path] = {}

    def folder(self, mailbox: Mailbox) -> Path:
        """Where ``mailbox`` is kept; the only place where a sender's number becomes a path."""
        known = self._folders.get(mailbox)
        if known is not None:
            return known
        if not (len(mailbox.sender) == 6 and mailbox.sender.isascii() and mailbox.sender.isdigit()):
            raise ValueError("a sender number has six digits")
        if mailbox.directory not in INBOXES:
            raise ValueError("not an inbox")
        made = self._folders[mailbox] = self.root / mailbox.sender / mailbox.directory
        return made

    def set_folder(self, mailbox: Mailbox, name: str) -> Path:
        """Where the set that ``name`` belongs to is gathered."""
        return _set_folder(self.folder(mailbox), name)

    def is_begun(self, mailbox: Mailbox, name: str) -> bool:
        """Whether a file of the set that ``name`` belongs to is there: growing, cut or waiting."""
        folder = self.set_folder(mailbox, name)
        return any(self.set_folder(mailbox, path.name) == folder for path in self.waiting_files(mailbox))

    def sets(self) -> Iterator[tuple[Mailbox, Path]]:
        """Every set still gathering, of every sender."""
        for sender in sorted(self.root.glob("[0-9]" * 6)):
            for directory in INBOXES:
                for folder in sorted((sender / directory).glob("set-*")):
                    yield Mailbox(sender.name, directory), folder

    def uploads(self, mailbox: Mailbox) -> list[str]:
        """The names of what grows, or was cut."""
        try:
            return os.listdir(self.folder(mailbox) / ".uploads")  # noqa: PTH208 - names, and quickly
        except FileNotFoundError:
            return []

    def _path(self, mailbox: Mailbox, name: str) -> Path:
        return _place(self.folder(mailbox), name)

    def growing(self, mailbox: Mailbox, name: str) -> Path:
        """Where the bytes of an upload are kept until it is finished."""
        return _growing(self.folder(mailbox), name)

    def waiting_files(self, mailbox: Mailbox) -> Iterator[Path]:
        """Every growing, cut or waiting file of ``mailbox``."""
        folder = self.folder(mailbox)
        for pattern in ("set-*/*", ".temporary/*", ".uploads/*"):
            yield from (path for path in folder.glob(pattern) if not path.name.startswith("."))


@lru_cache(_REMEMBERED)
def _set_folder(folder: Path, name: str) -> Path:
    return _folder_of(folder, set_key(name))


@lru_cache(_REMEMBERED)
def _folder_of(folder: Path, key: str) -> Path:
    # The same object for every file of a set: it knows already how it is written.
    return folder / f"set-{key}"


@lru_cache(_REMEMBERED)
def _growing(folder: Path, name: str) -> Path:
    return folder.joinpath(".uploads", name)


@lru_cache(_REMEMBERED)
def _place(folder: Path, name: str) -> Path:
    if is_temporary(name):
        return folder / ".temporary" / name
    return _set_folder(folder, name) / name
