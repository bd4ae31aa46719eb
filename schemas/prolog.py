"""What does the beginning of a document say: its encoding, its root element, and no DOCTYPE?

Source: annex 30, codes 102, 134 and 138. UTF-8 (with or without a byte order mark), US-ASCII and ISO-8859-1 are read;
libxml2 would also take UTF-16, UTF-7 and UTF-32. The encoding found here is then imposed on every parser, so that no
parser makes up its mind in another way. Whether the root is the right one is judged in `schemas.validate`.

The root's start tag has to end within the first `HEAD_BYTES`. Every declaration is later wrapped in that tag, so the
bound also keeps a long one from growing with the number of forms.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from lxml import etree

from schemas.codes import Code, Finding
from schemas.strict import STRICT, malformed

if TYPE_CHECKING:
    from lxml.etree._saxparser import ParserTarget

HEAD_BYTES = 8192

# No group here is possessive or atomic: Python 3.11.2 passes over some that should match (CPython gh-106052).
# Each byte can be read in one way only, so that nothing is tried twice.
REST_OF_TAG = rb"""[^<>"']*(?:(?:"[^"<]*"|'[^'<]*')[^<>"']*)*>"""
_INSTRUCTION = rb"<\?[^?]*(?:\?(?!>)[^?]*)*\?>"
_COMMENT = rb"<!--[^-]*(?:-(?!->)[^-]*)*-->"
OPENING = re.compile(
    rb"(?:\xef\xbb\xbf)?[ \t\r\n]*(?:(?:%s|%s)[ \t\r\n]*)*(<[^!?/<>]%s)" % (_INSTRUCTION, _COMMENT, REST_OF_TAG)
)
"""A document up to and with the start tag of its root, which is the first group; of one that is well-formed."""

_REMEMBERED = 64
_MARK = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
# UTF-16 and UTF-32 with and without a mark, UTF-7, EBCDIC.
_FOREIGN = (b"\xff\xfe", b"\xfe\xff", b"\0", b"<\0", b"+/v", b"\x4c\x6f\xa7\x94")
_SUPPORTED = frozenset({"UTF-8", "US-ASCII", "ISO-8859-1"})
_DECLARATION = re.compile(
    rb"""<\?xml
         [ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')
         (?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([^"<&]*)"|'([^'<&]*)'))?
         (?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?
         [ \t\r\n]*\?>""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Opening:
    """The beginning of a document; ``root`` and the keys of ``attributes`` are ``{namespace}name`` as lxml has them."""

    encoding: str
    root: str
    attributes: Mapping[str, str]


def read_opening(head: bytes) -> Opening | Finding:
    """Read the first `HEAD_BYTES` of a document, or all of a shorter one."""
    opening = OPENING.match(head)
    found = None if opening is None else _read_once(opening[0])
    # Only of a start tag that is good: what is wrong with another is told of the whole.  Of US-ASCII the parser turns
    # all that it is given at once, and what follows may be none.
    if isinstance(found, Opening) and (found.encoding != "US-ASCII" or head.isascii()):
        return found
    return _read(head)


@lru_cache(maxsize=_REMEMBERED)
def _read_once(head: bytes) -> Opening | Finding:
    """What nothing behind a root's start tag can change; a sender's program writes the same up to there every time."""
    return _read(head)


def _read(head: bytes) -> Opening | Finding:
    encoding = _encoding(head)
    if isinstance(encoding, Finding):
        return encoding
    first = _First()
    parser = etree.XMLParser(target=cast("ParserTarget[None]", first), encoding=encoding, **STRICT)
    trouble = Finding(Code.XML_SYNTAX, f"no root element within the first {HEAD_BYTES} bytes")
    try:
        parser.feed(head)
    except etree.XMLSyntaxError as error:
        trouble = malformed(error)
    if first.doctype_seen:
        return Finding(Code.XML_SYNTAX, "a document type declaration is not allowed")
    if first.root is None:
        return trouble
    # What is broken behind the root's start tag is found again when the document is judged.
    return Opening(encoding, first.root, first.attributes)


def _encoding(head: bytes) -> str | Finding:
    unsupported = Finding(Code.ENCODING_UNSUPPORTED, "the encoding is none of " + ", ".join(sorted(_SUPPORTED)))
    if head.startswith(_FOREIGN):
        return unsupported
    text = head.removeprefix(_MARK)
    if not text.strip(_SPACE):
        return Finding(Code.NO_DATA, f"nothing but space within the first {HEAD_BYTES} bytes")
    declared = "UTF-8"
    if text.startswith(b"<?xml") and text[5:6] in (b" ", b"\t", b"\r", b"\n", b""):
        declaration = _DECLARATION.match(text)
        if declaration is None:
            return Finding(Code.XML_SYNTAX, "the XML declaration is broken or not of version 1.0")
        declared = (declaration[1] or declaration[2] or b"UTF-8").decode("latin-1").upper()
    marked_otherwise = text is not head and declared != "UTF-8"
    return unsupported if declared not in _SUPPORTED or marked_otherwise else declared


@dataclass(slots=True)
class _First:
    """A parser target that keeps the first start tag and whether a DOCTYPE went before it."""

    root: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    doctype_seen: bool = False

    def doctype(self, *_: str | None) -> None:
        self.doctype_seen = True

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        if self.root is None:
            self.root, self.attributes = tag, dict(attributes)

    def close(self) -> None:
        """Demanded of a target; the head of a document has no end."""
