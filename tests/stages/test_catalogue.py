"""The types of message, read from their folders: `schemas.catalogue`."""

import pickle
import shutil
from pathlib import Path

import pytest

from config.errors import ConfigurationError
from schemas.catalogue import MessageType, load
from tests.stages.dimona import FOLDER, dimona

GOOD = (FOLDER / "type.toml").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A catalogue of its own with the shipped Dimona in it."""
    shutil.copytree(FOLDER, tmp_path / "dimona")
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    """Add a type that has the schema of Dimona beside it."""
    shutil.copytree(FOLDER, folder / name)
    (folder / name / "type.toml").write_text(text, encoding="utf-8")


def faults(folder: Path) -> list[str]:
    """What is wrong with the catalogue, without the path of the folder."""
    with pytest.raises(ConfigurationError) as refused:
        load(folder)
    return [fault.replace(f"{folder}/", "") for fault in refused.value.faults]


def test_dimona_is_shipped() -> None:
    """With its purpose, its root, its form code and its schema."""
    assert load().find("DIMN") == MessageType(
        purpose="DIMN",
        title="Immediate declaration of employment (Dimona)",
        root="Dimona",
        form_codes=frozenset({"DIMONA"}),
        versions={"20231": FOLDER / "Dimona_20231.xsd"},
    )


def test_an_unknown_purpose_has_no_type() -> None:
    """Which is an answer, not an error."""
    assert load().find("NONE") is None


def test_a_type_reaches_another_process() -> None:
    """Validation runs in a worker, which gets the type by pickle."""
    assert pickle.loads(pickle.dumps(dimona())) == dimona()  # noqa: S301 - our own bytes


def test_a_new_type_is_a_folder(folder: Path) -> None:
    """Types come in the order of their purposes; a folder without a type.toml is none."""
    write(folder, "another", GOOD.replace("DIMN", "ABCD"))
    (folder / "empty").mkdir()
    assert [kind.purpose for kind in load(folder)] == ["ABCD", "DIMN"]


def test_a_new_version_is_a_schema_and_its_number(folder: Path) -> None:
    """The older version stays valid beside it."""
    shutil.copy(FOLDER / "Dimona_20231.xsd", folder / "dimona" / "Dimona_20244.xsd")
    (folder / "dimona" / "type.toml").write_text(GOOD.replace('["20231"]', '["20231", "20244"]'), encoding="utf-8")
    kind = load(folder).find("DIMN")
    assert kind is not None
    assert list(kind.versions) == ["20231", "20244"]


def test_all_faults_of_all_types_are_told_at_once(folder: Path) -> None:
    """Each with its file and its key."""
    write(folder, "a", 'purpose = "dimn"\ntitle = ""\nroot = "Dimona"\nform_codes = []\nversions = [20231]\nextra = 1')
    write(folder, "b", "purpose = ")
    write(folder, "c", GOOD.replace('["20231"]', '["20231", "20244"]'))
    (folder / "b" / "Dimona_20231.xsd").unlink()
    write(folder, "d", GOOD.replace("DIMN", "ABCD"))
    (folder / "d" / "Dimona_20231.xsd").write_text("<schema/>", encoding="utf-8")
    write(folder, "e", GOOD)
    (folder / "e" / "Dimona_20231.xsd").write_text("<broken", encoding="utf-8")
    write(folder, "f", GOOD.replace("DIMN", "EFGH").replace('"Dimona"', '"Form"'))
    (folder / "f" / "Dimona_20231.xsd").rename(folder / "f" / "Form_20231.xsd")
    write(folder, "g", GOOD.replace("DIMN", "IJKL").replace('"Dimona"', '"Other"'))
    (folder / "g" / "Dimona_20231.xsd").rename(folder / "g" / "Other_20231.xsd")
    told = faults(folder)
    assert [fault.split(": ")[:2] for fault in told][:5] == [
        ["a/type.toml", "purpose"],
        ["a/type.toml", "title"],
        ["a/type.toml", "form_codes"],
        ["a/type.toml", "versions.0"],
        ["a/type.toml", "extra"],
    ]
    assert [fault.split(": ")[0] for fault in told[5:]] == [
        "b/type.toml",
        "c/Dimona_20244.xsd",
        "d/Dimona_20231.xsd",
        "e/Dimona_20231.xsd",
        "f/Form_20231.xsd",
        "g/Other_20231.xsd",
    ]


def test_one_purpose_has_one_type(folder: Path) -> None:
    """The second folder that claims it is the fault."""
    write(folder, "twice", GOOD)
    assert faults(folder) == ["twice/type.toml: purpose: another type is DIMN already"]
