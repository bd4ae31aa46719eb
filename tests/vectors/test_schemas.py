"""The shipped schemas, against a second engine, with samples and with values on both sides of each bound."""

from pathlib import Path

import pytest
from lxml import etree

from schemas import xsd
from tests.shipped import SAMPLES, SCHEMAS, Sample, label, second_opinion
from tests.stages.dimona import FOLDER, VALID, XSD

OLDER = FOLDER / "Dimona_20113.xsd"
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


@pytest.mark.parametrize("path", SCHEMAS, ids=label)
def test_both_engines_accept_a_shipped_schema(path: Path) -> None:
    """And both find the root that the name of the file promises."""
    root = path.stem.partition("_")[0]
    assert list(second_opinion(path).elements) == [root]
    assert xsd.compiled(path) is xsd.compiled(path)
    assert xsd.root_names(path) == {root}


@pytest.mark.parametrize("path", SCHEMAS, ids=label)
def test_every_type_of_a_schema_is_used(path: Path) -> None:
    """A type that no element has would be a fact nobody checks."""
    tree = etree.fromstring(path.read_bytes())
    names = tree.xpath("/*/*[local-name() != 'element']/@name")
    used = tree.xpath("//*[local-name() = 'element']/@type")
    assert isinstance(names, list)
    assert isinstance(used, list)
    assert sorted(map(str, names)) == sorted({str(name) for name in used})


@pytest.mark.parametrize("sample", SAMPLES, ids=label)
def test_both_engines_judge_a_sample_as_its_name_says(sample: Sample) -> None:
    """The valid ones and the others."""
    schema = sample.path.parents[1] / sample.schema
    assert xsd.compiled(schema).validate(sample.root) is sample.valid
    assert second_opinion(schema).is_valid(etree.tostring(sample.root)) is sample.valid


@pytest.mark.parametrize(("name", "text", "valid"), CASES)
def test_both_engines_judge_a_value_as_the_glossary_does(name: str, text: str, valid: bool) -> None:
    """The bounds, lengths and patterns of a field, on both sides of each."""
    document = etree.fromstring(VALID)
    for element in document.iter(name):
        element.text = text
    assert xsd.compiled(XSD).validate(document) is valid
    assert second_opinion(XSD).is_valid(etree.tostring(document)) is valid


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


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<WorkerType>OTH", b"<WorkerType>FLX"),
        (b"<WorkerType>OTH", b"<WorkerType>A17"),
        (b"      <EmployerId>", b"      <PlannedDaysNbr>1</PlannedDaysNbr>\r\n      <EmployerId>"),
    ],
)
def test_the_older_dimona_has_not_what_came_later(old: bytes, new: bytes) -> None:
    """Flexi-jobs, article 17, planned days and hours: valid now, unknown to version 2011/3."""
    first = VALID[: VALID.index(b"</Form>") + len(b"</Form>")] + b"</Dimona>"
    assert xsd.compiled(OLDER).validate(etree.fromstring(first))
    later = etree.fromstring(first.replace(old, new, 1))
    assert not xsd.compiled(OLDER).validate(later)
    assert xsd.compiled(XSD).validate(later)


@pytest.mark.parametrize(
    ("name", "text", "valid"),
    [
        ("Quarter", "20031", True),
        ("Quarter", "20024", False),
        ("Quarter", "20230", False),
        ("NetOwedAmount", "999999999999999", True),
        ("NetOwedAmount", "1000000000000000", False),
        ("EmployerClass", "48", False),
        ("ServiceNbrDays", "36600", True),
        ("ServiceNbrDays", "36601", False),
        ("ServiceNbrDays", "0", False),
        ("INSS", "0", False),
        ("JointCommissionNbr", "200.00.10", True),
        ("JointCommissionNbr", "200.0", False),
        ("JointCommissionNbr", "XXX", False),
        ("MeanWorkingHours", "6001", False),
    ],
)
def test_both_engines_judge_a_value_of_a_quarterly_declaration(name: str, text: str, valid: bool) -> None:
    """On both sides of a bound."""
    (sample,) = [sample for sample in SAMPLES if label(sample) == "DmfAOriginal-valid_small"]
    document = sample.root
    for element in document.iter(name):
        element.text = text
    schema = sample.path.parents[1] / sample.schema
    assert xsd.compiled(schema).validate(document) is valid
    assert second_opinion(schema).is_valid(etree.tostring(document)) is valid
