"""What of a site is copied, so that it can begin again elsewhere with everything it had promised?

The journal as it was at one moment, and of that moment the files it knows: submissions in custody, answers in OUT,
declarations still to be forwarded, checkpoints, and what verdicts relied on. Nothing is purged meanwhile. Then the
SHA-256 of every file (``files.sha256``, as ``sha256sum --check`` reads it) and, last, ``backup.json`` over that, signed
by our key: without it a backup is not finished. The gateway may run.

Declarations go as soon as they are forwarded, so they are linked at the very moment, in the spool's ``backing-up-*``.
A kill leaves that folder, which the next backup takes away, and a backup that :mod:`gateway.restore` refuses.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TextIO

import sqlalchemy as sa

from config.errors import ConfigurationError
from spool import checkpoints
from spool.answers import stem_of
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.custody import Custody
from spool.files import sync_folder, write_durably
from spool.journal import Journal, now, open_journal
from spool.journal_backup import make_plain, snapshot
from spool.purge_lock import undiminished
from spool.relied import EVIDENCE, Kind
from spool.tables import answers, submissions

JOURNAL: Final = "journal.sqlite3"
FILES: Final = "files.sha256"
HEAD: Final = "backup.json"
SIGNATURE: Final = "backup.p7s"
SITE: Final = "site"

_LINKS: Final = "backing-up-"
_BATCH: Final = 500
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Head:
    """What is signed of a backup.

    ``at`` is its moment (microseconds), ``event`` and ``digest`` the last event of the journal and ``checkpoint`` the
    last checkpoint, ``files`` how many there are, ``manifest`` the SHA-256 (hex) of the list of them.
    """

    at: int
    event: int
    digest: str
    checkpoint: int
    files: int
    manifest: str

    def written(self) -> bytes:
        """The bytes that are signed."""
        return (json.dumps(asdict(self), sort_keys=True, indent=1) + "\n").encode("ascii")


class Copying:
    """Copies files into a backup, and lists them."""

    def __init__(self, folder: Path, listing: TextIO) -> None:
        self._folder = folder
        self._listing = listing
        self.count = 0

    def add(self, source: Path, name: str) -> bool:
        """Copy one file; answers False if it is gone.

        Raises:
            OSError: it cannot be copied.
        """
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with source.open("rb") as reading, target.open("xb") as writing:
                shutil.copyfileobj(reading, writing, _PIECE)
        except FileNotFoundError:
            return False
        shutil.copymode(source, target)
        self.list(name)
        return True

    def add_folder(self, source: Path, name: str) -> None:
        """Copy every file in a folder and those below it that is not hidden; one that is gone is left out."""
        for path in sorted(source.rglob("*")):
            if path.is_file() and not path.name.startswith("."):
                self.add(path, f"{name}/{path.relative_to(source)}")

    def list(self, name: str) -> None:
        """Put a file of the backup on the list."""
        if "\n" in name or "\\" in name:
            raise ValueError("the name of a file has a line break or a backslash")
        with (self._folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._listing.write(f"{digest}  {name}\n")
        self.count += 1


def write(
    spool: Path, journal: Journal, target: Path, sign: Callable[[bytes], bytes], site: tuple[Path, ...] = ()
) -> Head:
    """Back up a site to ``target``, a folder that is empty or not there; everything is on the disk afterwards.

    Args:
        sign: makes our signature (CMS, DER)
        site: files and folders of the site itself, which may be secret, to be copied too

    Raises:
        ConfigurationError: there is something in ``target``.
        OSError, JournalError: it is not finished.
    """
    if target.exists() and any(target.iterdir()):
        raise ConfigurationError([f"{target} has something in it"])
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    at = now()
    with undiminished(spool), _links(spool) as links, (target / FILES).open("x", encoding="utf-8") as listing:
        place = snapshot(journal, target / JOURNAL, lambda: _link(spool / "declarations", links))
        copying = Copying(target, listing)
        checkpoint = _copy_known(spool, target / JOURNAL, copying)
        copying.add_folder(links, "declarations")
        for path in site:
            _copy_site(path.absolute(), copying)
        make_plain(target / JOURNAL)
        copying.list(JOURNAL)
    with (target / FILES).open("rb") as file:
        manifest = hashlib.file_digest(file, "sha256").hexdigest()
    head = Head(at, place.number, place.digest, checkpoint, copying.count, manifest)
    os.sync()
    write_durably(target / SIGNATURE, sign(head.written()))
    write_durably(target / HEAD, head.written())
    sync_folder(target.parent)
    return head


@contextmanager
def _links(spool: Path) -> Iterator[Path]:
    for left in spool.glob(f"{_LINKS}*"):
        shutil.rmtree(left)
    folder = Path(tempfile.mkdtemp(prefix=_LINKS, dir=spool))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _link(declarations: Path, links: Path) -> None:
    for path in declarations.glob("[!.]*") if declarations.is_dir() else ():
        if path.suffix != ".marks":
            (links / path.name).hardlink_to(path)


def _copy_known(spool: Path, copied: Path, copying: Copying) -> int:
    """Copy the files that the journal of the backup knows; answers its last checkpoint."""
    journal = open_journal(copied)
    try:
        with journal.read() as connection:
            last = checkpoints.latest(connection).ordinal
            custody = Custody(spool / "custody", journal)
            query = sa.select(submissions.c.ticket, submissions.c.received_at).order_by(submissions.c.received_at)
            for ticket, received_at in connection.execute(query.execution_options(yield_per=_BATCH)):
                _copy_submission(custody.folder(ticket, received_at), copying)
            _copy_answers(spool / "answers", connection, copying)
    finally:
        journal.close()
    files = Checkpoints(spool / CHECKPOINTS)
    for ordinal in range(1, last + 1):
        copying.add(files.path(ordinal), f"{CHECKPOINTS}/{files.path(ordinal).name}")
    for kind in Kind:
        copying.add_folder(spool / EVIDENCE / kind, f"{EVIDENCE}/{kind}")
    return last


def _copy_submission(folder: Path, copying: Copying) -> None:
    # With its envelope, which is hidden; nothing else there is.
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        copying.add(path, f"custody/{folder.parent.name}/{folder.name}/{path.name}")


def _copy_answers(root: Path, connection: sa.Connection, copying: Copying) -> None:
    for folder in sorted(path for path in root.rglob("*") if path.is_dir()):
        names = sorted(path.name for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
        for start in range(0, len(names), _BATCH):
            stems = {name: stem_of(name) for name in names[start : start + _BATCH]}
            query = sa.select(answers.c.stem).where(answers.c.stem.in_(set(stems.values())))
            known = set(connection.execute(query).scalars())
            for name in (name for name, stem in stems.items() if stem in known):
                copying.add(folder / name, f"answers/{folder.relative_to(root)}/{name}")


def _copy_site(path: Path, copying: Copying) -> None:
    name = f"{SITE}/{path.relative_to(path.anchor)}"
    if path.is_dir():
        copying.add_folder(path, name)
    else:
        copying.add(path, name)
