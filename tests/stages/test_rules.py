"""The rules across a form or a file, each on both sides of what it says."""

import io
from datetime import date

import pytest

from schemas import catalogue
from schemas.anomaly import Broken, Severity
from schemas.rules import RULES, Memory
from schemas.validate import Limits, Validated, validate
from tests.shipped import SAMPLES, label

DAY = date(2026, 11, 21)
SMALL = next(sample for sample in SAMPLES if label(sample) == "DmfAOriginal-valid_small")
LIMITS = Limits(10**8, 1000)


def broken(rule: str, *forms: dict[str, list[str]], day: date = DAY) -> list[tuple[int, str, int, str]]:
    """What a rule finds: in which form, at which element of which name, and what it says would be right."""
    memory = Memory()
    return [
        (number, field.name, field.occurrence, what.expected)
        for number, form in enumerate(forms)
        for field, what in RULES[rule].check(form, memory, day)
    ]


@pytest.mark.parametrize(
    ("value", "right"),
    [("2025-01-01", True), ("2024-12-31", False), ("2026-11-21", True), (" 2026-11-21 ", True), ("2026-11-22", False)],
)
def test_a_form_is_made_this_year_or_last_year_and_not_in_the_future(value: str, right: bool) -> None:
    """By the day of receipt."""
    found = broken("form.creation-date", {"FormCreationDate": [value]})
    assert found == ([] if right else [(0, "FormCreationDate", 0, "2025-01-01 … 2026-11-21")])


def test_the_creation_date_only_warns() -> None:
    """A declaration isn't refused for it."""
    ((_, what),) = RULES["form.creation-date"].check({"FormCreationDate": ["2027-01-01"]}, Memory(), DAY)
    assert (what.severity, what.error_id) == (Severity.WARNING, "00218-008")


def test_the_net_amount_is_what_is_owed() -> None:
    """All kinds of contributions less the deductions, in cents, zeros before it or not."""
    form = {
        "ContributionAmount": ["00000000100", "50"],
        "StudentContributionAmount": ["000000007"],
        "UnrelatedAmount": ["3"],
        "DeductionAmount": ["00060"],
    }
    assert broken("dmfa.net-amount", {**form, "NetOwedAmount": ["000000000000100"]}) == []
    assert broken("dmfa.net-amount", {**form, "NetOwedAmount": ["101"]}) == [(0, "NetOwedAmount", 0, "100")]


def test_a_sequence_number_stands_once_in_a_form() -> None:
    """As a number: zeros before it make no other one; another form may have it again."""
    name = "NaturalPersonSequenceNbr"
    assert broken("dmfa.sequence-numbers", {name: ["1", "2"]}, {name: ["1"]}) == []
    assert broken("dmfa.sequence-numbers", {name: ["1", "2", "0000001"]}) == [(0, name, 2, "")]


def test_a_person_stands_once_in_a_file_for_an_employer_and_a_quarter() -> None:
    """The employer by either of its numbers; 0 is nobody, and no employer."""
    form = {
        "Quarter": ["20263"],
        "NOSSRegistrationNbr": ["123456749"],
        "CompanyID": ["0"],
        "INSS": ["88070412305", "0", "0"],
    }
    again = [(1, "INSS", 0, "")]
    rule = "dmfa.inss-once"
    assert broken(rule, form) == []
    assert broken(rule, form, {**form, "INSS": ["90411512352", "88070412305"]}) == [(1, "INSS", 1, "")]
    assert broken(rule, form, {**form, "Quarter": ["20262"]}) == []
    assert broken(rule, form, {**form, "NOSSRegistrationNbr": ["102345669"]}) == []
    assert broken(rule, form, {**form, "CompanyID": ["0987654394"]}) == again
    both = {**form, "CompanyID": ["0987654394"]}
    assert broken(rule, both, {**form, "NOSSRegistrationNbr": ["0"], "CompanyID": ["987654394"]}) == again
    assert broken(rule, {**form, "INSS": ["88070412305", "88070412305"]}) == [(0, "INSS", 1, "")]


@pytest.mark.parametrize(
    ("day", "quarter", "right"),
    [
        (DAY, "20031", True),
        (DAY, "20024", False),
        (DAY, "20263", True),
        (DAY, "20264", False),
        (date(2027, 1, 1), "20264", True),
        (date(2027, 3, 31), "20271", False),
        (date(2027, 4, 1), "20271", True),
    ],
)
def test_a_quarter_lies_between_the_first_and_the_last_that_has_ended(day: date, quarter: str, right: bool) -> None:
    """By the day of receipt."""
    assert (broken("dmfa.quarter-bounds", {"Quarter": [quarter]}, day=day) == []) is right


@pytest.mark.parametrize("rule", RULES)
def test_a_value_that_is_no_number_breaks_no_program(rule: str) -> None:
    """A schema of an operator's own may allow it."""
    broken(rule, {name: ["", "x", "1" * 5000, "\uff11", "-"] for name in RULES[rule].names})


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (">000000000342000<", ">000000000342001<", "dmfa.net-amount"),
        (">20231</Quarter>", ">20264</Quarter>", "dmfa.quarter-bounds"),
        ("</INSS>", "</INSS><NaturalPersonUserReference>X</NaturalPersonUserReference>", ""),
    ],
)
def test_a_shipped_type_has_its_rules_checked(old: str, new: str, rule: str) -> None:
    """Through the whole of validation, the fault located."""
    kind = next(kind for kind in catalogue.load() if kind.root == "DmfAOriginal")
    content = SMALL.path.read_bytes().replace(old.encode(), new.encode())
    verdict = validate(io.BytesIO(content), [kind], LIMITS, lambda _: None, DAY)
    told: list[Broken] = [anomaly.broken for anomaly in verdict.anomalies]
    assert isinstance(verdict, Validated) is not bool(rule)
    assert [what.rule for what in told] == [rule] * bool(rule)
