"""Where a fault stands: offset, line, column, path and position, in any encoding and however lines end."""

import io
from datetime import date
from pathlib import Path

import pytest

from schemas.anomaly import Anomaly
from schemas.identifiers import Kind
from schemas.message_type import MessageType
from schemas.refusal import MAX_ANOMALIES, MOST_COUNTED, Refused
from schemas.validate import Limits, Validated, validate
from tests.stages.dimona import DAY, FORM, ROOT, document, judge

BAD = FORM.replace(">SU<", ">XX<")

QUALIFIED = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:g" xmlns="urn:g"
  elementFormDefault="qualified">
  <xs:element name="Generic"><xs:complexType><xs:sequence>
    <xs:element name="Form" maxOccurs="unbounded"><xs:complexType><xs:sequence>
      <xs:element name="Identification" type="xs:string"/>
      <xs:element name="INSS" type="xs:string" minOccurs="0"/>
      <xs:element name="Data" minOccurs="0"><xs:complexType><xs:sequence>
        <xs:element name="Form" maxOccurs="unbounded"><xs:complexType><xs:sequence>
          <xs:element name="Day" type="xs:date" maxOccurs="2"/>
        </xs:sequence></xs:complexType></xs:element>
      </xs:sequence></xs:complexType></xs:element>
    </xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>"""


def anomalies(content: bytes) -> tuple[Anomaly, ...]:
    """What is told of a Dimona document."""
    verdict, _ = judge(content)
    assert isinstance(verdict, Refused)
    return verdict.anomalies


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1", "US-ASCII"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_lines_and_columns_count_characters(end: str, encoding: str, mark: bytes) -> None:
    """Of every kind of line end, in every encoding; a byte order mark is no character."""
    if mark and encoding != "UTF-8":
        return
    comment = {"UTF-8": "<!-- é€𝄞 -->", "ISO-8859-1": "<!-- é -->", "US-ASCII": "<!-- e -->"}[encoding]
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>'
    text = f"{declaration}{ROOT}{comment}{BAD}</Dimona>".replace("\r\n", "\n").replace("\n", end)
    (anomaly,) = anomalies(mark + text.encode(encoding))
    before = text[: text.index("<TypeForm>")]
    line = before.replace("\r\n", "\n").replace("\r", "\n")
    assert (anomaly.place.line, anomaly.place.column) == (line.count("\n") + 1, len(line) - line.rfind("\n"))
    assert anomaly.place.offset == len(mark) + len(before.encode(encoding))


def test_a_fault_on_the_first_line_is_behind_no_mark() -> None:
    """The first column is that of the first character."""
    one_line = document(BAD).replace(b"\r\n", b"")
    (plain,), (marked,) = anomalies(one_line), anomalies(b"\xef\xbb\xbf" + one_line)
    assert (marked.place.line, marked.place.column) == (1, plain.place.column)
    assert marked.place.offset == plain.place.offset + 3


def test_faults_on_a_single_line_of_many_megabytes_are_placed() -> None:
    """Two faults at the end, their columns as far away as their offsets."""
    content = document(*[FORM.replace("\r\n", "")] * 8000, BAD.replace("\r\n", ""), "<Form/>").replace(b"\r\n", b"")
    assert len(content) > 7_000_000
    verdict, _ = judge(content, Limits(10**9, 10**6))
    found = verdict.anomalies
    assert [anomaly.broken.rule for anomaly in found[:2]] == ["value", "missing"]
    assert found[0].place.offset == content.rindex(b"<TypeForm>")
    assert found[1].place.offset == content.rindex(b"<Form/>")
    assert all(anomaly.place.line == 1 and anomaly.place.column == anomaly.place.offset + 1 for anomaly in found)
    assert found[1].place.path == "/Dimona[1]/Form[8002]"
    assert found[1].place.position == (1, 8002)


def test_a_thousand_anomalies_are_told_and_the_others_counted() -> None:
    """Up to a bound on counting, in the order of the file."""
    verdict, _ = judge(document(*[BAD] * 1500), Limits(10**9, 10**6))
    assert isinstance(verdict, Refused)
    assert (len(verdict.anomalies), verdict.total) == (MAX_ANOMALIES, 1500)
    assert [anomaly.form for anomaly in verdict.anomalies] == list(range(1, MAX_ANOMALIES + 1))
    verdict, _ = judge(document("<Form>" + "<x/>" * 20_000 + "</Form>"))
    assert isinstance(verdict, Refused)
    assert verdict.total == MOST_COUNTED


@pytest.mark.parametrize(
    "form",
    [
        "<Form>" + "<x>" * 5000 + "</x>" * 5000 + "</Form>",
        "<Form>" + "".join(f"<x{number}/>" for number in range(150_000)) + "</Form>",
        FORM.replace("<DimonaIn>", "<Reference/>" * 250_000 + "<DimonaIn>"),
        "<Form>" + "<Reference>" * 300 + "</Reference>" * 300 + "</Form>",
    ],
    ids=["deep", "many names", "many children", "deep by known names"],
)
def test_a_form_that_is_all_wrong_is_told_within_bounds(form: str) -> None:
    """However deep, wide or strange it is."""
    verdict, _ = judge(document(form))
    assert isinstance(verdict, Refused)
    assert 1 <= verdict.total <= MOST_COUNTED
    assert [finding.code for finding in verdict.findings] == ["255"]


def generic(folder: Path) -> MessageType:
    """A type whose elements are in a namespace, and whose forms hold forms."""
    schema = folder / "Generic_20231.xsd"
    schema.write_text(QUALIFIED)
    return MessageType(
        "GENX",
        dict.fromkeys(("fr", "nl", "de", "en"), "Generic"),
        "Generic",
        frozenset({"GEN"}),
        {"20231": schema},
        {"20231": date(2023, 1, 1)},
        namespace="urn:g",
        identifiers={"INSS": Kind.INSS},
    )


@pytest.mark.parametrize("prefix", ["", "g:"])
def test_a_type_in_a_namespace_is_judged_alike(tmp_path: Path, prefix: str) -> None:
    """With a prefix or without: forms, nested forms, identifiers, faults and their paths."""
    kind = generic(tmp_path)
    xsi = "http://www.w3.org/2001/XMLSchema-instance"
    name = "xmlns" + (f":{prefix[:-1]}" if prefix else "")
    root = f'Generic {name}="urn:g" xmlns:xsi="{xsi}" xsi:schemaLocation="urn:g Generic_20231.xsd">'
    data = "<Data><Form><Day>2026-01-01</Day></Form></Data>"
    good = f"<Form><Identification>GEN</Identification><INSS>88070412305</INSS>{data}</Form>"

    def verdict(*forms: str) -> tuple[Validated | Refused, bytes, list[bytes]]:
        text = (
            f"<{root}{''.join(forms)}</Generic>".replace("</", "\0")
            .replace("<", f"<{prefix}")
            .replace("\0", f"</{prefix}")
        )
        out: list[bytes] = []
        content = text.encode()
        return validate(io.BytesIO(content), [kind], Limits(10**6, 10), out.append, DAY), content, out

    valid, content, out = verdict(good, good)
    assert isinstance(valid, Validated)
    assert (valid.forms, len(out)) == (2, 2)
    assert isinstance(validate(io.BytesIO(out[1]), [kind], Limits(10**6, 10), out.append, DAY), Validated)
    wrong_number, content, _ = verdict(good, good.replace("88070412305", "88070412306"))
    assert isinstance(wrong_number, Refused)
    assert [(a.broken.rule, a.place.path) for a in wrong_number.anomalies] == [
        ("identifier.inss", "/Generic[1]/Form[2]/INSS[1]")
    ]
    assert content[wrong_number.anomalies[0].place.offset :].startswith(f"<{prefix}INSS>88070412306".encode())
    wrong_day, content, _ = verdict(good, good.replace("2026-01-01", "2026-02-30"))
    assert isinstance(wrong_day, Refused)
    assert [a.place.path for a in wrong_day.anomalies] == ["/Generic[1]/Form[2]/Data[1]/Form[1]/Day[1]"]
    other, _, _ = verdict(good.replace(">GEN<", ">GAN<"))
    assert isinstance(other, Refused)
    assert [finding.code for finding in other.findings] == ["158"]


def test_a_block_that_is_no_form_is_placed() -> None:
    """By its start tag; it belongs to no form."""
    content = document(FORM, "<Formulier><Form/></Formulier>", FORM)

    (anomaly,) = anomalies(content)

    assert ("not-a-form", "205", 0) == (anomaly.broken.rule, anomaly.broken.code, anomaly.form)
    assert content.index(b"<Formulier>") == anomaly.place.offset


def test_a_schema_that_was_put_in_place_of_another_is_the_one_that_explains(tmp_path: Path) -> None:
    """Also in a process that has explained by the first."""
    kind = generic(tmp_path)
    content = (
        b'<Generic xmlns="urn:g" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        b' xsi:schemaLocation="urn:g Generic_20231.xsd"><Form><Identification>GEN</Identification>'
        b"<Data><Form><Day>2023-01-01</Day><Day>2023-01-02</Day><Day>2023-01-03</Day></Form></Data></Form></Generic>"
    )

    def days() -> list[int]:
        verdict = validate(io.BytesIO(content), [kind], Limits(10**6, 10), lambda _: None, DAY)
        assert isinstance(verdict, Refused)
        return [anomaly.place.position[-1] for anomaly in verdict.anomalies]

    before = days()
    (tmp_path / "Generic_20231.xsd").write_text(QUALIFIED.replace('maxOccurs="2"', 'maxOccurs="1"'))

    assert ([3], [2, 3]) == (before, days())
