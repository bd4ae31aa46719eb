"""Which type of message schemas make, as they are published: `schemas.published`."""

import io
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from config.errors import ConfigurationError
from schemas import catalogue, published, type_file
from schemas.catalogue import Catalogue
from schemas.identifiers import Kind
from schemas.message_type import Direction, MessageType
from schemas.published import Quarter, Said, start_of
from schemas.refusal import Refused
from schemas.validate import Limits, Validated, validate
from tests.made_up import document, publish, schema
from tests.shipped import TYPES, label

KNOWN = catalogue.load()
TITLES = {"fr": "Congé", "nl": "Verlof", "de": "Urlaub", "en": "Leave"}
SAID = Said(purpose="LEAV", titles=TITLES, otherwise=Quarter.OWN)
LIMITS = Limits(max_bytes=1_000_000, max_forms=10)


def faults(act: Callable[[], object]) -> list[str]:
    """What is told to be wrong."""
    with pytest.raises(ConfigurationError) as refused:
        act()
    return list(refused.value.faults)


@pytest.mark.parametrize("kind", TYPES, ids=label)
def test_schemas_say_what_ships_with_them(kind: MessageType, tmp_path: Path) -> None:
    """Without the type itself, the others say which elements hold numbers, and where the employer stands."""
    for path in kind.versions.values():
        shutil.copy(path, tmp_path)
    others = Catalogue(other for other in KNOWN if other.root != kind.root)
    said = Said(purpose=kind.purpose, titles=kind.titles, starts=kind.starts, form_codes=sorted(kind.form_codes))
    found = published.read(tmp_path, others, said).kind
    assert found.identifiers == kind.identifiers
    assert set(found.employer) == set(kind.employer)
    assert [path.name for path in found.versions.values()] == [path.name for path in kind.versions.values()]
    assert (found.starts, found.namespace) == (kind.starts, kind.namespace)


@pytest.mark.parametrize("kind", TYPES, ids=label)
def test_what_is_known_of_a_type_is_kept(kind: MessageType, tmp_path: Path) -> None:
    """A newer version of it needs no more than its first day."""
    newest = max(kind.versions)
    shutil.copy(kind.versions[newest], tmp_path / f"{kind.root}_20274.xsd")
    found = published.read(tmp_path, KNOWN, Said(otherwise=date(2027, 12, 1))).kind
    assert found == replace(kind, versions=found.versions, starts={"20274": date(2027, 12, 1)})


def test_a_newer_version_may_have_other_forms(tmp_path: Path) -> None:
    """Those of the older ones stay good, unless the operator says otherwise."""
    earlier = published.read(publish(tmp_path / "a", "20244"), KNOWN, SAID).kind
    folder = publish(tmp_path / "b", Leave_20251=schema(("LEAVE", "LEAVE2")))
    known = Catalogue([earlier])
    assert published.read(folder, known, SAID).kind.form_codes == {"LEAVE", "LEAVE2"}
    assert published.read(folder, known, replace(SAID, form_codes=("LEAVE2",))).kind.form_codes == {"LEAVE2"}


def test_all_that_has_to_be_said_is_told_at_once(tmp_path: Path) -> None:
    """Purpose, titles, first days, and the codes of the forms where the schema names none."""
    open_code = schema(('<xs:enumeration value="LEAVE"/>', ""))
    folder = publish(tmp_path, "20244", "20252", Leave_20253=open_code)
    assert faults(lambda: published.read(folder, KNOWN, Said())) == [
        "Leave is of no purpose that is known: say --purpose",
        "it has no title: say --title fr=…, and so for fr, nl, de, en",
        "no first day of version 20244 is known: say --starts",
        "no first day of version 20252 is known: say --starts",
        "no first day of version 20253 is known: say --starts",
        "the schema doesn't say what Identification may hold: say --form-code",
    ]


def test_any_number_of_quarterly_versions_makes_one_type(tmp_path: Path) -> None:
    """Each with its first day: one of its own, or that of the quarter that it is named for."""
    versions = [f"{year}{quarter}" for year in range(2003, 2027) for quarter in range(1, 5)]
    folder = publish(tmp_path, *versions[:12])
    said = replace(SAID, starts={"20032": date(2003, 5, 1)})
    kind = published.read(folder, KNOWN, said).kind
    assert list(kind.versions) == versions[:12]
    assert [kind.starts[version] for version in ("20031", "20032", "20033", "20054")] == [
        date(2003, 1, 1),
        date(2003, 5, 1),
        date(2003, 7, 1),
        date(2005, 10, 1),
    ]


@pytest.mark.parametrize(
    ("version", "own", "following"),
    [("20231", date(2023, 1, 1), date(2023, 4, 1)), ("20234", date(2023, 10, 1), date(2024, 1, 1))],
)
def test_a_version_may_count_from_its_quarter_or_from_the_next(version: str, own: date, following: date) -> None:
    """Over the end of a year too."""
    assert start_of(version, Quarter.OWN) == own
    assert start_of(version, Quarter.NEXT) == following
    assert start_of(version, date(2030, 2, 2)) == date(2030, 2, 2)


def test_a_purpose_without_a_schema_is_known_by_the_code_of_its_forms(tmp_path: Path) -> None:
    """So are its titles and its direction."""
    folder = publish(tmp_path, Leave_20244=schema(("LEAVE", "FINO001")))
    kind = published.read(folder, KNOWN, Said(otherwise=Quarter.OWN)).kind
    expected = KNOWN.find("FINO", Direction.OUT)
    assert expected is not None
    assert (kind.purpose, kind.titles, kind.direction) == ("FINO", expected.titles, Direction.OUT)


def test_what_the_operator_says_comes_first(tmp_path: Path) -> None:
    """Over what the schema and other types say; an identifier that is none is none."""
    said = replace(
        SAID,
        form_codes=("OTHER",),
        direction=Direction.BOTH,
        signature_required=False,
        employer=("EmployerDeclaration",),
        reference=("TypeForm",),
        identifiers={"INSS": None, "Days": Kind.QUARTER},
    )
    kind = published.read(publish(tmp_path, "20244"), KNOWN, said).kind
    assert kind.form_codes == {"OTHER"}
    assert (kind.direction, kind.signature_required) == (Direction.BOTH, False)
    assert (kind.employer, kind.reference) == (("EmployerDeclaration",), ("TypeForm",))
    assert kind.identifiers == {"NOSSRegistrationNbr": Kind.ONSS, "Days": Kind.QUARTER}


def test_schemas_of_several_roots_need_a_word_which(tmp_path: Path) -> None:
    """And then only those of that root are taken."""
    other = schema(('name="Leave"', 'name="Absence"'))
    folder = publish(tmp_path, "20244", Absence_20244=other, notes=schema())
    assert faults(lambda: published.read(folder, KNOWN, SAID)) == [
        f"{folder}: there are schemas of several types; say which: Absence, Leave"
    ]
    found = published.read(folder, KNOWN, replace(SAID, root="Absence"))
    assert [file.name for file in found.files] == ["Absence_20244.xsd"]
    assert faults(lambda: published.read(folder, KNOWN, replace(SAID, root="Nothing"))) == [
        f"{folder}: there is no schema of Nothing"
    ]


def test_a_folder_without_schemas_of_that_name_makes_none(tmp_path: Path) -> None:
    """The name is all that tells the version."""
    folder = publish(tmp_path, Leave=schema(), Leave_2024=schema())
    assert faults(lambda: published.read(folder, KNOWN, SAID)) == [
        f"{folder}: there is no schema whose name is <Root>_<version>.xsd"
    ]


def test_what_a_schema_includes_belongs_to_the_type(tmp_path: Path) -> None:
    """And a link doesn't."""
    opening = '<xs:element name="Leave">'
    including = schema((opening, f'<xs:include schemaLocation="common.xsd"/>{opening}'))
    empty = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>'
    folder = publish(tmp_path / "new", Leave_20244=including, common=empty)
    assert [file.name for file in published.read(folder, KNOWN, SAID).files] == ["Leave_20244.xsd", "common.xsd"]
    (folder / "common.xsd").rename(tmp_path / "common.xsd")
    (folder / "common.xsd").symlink_to(tmp_path / "common.xsd")
    assert faults(lambda: published.read(folder, KNOWN, SAID)) == [f"{folder}/common.xsd: a link, and not a file"]


@pytest.mark.parametrize(
    ("form", "begins", "ends"),
    [
        ("", '<l:Leave xmlns:l="urn:leave" ', "</l:Leave>"),
        (' elementFormDefault="qualified"', '<Leave xmlns="urn:leave" ', "</Leave>"),
    ],
    ids=["of-the-root-alone", "of-every-element"],
)
def test_a_type_may_have_a_namespace(tmp_path: Path, form: str, begins: str, ends: str) -> None:
    """That of the schema, of the root alone or of every element; most types have none."""
    opening = f'<xs:schema xmlns="urn:leave" targetNamespace="urn:leave"{form} '
    folder = publish(tmp_path / "inside", Leave_20244=schema(("<xs:schema ", opening)))
    kind = published.read(folder, KNOWN, SAID).kind
    content = document("20244").replace(b"<Leave ", begins.encode()).replace(b"</Leave>", ends.encode())
    content = content.replace(b'noNamespaceSchemaLocation="', b'schemaLocation="urn:leave ')
    assert kind.namespace == "urn:leave"
    assert isinstance(validate(io.BytesIO(content), [kind], LIMITS, lambda _: None, date(2026, 1, 1)), Validated)
    assert published.read(publish(tmp_path / "none", "20244"), KNOWN, SAID).kind.namespace is None


def test_with_a_type_file_nothing_is_guessed(tmp_path: Path) -> None:
    """What it doesn't say isn't so; samples come along."""
    folder = publish(tmp_path, "20244")
    bare = replace(published.read(folder, KNOWN, SAID).kind, identifiers={}, employer=(), signature_required=False)
    (folder / "type.toml").write_text(type_file.write(bare), encoding="utf-8")
    (folder / "samples").mkdir()
    (folder / "samples/valid_one.xml").write_bytes(document("20244"))
    found = published.read(folder, KNOWN, Said(form_codes=("MORE",)))
    assert found.kind == replace(bare, form_codes=frozenset({"MORE"}))
    assert [file.name for file in found.files] == ["Leave_20244.xsd", "valid_one.xml"]


def test_every_fault_of_every_schema_is_told(tmp_path: Path) -> None:
    """Before anything else is asked."""
    broken = schema(('type="Form" max', 'type="Nope" max'), ('type="Days"', 'type="Night"'))
    outside = schema(('<xs:element name="Leave">', '<xs:include schemaLocation="/x.xsd"/><xs:element name="Leave">'))
    folder = publish(tmp_path, "20244", Leave_20251=broken, Leave_20252=outside)
    told = faults(lambda: published.read(folder, KNOWN, Said()))
    assert [fault for fault in told if "Nope" in fault and "Leave_20251.xsd" in fault]
    assert [fault for fault in told if "Night" in fault and "Leave_20251.xsd" in fault]
    assert f"{folder}/Leave_20252.xsd: it reaches outside its folder: /x.xsd" in told
    assert not [fault for fault in told if "--" in fault or "20244" in fault]


@pytest.mark.parametrize("kind", TYPES, ids=label)
def test_what_is_written_of_a_type_is_read_again(kind: MessageType, tmp_path: Path) -> None:
    """All that its file can say."""
    for path in kind.versions.values():
        shutil.copy(path, tmp_path)
    (tmp_path / "type.toml").write_text(type_file.write(kind), encoding="utf-8")
    again = type_file.read(tmp_path / "type.toml")
    assert replace(again, versions=kind.versions) == kind


def test_a_version_is_refused_before_its_day_and_taken_on_it(tmp_path: Path) -> None:
    """With code 088, as one that nobody knows; the older one stays good."""
    kind = published.read(publish(tmp_path, "20244", "20271"), KNOWN, SAID).kind

    def judged(version: str, day: date) -> list[str]:
        result = validate(io.BytesIO(document(version)), [kind], LIMITS, lambda _: None, day)
        return [finding.code for finding in result.findings] if isinstance(result, Refused) else []

    assert judged("20271", date(2026, 12, 31)) == ["088"]
    assert judged("20271", date(2027, 1, 1)) == []
    assert judged("20244", date(2027, 1, 1)) == []
    assert isinstance(
        validate(io.BytesIO(document("20244")), [kind], LIMITS, lambda _: None, date(2024, 10, 1)), Validated
    )
