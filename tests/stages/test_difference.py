"""How a schema differs from another, in words: `schemas.difference`; what an addition changes: `schemas.addition`."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from schemas import difference, structure
from schemas.addition import Change, changes
from schemas.catalogue import Catalogue
from schemas.message_type import FileLimits, MessageType
from tests.made_up import PURPOSE, ROOT, publish, schema

TITLES = {"fr": "Congé", "nl": "Verlof", "de": "Urlaub", "en": "Leave"}
DAYS = '<xs:element name="Days" type="Days"/>'


def differences(folder: Path, old: str, new: str) -> list[str]:
    """What changes from one schema to the other."""
    publish(folder, Leave_20244=old, Leave_20251=new)
    before, after = (structure.demands(folder / f"Leave_{version}.xsd", ROOT) for version in ("20244", "20251"))
    return [str(change) for change in difference.changes(before, after)]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (DAYS, "", ["Form/Days: gone"]),
        (DAYS, DAYS.replace("/>", ' minOccurs="0"/>'), ["Form/Days: at most once; was once"]),
        (DAYS, DAYS.replace("/>", ' maxOccurs="3"/>'), ["Form/Days: 1 to 3 times; was once"]),
        ('maxOccurs="unbounded"', 'maxOccurs="2"', ["Form: 1 to 2 times; was 1 or more times"]),
        ('value="30"', 'value="31"', ["Form/Days: maxInclusive 31; was 30"]),
        ('<xs:minInclusive value="1"/>', "", ["Form/Days: minInclusive none; was 1"]),
        ('"SU"/>', '"SU"/><xs:enumeration value="RE"/>', ["Form/TypeForm: new value RE"]),
        ('"SU"', '"RE"', ["Form/TypeForm: new value RE", "Form/TypeForm: no longer the value SU"]),
        ('<xs:enumeration value="SU"/>', "", ["Form/TypeForm: value: none; was SU"]),
        ('<xs:restriction base="xs:integer">', '<xs:restriction base="xs:int">', ["Form/Days: int; was integer"]),
        (
            'name="Days" type="Days"',
            'name="Days" type="EmployerDeclaration"',
            [
                "Form/Days: a block; was integer",
                "Form/Days/NOSSRegistrationNbr: new, once",
                "Form/Days/INSS: new, at most once",
            ],
        ),
        (
            'type="EmployerDeclaration" minOccurs="0"/>',
            'type="EmployerDeclaration" minOccurs="0"/><xs:element name="More" type="EmployerDeclaration"/>',
            ["Form/More: new, once"],
        ),
        (f"{DAYS}\n", f"{DAYS}<!-- x -->\n", []),
    ],
)
def test_a_change_is_told_in_words(tmp_path: Path, old: str, new: str, told: list[str]) -> None:
    """Each at its element, once, with what was before; what is the same isn't told."""
    assert differences(tmp_path, schema(), schema((old, new))) == told


def test_another_order_is_told_of_the_block(tmp_path: Path) -> None:
    """The same children, otherwise."""
    kind = '<xs:element name="TypeForm" type="TypeForm"/>\n      '
    told = differences(tmp_path, schema(), schema((kind, ""), (DAYS, f"{DAYS}{kind}")))
    now, was = (
        "Identification, Days, TypeForm, EmployerDeclaration",
        "Identification, TypeForm, Days, EmployerDeclaration",
    )
    assert told == [f"Form: its children come as {now}; was {was}"]


@pytest.fixture
def leave(tmp_path: Path) -> MessageType:
    """The made-up type with two versions of the same schema."""
    folder = publish(tmp_path / "leave", "20244", "20251")
    return MessageType(
        purpose=PURPOSE,
        titles=TITLES,
        root=ROOT,
        form_codes=frozenset({"LEAVE"}),
        versions={version: folder / f"Leave_{version}.xsd" for version in ("20244", "20251")},
        starts={"20244": date(2024, 10, 1), "20251": date(2025, 1, 1)},
    )


def test_a_new_type_is_told_with_its_terms_and_versions(leave: MessageType) -> None:
    """The purpose is new too, unless it was known without a schema."""
    known = Catalogue([replace(leave, root="", versions={}, starts={})])
    told = list(changes(leave, Catalogue([])))
    assert [(change.what, change.element) for change in told] == [
        ("LEAV", ""),
        ("LEAV Leave", ""),
        ("Leave_20244", ""),
        ("Leave_20251", ""),
    ]
    assert told[1].words.startswith("new type: title Leave; forms LEAVE; direction in;")
    assert told[3].words == "new version, from 2025-01-01 on"
    assert list(changes(leave, known)) == told[1:]


def test_nothing_changes_when_all_is_there(leave: MessageType) -> None:
    """Also when the schemas lie elsewhere."""
    assert list(changes(leave, Catalogue([leave]))) == []


def test_terms_that_change_are_told(leave: MessageType) -> None:
    """Each with what it was."""
    earlier = replace(leave, signature_required=False, rules=("dmfa.net-amount",), limits=FileLimits(max_forms=1))
    assert list(changes(leave, Catalogue([earlier]))) == [
        Change("LEAV Leave", "", "signature required; was optional"),
        Change("LEAV Leave", "", "rules none; was dmfa.net-amount"),
        Change("LEAV Leave", "", "most forms none; was 1"),
    ]


def test_a_version_that_is_replaced_is_compared_with_itself(leave: MessageType, tmp_path: Path) -> None:
    """And its first day, if that changes."""
    folder = publish(tmp_path / "newer", Leave_20251=schema(('value="30"', 'value="31"')))
    newer = replace(leave, versions={"20251": folder / "Leave_20251.xsd"}, starts={"20251": date(2025, 2, 1)})
    assert list(changes(newer, Catalogue([leave]))) == [
        Change("Leave_20251", "", "from 2025-02-01 on; was 2025-01-01"),
        Change("Leave_20251", "", "replaced by another schema"),
        Change("Leave_20251", "Form/Days", "maxInclusive 31; was 30"),
    ]


def test_a_new_version_is_compared_with_the_one_before_it(leave: MessageType, tmp_path: Path) -> None:
    """Whether that is known already or comes with it."""
    texts = {f"Leave_2025{quarter}": schema(('value="30"', f'value="3{quarter}"')) for quarter in (2, 3)}
    folder = publish(tmp_path / "newer", **texts)
    newer = replace(
        leave,
        versions={version: folder / f"Leave_{version}.xsd" for version in ("20252", "20253")},
        starts={"20252": date(2025, 4, 1), "20253": date(2025, 7, 1)},
    )
    told = [change for change in changes(newer, Catalogue([leave])) if change.element]
    assert told == [
        Change("Leave_20252, beside Leave_20251", "Form/Days", "maxInclusive 32; was 30"),
        Change("Leave_20253, beside Leave_20252", "Form/Days", "maxInclusive 33; was 32"),
    ]
