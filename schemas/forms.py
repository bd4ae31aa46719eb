"""May this form stand in this file, whatever its schema says?

Source: annex 30, codes 136, 158, 172, 246, 275.
"""

import re
from typing import Final

from lxml import etree

from schemas.codes import Code, Finding
from schemas.inspection import Inspected
from schemas.message_type import MessageType
from schemas.splitting import Form, Splitter
from schemas.strict import STRICT
from schemas.xsd import XSI

_IDENTIFICATION: Final = re.compile(rb"<Identification(?:[ \t\r\n][^<>]*)?>([^<]*)")
_schema_locations: Final = etree.XPath(
    "*/descendant-or-self::*[@xsi:schemaLocation or @xsi:noNamespaceSchemaLocation]", namespaces={"xsi": XSI}
)


def bounds_broken(form: Form, inspected: Inspected, kind: MessageType, max_forms: int) -> Finding | None:
    """What exceeds the bounds of the type, or of the site (``max_forms``)."""
    most = kind.limits.max_forms
    if most is not None and form.number > most:
        code = Code.MORE_THAN_ONE_FORM if most == 1 else Code.TOO_MANY_FORMS
        return Finding(code, f"more than {most} forms")
    if form.number > max_forms:
        return Finding(Code.TOO_MANY_FORMS, f"more than {max_forms} forms")
    declarations = kind.limits.max_declarations
    if declarations is not None and inspected.declarations > declarations:
        return Finding(Code.TOO_MANY_DECLARATIONS, f"form {form.number}: more than {declarations} declarations")
    return None


def misplaced(form: Form, inspected: Inspected, kind: MessageType, splitter: Splitter, encoding: str) -> Finding | None:
    """What is wrong with a form beside its schema: its code, or that it names a schema of its own."""
    if inspected.identification not in {None, *kind.form_codes}:
        return Finding(Code.FORM_TYPE_MISMATCH, f"form {form.number}: not a form of {kind.purpose}")
    if b"chemaLocation" in form.content:
        document = etree.fromstring(splitter.alone(form.content), etree.XMLParser(encoding=encoding, **STRICT))
        if _schema_locations(document):
            # The form is passed on, and a reader less careful than ours would fetch what it names.
            return Finding(Code.SCHEMA_STANDARD_UNKNOWN, f"form {form.number}: only the root may name a schema")
    return None


def without_comments(document: bytes, encoding: str) -> bytes:
    """The document in UTF-8 without comments, instructions and CDATA sections; these are no part of a declaration."""
    root = etree.fromstring(document, etree.XMLParser(encoding=encoding, strip_cdata=True, **STRICT))
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def is_of_type(form: Form, kind: MessageType) -> bool:
    """Whether a form that its schema refuses seems to be of the type at all, by its Identification."""
    identification = _IDENTIFICATION.search(form.content)
    if identification is None:
        return True
    return identification[1].decode("ascii", "replace") in kind.form_codes
