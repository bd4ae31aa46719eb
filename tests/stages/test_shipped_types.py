"""The message types that ship: each by its ``type.toml``, its schemas and its samples together."""

from collections.abc import Callable

import pytest

from schemas import catalogue
from schemas.identifiers import Kind
from schemas.message_type import Direction, MessageType
from tests.shipped import FOLDER, SAMPLES, TYPES, Sample, label, samples, second_opinion


def _inss(number: str) -> bool:
    return len(number) == 11 and int(number[9:]) in {97 - int(first + number[:9]) % 97 for first in ("", "2")}


def _enterprise(number: str) -> bool:
    return len(number) == 10 and number[0] in "01" and int(number[8:]) == 97 - int(number[:8]) % 97


def _onss(number: str) -> bool:
    return int(number[-2:]) == 96 - int(number[:-2]) * 100 % 97


def _ppl(number: str) -> bool:
    return len(number) == 8 and int(number[6:]) == (int(number[:6]) % 97 or 97)


def _establishment(number: str) -> bool:
    return len(number) == 10 and number[0] == "2" and int(number[8:]) == 97 - int(number[:8]) % 97


def _dimona_period(number: str) -> bool:
    return len(number) == 12 and int(number[10:]) == int(number[:10]) % 97


def _quarter(number: str) -> bool:
    return len(number) == 5 and 1 <= int(number[4]) <= 4


RIGHT: dict[Kind, Callable[[str], bool]] = {
    Kind.INSS: _inss,
    Kind.ENTERPRISE: _enterprise,
    Kind.ONSS: _onss,
    Kind.PROVISIONAL_ONSS: _onss,
    Kind.PPL: _ppl,
    Kind.ESTABLISHMENT: _establishment,
    Kind.DIMONA_PERIOD: _dimona_period,
    Kind.QUARTER: _quarter,
}


def test_every_schema_compiles_and_fits_its_type() -> None:
    """The root, the namespace, the elements on the paths and those that hold identifiers are declared."""
    catalogue.check(catalogue.load())


def test_the_types_that_ship() -> None:
    """By purpose and root, with the direction they travel in."""
    assert {(kind.purpose, kind.root): kind.direction.value for kind in TYPES} == {
        ("ACRF", "ACRF"): "out",
        ("AOAT", "AOAT001"): "in",
        ("AOAT", "AOAT002"): "in",
        ("AOAT", "AOAT003"): "in",
        ("DIMN", "Dimona"): "in",
        ("DMFA", "DmfAOriginal"): "in",
        ("DMFA", "DMFAPPLOriginal"): "in",
        ("DMPI", "DmfAPID"): "out",
        ("DMRQ", "DmfAConsultationRequest"): "in",
        ("DMWA", "DmfAUpdate"): "in",
        ("DMWA", "DMFAPPLUpdate"): "in",
        ("IDFL", "IDFLUX"): "out",
        ("NOTI", "NOTIFICATION"): "out",
        ("PFRQ", "PersonnelFileConsultationRequest"): "in",
        ("WECH", "WECH001"): "in",
        ("WECH", "WECH002"): "in",
        ("WECH", "WECH003"): "in",
        ("WECH", "WECH005"): "in",
        ("WECH", "WECH006"): "in",
        ("ZIMA", "ZIMA001"): "in",
    }


def test_every_folder_with_a_schema_is_a_type() -> None:
    """No schema lies about that the catalogue doesn't know."""
    known = {path for kind in TYPES for path in kind.versions.values()}
    assert set(FOLDER.glob("*/*.xsd")) == known


@pytest.mark.parametrize("kind", TYPES, ids=label)
def test_a_path_leads_from_form_to_an_element(kind: MessageType) -> None:
    """As another engine reads the newest schema; and each type that senders send says where its employer stands."""
    newest = second_opinion(kind.versions[max(kind.versions)])
    assert [path for path in kind.paths if newest.find(f"{kind.root}/Form/{path}") is None] == []
    assert kind.employer or kind.direction is Direction.OUT


@pytest.mark.parametrize("kind", TYPES, ids=label)
def test_every_version_has_a_valid_sample(kind: MessageType) -> None:
    """And the newest is known to refuse something."""
    named = {sample.schema for sample in samples(kind) if sample.valid}
    assert named == {path.name for path in kind.versions.values()}
    assert [sample for sample in samples(kind) if not sample.valid]


@pytest.mark.parametrize("sample", SAMPLES, ids=label)
def test_a_sample_says_what_its_type_says(sample: Sample) -> None:
    """The same root and schema, and a valid one the same form codes."""
    assert sample.root.tag == sample.kind.root
    if sample.valid:
        assert {form.findtext("Identification") for form in sample.root.iterchildren("Form")} <= sample.kind.form_codes
    assert sample.schema in {path.name for path in sample.kind.versions.values()}


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind.identifiers], ids=label)
def test_the_check_digits_in_valid_samples_are_right(kind: MessageType) -> None:
    """Of every number that the type says is one; zero stands for none."""
    numbers = [
        (str(element.tag), str(element.text))
        for sample in samples(kind)
        if sample.valid
        for element in sample.root.iter(*kind.identifiers)
    ]
    assert numbers
    assert [(name, text) for name, text in numbers if text != "0" and not RIGHT[kind.identifiers[name]](text)] == []


@pytest.mark.parametrize("sample", SAMPLES, ids=label)
def test_a_sample_has_the_line_ends_that_senders_use(sample: Sample) -> None:
    """CR LF throughout: then a signature over text and one over bytes agree."""
    content = sample.path.read_bytes()
    assert content.count(b"\n") == content.count(b"\r\n") > 0
