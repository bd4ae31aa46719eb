"""Is a document well-formed and valid, while it is being read?

libxml2 judges, fed piece by piece, with the schema and a target that builds nothing. Its schema errors do not raise and
stand in ``feed_error_log`` only (``error_log`` would accept everything); syntax errors do raise.

Source: annex 30, codes 102, 255. What the fault is in words of a sender is found out by `schemas.locate`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from lxml import etree

from schemas import xsd
from schemas.codes import Finding
from schemas.strict import STRICT, malformed

if TYPE_CHECKING:
    from lxml.etree._saxparser import ParserTarget


_PIECE_BYTES: Final = 65536


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


def is_valid(document: bytes, schema: Path, encoding: str) -> bool:
    """Whether a whole document is well-formed and valid; it is read up to the first fault only."""
    judgement = Judgement(schema, encoding)
    view = memoryview(document)
    for start in range(0, len(view), _PIECE_BYTES):
        if judgement.feed(bytes(view[start : start + _PIECE_BYTES])) is not None or judgement.rule_broken:
            return False
    return judgement.close() is None and not judgement.rule_broken
