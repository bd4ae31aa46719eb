"""Which persons the forms of a set name, and how their marks get from the worker to the journal: `spool.marks`."""

import pickle
from datetime import date
from pathlib import Path

import pytest

from gateway.examination import Content, ContentRules, RefusedSet, ValidatedSet, validate_set
from gateway.register import inss
from gateway.register.marker import Marker
from schemas.validate import Limits
from spool import marks
from tests.stages.dimona import FORM, VALID, document

_KEY = b"k" * 32
_SAMPLE_INSS = "88070412305"
_OTHER_INSS = "79110399569"


def examine(folder: Path, *parts: bytes) -> tuple[ValidatedSet | RefusedSet, Path]:
    """What the worker answers, with the place of the marks; what it is given goes through a pipe."""
    (folder / "types").mkdir(exist_ok=True)
    limits = Limits(max_bytes=100_000_000, max_forms=5000)
    rules = ContentRules("DIMN", limits, date(2026, 11, 21), folder / "types", Marker(_KEY))
    contents = [Content(f"part {number}", part, None) for number, part in enumerate(parts, 1)]
    given: ContentRules = pickle.loads(pickle.dumps(rules))  # noqa: S301 - our own, just pickled
    declarations = folder / "declarations" / "T"
    return validate_set(contents, given, declarations), marks.beside(declarations)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is named is more than comes with an answer."""
    monkeypatch.setattr(marks, "FEW_BYTES", 40)


def test_a_few_come_with_the_answer(tmp_path: Path) -> None:
    """They say the same as a file would, and there is none."""
    answer, path = examine(tmp_path, VALID)
    assert isinstance(answer, ValidatedSet)
    with marks.taking(path, answer.marks) as taken:
        few = list(taken)
    writer = marks.MarkWriter(path)
    for form in range(1, 4):
        writer.append(mark for of, mark in few if of == form)

    assert {1, 2, 3} == {form for form, _ in few}
    assert writer.few == answer.marks
    assert not path.exists()


@pytest.mark.usefixtures("many")
def test_every_form_says_whom_it_names(tmp_path: Path) -> None:
    """Forms are counted through the parts of the set; what stands in the file is a mark and never a number."""
    assert FORM.count(_SAMPLE_INSS) == 1
    other = FORM.replace(_SAMPLE_INSS, _OTHER_INSS)

    answer, path = examine(tmp_path, document(FORM, other), document(other))

    assert isinstance(answer, ValidatedSet)
    first, second = (inss.mark(_KEY, number) for number in (_SAMPLE_INSS, _OTHER_INSS))
    assert [(1, first), (2, second), (3, second)] == list(marks.read(path))
    assert _OTHER_INSS.encode() not in path.read_bytes()


@pytest.mark.usefixtures("many")
def test_nobody_is_noted_of_a_set_that_is_refused(tmp_path: Path) -> None:
    """Also those of the forms before the fault are forgotten."""
    answer, path = examine(tmp_path, VALID, document(FORM.replace(">SU<", ">XX<")))

    assert isinstance(answer, RefusedSet)
    assert not path.exists()


def test_the_key_is_in_no_text() -> None:
    """What is logged of the rules of an examination doesn't show what persons are hashed with."""
    rules = ContentRules("DIMN", Limits(1, 1), date(2026, 11, 21), Path(), Marker(_KEY))

    assert "kkkk" not in repr(rules)


@pytest.mark.usefixtures("many")
def test_marks_are_taken_once(tmp_path: Path) -> None:
    """With the end of the transaction that reads them the file is gone, also when nothing was read, or it fails."""
    _, path = examine(tmp_path, VALID)
    with marks.taking(path, None) as taken:
        assert 3 == len({form for form, _ in taken})
    assert not path.exists()

    examine(tmp_path, VALID)
    with pytest.raises(ZeroDivisionError), marks.taking(path, None):
        raise ZeroDivisionError
    assert not path.exists()

    with marks.taking(path, None):
        pass


@pytest.mark.usefixtures("many")
def test_what_is_cut_short_is_not_taken_for_whole(tmp_path: Path) -> None:
    """Then there is no verdict, and the set is judged again."""
    _, path = examine(tmp_path, VALID)
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(ValueError, match="cut short"):
        list(marks.read(path))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        list(marks.read(path))


@pytest.mark.parametrize("number", ["88070412305", "1", "", "79110399569"])
def test_a_mark_is_the_same_however_it_is_made(number: str) -> None:
    """Of very many at once, or of one, for a key of any length that there is."""
    for key in (_KEY, b"", b"k" * 64):
        assert inss.mark(key, number) == Marker(key)(number)


def test_a_key_that_would_be_hashed_first_is_none_of_ours() -> None:
    """It would give other marks."""
    with pytest.raises(ValueError, match="longer than a block"):
        Marker(b"k" * 65)
