"""How does every answer of the gateway begin and end as XML?

Each is one document of one of our own schemas: a root that names it, forms with their identification, and lines that
end in CR LF. A receiver that checks our signature as S/MIME text turns LF into CR LF first; over these bytes it finds
the same digest as one that checks them as they are. What an answer says is in `schemas.acknowledgement` and
`schemas.notification`.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Final

from lxml import etree

from schemas import xsd

TICKET_ORIGIN: Final = "2"
"""Whose number a ticket is (zone 00298): that of social security."""

_ORIGINAL: Final = "0"
_FINAL_ANSWER: Final = "FA"


def begin(root: str, schema: Path) -> etree._Element:
    """The root of an answer, which names its schema."""
    return etree.Element(root, {f"{{{xsd.XSI}}}noNamespaceSchemaLocation": schema.name}, {"xsi": xsd.XSI})


def add_form(root: etree._Element, identification: str, created: datetime) -> etree._Element:
    """A form that answers for good, with its five identification fields; ``created`` is written in its own zone."""
    if created.tzinfo is None:
        raise ValueError("the time of an answer needs a zone")
    fields = (
        ("Identification", identification),
        ("FormCreationDate", created.date().isoformat()),
        ("FormCreationHour", created.time().isoformat("milliseconds")),
        ("AttestationStatus", _ORIGINAL),
        ("TypeForm", _FINAL_ANSWER),
    )
    return add(root, "Form", *fields)


def add(parent: etree._Element, block: str, *fields: tuple[str, str]) -> etree._Element:
    """A block below ``parent``, with its first fields."""
    element = etree.SubElement(parent, block)
    add_fields(element, fields)
    return element


def add_fields(parent: etree._Element, fields: Iterable[tuple[str, str]]) -> None:
    """Elements with values below ``parent``; `ValueError` for characters that XML cannot hold."""
    for name, value in fields:
        etree.SubElement(parent, name).text = value


def finish(root: etree._Element, schema: Path) -> bytes:
    """The answer as UTF-8 XML, valid against its schema; `ValueError` when it isn't."""
    if not _compiled(schema).validate(root):
        raise ValueError(f"an answer would not be valid against {schema.name}")
    text = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return text.replace(b"\n", b"\r\n")


@lru_cache(maxsize=8)
def _compiled(schema: Path) -> etree.XMLSchema:
    """A schema of our own answers: it is of one version with the code that writes them, whatever is installed since."""
    return xsd.compiled(schema)
