"""Which declarations does a document hold, and is it valid while it is being read?

Two parsers get the same pieces. One judges: a feed parser with the schema and an empty target, which builds nothing.
Its schema errors do not raise and stand in ``feed_error_log`` only; syntax errors do raise. The other one builds the
tree, from which each form is taken as soon as the next one begins, so that no more than one form and one piece are in
memory. It is never asked for a verdict: a pull parser takes a cut-off document for a good one.

Only whole children of the root that have a following sibling are moved out of the tree. libxml2 goes on writing into
the last one, and into the text behind it.

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
            events=("start",), tag=kind.root, encoding=encoding, **STRICT
        )
        self._root: etree._Element | None = None
        self.forms = 0

    def feed(self, piece: bytes) -> Finding | None:
        """Read on. After a finding the document is refused and must not be fed again."""
        try:
            self._judge.feed(piece)
        except etree.XMLSyntaxError as error:
            return malformed(error)
        self._tree.feed(piece)
        return self._take(ended=False)

    def close(self) -> Finding | None:
        """Say that the document ends here."""
        try:
            self._judge.close()
        except etree.XMLSyntaxError as error:
            return malformed(error)
        self._tree.close()
        return self._take(ended=True)

    def _take(self, *, ended: bool) -> Finding | None:
        if self._root is None:
            self._root = next((element for _, element in self._tree.read_events()), None)
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
