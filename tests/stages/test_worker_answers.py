"""What a worker answers is made of values; nothing that an answer names is called for it."""

import copyreg
import datetime
import os
import pickle
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigurationError
from gateway import one_trip
from gateway.worker_answers import _PLAIN, StrangeAnswerError, read_answer
from gateway.worker_process import Answer
from schemas.codes import Code, Finding
from schemas.filename import Prefix
from schemas.inspection import Employer
from signing.evidence import Fault, Reason


class Calling:
    """What calls a function where it is read."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self._call = function, args

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self._call


@pytest.mark.parametrize(
    "value",
    [
        Answer([1, 2.5, None, "x", b"y", {"a": (True,)}, frozenset({3})], is_last=False),
        Finding(Code.CANCELLED, "words"),
        Employer,
        datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC),
        Path("/a/b"),
    ],
)
def test_values_come_as_they_were_sent(value: object) -> None:
    """Records and enumerations of ours, and what Python has for numbers, texts, times and paths."""
    assert read_answer(pickle.dumps(value)) == value


@pytest.mark.parametrize("failure", [ConfigurationError(["first"]), OSError(5, "w"), Fault(Reason.SYNTAX, "detail")])
def test_failures_keep_their_words(failure: object) -> None:
    """An exception is its caller's to understand, and a fault its sender's."""
    read = read_answer(pickle.dumps(failure))
    assert (type(read), str(read)) == (type(failure), str(failure))


def test_nothing_is_called(tmp_path: Path) -> None:
    """Neither a function of Python's, nor one of ours, nor what a module of ours has imported."""
    made = tmp_path / "made"
    calls = (Calling(os.mkdir, str(made)), Calling(eval, "1"), Calling(print, "x"), Calling(getattr, made, "name"))
    named = (b"cgateway.worker_link\nos.getpid\n)R.", b"cgateway.worker_answers\nread_answer\n)R.", b"cos\nsystem\n)R.")
    for body in (*map(pickle.dumps, calls), *named):
        with pytest.raises(StrangeAnswerError):
            read_answer(body)
    assert not made.exists()


def test_no_module_is_imported_and_no_other_class_is_made() -> None:
    """A class is neither found where nobody has loaded its module, nor if it is no record."""
    for body in (b"cantigravity\nException\n)R.", b"cgateway.workers\nWorkers\n)R.", b"csubprocess\nPopen\n)R."):
        with pytest.raises(StrangeAnswerError):
            read_answer(body)


def changing(kind: type, **attributes: object) -> bytes:
    """An answer that sets attributes of a kind of value, as pickle lets it: BUILD upon the class itself."""
    name = f"c{kind.__module__}\n{kind.__qualname__}\n".encode()
    state = pickle.dumps((None, attributes), 0).removesuffix(b".")
    return name + state + b"b."


@pytest.mark.parametrize("kind", [Answer, Employer, ConfigurationError])
def test_no_kind_of_value_is_changed(kind: type) -> None:
    """It is what it was for the answers that come after."""
    before = dict(vars(kind))
    with pytest.raises((StrangeAnswerError, TypeError)):
        read_answer(changing(kind, value="VALID", __doc__="x"))
    assert dict(vars(kind)) == before


@pytest.mark.parametrize("hidden", [False, True])
def test_no_member_of_an_enumeration_is_changed(*, hidden: bool) -> None:
    """Neither its name nor its value, though the rest of the answer is in order and its kind denies the member."""
    before = [dict(vars(code)) for code in Code]
    member = f"c{Code.__module__}\nCode\n".encode() + pickle.dumps((Code.CANCELLED.value,), 0).removesuffix(b".") + b"R"
    body = member + pickle.dumps({"_name_": "x", "_value_": "x"}, 0).removesuffix(b".") + b"b0"
    if hidden:
        body += changing(Code, _member_map_={}).removesuffix(b".") + b"0"
    with pytest.raises(StrangeAnswerError):
        read_answer(body + pickle.dumps((None, True, False), 0))
    assert [dict(vars(code)) for code in Code] == before


def test_a_member_keeps_its_attributes_where_all_of_them_were_replaced() -> None:
    """Also by others that are equal: what counts is that they are the very ones."""
    before = dict(vars(Code.CANCELLED))
    member = f"c{Code.__module__}\nCode\n".encode() + pickle.dumps((Code.CANCELLED.value,), 0).removesuffix(b".") + b"R"
    others = {**before, "_name_": "".join(list(before["_name_"])), "__objclass__": None}
    body = member + pickle.dumps((None, {"__dict__": others}), 0).removesuffix(b".") + b"b."
    with pytest.raises(StrangeAnswerError):
        read_answer(body)
    assert before == dict(vars(Code.CANCELLED))


def test_no_member_becomes_one_of_another_enumeration() -> None:
    """Its class is no attribute of its own, and can be set like one."""
    member = f"c{Code.__module__}\nCode\n".encode() + pickle.dumps((Code.CANCELLED.value,), 0).removesuffix(b".") + b"R"
    with pytest.raises(StrangeAnswerError):
        read_answer(member + pickle.dumps((None, {"__class__": Prefix}), 0).removesuffix(b".") + b"b.")
    assert type(Code.CANCELLED) is Code
    assert Code(Code.CANCELLED.value) is Code.CANCELLED


def test_no_enumeration_is_built_on_another() -> None:
    """Nor are its bases one of its attributes."""
    before = Prefix.__bases__
    with pytest.raises((StrangeAnswerError, TypeError)):
        read_answer(changing(Prefix, __bases__=(Code,)))
    assert before == Prefix.__bases__


@pytest.mark.parametrize("kind", sorted(_PLAIN, key=str))
def test_no_kind_of_python_s_own_is_changed(kind: type) -> None:
    """Python keeps them as they are; of those that it would let be changed every attribute is watched."""
    before = dict(vars(kind))
    with pytest.raises((StrangeAnswerError, TypeError)):
        read_answer(changing(kind, __doc__="x"))
    assert before == dict(vars(kind))


def test_one_kind_among_several_is_seen_to_be_changed_each_time() -> None:
    """Also in an answer made of the same kinds as one before, in which nothing was wrong."""
    values = [Finding(Code.CANCELLED, "words"), Employer, tuple(Answer("x")), Path("/a")]
    good = pickle.dumps([*values, Answer])
    for kind in (Answer, Code):
        before = dict(vars(kind))
        assert read_answer(good) == [*values, Answer]
        with pytest.raises(StrangeAnswerError):
            read_answer(changing(kind, __doc__="x").removesuffix(b".") + b"0" + good)
        assert before == dict(vars(kind))
    assert read_answer(good) == [*values, Answer]


@given(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    | st.from_regex(r"[./a]{0,9}", fullmatch=True)
)
def test_a_path_is_the_same_when_it_comes(written: str) -> None:
    """However it is written: it goes as one text, and every part of it arrives."""
    path = Path(written)
    for protocol in (2, pickle.DEFAULT_PROTOCOL):
        came = read_answer(pickle.dumps(path, protocol))
        assert (type(came), str(came), came.parts) == (type(path), str(path), path.parts)


@pytest.mark.parametrize("name", ["__name__", "__qualname__"])
def test_a_kind_keeps_its_name(name: str) -> None:
    """Under another one nobody could send it any more."""
    with pytest.raises(StrangeAnswerError):
        read_answer(changing(Answer, **{name: "x"}))
    assert ("Answer", "Answer") == (Answer.__name__, Answer.__qualname__)


def test_a_record_is_made_anew_from_its_values() -> None:
    """Every field is one that a record is made with, in their order, and comes back as it was."""
    kinds = [kind for kind in copyreg.dispatch_table if is_dataclass(kind)]
    assert {one_trip.Owner, Employer, Finding, Fault} <= set(kinds)
    for kind in kinds:
        record = kind(*(f"value {number}" for number, _ in enumerate(fields(kind))))

        assert all(field.init and not field.kw_only for field in fields(kind))
        assert read_answer(pickle.dumps(record)) == record


def test_a_kind_that_was_changed_is_seen_wherever_that_was() -> None:
    """In its first attribute, in its last, or by one more."""
    for name in (next(iter(vars(Finding))), list(vars(Finding))[-1], "one_more"):
        before = dict(vars(Finding))
        with pytest.raises((StrangeAnswerError, TypeError, AttributeError)):
            read_answer(changing(Finding, **{name: "x"}))
        assert before == dict(vars(Finding))
