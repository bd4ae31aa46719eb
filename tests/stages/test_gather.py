"""Which files make a set."""

import itertools
import random

import pytest

from schemas.codes import Code
from spool.gather import SignatureFiles, closing_name, is_complete, is_complete_anyhow, naming_file, set_findings

_STEM = "DIMN.123456.20261121.00001.R"
_WHOLE = [f"FI.{_STEM}.2.1", f"FI.{_STEM}.2.2", f"FS.{_STEM}.2.1", f"FS.{_STEM}.2.2", f"GO.{_STEM}.2"]


def test_a_set_is_complete_with_its_last_file_whichever_that_is() -> None:
    """No proper part of a set is complete, the whole one is, in any order."""
    for count in range(len(_WHOLE)):
        for some in itertools.combinations(_WHOLE, count):
            assert not is_complete(some, SignatureFiles.REQUIRED)
    shuffled = random.Random(1).sample(_WHOLE, len(_WHOLE))
    assert is_complete(shuffled, SignatureFiles.REQUIRED)


@pytest.mark.parametrize(
    ("names", "signatures", "codes"),
    [
        (_WHOLE, SignatureFiles.REQUIRED, []),
        (_WHOLE, SignatureFiles.OPTIONAL, []),
        (_WHOLE, SignatureFiles.NONE, [Code.FS_UNEXPECTED]),
        ([_WHOLE[0], _WHOLE[1], _WHOLE[4]], SignatureFiles.NONE, []),
        ([_WHOLE[0], _WHOLE[1], _WHOLE[4]], SignatureFiles.OPTIONAL, []),
        ([_WHOLE[0], _WHOLE[1], _WHOLE[2], _WHOLE[4]], SignatureFiles.OPTIONAL, [Code.FS_COUNT]),
        ([_WHOLE[0], *_WHOLE[2:]], SignatureFiles.REQUIRED, [Code.FI_COUNT]),
        ([_WHOLE[4]], SignatureFiles.REQUIRED, [Code.FI_COUNT, Code.FS_COUNT]),
        (_WHOLE[:4], SignatureFiles.REQUIRED, [Code.GO_MISSING]),
        ([*_WHOLE[:4], f"TD.{_STEM}.2"], SignatureFiles.REQUIRED, [Code.CANCELLED]),
        ([f"FI.{_STEM}.1.1", *_WHOLE[1:]], SignatureFiles.REQUIRED, [Code.FI_NUMBERING]),
        ([*_WHOLE[:2], f"FS.{_STEM}.3.1", *_WHOLE[3:]], SignatureFiles.REQUIRED, [Code.FS_NUMBERING]),
        ([f"FI.{_STEM}.2.3", *_WHOLE[1:]], SignatureFiles.REQUIRED, [Code.FI_NUMBERING]),
    ],
)
def test_what_is_wrong_with_a_set_has_its_code(names: list[str], signatures: SignatureFiles, codes: list[Code]) -> None:
    """Counts against GO, numbering, FS where none belongs, no GO, and TD."""
    assert codes == [finding.code for finding in set_findings(names, signatures)]


def test_the_old_form_without_parts_is_a_set_of_one() -> None:
    """The names of social risks without part numbers make a set too."""
    stem = "WECH.123456.20261121.00001.R"
    names = [f"FI.{stem}", f"FS.{stem}", f"GO.{stem}"]

    assert is_complete(names, SignatureFiles.REQUIRED)
    assert set_findings(names, SignatureFiles.REQUIRED) == ()


def test_an_fs_too_many_waits_for_nothing() -> None:
    """A sender who signs otherwise gets its refusal at once, as soon as every FI is there."""
    assert is_complete(_WHOLE, SignatureFiles.NONE)
    assert is_complete([_WHOLE[0], _WHOLE[1], _WHOLE[4]], SignatureFiles.NONE)
    assert not is_complete([_WHOLE[0], *_WHOLE[2:]], SignatureFiles.NONE)


def test_a_set_with_all_that_there_can_be_is_whole_whoever_sends_it() -> None:
    """Of any other it has to be asked how its sender signs."""
    for count in range(len(_WHOLE)):
        assert not any(map(is_complete_anyhow, itertools.combinations(_WHOLE, count)))
    assert is_complete_anyhow(_WHOLE)
    assert is_complete_anyhow([f"TD.{_STEM}.2"])


def test_a_set_goes_by_its_closing_file() -> None:
    """TD before GO before a file of no set; without any, by its first part."""
    td = f"TD.{_STEM}.2"

    assert td == closing_name([*_WHOLE, td])
    assert _WHOLE[4] == naming_file(_WHOLE)
    assert _WHOLE[0] == naming_file(_WHOLE[:4])
    assert closing_name(_WHOLE[:4]) is None
    assert "report.xml" == naming_file(["report.xml"])


def test_a_closing_file_with_a_bad_name_waits_for_nothing() -> None:
    """Nothing that may still come would make its name better."""
    assert is_complete([f"GO.{_STEM}.0"], SignatureFiles.REQUIRED)
    assert is_complete(["report.xml"], SignatureFiles.REQUIRED)
