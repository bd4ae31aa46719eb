"""May this form stand in this file, whatever its schema says?

Source: annex 30, codes 137, 158, 172, 246, 275.
"""

import re
from typing import Final
from xml.parsers import expat

from schemas.codes import Code, Finding
from schemas.inspection import Inspected
from schemas.message_type import MessageType
from schemas.splitting import Form, Splitter
from schemas.xsd import XSI

_IDENTIFICATION: Final = re.compile(
    rb"<[^<>]*>[ \t\r\n]*<(?:[^ \t\r\n/<>:!?]+:)?Identification(?:[ \t\r\n][^<>]*)?>([^<]*)"
)
_LOCATIONS: Final = frozenset({f"{XSI}}}schemaLocation", f"{XSI}}}noNamespaceSchemaLocation"})


def too_many(form: Form, kind: MessageType, max_forms: int) -> Finding | None:
    """What the number of a form exceeds: the bound of the type, or of the site (``max_forms``)."""
    most = kind.limits.max_forms
    if most is not None and form.number > most:
        code = Code.MORE_THAN_ONE_FORM if most == 1 else Code.TOO_MANY_FORMS
        return Finding(code, f"more than {most} forms")
    if form.number > max_forms:
        return Finding(Code.TOO_MANY_FORMS, f"more than {max_forms} forms")
    return None


def misplaced(form: Form, inspected: Inspected, kind: MessageType, splitter: Splitter, encoding: str) -> Finding | None:
    """What is wrong with a form beside its schema: how much it declares, its code, a schema of its own."""
    declarations = kind.limits.max_declarations
    if declarations is not None and inspected.declarations > declarations:
        return Finding(Code.TOO_MANY_DECLARATIONS, f"form {form.number}: more than {declarations} declarations")
    if inspected.identification is not None and inspected.identification not in kind.form_codes:
        return Finding(Code.FORM_TYPE_MISMATCH, f"form {form.number}: not a form of {kind.purpose}")
    if b"chemaLocation" in form.content and _names_schema(splitter.alone(form.content), encoding):
        # The form is passed on, and a reader less careful than ours would fetch what it names.
        return Finding(Code.SCHEMA_STANDARD_UNKNOWN, f"form {form.number}: only the root may name a schema")
    return None


def is_of_type(form: Form, kind: MessageType) -> bool:
    """Whether a form that its schema refuses seems to be of the type at all, by the Identification it begins with."""
    identification = _IDENTIFICATION.match(form.written_plainly())
    if identification is None:
        return True
    return identification[1].decode("ascii", "replace") in kind.form_codes


def _names_schema(document: bytes, encoding: str) -> bool:
    """Whether an element below the root of a well-formed document names a schema."""
    found: list[str] = []
    parser = expat.ParserCreate(encoding, "}")
    parser.StartElementHandler = lambda _, attributes: found.extend(_LOCATIONS.intersection(attributes))
    parser.Parse(document, True)
    return len(found) > 1  # the root names its own
