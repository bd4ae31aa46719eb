"""A large document is judged in a thread while its forms are looked at: what `schemas.validate` says stays the same."""

import io
import sys
from collections.abc import Callable
from itertools import count

import pytest

from benchmarks.validation import dmfa, document
from schemas import validate as validation
from schemas.refusal import Refused
from schemas.validate import Limits, Validated, validate
from tests.stages.dimona import DAY, LIMITS

_LARGE = b"".join(document(700_000))
_MIDDLE = _LARGE.index(b"<Form>", 400_000)
_AT_ONCE = sys.maxsize


def answer(content: bytes, limits: Limits = LIMITS) -> tuple[Validated | Refused, list[bytes]]:
    """What is said of a document, and the declarations that were given out if it is valid."""
    given: list[bytes] = []
    said = validate(io.BytesIO(content), [dmfa()], limits, given.append, DAY)
    return said, given if isinstance(said, Validated) else []


def cut(at: int, instead: bytes = b"") -> bytes:
    """The document with something in the place of its rest."""
    return _LARGE[:at] + instead


def changed(old: bytes, new: bytes, after: int) -> bytes:
    """The document with the first of something behind a place changed."""
    at = _LARGE.index(old, after)
    return _LARGE[:at] + new + _LARGE[at + len(old) :]


DOCUMENTS = {
    "valid": _LARGE,
    "ends in the middle": cut(_MIDDLE),
    "not well-formed in the middle": changed(b"</Form>", b"</Mort>", _MIDDLE),
    "not well-formed in its first piece": changed(b"</Form>", b"</Mort>", 100),
    "against the schema in the middle": changed(b"<Quarter>", b"<Quarter>x", _MIDDLE),
    "against the schema at the end": changed(b"<Quarter>", b"<Quarter>x", _LARGE.rindex(b"<Form>")),
    "check digits": changed(b"<INSS>", b"<INSS>1", _MIDDLE),
    "somebody twice": cut(_MIDDLE, _LARGE[_LARGE.index(b"<Form>") :]),
    "something else than a form": cut(_MIDDLE, b"<Other/>" + _LARGE[_MIDDLE:]),
    "both at once": changed(b"<Quarter>", b"<Quarter>x", _MIDDLE).replace(b"</DmfAOriginal>", b""),
}


@pytest.mark.parametrize("content", DOCUMENTS.values(), ids=DOCUMENTS)
def test_beside_or_at_once_the_same_is_said(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong, and in whichever piece; of a valid document the same declarations are given out."""
    beside = answer(content)
    monkeypatch.setattr(validation, "_FEW", _AT_ONCE)

    assert answer(content) == beside


@pytest.mark.parametrize("few", [3, _AT_ONCE])
def test_bounds_hold_beside_as_well(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many bytes, so many forms."""
    monkeypatch.setattr(validation, "_FEW", few)

    for limits in (Limits(max_bytes=500_000, max_forms=1000), Limits(max_bytes=10_000_000, max_forms=40)):
        assert isinstance(answer(_LARGE, limits)[0], Refused)


class FoundError(Exception):
    """Something in a form was more than whoever looks at it could take."""


def looking(at_form: int) -> Callable[[bytes], None]:
    """Somebody who fails over the form with this number."""
    numbers = count(1)

    def look(_form: bytes) -> None:
        if next(numbers) == at_form:
            raise FoundError

    return look


def test_trouble_over_a_form_counts_only_if_the_schema_takes_its_piece() -> None:
    """What a form that nobody has judged yet looks like is the schema's business first."""
    form = _LARGE[:_MIDDLE].count(b"<Form>") + 1
    refused = changed(b"<Quarter>", b"<Quarter>x", _MIDDLE)

    with pytest.raises(FoundError):
        validate(io.BytesIO(_LARGE), [dmfa()], LIMITS, looking(form), DAY)
    said = validate(io.BytesIO(refused), [dmfa()], LIMITS, looking(form), DAY)
    assert isinstance(said, Refused)
