"""Which certificates, revocation lists and responses did verdicts rely on, byte for byte?

A file each, by its SHA-256: ``evidence/revocation/<sha256>`` and ``evidence/chain/<sha256>`` in the spool. It is on the
disk before the verdict that relied on it is written down, once however many did, never replaced, and never removed: the
folder of the accepted authorities has newer ones by the time somebody asks. Which verdict relied on which stands in the
verdict's event.

A kill leaves a file that no verdict names, which the next one may, or a hidden half of one: the next file that is
written into that folder takes it away once it is an hour old.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

from config.errors import TemporaryError
from signing.durable import write_new
from spool.files import make_folder, sync_file, sync_folder

EVIDENCE: Final = "evidence"
"""Its folder in the spool."""

_HALF_WRITTEN_SECONDS: Final = 3600
_MOST_KNOWN: Final = 10_000


class Kind(StrEnum):
    """What is kept, and in which folder: certificates above a signer's, or lists and responses."""

    CHAIN = "chain"
    REVOCATION = "revocation"


class EvidenceNotKeptError(TemporaryError):
    """What a verdict relies on cannot be written down now, so there is no verdict yet."""


class DamagedError(Exception):
    """A file does not have the bytes that it is named after."""


class Relied:
    """The files in ``root``; any number of processes may add to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._durable: dict[tuple[Kind, str], str] = {}

    def path(self, kind: Kind, digest: str) -> Path:
        """Where the bytes with the SHA-256 ``digest`` (hex) are."""
        if not (len(digest) == 64 and set(digest) <= set("0123456789abcdef")):
            raise ValueError("a SHA-256 has 64 digits, 0 to 9 and a to f")
        return self.root / kind / digest

    def has(self, kind: Kind, digest: str) -> bool:
        """Whether they are there, and a power cut cannot take them away again.

        Raises:
            EvidenceNotKeptError: that cannot be made sure of now.
        """
        known = self._durable.get((kind, digest))
        if known is not None and os.path.exists(known):  # noqa: PTH110 - several times for every signature
            return True
        path = self.path(kind, digest)
        try:
            if not path.exists():
                return False
            # Another process may have put it there this moment, and not got further.
            sync_file(path)
            sync_folder(path.parent)
        except OSError as fault:
            raise EvidenceNotKeptError(f"{kind}/{digest}: {fault.strerror}") from fault
        self._remember(kind, digest)
        return True

    def keep(self, kind: Kind, der: bytes) -> str:
        """Write ``der`` down unless it is there; answers its SHA-256 (hex). It is on the disk when this returns.

        Raises:
            EvidenceNotKeptError: it cannot be written now.
        """
        digest = hashlib.sha256(der).hexdigest()
        if self.has(kind, digest):
            return digest
        path = self.path(kind, digest)
        try:
            make_folder(path.parent)
            _clear(path.parent)
            with suppress(FileExistsError):
                write_new(path, der, 0o440)
            sync_folder(path.parent)
        except OSError as fault:
            raise EvidenceNotKeptError(f"{kind}/{digest}: {fault.strerror}") from fault
        self._remember(kind, digest)
        return digest

    def load(self, kind: Kind, digest: str) -> bytes | None:
        """The bytes with that SHA-256, or None if they were never kept.

        Raises:
            DamagedError: what is there is something else.
            OSError: it cannot be read.
        """
        try:
            content = self.path(kind, digest).read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(content).hexdigest() != digest:
            raise DamagedError(f"{kind}/{digest} is damaged")
        return content

    def _remember(self, kind: Kind, digest: str) -> None:
        if len(self._durable) >= _MOST_KNOWN:
            self._durable.clear()
        self._durable[kind, digest] = str(self.path(kind, digest))


def _clear(folder: Path) -> None:
    for path in _half_written(folder):
        path.unlink(missing_ok=True)


def _half_written(folder: Path) -> Iterator[Path]:
    for path in folder.glob(".*"):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime >= _HALF_WRITTEN_SECONDS:
                yield path
