"""What does the acknowledgement of a file set look like?

Source: the ACRF structure, schema version 20231, in ``acrf/ACRF_20231.xsd``. One form for one set, final (FA). It says
whether the file can be processed, not whether its declarations are accepted. Not done here: its file name, its
signature, and who gets it.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from schemas import answer_xml
from schemas.codes import Finding

_SCHEMA = Path(__file__).resolve().parent / "acrf" / "ACRF_20231.xsd"


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
    root = answer_xml.begin("ACRF", _SCHEMA)
    form = answer_xml.add_form(root, "ACRF001", acknowledgement.created)
    reference = (
        ("FileName", acknowledgement.file_name),
        ("ReferenceOrigin", answer_xml.TICKET_ORIGIN),
        ("ReferenceNbr", acknowledgement.ticket),
    )
    answer_xml.add(form, "FileReference", *reference)
    codes = dict.fromkeys(finding.error_id for finding in acknowledgement.findings)
    result = ("ResultCode", "0" if codes else "1"), *(("ErrorID", code) for code in codes)
    answer_xml.add(form, "ReceptionResult", *result)
    return answer_xml.finish(root, _SCHEMA)
