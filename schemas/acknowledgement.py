"""What does the acknowledgement of a file set look like?

Source: the ACRF structure, schema version 20231, in ``acrf/ACRF_20231.xsd``. One form for one set, final (FA). It says
whether the file can be processed, not whether its declarations are accepted. Not done here: its file name, its
signature, and who gets it.

Lines end in CR LF. A receiver that checks our signature as S/MIME text turns LF into CR LF first; over these bytes it
finds the same digest as one that checks them as they are.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lxml import etree

from schemas import xsd
from schemas.codes import Finding

_SCHEMA = Path(__file__).resolve().parent / "acrf" / "ACRF_20231.xsd"
_TICKET_OF_SOCIAL_SECURITY = "2"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The answer to one file set.

    ``file_name`` is the name answered, normally that of the GO; ``ticket`` has 1 to 20 characters; ``created`` has a
    time zone, in which it is written; without ``findings`` the set is accepted.
    """

    file_name: str
    ticket: str
    created: datetime
    findings: tuple[Finding, ...] = ()


def render(acknowledgement: Acknowledgement) -> bytes:
    """The acknowledgement as UTF-8 XML, valid against its schema; each code once, in the order of the findings.

    Raises `ValueError` when that is impossible: a time without a zone, an empty name, characters XML cannot hold.
    """
    if acknowledgement.created.tzinfo is None:
        raise ValueError("the time of an acknowledgement needs a zone")
    root = etree.Element("ACRF", {f"{{{xsd.XSI}}}noNamespaceSchemaLocation": _SCHEMA.name}, {"xsi": xsd.XSI})
    form = etree.SubElement(root, "Form")
    _add(form, "Identification", "ACRF001")
    _add(form, "FormCreationDate", acknowledgement.created.date().isoformat())
    _add(form, "FormCreationHour", acknowledgement.created.time().isoformat("milliseconds"))
    _add(form, "AttestationStatus", "0")
    _add(form, "TypeForm", "FA")
    reference = etree.SubElement(form, "FileReference")
    _add(reference, "FileName", acknowledgement.file_name)
    _add(reference, "ReferenceOrigin", _TICKET_OF_SOCIAL_SECURITY)
    _add(reference, "ReferenceNbr", acknowledgement.ticket)
    result = etree.SubElement(form, "ReceptionResult")
    _add(result, "ResultCode", "0" if acknowledgement.findings else "1")
    for error_id in dict.fromkeys(finding.error_id for finding in acknowledgement.findings):
        _add(result, "ErrorID", error_id)
    if not xsd.compiled(_SCHEMA).validate(root):
        raise ValueError("the acknowledgement would not be valid against its schema")
    text = etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
    return text.replace(b"\n", b"\r\n")


def _add(parent: etree._Element, tag: str, text: str) -> None:
    etree.SubElement(parent, tag).text = text
