"""The acknowledgement of a file set, as XML: `schemas.acknowledgement`."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import xmlschema

import schemas
from schemas import answer_xml
from schemas.acknowledgement import Acknowledgement, render
from schemas.codes import Code, Finding

XSD = Path(schemas.__file__).parent / "acrf" / "ACRF_20231.xsd"
NAME = "GO.DIMN.123456.20261121.00001.R.1"
TICKET = "3400001Y1P01G"
NOON = datetime(2026, 11, 21, 12, 0, 0, 5999, tzinfo=UTC)

ACCEPTED = f"""\
<?xml version='1.0' encoding='UTF-8'?>
<ACRF xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="ACRF_20231.xsd">
  <Form>
    <Identification>ACRF001</Identification>
    <FormCreationDate>2026-11-21</FormCreationDate>
    <FormCreationHour>12:00:00.005</FormCreationHour>
    <AttestationStatus>0</AttestationStatus>
    <TypeForm>FA</TypeForm>
    <FileReference>
      <FileName>{NAME}</FileName>
      <ReferenceOrigin>2</ReferenceOrigin>
      <ReferenceNbr>{TICKET}</ReferenceNbr>
    </FileReference>
    <ReceptionResult>
      <ResultCode>1</ResultCode>
    </ReceptionResult>
  </Form>
</ACRF>
"""


def errors(*codes: Code) -> list[str]:
    """The error ids in the acknowledgement of a set with these findings."""
    text = render(Acknowledgement(NAME, TICKET, NOON, tuple(Finding(code, "some words") for code in codes)))
    return [line.strip() for line in text.decode().splitlines() if "ResultCode" in line or "ErrorID" in line]


def test_an_acceptance_is_exactly_this_text() -> None:
    """Every element of the structure, no error, and lines that end in CR LF."""
    assert render(Acknowledgement(NAME, TICKET, NOON, ())) == ACCEPTED.replace("\n", "\r\n").encode()


def test_a_refusal_has_each_code_once_in_the_order_of_the_findings() -> None:
    """And nothing of their details."""
    assert errors(Code.SIGNATURE_INVALID, Code.FI_COUNT, Code.SIGNATURE_INVALID, Code.SCHEMA_UNKNOWN) == [
        "<ResultCode>0</ResultCode>",
        "<ErrorID>ACRF-125</ErrorID>",
        "<ErrorID>ACRF-120</ErrorID>",
        "<ErrorID>ACRF-088</ErrorID>",
    ]


def test_every_code_can_be_told() -> None:
    """The schema gives an error id nine positions; none of ours is longer."""
    assert len(errors(*Code)) == 1 + len(Code)


def test_the_time_is_written_in_its_own_zone() -> None:
    """The day may then be another one than in UTC."""
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC).astimezone(timezone(timedelta(hours=1)))
    text = render(Acknowledgement(NAME, TICKET, late, ()))
    assert b"<FormCreationDate>2026-11-22<" in text
    assert b"<FormCreationHour>00:30:00.000<" in text


def test_a_second_engine_finds_it_valid() -> None:
    """The schema is ours; another reader of schemas agrees on what it says."""
    findings = (Finding(Code.XML_SYNTAX),)
    schema = xmlschema.XMLSchema10(XSD)
    for acknowledgement in (Acknowledgement(NAME, TICKET, NOON, ()), Acknowledgement("a", "A", NOON, findings)):
        schema.validate(render(acknowledgement).decode())


@pytest.mark.parametrize(
    "acknowledgement",
    [
        Acknowledgement("", TICKET, NOON, ()),
        Acknowledgement("a\0", TICKET, NOON, ()),
        Acknowledgement(NAME, "", NOON, ()),
        Acknowledgement(NAME, "A" * 21, NOON, ()),
        Acknowledgement(NAME, TICKET, NOON.replace(tzinfo=None), ()),
    ],
    ids=["no name", "a name XML cannot hold", "no ticket", "a long ticket", "no zone"],
)
def test_what_would_not_be_valid_is_not_rendered(acknowledgement: Acknowledgement) -> None:
    """An answer that a sender cannot read is worse than none."""
    with pytest.raises(ValueError, match=r"valid|zone|XML"):
        render(acknowledgement)


def test_a_new_version_beside_a_running_one_changes_no_answer(tmp_path: Path) -> None:
    """The schema is that of the code that runs, whatever is installed meanwhile."""
    schema = tmp_path / "ACRF.xsd"
    schema.write_bytes(XSD.read_bytes())

    def written() -> bytes:
        root = answer_xml.begin("ACRF", schema)
        form = answer_xml.add_form(root, "ACRF001", NOON)
        reference = (("FileName", NAME), ("ReferenceOrigin", answer_xml.TICKET_ORIGIN), ("ReferenceNbr", TICKET))
        answer_xml.add(form, "FileReference", *reference)
        answer_xml.add(form, "ReceptionResult", ("ResultCode", "1"))
        return answer_xml.finish(root, schema)

    before = written()
    schema.write_text("<of-another-version/>")
    assert before == written()
