"""How does the whole chain leave the gateway, and does it hold with nothing of the gateway but its certificate?

A file of lines (JSON, gzip): the format; of each checkpoint the checkpoint itself, as its file says it, and then the
events under it; at last, signed, how many checkpoints there are and the SHA-256 of all lines before. Of an event there
are number, digest of its content and digest in the chain (:mod:`spool.chain`), or, where that is asked for and they
have not gone, ticket, time, name and facts instead of the content's digest: nothing stands there that no digest covers.

Whoever verifies has the file from somebody else: lines have a limit, one checkpoint's digests are held at a time, and
nothing is read behind a checkpoint that isn't signed by us, so that nobody else says how long the file goes on.
"""

import base64
import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from gateway.sealed_chain import Reached, checkpoint_fault, follow_sealed
from signing.own.check import fault_of
from spool import chain, checkpoints
from spool.chain import Link
from spool.checkpoints import Sealed

_FORMAT: Final = b'{"format":"batch-gateway chain 1"}\n'
_MAGIC: Final = b"\x1f\x8b"
_MAX_LINE: Final = 1024**2
_HEX: Final = frozenset("0123456789abcdef")
_LEVEL: Final = 1  # digests get no smaller by more


class ChainMisfitError(Exception):
    """The first thing in the file that does not fit; the message says which."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What is signed at the end.

    ``at`` is when it was written (microseconds), ``last`` the number of the last event, ``digest`` that of the last
    checkpoint and ``sha256`` that of all lines before (hex).
    """

    at: int
    checkpoints: int
    last: int
    digest: str
    sha256: str

    def statement(self) -> bytes:
        """The bytes that are signed."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode("ascii")


@dataclass(frozen=True, slots=True)
class _Signed:
    closing: Closing
    signature: bytes


_Record = Link | Sealed | _Signed


def write(
    path: Path, records: Iterable[Sealed | Link], at: int, sign: Callable[[bytes], bytes], *, with_facts: bool = False
) -> Closing:
    """Write the chain to ``path``, which must not exist; there is either all of it or nothing.

    Args:
        records: each checkpoint, and behind it the events under it
        at: now, microseconds
        sign: our signature (CMS, DER)

    Raises:
        FileExistsError: there is a file.
    """
    try:
        target = path.open("xb")
    except FileExistsError:
        raise FileExistsError(f"{path} exists") from None
    try:
        with target, gzip.GzipFile(filename="", mode="wb", compresslevel=_LEVEL, fileobj=target, mtime=0) as file:
            said = _write(file, records, at, sign, with_facts=with_facts)
        with path.open("rb") as written:
            os.fsync(written.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return said


def _write(
    file: gzip.GzipFile, records: Iterable[Sealed | Link], at: int, sign: Callable[[bytes], bytes], *, with_facts: bool
) -> Closing:
    digest = hashlib.sha256(_FORMAT)
    file.write(_FORMAT)
    newest, last = (0, chain.BEGINNING), 0
    for record in records:
        if isinstance(record, Sealed):
            newest = (record.checkpoint.ordinal, record.checkpoint.digest)
            line = _line({"checkpoint": record.said})
        else:
            last = record.number
            line = _event(record, with_facts=with_facts)
        digest.update(line)
        file.write(line)
    said = Closing(at, newest[0], last, newest[1], digest.hexdigest())
    signature = base64.b64encode(sign(said.statement())).decode("ascii")
    file.write(_line({"closing": said.statement().decode("ascii"), "signature": signature}))
    return said


def _event(link: Link, *, with_facts: bool) -> bytes:
    """The line of an event; without its facts where they have gone, are not asked for, or are very many."""
    if with_facts and link.content is None:
        line = _line({"event": [link.number, link.digest], "of": [link.ticket, link.at, link.name, dict(link.facts)]})
        if len(line) <= _MAX_LINE:
            return line
    content = link.content or hashlib.sha256(chain.canonical(link)).hexdigest()
    return _line({"event": [link.number, link.digest], "content": content})


def _line(said: object) -> bytes:
    return (json.dumps(said, separators=(",", ":")) + "\n").encode("ascii")


def is_one(path: Path) -> bool:
    """Whether a file could be one that :func:`write` has written, and not a proof of one ticket."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def verify(path: Path, certificates: Collection[bytes]) -> Closing:
    """Verify the chain in ``path``: its events, their checkpoints with signatures and timestamps, and its end.

    Args:
        certificates: those of the gateway, DER

    Raises:
        ChainMisfitError: something does not fit.
        OSError: it cannot be read.
    """
    with gzip.open(path) as file:
        lines = _Lines(file)
        try:
            lines.begin()
            reached, end = _followed(lines, certificates)
            _check_end(lines, reached, end, certificates)
        except EOFError as fault:
            raise ChainMisfitError(f"it is cut off behind line {lines.number}") from fault
        except (gzip.BadGzipFile, zlib.error) as fault:
            raise ChainMisfitError(f"it is damaged behind line {lines.number}") from fault
        except (ValueError, TypeError, KeyError, RecursionError) as fault:
            raise ChainMisfitError(f"line {lines.number} is not written as it must be") from fault
    return end.closing


def _followed(lines: "_Lines", certificates: Collection[bytes]) -> tuple[Reached, _Signed]:
    """Follow checkpoint after checkpoint with its events: how far everything fits, and the line behind."""
    reached, record = Reached(), lines.latest
    while isinstance(record, Sealed):
        checkpoint = record.checkpoint
        if checkpoint.ordinal != reached.ordinal + 1:
            raise _not_expected(lines, f"checkpoint {checkpoint.ordinal}", reached)
        if wrong := checkpoint_fault(record, reached, certificates):
            raise ChainMisfitError(wrong)
        lines.take()
        followed = follow_sealed(checkpoint, lines.events(checkpoint.events), reached)
        if isinstance(followed, str):
            raise ChainMisfitError(followed)
        reached, record = followed, lines.latest
    if isinstance(record, Link):
        raise _not_expected(lines, f"event {record.number}", reached)
    return reached, record


def _not_expected(lines: "_Lines", there: str, reached: Reached) -> ChainMisfitError:
    ordinal = reached.ordinal + 1
    return ChainMisfitError(f"line {lines.number} has {there} where checkpoint {ordinal} or the end has to be")


def _check_end(lines: "_Lines", reached: Reached, end: _Signed, certificates: Collection[bytes]) -> None:
    said = end.closing
    if wrong := fault_of(said.statement(), end.signature, certificates):
        raise ChainMisfitError(f"the last line: {wrong}")
    if reached.ordinal < said.checkpoints:
        raise ChainMisfitError(f"checkpoint {reached.ordinal + 1} is missing: there are {said.checkpoints}")
    if (reached.ordinal, reached.digest, reached.place.number) != (said.checkpoints, said.digest, said.last):
        raise ChainMisfitError("the last line is of another chain")
    if lines.before != said.sha256:
        raise ChainMisfitError("something was changed that no event's digest covers: the SHA-256 of all lines differs")
    if not lines.ends():
        raise ChainMisfitError(f"something stands behind line {lines.number}, the last")


class _Lines:
    """The lines of a file, one after the other, as records.

    ``number`` counts them, ``before`` is the SHA-256 of those before the latest.
    """

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.latest: _Record
        self.number = 0
        self.before = ""

    def begin(self) -> None:
        """Read the first line, which names the format, and the first record."""
        if self._read() != _FORMAT:
            raise ChainMisfitError("this is no chain of events")
        self.take()

    def take(self) -> None:
        """Go on to the next record, which is the ``latest`` then."""
        self.latest = _parsed(self._read())

    def events(self, most: int) -> Iterator[Link]:
        """The events from the latest record on, so many at most; the latest is then what comes behind."""
        for _ in range(most):
            record = self.latest
            if not isinstance(record, Link):
                return
            yield record
            self.take()

    def ends(self) -> bool:
        """Whether nothing comes behind the latest."""
        return not self._file.read(1)

    def _read(self) -> bytes:
        line = self._file.readline(_MAX_LINE + 1)
        if not line.endswith(b"\n"):
            if len(line) > _MAX_LINE:
                raise ChainMisfitError(f"line {self.number + 1} is too long")
            raise EOFError
        self.number += 1
        self.before = self._digest.hexdigest()
        self._digest.update(line)
        return line


def _parsed(line: bytes) -> _Record:
    """What stands in a line.

    Raises:
        ValueError, TypeError, KeyError, RecursionError: none of these.
    """
    said = json.loads(line)
    if "checkpoint" in said:
        return checkpoints.understood(said["checkpoint"])
    if "closing" in said:
        return _closing(said)
    number, digest = said["event"]
    # One without a digest was put in, and is followed as far as that.
    if type(number) is not int or not (digest == "" or _is_digest(digest)):
        raise ValueError
    if "of" not in said:
        content = said["content"]
        if not _is_digest(content):
            raise ValueError
        return Link(number, None, 0, "", {}, content, digest)
    ticket, at, name, facts = said["of"]
    return Link(number, ticket, at, name, facts, None, digest)


def _closing(said: dict[str, Any]) -> _Signed:
    closing = Closing(**json.loads(said["closing"]))
    numbers = (closing.at, closing.checkpoints, closing.last)
    if closing.statement() != said["closing"].encode("ascii") or any(type(number) is not int for number in numbers):
        raise ValueError
    return _Signed(closing, base64.b64decode(said["signature"], validate=True))


def _is_digest(said: object) -> bool:
    return isinstance(said, str) and len(said) == 64 and _HEX.issuperset(said)
