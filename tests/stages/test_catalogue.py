"""The types of message, read from their folders: `schemas.catalogue`."""

import pickle
import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from config.errors import ConfigurationError
from schemas import type_file, xsd
from schemas.catalogue import Catalogue, TypesUnusable, check, current, load
from schemas.identifiers import Kind
from schemas.message_type import Direction, FileLimits, MessageType
from tests.stages.dimona import FOLDER, dimona

GOOD = (FOLDER / "type.toml").read_text(encoding="utf-8")
_IN = (
    "AOAT", "ATDO", "CDHG", "DDTN", "DIMN", "DMFA", "DMRQ", "DMWA", "DUCN", "ECRQ",
    "FLEX", "LOIC", "PFRQ", "PROA", "PUBL", "RECO", "TWCT", "VBLV", "WECH", "ZIMA",
)  # fmt: skip
_OUT = (
    "ACRF", "BEWA", "BEWL", "DEFI", "DMDB", "DMNO", "DMPI", "ECAN", "ECOA", "ECOR",
    "FINO", "FISI", "IDFL", "LIRE", "NOTI", "PFAN", "REAN", "SIGN",
)  # fmt: skip
TITLES = {"fr": "a", "nl": "b", "de": "c", "en": "d"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of a site's own types, empty."""
    return tmp_path / "site"


def write(folder: Path, name: str, text: str) -> Path:
    """Add a type that has the schemas of Dimona beside it; answers its folder."""
    shutil.copytree(FOLDER, folder / name)
    (folder / name / "type.toml").write_text(text, encoding="utf-8")
    return folder / name


def faults(act: Callable[[], object], folder: Path) -> list[str]:
    """What is told to be wrong, without the path of the folder."""
    with pytest.raises(ConfigurationError) as refused:
        act()
    return [fault.replace(f"{folder}/", "") for fault in refused.value.faults]


def test_dimona_is_shipped() -> None:
    """With all that is known of it beside its schemas."""
    assert dimona() == MessageType(
        purpose="DIMN",
        titles={
            "fr": "Déclaration immédiate de l'emploi (Dimona)",
            "nl": "Onmiddellijke aangifte van tewerkstelling (Dimona)",
            "de": "Unmittelbare Beschäftigungsmeldung (Dimona)",
            "en": "Immediate declaration of employment (Dimona)",
        },
        root="Dimona",
        form_codes=frozenset({"DIMONA"}),
        versions={"20113": FOLDER / "Dimona_20113.xsd", "20231": FOLDER / "Dimona_20231.xsd"},
        starts={"20113": date(2011, 7, 1), "20231": date(2023, 1, 1)},
        employer=(
            "DimonaIn/EmployerId",
            "DimonaOut/EmployerId",
            "DimonaUpdate/EmployerId",
            "DimonaCancel/EmployerId",
        ),
        reference=("Reference/ReferenceNbr",),
        identifiers={
            "INSS": Kind.INSS,
            "CompanyID": Kind.ENTERPRISE,
            "UsingEmployerCompanyID": Kind.ENTERPRISE,
            "NOSSRegistrationNbr": Kind.ONSS,
            "ProvisionalNSSONbr": Kind.PROVISIONAL_ONSS,
            "DimonaPeriodId": Kind.DIMONA_PERIOD,
        },
    )
    assert dimona().title == "Immediate declaration of employment (Dimona)"


def test_an_unknown_purpose_has_no_type() -> None:
    """Which is an answer, not an error."""
    assert load().find("NONE") is None
    assert load().of_purpose("NONE") == ()


def test_what_the_gateway_sends_is_not_taken_from_a_sender() -> None:
    """A type is found in the direction in which it travels."""
    catalogue = load()
    assert catalogue.find("NOTI") is None
    notification = catalogue.find("NOTI", Direction.OUT)
    assert notification is not None
    assert notification.root == "NOTIFICATION"
    assert catalogue.find("DIMN", Direction.OUT) is None


def test_one_that_travels_both_ways_is_found_both_ways(site: Path) -> None:
    """Either way it is the same type."""
    write(site, "both", GOOD.replace("DIMN", "ABCD").replace('direction = "in"', 'direction = "both"'))
    catalogue = load(site)
    assert catalogue.find("ABCD") == catalogue.find("ABCD", Direction.OUT) is not None


def test_one_purpose_may_have_several_roots() -> None:
    """The form of private employers comes before that of local authorities."""
    assert [kind.root for kind in load().of_purpose("DMFA")] == ["DmfAOriginal", "DMFAPPLOriginal"]


def test_a_purpose_whose_structure_is_not_public_is_known() -> None:
    """It has a title in every language and no version at all."""
    construction = load().find("DUCN")
    assert construction is not None
    assert construction.title == "Single declaration of a construction site"
    assert construction.form_codes == {"UWDUC", "UWDUCUP"}
    assert (construction.root, construction.versions, construction.versions_at(date.max)) == ("", {}, {})


def test_every_known_purpose_is_in_the_catalogue() -> None:
    """The list of purposes, in and out."""
    catalogue = load()
    assert {kind.purpose for kind in catalogue if kind.direction is Direction.IN} == set(_IN)
    assert {kind.purpose for kind in catalogue if kind.direction is Direction.OUT} == set(_OUT)


def test_types_come_in_the_order_of_their_purposes() -> None:
    """Whatever the order in which they are given."""
    one, other = (MessageType(purpose, TITLES, "", frozenset(), {}, {}) for purpose in ("ZZZZ", "AAAA"))
    assert [kind.purpose for kind in Catalogue([one, other])] == ["AAAA", "ZZZZ"]


def test_a_type_reaches_another_process() -> None:
    """Validation runs in a worker, which gets the type by pickle."""
    assert pickle.loads(pickle.dumps(dimona())) == dimona()  # noqa: S301 - our own bytes


def test_a_new_type_is_a_folder_of_the_site(site: Path) -> None:
    """It comes beside the shipped ones; a folder without a type.toml is none."""
    write(site, "another", GOOD.replace("DIMN", "ABCD"))
    (site / "empty").mkdir()
    catalogue = load(site)
    check(catalogue)
    assert catalogue.find("ABCD") is not None
    assert catalogue.find("DIMN") == dimona()


def test_a_new_version_is_a_folder_of_the_site(site: Path) -> None:
    """It replaces what is known of the type; the shipped versions stay."""
    other = GOOD.replace("20231 = { starts = 2023-01-01 }", "20244 = { starts = 2024-10-01 }").replace("20113", "20231")
    folder = write(site, "newer", other.replace('signature = "required"', 'signature = "optional"'))
    shutil.copy(FOLDER / "Dimona_20231.xsd", folder / "Dimona_20244.xsd")
    kind = load(site).find("DIMN")
    assert kind is not None
    assert not kind.signature_required
    assert list(kind.versions) == ["20113", "20231", "20244"]
    assert [path.parent.name for path in kind.versions.values()] == ["dimona", "newer", "newer"]
    assert list(kind.starts) == ["20113", "20231", "20244"]


def test_a_schema_of_the_site_ends_that_there_is_none(site: Path) -> None:
    """The entry without a schema gives way."""
    write(site, "construction", GOOD.replace("DIMN", "DUCN"))
    assert [kind.root for kind in load(site).of_purpose("DUCN")] == ["Dimona"]


def test_a_version_counts_from_its_day_on() -> None:
    """Before it is known, and not taken; older ones stay."""
    kind = dimona()
    assert list(kind.versions_at(date(2011, 6, 30))) == []
    assert list(kind.versions_at(date(2011, 7, 1))) == ["20113"]
    assert list(kind.versions_at(date(2022, 12, 31))) == ["20113"]
    assert kind.versions_at(date(2023, 1, 1)) == kind.versions


def test_everything_that_a_type_may_say_is_read(site: Path) -> None:
    """The example in the documentation of the format is a good one."""
    example = str(type_file.__doc__).split("::\n\n")[1]
    lines = [line.removeprefix("    ") for line in example.splitlines()]
    folder = write(site, "example", "\n".join(lines))
    (folder / "Dimona_20231.xsd").rename(folder / "WECH001_20231.xsd")
    kind = type_file.read(folder / "type.toml")
    assert kind.limits == FileLimits(36_700_160, 1, 2000, "EmployerDeclaration/NaturalPerson/WorkerRecord")
    assert kind.paths == ("EmployerDeclarationLink", "Reference/ReferenceNbr", str(kind.limits.declarations))
    assert kind.namespace == "http://example.be/x"
    assert kind.environments == set("RTS")
    assert kind.signature_required
    assert kind.signature_formats == {"cms"}
    assert kind.rules == ("dmfa.net-amount",)
    assert kind.identifiers == {"INSS": Kind.INSS, "CompanyID": Kind.ENTERPRISE}


def test_all_faults_of_all_types_are_told_at_once(site: Path) -> None:
    """Each with its file and its key."""
    write(site, "a", 'purpose = "dimn"\nroot = "1"\nform_codes = []\ndirection = "up"\nsignature = "no"\nextra = 1')
    write(site, "b", "purpose = ")
    write(site, "c", GOOD.replace("20231", "20241").replace("DIMN", "ABCD"))
    write(site, "d", GOOD.replace("2023-01-01", '"soon"').replace("20113", "20115"))
    write(site, "e", GOOD.replace('INSS = "inss"', 'INSS = "niss"').replace("Reference/ReferenceNbr", "/Reference"))
    write(site, "f", GOOD.replace("[identifiers]", "[limits]\nmax_declarations = 1\n[identifiers]"))
    write(
        site,
        "g",
        GOOD.replace("reference =", 'rules = ["Net"]\nenvironments = ["X"]\nreference =').replace("de = ", "pl = "),
    )
    told = [fault.split(": ")[:2] for fault in faults(lambda: load(site), site)]
    assert told[:9] == [
        ["a/type.toml", key]
        for key in ("purpose", "title", "form_codes", "direction", "root", "signature", "versions", "extra")
    ] + [["b/type.toml", "Invalid value (at end of document)"]]
    assert told[9] == ["c/Dimona_20241.xsd", "there is no such schema"]
    assert [" ".join(fault) for fault in told[10:]] == [
        "d/type.toml versions.20115.[key]",
        "d/type.toml versions.20231.starts",
        "e/type.toml reference.0",
        "e/type.toml identifiers.INSS",
        "f/type.toml limits",
        "g/type.toml title.de",
        "g/type.toml title.pl",
        "g/type.toml environments.0",
        "g/type.toml rules.0",
    ]


def test_one_folder_has_one_type_of_a_purpose_and_root(site: Path) -> None:
    """The second that claims it is the fault."""
    write(site, "once", GOOD)
    write(site, "twice", GOOD)
    assert faults(lambda: load(site), site) == [
        "twice/type.toml: root: another type of DIMN has the root Dimona already"
    ]


def test_a_folder_of_the_site_that_is_not_there_is_a_fault(site: Path) -> None:
    """A misspelt setting isn't an empty catalogue."""
    assert faults(lambda: load(site), site.parent) == ["site: there is no such folder"]


def test_types_without_a_schema_are_judged_too(tmp_path: Path) -> None:
    """Every fault of every table, with its purpose."""
    file = tmp_path / "types.toml"
    title = 'title = {fr = "a", nl = "b", de = "c", en = "d"}'
    file.write_text(f'x = 1\n[ABC]\ndirection = "in"\nform_codes = []\n{title}\n', encoding="utf-8")
    assert [fault.split(": ")[1] for fault in faults(lambda: type_file.read_without_schema(file), tmp_path)] == [
        "x.purpose",
        "x.title",
        "x.form_codes",
        "x.direction",
        "ABC.purpose",
    ]


def test_what_is_wrong_with_schemas_is_told_at_once(site: Path) -> None:
    """Loading compiles none of them; a check finds all."""
    schema = (FOLDER / "Dimona_20231.xsd").read_text(encoding="utf-8")
    wrong = {
        "a": "<schema/>",
        "b": "<broken",
        "c": schema.replace('name="Dimona"', 'name="Other"'),
        "d": schema.replace("<xs:schema ", '<xs:schema xmlns="urn:x" targetNamespace="urn:x" '),
        "e": schema.replace("  <!-- Blocks -->", '  <xs:include schemaLocation="../other.xsd"/>'),
        "f": schema.replace("DimonaCancel", "DimonaUndo"),
        "g": schema.replace("  <!-- Blocks -->", '  <xs:include schemaLocation="missing.xsd"/>'),
    }
    for name, text in wrong.items():
        write(site, name, GOOD.replace("DIMN", "ABC" + name.upper()))
        (site / name / "Dimona_20231.xsd").write_text(text, encoding="utf-8")
    catalogue = load(site)
    told = faults(lambda: check(catalogue), site)
    assert [fault.split(": ")[0] for fault in told] == [f"{name}/Dimona_20231.xsd" for name in "abcdefg"]
    assert [fault.split(": ", 1)[1] for fault in told[2:6]] == [
        "it declares no root Dimona",
        "its namespace is not that of the type: urn:x",
        "it reaches outside its folder: ../other.xsd",
        "it declares no element DimonaCancel",
    ]
    assert "g/missing.xsd" in told[6]


def test_an_older_version_need_not_have_every_element(site: Path) -> None:
    """What a type names is looked for in its newest version."""
    folder = write(site, "newer", GOOD.replace('INSS = "inss"', 'INSS = "inss"\nPlannedDaysNbr = "quarter"'))
    assert "PlannedDaysNbr" not in (folder / "Dimona_20113.xsd").read_text(encoding="utf-8")
    check(load(site))


def test_a_schema_may_include_one_beside_it(site: Path) -> None:
    """What that one declares counts as declared."""
    folder = write(site, "split", GOOD.replace("DIMN", "ABCD"))
    schema = (folder / "Dimona_20231.xsd").read_text(encoding="utf-8")
    head, _, rest = schema.partition("  <!-- Blocks -->\n")
    opening = head[head.index("<xs:schema") : head.index("<xs:element")]
    (folder / "common.xsd").write_text(opening.replace(' id="Dimona_20231"', "") + rest, encoding="utf-8")
    include = '<xs:include schemaLocation="common.xsd"/>'
    whole = head.replace('  <xs:element name="Dimona">', f'  {include}\n  <xs:element name="Dimona">') + "</xs:schema>"
    (folder / "Dimona_20231.xsd").write_text(whole, encoding="utf-8")
    check(load(site))


def test_a_change_of_the_folder_is_seen(site: Path) -> None:
    """A type that comes, a version that comes, a type that goes: each at the next look; and no look reads in vain."""
    site.mkdir()
    assert current(site).find("ABCD") is None
    folder = write(site, "another", GOOD.replace("DIMN", "ABCD"))
    added = current(site)
    assert added.find("ABCD") is not None
    assert current(site) is added
    shutil.copy(folder / "Dimona_20231.xsd", folder / "Dimona_20244.xsd")
    versions = "20231 = { starts = 2023-01-01 }\n20244 = { starts = 2024-10-01 }"
    text = GOOD.replace("DIMN", "ABCD").replace("20231 = { starts = 2023-01-01 }", versions)
    (folder / "type.toml").write_text(text, encoding="utf-8")
    kind = current(site).find("ABCD")
    assert kind is not None
    assert "20244" in kind.versions
    shutil.rmtree(folder)
    assert current(site).find("ABCD") is None


def test_a_type_that_is_being_prepared_is_not_seen(site: Path) -> None:
    """It lies in a hidden folder."""
    write(site, ".another", "not = a [type")
    assert current(site).find("ABCD") is None
    assert load(site).find("ABCD") is None


def test_types_that_cannot_be_read_now_are_our_own_trouble(site: Path) -> None:
    """No folder, or a fault in a type: nothing is refused for that, and what is put right counts at once."""
    with pytest.raises(TypesUnusable):
        current(site)
    folder = write(site, "broken", "purpose = ")
    with pytest.raises(TypesUnusable, match=re.escape("broken/type.toml")):
        current(site)
    (folder / "type.toml").write_text(GOOD.replace("DIMN", "ABCD"), encoding="utf-8")
    assert current(site).find("ABCD") is not None


def test_a_schema_that_has_changed_is_compiled_again(site: Path) -> None:
    """Also when only one that it includes has; and one that is broken now is our own trouble."""
    folder = write(site, "split", GOOD)
    path = folder / "Dimona_20231.xsd"
    whole = path.read_text(encoding="utf-8")
    first = xsd.compiled(path)
    assert xsd.compiled(path) is first
    common = folder / "common.xsd"
    common.write_text('<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>', encoding="utf-8")
    opening = '  <xs:element name="Dimona">'
    path.write_text(whole.replace(opening, f'<xs:include schemaLocation="common.xsd"/>{opening}'), encoding="utf-8")
    second = xsd.compiled(path)
    assert second is not first
    assert "More" not in xsd.element_names(path)
    more = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="More"/></xs:schema>'
    common.write_text(more, encoding="utf-8")
    assert xsd.compiled(path) is not second
    assert "More" in xsd.element_names(path)
    common.write_text("<broken", encoding="utf-8")
    with pytest.raises(xsd.SchemaUnusable, match=re.escape("common.xsd")):
        xsd.compiled(path)
    path.unlink()
    with pytest.raises(xsd.SchemaUnusable, match="no such schema"):
        xsd.compiled(path)


def test_a_rule_that_nobody_knows_is_a_fault(site: Path) -> None:
    """A type names rules that are there."""
    write(site, "ruled", GOOD.replace("reference =", 'rules = ["dmfa.nothing"]\nreference ='))
    assert faults(lambda: check(load(site)), site) == ["DIMN Dimona: rules: there is no dmfa.nothing"]
