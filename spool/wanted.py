"""Which revocation data do held submissions wait for?

Whoever judges writes a note for each; whoever fetches, perhaps in another process, reads those it has not read yet.
A note that is lost costs time only: the submission is tried again anyhow.

On disk: ``wanted/<ticket>`` (JSON: the authority's name, and the certificate in question in base64 if there is one).
"""

import json
import os
import secrets
import time
from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spool.files import make_folder

WANTED: Final = "wanted"
_MOST: Final = 10_000
_LARGEST: Final = 256 * 1024
_KEPT_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Want:
    """A submission's want of the data of an authority, about one certificate (DER) or only its lists."""

    ticket: str
    authority: str
    certificate: bytes | None


class Wanted:
    """The notes of one spool."""

    def __init__(self, spool: Path) -> None:
        self._folder = spool / WANTED
        self._read: dict[str, int] = {}

    def note(self, want: Want) -> None:
        """Ask for it, once more if it was asked for before.

        Raises:
            OSError: the disk doesn't take it.
        """
        make_folder(self._folder)
        told = {"authority": want.authority, "certificate": b64encode(want.certificate or b"").decode()}
        begun = self._folder / f".{want.ticket}-{secrets.token_hex(4)}"
        begun.write_text(json.dumps(told))
        begun.rename(self._folder / want.ticket)

    def news(self) -> list[Want]:
        """What was asked for since the last time, oldest first; what is an hour old is cleared away."""
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            found = {entry.name: entry.stat().st_mtime_ns for _, entry in zip(range(_MOST), entries, strict=False)}
            stale = time.time_ns() - int(_KEPT_SECONDS * 1e9)
            for name in [name for name, at in found.items() if at < stale]:
                (self._folder / name).unlink(missing_ok=True)
                del found[name]
            new = [name for name, at in found.items() if not name.startswith(".") and self._read.get(name) != at]
            self._read = found
            return [want for name in sorted(new) if (want := self._load(name)) is not None]
        return []

    def _load(self, name: str) -> Want | None:
        with suppress(OSError, ValueError, KeyError):
            told = json.loads((self._folder / name).read_bytes()[:_LARGEST])
            return Want(name, told["authority"], b64decode(told["certificate"]) or None)
        return None
