"""Institutions' messages against the shipped schemas: what they are allowed to say, and whom they name."""

from datetime import date
from pathlib import Path

import pytest

import schemas
from gateway.vetting import Vetted, VettingRules, vet
from schemas.identifiers import Kind
from schemas.inspection import Employer
from schemas.validate import Limits

_ROOT = Path(schemas.__file__).parent
_SAMPLES = [
    (purpose, sample)
    for purpose, folder in (("NOTI", "notification"), ("IDFL", "idflux"), ("DMPI", "dmfa_pid"))
    for sample in sorted((_ROOT / folder / "samples").glob("*.xml"))
]
_RICH = (_ROOT / "notification" / "samples" / "valid_rich.xml").read_bytes()


@pytest.fixture
def rules(tmp_path: Path) -> VettingRules:
    """For a notification of today, with no types but those that ship; a mark is the number itself."""
    return VettingRules("NOTI", Limits(1_000_000, 100), date(2026, 11, 21), tmp_path, lambda inss: inss)


def of(rules: VettingRules, purpose: str, limits: Limits | None = None) -> VettingRules:
    """The same for another purpose or with other limits."""
    return VettingRules(purpose, limits or rules.limits, rules.day, rules.types, rules.mark)


@pytest.mark.parametrize(("purpose", "sample"), _SAMPLES, ids=[f"{of} {path.stem}" for of, path in _SAMPLES])
def test_the_schema_decides(rules: VettingRules, purpose: str, sample: Path) -> None:
    """Every shipped sample is taken or refused by its schema alone."""
    found = vet(sample.read_bytes(), of(rules, purpose))

    assert isinstance(found, Vetted) is sample.stem.startswith("valid")


def test_whom_a_message_names_is_told(rules: VettingRules) -> None:
    """Employers by every number, persons by their marks with the number of the form."""
    found = vet(_RICH, rules)

    assert isinstance(found, Vetted)
    assert Employer(Kind.ONSS, "123456749") in found.employers
    assert (1, "88070412305") in found.marks
    assert len(found.marks) == len(set(found.marks))


def test_a_wrong_number_is_no_fault(rules: VettingRules) -> None:
    """An institution may have to tell that it is wrong."""
    found = vet(_RICH.replace(b"88070412305", b"88070412399"), rules)

    assert isinstance(found, Vetted)
    assert (1, "88070412399") in found.marks


@pytest.mark.parametrize(
    ("body", "purpose", "code"),
    [
        (_RICH, "XXXX", "158"),
        (_RICH, "DIMN", "158"),
        (_RICH, "PFAN", "088"),
        (_RICH, "IDFL", "089"),
        (b'<!DOCTYPE NOTIFICATION [<!ENTITY e "e">]>' + _RICH.partition(b"?>")[2], "NOTI", "102"),
        (_RICH[:-20], "NOTI", "102"),
    ],
)
def test_what_is_wrong_has_its_code(rules: VettingRules, body: bytes, purpose: str, code: str) -> None:
    """The codes are those of senders' files."""
    found = vet(body, of(rules, purpose))

    assert not isinstance(found, Vetted)
    assert code in [finding.code for finding in found]


def test_a_message_has_limits(rules: VettingRules) -> None:
    """In bytes and in forms."""
    large = vet(_RICH, of(rules, "NOTI", Limits(100, 100)))

    assert not isinstance(large, Vetted)
    assert ["184"] == [finding.code for finding in large]
