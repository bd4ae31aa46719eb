"""Is a document well-formed and valid, while it is being read?

libxml2 judges, fed piece by piece, with the schema and a target that builds nothing. Its schema errors do not raise and
stand in ``feed_error_log`` only (``error_log`` would accept everything); syntax errors do raise.

Of a large document it judges a piece while somebody else looks at the same piece: libxml2 needs no interpreter.

Source: annex 30, codes 102, 255. What the fault is in words of a sender is found out by `schemas.locate`.
"""

import resource
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from lxml import etree

from schemas import xsd
from schemas.codes import Finding
from schemas.strict import STRICT, malformed

if TYPE_CHECKING:
    from lxml.etree._saxparser import ParserTarget


_PIECE_BYTES: Final = 65536
_THREAD_BYTES: Final = 256 * 1024**2
"""Address space for a thread's stack, and for its heap, of which the C library takes 128 MB at once."""


class _Nothing:
    """The target of a parser that only judges."""

    def close(self) -> None:
        """Demanded of a target; there is nothing to end."""


class Judgement:
    """Judges one document against one schema; the encoding is imposed, whatever the document says.

    Without a schema only whether it is well-formed.
    """

    def __init__(self, schema: Path | None, encoding: str) -> None:
        compiled = None if schema is None else xsd.compiled(schema)
        self._parser = etree.XMLParser(
            target=cast("ParserTarget[None]", _Nothing()), schema=compiled, encoding=encoding, **STRICT
        )

    def feed(self, piece: bytes) -> Finding | None:
        """Read on; a finding if the document is not well-formed, and then it must not be fed again."""
        try:
            self._parser.feed(piece)
        except etree.XMLSyntaxError as error:
            return malformed(error)
        return None

    def close(self) -> Finding | None:
        """Say that the document ends here."""
        try:
            self._parser.close()
        except etree.XMLSyntaxError as error:
            return malformed(error)
        return None

    @property
    def rule_broken(self) -> str:
        """The first rule of the schema that was broken, as the standard calls it; empty if the document is valid.

        Such as ``element-content`` or ``cvc-pattern-valid``; never a name or a value.
        """
        errors = self._parser.feed_error_log.filter_from_errors()
        return errors[0].type_name.removeprefix("SCHEMAV_").lower().replace("_", "-") if errors else ""


class Judged(NamedTuple):
    """What is known of a document after a piece: a finding if it is not well-formed, and the first rule it breaks."""

    malformed: Finding | None
    rule_broken: str


Judge = Callable[[bytes], "Future[Judged]"]
"""Judges the next piece; the one before has to be judged by then."""


@contextmanager
def judging(judgement: Judgement, *, apart: bool) -> Iterator[Judge]:
    """Judge in a thread of its own for the time of the block (``apart``), or at once, which is quicker for little.

    The thread is the only one that ever feeds the parser: libxml2's table of names belongs to a thread. Without room
    for it all is judged at once.
    """
    if not (apart and _has_room()):
        yield lambda piece: _known(_judged(judgement, piece))
        return
    with ThreadPoolExecutor(1) as thread:
        yield lambda piece: thread.submit(_judged, judgement, piece)


def _has_room() -> bool:
    """Whether the address space has room for a thread; with too little, each of its allocations tries in vain first."""
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most == resource.RLIM_INFINITY:
        return True
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return most - pages * resource.getpagesize() >= _THREAD_BYTES


def _judged(judgement: Judgement, piece: bytes) -> Judged:
    return Judged(judgement.feed(piece), judgement.rule_broken)


def _known(judged: Judged) -> "Future[Judged]":
    known: Future[Judged] = Future()
    known.set_result(judged)
    return known


def is_valid(document: bytes, schema: Path, encoding: str) -> bool:
    """Whether a whole document is well-formed and valid; it is read up to the first fault only."""
    judgement = Judgement(schema, encoding)
    view = memoryview(document)
    for start in range(0, len(view), _PIECE_BYTES):
        if judgement.feed(bytes(view[start : start + _PIECE_BYTES])) is not None or judgement.rule_broken:
            return False
    return judgement.close() is None and not judgement.rule_broken
