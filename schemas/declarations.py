"""Which declarations does a document hold, and is it valid while it is being read?

Two parsers get the same pieces. One judges: a feed parser with the schema and an empty target, which builds nothing.
Its schema errors do not raise and stand in ``feed_error_log`` only; syntax errors do raise. The other one builds the
tree, from which each form is taken as soon as the next one begins, so that no more than one form and one piece are in
memory. It is never asked for a verdict: a pull parser takes a cut-off document for a good one, and can stop without a
word; so its document only counts when the root's end tag was seen.

Only whole children of the root that have a following sibling are moved out of the tree. libxml2 goes on writing into
the last one, and into the text behind it.

Two things that libxml2 does not bound are bounded here. The judge joins the pieces of a text in quadratic time, so a
run of text may have `MAX_TEXT` characters. A parser keeps all of an unfinished comment, so `MAX_IDLE` bytes without an
element or a text end the reading. Both are looked at between two pieces, which gives or takes one piece.

Source: annex 30, codes 102, 137, 157, 158, 205, 275, 312. Encoding, DOCTYPE and the choice of the schema come before
(`schemas.prolog`, `schemas.validate`).
"""

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lxml import etree

from schemas import xsd
from schemas.catalogue import MessageType
from schemas.codes import Code, Finding
from schemas.strict import STRICT, malformed

if TYPE_CHECKING:
    from lxml.etree._saxparser import ParserTarget

MAX_TEXT = 65536
MAX_IDLE = 1048576

_schema_locations = etree.XPath(
    "descendant-or-self::*[@xsi:schemaLocation or @xsi:noNamespaceSchemaLocation]", namespaces={"xsi": xsd.XSI}
)


class _Nothing:
    """The target of the parser that only judges."""

    def close(self) -> None:
        """Demanded of a target; there is nothing to end."""


class Declarations:
    """Judges a document piece by piece and gives each form to ``declared`` as a document of its own."""

    def __init__(
        self, kind: MessageType, schema: Path, encoding: str, max_forms: int, declared: Callable[[bytes], None]
    ) -> None:
        self._kind = kind
        self._schema = schema
        self._max_forms = max_forms
        self._declared = declared
        self._judge = etree.XMLParser(
            target=cast("ParserTarget[None]", _Nothing()), schema=xsd.compiled(schema), encoding=encoding, **STRICT
        )
        self._tree: etree.XMLPullParser[etree._Element] = etree.XMLPullParser(
            events=("start", "end"), tag=kind.root, encoding=encoding, **STRICT
        )
        self._root: etree._Element | None = None
        self._root_ended = False
        self._position: tuple[int, ...] = ()
        self._idle = 0
        self.forms = 0

    def feed(self, piece: bytes) -> Finding | None:
        """Read on. After a finding the document is refused and must not be fed again."""
        try:
            self._judge.feed(piece)
            self._tree.feed(piece)
        except etree.XMLSyntaxError as error:
            return malformed(error)
        return self._take(ended=False) or self._unbounded(len(piece))

    def close(self) -> Finding | None:
        """Say that the document ends here."""
        try:
            self._judge.close()
            self._tree.close()
        except etree.XMLSyntaxError as error:
            return malformed(error)
        finding = self._take(ended=True)
        if finding is None and not self._root_ended:
            return Finding(Code.XML_SYNTAX, "not well-formed: the root element has no end")
        return finding

    def _take(self, *, ended: bool) -> Finding | None:
        for event, element in self._tree.read_events():
            if self._root is None:
                self._root = element
            self._root_ended = event == "end" and element is self._root
        if self._root is None:
            return None
        blocks = list(self._root)
        errors = self._judge.feed_error_log.filter_from_errors()
        if errors:
            return self._invalid(self._root, blocks, errors[0])
        for block in blocks if ended else blocks[:-1]:
            finding = self._hand_out(self._root, block)
            if finding is not None:
                return finding
        return None

    def _unbounded(self, size: int) -> Finding | None:
        """A finding when the text at the end of the tree is too long, or when the tree has not grown for too long."""
        text, position = _end_of(self._root)
        if text > MAX_TEXT:
            return Finding(Code.XML_SYNTAX, f"a text of more than {MAX_TEXT} characters")
        grown = (self.forms, text, *position) != self._position
        self._position = (self.forms, text, *position)
        self._idle = 0 if grown else self._idle + size
        if self._idle > MAX_IDLE:
            return Finding(Code.XML_SYNTAX, f"more than {MAX_IDLE} bytes without an element or a text")
        return None

    def _hand_out(self, root: etree._Element, form: etree._Element) -> Finding | None:
        self.forms += 1
        if self.forms > self._max_forms:
            return Finding(Code.TOO_MANY_FORMS, f"more than {self._max_forms} forms")
        finding = self._misplaced(form, self.forms)
        if finding is None:
            self._declared(_alone(root, form))
        return finding

    def _misplaced(self, block: etree._Element, number: int) -> Finding | None:
        """What is wrong with a child of the root beside its schema."""
        if block.tag != "Form":
            return Finding(Code.NOT_A_FORM, f"block {number}")
        identification = block.find("Identification")
        # The text of the last element may still be incomplete; in a valid form the Identification is never the last.
        complete = identification is not None and identification.getnext() is not None
        if complete and block.findtext("Identification") not in self._kind.form_codes:
            return Finding(Code.FORM_TYPE_MISMATCH, f"form {number}: not a form of {self._kind.purpose}")
        if _schema_locations(block):
            # The form is passed on, and a reader less careful than ours would fetch what it names.
            return Finding(Code.SCHEMA_STANDARD_UNKNOWN, f"form {number}: only the root may name a schema")
        return None

    def _invalid(self, root: etree._Element, blocks: list[etree._Element], error: etree._LogEntry) -> Finding:
        """The finding for the first schema error, which carries neither line nor path."""
        if not blocks and not self.forms and error.type == etree.ErrorTypes.SCHEMAV_ELEMENT_CONTENT:
            return Finding(Code.NO_DECLARATION, "the root element holds no form")
        where = ""
        for number, block in enumerate(blocks, self.forms + 1):
            finding = self._misplaced(block, number)
            if finding is not None:
                return finding
            # A copy, as the tree parser may still be writing into the last block.
            if not self._is_valid(_alone(root, deepcopy(block))):
                where = f"form {number}, "
                break
        return Finding(Code.FILE_INVALID, where + self._rule_broken(error))

    def _is_valid(self, document: bytes) -> bool:
        return xsd.compiled(self._schema).validate(etree.fromstring(document, etree.XMLParser(**STRICT)))

    def _rule_broken(self, error: etree._LogEntry) -> str:
        """Element and rule of the standard, such as ``StartingDate: cvc-pattern-valid``; never a value."""
        named = re.match(r"Element '([^']*)'", error.message)
        known = named is not None and named[1] in xsd.element_names(self._schema)
        element = named[1] if named is not None and known else "an unknown element"
        return f"{element}: {error.type_name.removeprefix('SCHEMAV_').lower().replace('_', '-')}"


def _alone(root: etree._Element, form: etree._Element) -> bytes:
    """The form as the only one under its root; it leaves the tree it was in."""
    form.tail = None
    document = etree.Element(root.tag, root.attrib, root.nsmap)
    document.append(form)
    return etree.tostring(document, encoding="UTF-8", xml_declaration=True)


def _end_of(root: etree._Element | None) -> tuple[int, list[int]]:
    """Where the tree ends: the length of the text there, and the number of children on each level above it."""
    text = 0
    children: list[int] = []
    node = root
    while node is not None:
        text += len(node.tail or "")
        children.append(len(node))
        text += 0 if len(node) else len(node.text or "")
        node = node[-1] if len(node) else None
    return text, children
