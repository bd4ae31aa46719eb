"""The messages of the social risks (WECH, AOAT, ZIMA) and the change of an identification (IDFLUX), by their schemas.

Two engines judge everything: libxml2, which the gateway uses, and xmlschema.
"""

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

import schemas
from schemas import type_file, xsd
from schemas.identifiers import check
from schemas.strict import STRICT

FOLDER = Path(schemas.__file__).parent
VERSIONS = {
    "WECH001": "20233",
    "WECH002": "20233",
    "WECH003": "20233",
    "WECH005": "20233",
    "WECH006": "20233",
    "AOAT001": "20233",
    "AOAT002": "20233",
    "AOAT003": "20233",
    "ZIMA001": "20231",
    "IDFLUX": "20231",
}
SAMPLES = [path for root in VERSIONS for path in sorted((FOLDER / root.lower() / "samples").iterdir())]
GOOD = [path for path in SAMPLES if path.name.startswith("valid_")]
BAD = [path for path in SAMPLES if path.name.startswith("invalid_")]

# How often an element stands in its block: from the glossary; None is without end. None of these may be left to chance.
UNEMPLOYMENT: dict[str, tuple[int, int | None]] = {
    "WECH/Form": (1, None),
    "Form/CoordinatesContactPerson": (0, 1),
    "Form/DclInformation": (1, 1),
    "Form/RiskIdentification": (1, 1),
    "Form/Reference": (0, 3),
    "NaturalPerson/WorkerRecordLink": (0, 1),
    "WorkerRecordLink/OccupationLink": (1, 1),
    "OccupationLink/OccupationFeatures": (0, 1),
    "OccupationLink/WorkingDaysSystem": (0, 1),
    "OccupationLink/MeanWorkingHours": (1, 1),
    "OccupationFeatures/DeviationFromQ": (0, 1),
    "WorkGrid/IndicationDaysAndHours": (0, 28),
}
OFTEN: dict[str, dict[str, tuple[int, int | None]]] = {
    "WECH001": {
        "Form/CoordinatesContactPerson": (0, 1),
        "Form/RiskIdentification": (1, 1),
        "Form/Reference": (0, 3),
        "Form/DimonaData": (0, None),
        "Form/EmployerDeclaration": (1, None),
        "EmployerDeclaration/NaturalPerson": (1, 1),
        "NaturalPerson/WorkerRecord": (0, None),
        "WorkerRecord/Occupation": (1, 99),
        "Occupation/Service": (0, 99),
        "Occupation/Remun": (0, 99),
        "Occupation/SeverancePayment": (0, 1),
        "OccupationFeatures/DeviationFromQ": (1, 1),
        "OccupationFeatures/WorkScheduleCode": (0, 1),
        "HolidaysSector/HolidayDetail": (0, 2),
        "ReplacementObligation/Substitute": (0, 2),
        "EarlyRetirementRegime/CollectiveDismissal": (0, 1),
    },
    "WECH002": UNEMPLOYMENT
    | {
        "OccupationFeatures/WorkScheduleCode": (0, 1),
        "OccupationLink/AnnualDclTempUnemployment": (1, 1),
        "AnnualDclTempUnemployment/CalculationBaseAllowance": (1, 1),
        "AnnualDclTempUnemployment/WorkGrid": (0, 1),
    },
    "WECH003": {name: often for name, often in UNEMPLOYMENT.items() if "OccupationFeatures" not in name}
    | {
        "OccupationLink/DeclarationPartTimeWorkWithMaintenanceRights": (1, 1),
        "DeclarationPartTimeWorkWithMaintenanceRights/TheoreticalSalary": (1, 1),
        "DeclarationPartTimeWorkWithMaintenanceRights/LegalBasis": (0, 1),
    },
    "WECH005": UNEMPLOYMENT
    | {
        "Form/RiskIdentification": (1, 5),
        "OccupationFeatures/WorkScheduleCode": (1, 1),
        "MonthlyDclTempUnemploymentHours/DayNotEntitledToCompensation": (0, 10),
        "ReferencePeriod/NatureOfDay": (1, 62),
        "MonthlyDclTempUnemploymentHours/ClosingPeriod": (0, 6),
        "MonthlyDclTempUnemploymentHours/WinterFormation": (0, 3),
        "MonthlyDclTempUnemploymentHours/Department": (0, 3),
    },
    "WECH006": UNEMPLOYMENT
    | {
        "OccupationFeatures/WorkScheduleCode": (1, 1),
        "MonthlyDeclarationPartTimeWork/HolidaysSector": (0, 1),
        "ReferencePeriod/NatureOfDay": (1, 62),
        "ReferencePeriod/ExactSalary": (1, 1),
    },
    "AOAT001": {
        "Form/RiskIdentification": (1, 1),
        "Form/Reference": (0, 1),
        "Form/EmployerDeclarationLink": (1, 1),
        "NaturalPerson/WorkerStreet": (1, 1),
        "OccupationLink/LostWorkingHours": (1, 1),
        "Accident/Classification": (0, 5),
        "Accident/AccidentPlaceInformation": (1, 1),
        "MedicalConsequences/Doctor": (0, 1),
        "Victim/ProtectionMeansInformation": (0, 1),
        "Employer/PreventionMeasure": (0, 2),
        "IndustrialAccidentDescription/Insurance": (1, 1),
        "Presence/Witness": (0, 3),
        "Presence/ThirdResponsable": (0, 1),
    },
    "AOAT002": {
        "Form/Reference": (1, 4),
        "NaturalPerson/ReferencePeriod": (1, 1),
        "NaturalPerson/WorkerRecordLink": (1, None),
        "WorkerRecordLink/OccupationLink": (1, None),
        "OccupationLink/LostWorkingHours": (0, 31),
        "OccupationLink/NatureOfDay": (0, 62),
        "OccupationLink/ExactSalary": (0, 9),
    },
    "AOAT003": {
        "Form/Reference": (1, 3),
        "NaturalPerson/WorkRecovery": (1, 1),
        "NaturalPerson/InsuranceLink": (1, 1),
        "NaturalPerson/AccidentLink": (1, 1),
    },
    "ZIMA001": {
        "Form/CoordinatesContactPerson": (1, 1),
        "Form/RiskIdentification": (0, 1),
        "Form/Reference": (0, 3),
        "Form/PreventionService": (0, 5),
        "Form/EmployerDeclaration": (1, None),
        "NaturalPerson/WorkerRecord": (0, None),
        "WorkerRecord/Occupation": (1, 99),
        "RiskDetailOccupation/NatureAdvantage": (0, 10),
        "ReferencePeriod/NatureOfDay": (1, 182),
        "Occupation/Service": (0, 99),
    },
    "IDFLUX": {
        "IDFLUX/Form": (1, 1),
        "Form/Reference": (1, 1),
        "Form/IdfluxInformation": (1, 1),
        "EmployerId/CompanyID": (1, 1),
        "ValidSituation/WorkerSex": (1, 1),
        "OutdatedSituation/WorkerSex": (0, 1),
    },
}
CARDINALITIES: list[tuple[str, str, int, int | None]] = [
    (root, name, *often) for root, names in OFTEN.items() for name, often in names.items()
]

# The values on both sides of each bound; for every type of message that has the element in its rich sample.
VALUES: dict[str, tuple[list[str], list[str]]] = {
    "AccidentHour": (["0000", "2359"], ["2400", "0960", "945", "09:45"]),
    "AccidentDate": (["2026-10-05"], ["2026-10-32", "2026-10-05Z", "05/10/2026"]),
    "DayIndicator": (["--02-29", "--12-31"], ["--02-30", "02-28", "--2-28", "2026-02-28"]),
    "DayNatureCode": (["5", "A.5.1"], ["", "   ", "A.5.10"]),
    "CommentOfDeclaration": (["x", "x" * 200], ["", "\n", "x" * 201]),
    "IdentificationOfRisk": (["1", "008"], ["-1", "1000", "A"]),
    "WorkerInitial": (["É", "z"], ["1", "AB", ""]),
    "WorkerBirthdate": (["1985-00-00"], ["1985-3-12", "1985-03-120"]),
    "EmployerClass": (["000", "999"], ["0", "1000"]),
    "JointCommissionNbr": (["200", "140.03", "140.03.01"], ["20", "140.3", "140.03.01.01", "XXX"]),
    "WorkingDaysSystem": (["0", "700"], ["701", "-1"]),
    "RefMeanWorkingHours": (["1", "6000"], ["0", "6001"]),
    "LanguageCodePdf": (["1", "3"], ["0", "4"]),
    "Trusteeship": (["0", "1"], ["2"]),
    "Quarter": (["20031", "99994"], ["20024", "20260", "20265"]),
    "PercentagePaid": (["10000", "15000"], ["9999", "15001"]),
    "ServiceNbrDays": (["1", "36600"], ["0", "36601"]),
    "HoursNumber": (["1", "1400"], ["0", "1401", "7.6"]),
    "RemunerationTimeUnit": (["1", "6"], ["0", "7"]),
    "Cycle": (["1", "52"], ["0", "53"]),
    "VATNbr": (["NL", "FR1a"], ["nl1", "N1", "NL" + "1" * 29]),
    "InsurerId": (["0999", ""], ["09990"]),
    "SupplHoursRemunTimeUnit": (["3", "6"], ["2", "7"]),
    "AssimilatedNbrDays": (["0", "312"], ["313"]),
    "JustificationCode": (["90", "93"], ["89", "94", "090"]),
    "CompanyID": (["0", "987654394", "1999999943"], ["1", "00000000000", "1999999944"]),
    "NOSSLPARegistrationNbr": (["0", "99999926"], ["99999927", "-1"]),
}
# What is told apart from one type of message to another.
OWN_VALUES: dict[str, dict[str, tuple[list[str], list[str]]]] = {
    "WECH001": {"INSS": ([], ["0"]), "ReferenceNbr": (["R" * 64], ["", "R" * 65]), "NOSSRegistrationNbr": (["0"], [])},
    "AOAT001": {"INSS": ([], ["0"]), "DeceaseDate": (["2026-10-06"], ["2026-10-06T10:00:00"])},
    "AOAT002": {"DateOfSalaryLoss": (["--10-05"], ["--13-05", "2026-10-05"])},
    "ZIMA001": {
        "AttestationStatus": (["0", "1", "3", "7"], ["2", "8"]),
        "TypeForm": (["SU", "FA"], ["RE"]),
        "ReferenceType": (["1", "3", "5"], ["2"]),
        "ReferenceOrigin": (["1", "2"], ["3"]),
        "ReferenceNbr": (["R" * 20], ["R" * 21]),
        "LocalUnitID": (["2999900093", "8000000000", "9999999917", "9999999920"], ["0", "9999999918", ",999900093"]),
        "IdentificationOfRisk": ([], ["0", "9"]),
        "INSS": ([], ["0"]),
    },
    "IDFLUX": {
        "INSS": (["0"], ["00"]),
        "AttestationStatus": (["0", "2", "3"], ["1"]),
        "ReferenceOrigin": (["2"], ["1"]),
        "ReferenceType": (["1"], ["2"]),
        "WorkerName": (["A", "A" * 48], ["", "A" * 49]),
    },
}


def _cases() -> Iterator[tuple[str, str, str, bool]]:
    for root in VERSIONS:
        own = OWN_VALUES.get(root, {})
        for name, (good, bad) in [*VALUES.items(), *own.items()]:
            if name in own or _rich(root).find(f".//{name}") is not None:
                yield from ((root, name, text, True) for text in good)
                yield from ((root, name, text, False) for text in bad)


@cache
def _rich(root: str) -> etree._Element:
    return _read(FOLDER / root.lower() / "samples" / "valid_rich.xml")


def _read(path: Path) -> etree._Element:
    return etree.fromstring(path.read_bytes(), etree.XMLParser(**STRICT))


def _xsd(root: str) -> Path:
    return FOLDER / root.lower() / f"{root}_{VERSIONS[root]}.xsd"


@cache
def _second(root: str) -> xmlschema.XMLSchema10:
    return xmlschema.XMLSchema10(_xsd(root))


def _valid(document: etree._Element) -> bool:
    """What libxml2 says."""
    return xsd.compiled(_xsd(str(document.tag))).validate(document)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_both_engines_judge_a_sample_as_its_name_says(path: Path) -> None:
    """Valid and invalid ones, with the line ends that senders use."""
    content = path.read_bytes()
    document = _read(path)
    assert content.count(b"\n") == content.count(b"\r\n") > 0
    assert _valid(document) is path.name.startswith("valid_")
    assert _second(str(document.tag)).is_valid(content.decode()) is path.name.startswith("valid_")


@pytest.mark.parametrize("root", VERSIONS)
def test_each_invalid_sample_of_a_type_has_one_fault_of_its_own(root: str) -> None:
    """One finding each, and no two of them the same kind of fault at the same element."""
    faults = set()
    paths = [path for path in BAD if path.parts[-3] == root.lower()]
    for path in paths:
        parser = etree.XMLParser(**STRICT, schema=etree.XMLSchema(file=str(_xsd(root))))
        with pytest.raises(etree.XMLSyntaxError):
            etree.fromstring(path.read_bytes(), parser)
        (fault,) = parser.error_log
        faults.add((fault.type, fault.message.partition(":")[0]))
    assert len(faults) == len(paths) == 5


@pytest.mark.parametrize("path", GOOD, ids=lambda path: f"{path.parts[-3]}-{path.stem}")
def test_a_valid_sample_agrees_with_what_is_written_of_its_type(path: Path) -> None:
    """Root, version, form code, where employer and reference stand, and the check digits of every number."""
    kind = type_file.read(path.parents[1] / "type.toml")
    document = _read(path)
    assert document.tag == kind.root
    assert document.get(f"{{{xsd.XSI}}}noNamespaceSchemaLocation") in {file.name for file in kind.versions.values()}
    for form in document.iterchildren("Form"):
        assert form.findtext("Identification") in kind.form_codes
        assert {child.tag for block in kind.employer for child in form.iterfind(f"{block}/*")} & kind.identifiers.keys()
        assert all(form.findtext(reference) for reference in kind.reference)
    for name, held in kind.identifiers.items():
        assert {check(held, element.text or "") for element in document.iter(name)} <= {""}


@pytest.mark.parametrize("root", VERSIONS)
def test_every_element_of_a_schema_stands_in_a_valid_sample(root: str) -> None:
    """But the day of death, which doesn't go with a return to work."""
    samples = [_read(path) for path in GOOD if path.parts[-3] == root.lower()]
    shown = {element.tag for sample in samples for element in sample.iter()}
    assert xsd.element_names(_xsd(root)) - shown == ({"DeceaseDate"} if root == "AOAT001" else set())


@pytest.mark.parametrize(("root", "name", "least", "most"), CARDINALITIES)
def test_a_block_stands_as_often_as_the_glossary_allows(root: str, name: str, least: int, most: int | None) -> None:
    """As often as allowed, and once more or less."""
    _, _, child = name.partition("/")
    one = _element(root, name)
    block = one.getparent()
    assert block is not None
    place = block.index(one)
    for extra in list(block.iterchildren(child)):
        block.remove(extra)
    document = block.getroottree().getroot()
    block[place:place] = [deepcopy(one) for _ in range(most or 200)]
    assert _valid(document)
    block.insert(place, deepcopy(one))
    assert _valid(document) is (most is None)
    del block[place : place + (most or 200) + 1 - least]
    assert _valid(document)
    if least:
        block.remove(block[place])
        assert not _valid(document)


def _element(root: str, name: str) -> etree._Element:
    """The first element of that name in that block of a rich sample of which nobody else keeps a copy."""
    parent, _, child = name.partition("/")
    document = deepcopy(_rich(root))
    found = (element for element in document.iter(child) if _parent(element) in {parent, parent + root[4:]})
    return next(found)


def _parent(element: etree._Element) -> str:
    parent = element.getparent()
    return "" if parent is None else str(parent.tag)


@pytest.mark.parametrize(("root", "name", "text", "valid"), list(_cases()))
def test_a_value_is_judged_as_the_glossary_does(root: str, name: str, text: str, valid: bool) -> None:
    """The bounds, lengths and patterns of a field, on both sides of each; by both engines for that field."""
    document = deepcopy(_rich(root))
    for element in document.iter(name):
        element.text = text
        assert _valid(document) is valid
    assert _second(root).types[name].is_valid(text) is valid


@pytest.mark.parametrize("root", ["WECH001", "WECH002", "WECH003", "WECH005", "WECH006", "ZIMA001"])
def test_a_form_is_about_one_kind_of_employer(root: str) -> None:
    """The general one or a local authority; neither and both are refused."""
    first, second = deepcopy(_rich(root)).findall("Form")
    document = first.getroottree().getroot()
    general, local = ([block for block in form if "Employer" in str(block.tag)] for form in (first, second))
    assert {block.tag for block in local} == {f"NOSSLPA{block.tag!s}" for block in general}
    assert _valid(document)
    first.extend(deepcopy(block) for block in local)
    assert not _valid(document)
    for block in first.findall(str(local[0].tag)):
        first.remove(block)
    assert _valid(document)
    for block in local:
        second.remove(block)
    assert not _valid(document)


@pytest.mark.parametrize("other", ["Occupation", "NOSSLPAOccupation", "DismissedStatutoryWorkerContribution"])
@pytest.mark.parametrize("root", ["WECH001", "ZIMA001"])
def test_a_line_of_a_worker_has_one_kind_of_content(root: str, other: str) -> None:
    """Any one of them; none, and two of different kinds, are refused."""
    document = deepcopy(_rich(root))
    line = next(document.iter("WorkerRecord"))
    own = line[-1]
    line.replace(own, deepcopy(next(_rich(root).iter(other))))
    assert _valid(document)
    line.remove(line[-1])
    assert not _valid(document)
    line.extend(deepcopy(next(_rich(root).iter(name))) for name in ("NOSSLPAOccupation", "Occupation"))
    assert not _valid(document)


@pytest.mark.parametrize("situation", ["ValidSituation", "OutdatedSituation"])
def test_a_change_of_identification_says_a_person_or_an_employer(situation: str) -> None:
    """Never both, and the present situation never nothing."""
    document = deepcopy(_rich("IDFLUX"))
    block = next(document.iter(situation))
    employer = etree.SubElement(block, "NOSSRegistrationNbr")
    employer.text = "123456749"
    assert not _valid(document)
    block[:] = [employer]
    assert _valid(document)
    block.clear()
    assert _valid(document) is (situation == "OutdatedSituation")
