"""The shipped schemas, against a second engine, and the shipped samples, against the check digits of their numbers."""

from pathlib import Path

import pytest
import xmlschema
from lxml import etree

import schemas
from schemas import xsd
from schemas.strict import STRICT
from tests.stages.dimona import SAMPLES, VALID, XSD

FOLDER = Path(schemas.__file__).parent
SCHEMAS = sorted(FOLDER.glob("*/*.xsd"))
WELL_FORMED = [path for path in sorted(SAMPLES.iterdir()) if path.stem not in {"not_well_formed", "document_type"}]

DIMONA = etree.fromstring(VALID)
VALUES = {
    "Identification": (["DIMONA"], ["", "dimona", "DMFA"]),
    "FormCreationDate": (["2026-11-21", " 2028-02-29 "], ["2026-02-29", "2026-11-21Z", "20261121", "-2026-11-21"]),
    "FormCreationHour": (["09:15:00.000"], ["09:15:00", "09:15:00.0000", "09:15:00.000Z", "25:00:00.000"]),
    "AttestationStatus": (["0", "1", "3"], ["2", "4", "", "10"]),
    "TypeForm": (["SU"], ["RE", "su"]),
    "ReferenceType": (["1", "6", "7", "8"], ["0", "2", "A"]),
    "ReferenceOrigin": (["1"], ["2", ""]),
    "ReferenceNbr": (["A", "A" * 20], ["", "A" * 21]),
    "StartingDate": (["2026-01-01", "9999-12-31"], ["2026-13-01", "2026-1-1", "", "2026-01-01+01:00"]),
    "NOSSRegistrationNbr": (["100006", "199999934", "000100006"], ["100005", "199999935", "0000100006x", "1e6"]),
    "CompanyID": (["0987654394", "987654394"], ["1999999944", "12345678", "00987654394"]),
    "INSS": (["0", "88070412305"], ["00", "8807041230", "880704123050"]),
    "WorkerName": (["A", "A" * 48], ["", "A" * 49]),
    "WorkerFirstName": (["A" * 24], ["", "A" * 25]),
    "PlannedHoursNbr": (["1", "999", "064"], ["0", "1000", "64.5"]),
    "JointCommissionNbr": (["124", "XXX"], ["200", "", "xxx"]),
    "WorkerType": (["OTH", "FLX"], ["", "XXX"]),
    "Denomination": (["", "A" * 96], ["A" * 97]),
    "Country": (["0", "99999"], ["-1", "100000", "BE"]),
    "DimonaPeriodId": (["601234567813"], ["6012345678130", ""]),
    "EndingDate": (["2026-11-20"], ["2026-11-31"]),
}  # fmt: skip
CASES = [(name, text, True) for name, (good, _) in VALUES.items() for text in good] + [
    (name, text, False) for name, (_, bad) in VALUES.items() for text in bad
]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_both_engines_accept_a_shipped_schema(path: Path) -> None:
    """And both find the root that the name of the file promises."""
    root = path.stem.partition("_")[0]
    assert list(xmlschema.XMLSchema10(path).elements) == [root]
    assert xsd.compiled(path) is xsd.compiled(path)
    assert xsd.root_names(path) == {root}


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_every_type_of_a_schema_is_used(path: Path) -> None:
    """A type that no element has would be a fact nobody checks."""
    tree = etree.fromstring(path.read_bytes())
    names = tree.xpath("/*/*[local-name() != 'element']/@name")
    used = tree.xpath("//*[local-name() = 'element']/@type")
    assert isinstance(names, list)
    assert isinstance(used, list)
    assert sorted(map(str, names)) == sorted({str(name) for name in used})


@pytest.mark.parametrize("path", WELL_FORMED, ids=lambda path: path.stem)
def test_both_engines_agree_on_a_sample(path: Path) -> None:
    """On the valid one, and on each that a schema can refuse."""
    document = etree.fromstring(path.read_bytes(), etree.XMLParser(**STRICT))
    assert xmlschema.XMLSchema10(XSD).is_valid(etree.tostring(document)) == xsd.compiled(XSD).validate(document)


@pytest.mark.parametrize(("name", "text", "valid"), CASES)
def test_both_engines_judge_a_value_as_the_glossary_does(name: str, text: str, valid: bool) -> None:
    """The bounds, lengths and patterns of a field, on both sides of each."""
    document = etree.fromstring(VALID)
    for element in document.iter(name):
        element.text = text
    assert xsd.compiled(XSD).validate(document) is valid
    assert xmlschema.XMLSchema10(XSD).is_valid(etree.tostring(document)) is valid


@pytest.mark.parametrize("name", ["DimonaIn", "DimonaOut"])
def test_a_form_declares_exactly_one_thing(name: str) -> None:
    """Neither nothing nor two."""
    for change in ("remove", "repeat"):
        document = etree.fromstring(VALID)
        declared = document.find(f"Form/{name}")
        assert declared is not None
        form = declared.getparent()
        assert form is not None
        if change == "remove":
            form.remove(declared)
        else:
            form.append(etree.fromstring(etree.tostring(declared)))
        assert not xsd.compiled(XSD).validate(document)


@pytest.mark.parametrize("path", sorted(SAMPLES.iterdir()), ids=lambda path: path.stem)
def test_a_sample_has_the_line_ends_that_senders_use(path: Path) -> None:
    """CR LF throughout: then a signature over text and one over bytes agree."""
    content = path.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") > 0


@pytest.mark.parametrize("number", [str(element.text) for element in DIMONA.iter("INSS")])
def test_the_check_digits_of_a_person_in_the_samples_are_right(number: str) -> None:
    """97 minus the first nine modulo 97, with a 2 before them for who was born since 2000."""
    assert int(number[9:]) in {97 - int(first + number[:9]) % 97 for first in ("", "2")}


@pytest.mark.parametrize("number", [str(element.text) for element in DIMONA.iter("CompanyID")])
def test_the_check_digits_of_an_enterprise_in_the_samples_are_right(number: str) -> None:
    """97 minus the first eight modulo 97."""
    assert int(number[8:]) == 97 - int(number[:8]) % 97


@pytest.mark.parametrize("number", [str(element.text) for element in DIMONA.iter("NOSSRegistrationNbr")])
def test_the_check_digits_of_an_employer_in_the_samples_are_right(number: str) -> None:
    """96 minus the first seven, times 100, modulo 97."""
    assert int(number[7:]) == 96 - int(number[:7]) * 100 % 97


@pytest.mark.parametrize("number", [str(element.text) for element in DIMONA.iter("DimonaPeriodId")])
def test_the_check_digits_of_a_period_in_the_samples_are_right(number: str) -> None:
    """The first ten modulo 97."""
    assert int(number[10:]) == int(number[:10]) % 97
