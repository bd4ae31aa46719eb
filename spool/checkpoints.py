"""What was the journal's chain of events at some moment, signed by us and kept where the journal is not?

A checkpoint says of the events since the one before: which they are, the root of a Merkle tree over their digests, the
digest of the last, and the digest of the checkpoint before. A file each under ``evidence/checkpoints``, written whole,
never replaced, and on the disk before the journal records it; what signs it is not known here.

A crash between file and record leaves a file that the journal does not know: the next sealing takes it as it is.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from signing.durable import write_new
from spool import merkle
from spool.chain import BEGINNING, Link, Place
from spool.files import make_folder
from spool.tables import checkpoints

CHECKPOINTS: Final = "evidence/checkpoints"
"""Their folder in the spool."""

MOST: Final = 10_000
"""Events under one checkpoint."""

MAX_BYTES: Final = 256 * 1024
_NUMBERS: Final = ("ordinal", "first", "last", "events", "at")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is signed.

    ``previous`` is the digest of the checkpoint before, ``first`` and ``last`` are numbers of events, ``events`` how
    many those are, ``chain`` the digest of the last and ``root`` that of the tree (all hex), ``at`` microseconds.
    """

    ordinal: int
    previous: str
    first: int
    last: int
    events: int
    chain: str
    root: str
    at: int

    def statement(self) -> bytes:
        """The bytes that are signed."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode("ascii")

    @property
    def digest(self) -> str:
        """SHA-256 of the statement, hex."""
        return hashlib.sha256(self.statement()).hexdigest()


@dataclass(frozen=True, slots=True)
class Sealed:
    """A checkpoint and the signature (CMS, DER) over its statement."""

    checkpoint: Checkpoint
    signature: bytes

    @property
    def said(self) -> dict[str, str]:
        """What of it is written: the statement as it was signed, and the signature."""
        signature = base64.b64encode(self.signature).decode("ascii")
        return {"statement": self.checkpoint.statement().decode("ascii"), "signature": signature}

    def written(self) -> bytes:
        """The content of its file."""
        return (json.dumps(self.said, indent=1) + "\n").encode("ascii")


def read(content: bytes) -> Sealed:
    """The checkpoint in a file.

    Raises:
        ValueError: it is none.
    """
    try:
        return understood(json.loads(content))
    except RecursionError as fault:
        raise ValueError("this is no checkpoint") from fault


def understood(said: Any) -> Sealed:
    """The checkpoint of which ``said`` is what was written.

    Raises:
        ValueError: of none.
    """
    try:
        checkpoint = Checkpoint(**json.loads(said["statement"]))
        sealed = Sealed(checkpoint, base64.b64decode(said["signature"], validate=True))
    except (TypeError, KeyError, RecursionError) as fault:
        raise ValueError("this is no checkpoint") from fault
    if any(type(getattr(checkpoint, name)) is not int for name in _NUMBERS):
        raise ValueError("this is no checkpoint")
    if checkpoint.statement().decode("ascii") != said["statement"]:
        raise ValueError("this is no checkpoint as it is written")
    return sealed


def make(ordinal: int, previous: str, links: Sequence[Link] | Sequence[Place], at: int) -> Checkpoint:
    """The checkpoint over ``links``, or the places of them, at least one."""
    last = links[-1]
    root = merkle.root([link.digest for link in links])
    return Checkpoint(ordinal, previous, links[0].number, last.number, len(links), last.digest, root, at)


class Checkpoints:
    """The files of checkpoints in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, ordinal: int) -> Path:
        """Where a checkpoint is."""
        return self.folder / f"{ordinal:010d}.json"

    def load(self, ordinal: int) -> Sealed | None:
        """A checkpoint, or None if there is none.

        Raises:
            ValueError: what is there is none.
            OSError: it cannot be read.
        """
        try:
            with self.path(ordinal).open("rb") as file:
                return read(file.read(MAX_BYTES))
        except FileNotFoundError:
            return None

    def store(self, sealed: Sealed) -> None:
        """Write a checkpoint down; it is on the disk when this returns.

        Raises:
            FileExistsError: there is one of its number.
            OSError: it cannot be written.
        """
        make_folder(self.folder)
        write_new(self.path(sealed.checkpoint.ordinal), sealed.written(), 0o440)

    def highest(self) -> int:
        """The highest number of a file; 0 without any."""
        return max((int(path.stem) for path in self.folder.glob("[0-9]" * 10 + ".json")), default=0)


@dataclass(frozen=True, slots=True)
class Recorded:
    """A checkpoint as the journal knows it."""

    ordinal: int
    first: int
    last: int
    chain: str
    digest: str


NONE: Final = Recorded(0, 0, 0, BEGINNING, BEGINNING)
"""What comes before the first."""


def record(connection: Connection, checkpoint: Checkpoint) -> bool:
    """Record a checkpoint whose file is written; answers False if another gateway was quicker."""
    if latest(connection).ordinal >= checkpoint.ordinal:
        return False
    values = {
        "ordinal": checkpoint.ordinal,
        "first_event": checkpoint.first,
        "last_event": checkpoint.last,
        "chain": checkpoint.chain,
        "digest": checkpoint.digest,
        "sealed_at": checkpoint.at,
    }
    connection.execute(sa.insert(checkpoints).values(**values))
    return True


def latest(connection: Connection) -> Recorded:
    """The newest checkpoint that is recorded."""
    row = connection.execute(_RECORDED.order_by(checkpoints.c.ordinal.desc()).limit(1)).first()
    return NONE if row is None else Recorded(*row)


def sealing(connection: Connection, number: int) -> Recorded | None:
    """The checkpoint that the event ``number`` is under, if there is one yet."""
    query = _RECORDED.where(checkpoints.c.last_event >= number).order_by(checkpoints.c.last_event).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Recorded(*row)


def every(connection: Connection) -> Iterator[Recorded]:
    """Every checkpoint that is recorded, in order."""
    return (Recorded(*row) for row in connection.execute(_RECORDED.order_by(checkpoints.c.ordinal)))


_RECORDED: Final = sa.select(
    *(checkpoints.c[name] for name in ("ordinal", "first_event", "last_event", "chain", "digest"))
)
