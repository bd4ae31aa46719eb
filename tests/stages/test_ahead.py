"""A large document is judged by its schema in a thread, one piece ahead, and nothing else is other than in one."""

import io
import threading

import pytest

from schemas import ahead
from schemas.refusal import Refused
from schemas.validate import Limits, Validated, validate
from tests.stages.dimona import DAY, DECLARATION, FORM, LIMITS, ROOT, dimona, document

_FORMS = 2 * ahead.LARGE // len(FORM)
_MOST = Limits(max_bytes=200_000_000, max_forms=100_000)
_WRONG = FORM.replace("<Identification>", "<Identificatie>", 1).replace("</Identification>", "</Identificatie>", 1)
_MANY = [FORM] * _FORMS

DOCUMENTS = {
    "valid": document(*_MANY),
    "a fault of the schema in the last form": document(*_MANY, _WRONG),
    "in the first": document(_WRONG, *_MANY),
    "not well-formed at its end": document(*_MANY)[:-4],
    "not well-formed in the middle": document(*_MANY, "<", *_MANY),
    "a block that is no form, and a fault of the schema just behind": document(*_MANY, "<Other/>", _WRONG),
    "too many forms, and no end": (DECLARATION + ROOT + FORM * 3 * _FORMS).encode(),
    "a text without end": document(*_MANY, FORM.replace("<Identification>", f"<Identification>{'x' * 600_000}", 1)),
    "a wrong date in every form": document(*[FORM.replace("<FormCreationDate>20", "<FormCreationDate>19")] * _FORMS),
    "a character that there is not": document(*_MANY, FORM.replace("<Identification>", "<Identification>&#x7ffffff;")),
    "text behind its end": document(*_MANY) + b"text",
}


def judged(content: bytes, limits: Limits = _MOST) -> tuple[Validated | Refused, list[bytes]]:
    """The verdict, and the forms that were given out on the way."""
    forms: list[bytes] = []
    return validate(io.BytesIO(content), [dimona()], limits, forms.append, DAY), forms


def threads_started(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What is started from now on."""
    started: list[object] = []
    start = threading.Thread.start

    def listening(thread: threading.Thread) -> None:
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", listening)
    return started


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("limits", [_MOST, LIMITS, Limits(ahead.LARGE + 300_000, 100_000)], ids=["", "forms", "bytes"])
def test_the_verdict_is_the_same(name: str, limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every document, with the forms that were given out before it."""
    started = threads_started(monkeypatch)
    in_a_thread = judged(DOCUMENTS[name], limits)
    assert 1 == len(started)
    monkeypatch.setattr(ahead, "LARGE", 10**9)

    assert judged(DOCUMENTS[name], limits) == in_a_thread
    assert 1 == len(started)


def test_a_small_document_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is judged before one would have begun."""
    started = threads_started(monkeypatch)

    assert isinstance(judged(document(FORM))[0], Validated)
    assert [] == started


def test_where_there_is_no_room_for_a_thread_it_is_judged_without(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same verdict."""
    expected = judged(DOCUMENTS["valid"])

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)

    assert expected == judged(DOCUMENTS["valid"])


def test_no_thread_is_left_when_who_takes_the_forms_fails() -> None:
    """The fault comes through, and what was judged ahead is waited for."""
    before = threading.active_count()

    def fail(_form: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        validate(io.BytesIO(DOCUMENTS["valid"]), [dimona()], _MOST, fail, DAY)
    assert before == threading.active_count()
