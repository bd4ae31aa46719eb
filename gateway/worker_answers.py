"""What may an answer of a worker be made of?

A worker parses strangers' bytes, so what it says is not trusted either: one that was taken over by a file must not
make the judge, which has our keys, run anything.  :mod:`pickle` calls whatever it is told to by name; here it finds
nothing but kinds of values: records and enumerations of ours, exceptions, and a few of Python's own.  It imports
nothing, and sees that no kind was changed, nor a member of an enumeration.  That such a worker lies about what it was
asked is not kept from it here, nor that it keeps the judge busy, until the watchdog ends that.
"""

import collections
import datetime
import decimal
import io
import pathlib
import pickle
import sys
from collections.abc import Iterable
from dataclasses import is_dataclass
from enum import Enum
from functools import lru_cache
from itertools import chain
from operator import is_
from typing import Any, Final, NamedTuple

_PLAIN: Final = frozenset(
    {
        set, frozenset, bytearray, complex, object, collections.OrderedDict, decimal.Decimal, pathlib.PosixPath,
        datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone,
    }
)  # fmt: skip
_IMMUTABLE: Final = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE: Python itself lets nobody set an attribute of the kind
_MOST_WATCHES: Final = 64
_OURS: Final = ("config.", "gateway.", "schemas.", "signing.", "spool.")


class StrangeAnswerError(pickle.UnpicklingError):
    """An answer asks for what no value of ours is made of."""


def read_answer(body: bytes) -> Any:
    """The value that a worker has sent.

    Raises:
        StrangeAnswerError: it is made of something else.
        Exception: it cannot be read, for which :mod:`pickle` has no one error.
    """
    reading = _Values(io.BytesIO(body))
    try:
        return reading.load()
    finally:
        watch = _watch(frozenset(reading.kinds))
        if not watch.is_as_before():
            for made in watch.made:
                _put_right(made)
            raise StrangeAnswerError("an answer that changes what values are")


class _Values(pickle.Unpickler):
    def __init__(self, body: io.BytesIO) -> None:
        super().__init__(body)
        self.kinds: set[type] = set()

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        found = _found(module_name, global_name)
        if isinstance(found, type):
            self.kinds.add(found)
        return found


class _Made(NamedTuple):
    """A kind, or a member of an enumeration, as it was: its attributes and class, and of a kind its names and bases."""

    thing: Any
    attributes: dict[str, Any]
    of: type
    named: "_Named | None"


class _Named(NamedTuple):
    """What a kind goes by, and what it is built on."""

    name: str
    qualified: str
    bases: tuple[type, ...]


_known: Final[dict[type, tuple[_Made, ...]]] = {}
"""Every kind that was named so far, and its members, as they were before anything was read that names it."""


def _know(kind: type) -> None:
    if kind.__flags__ & _IMMUTABLE:
        _known[kind] = ()
    elif kind not in _known:
        members: Iterable[Enum] = kind.__members__.values() if issubclass(kind, Enum) else ()
        of_members = (_Made(member, dict(vars(member)), type(member), None) for member in members)
        _known[kind] = (_Made(kind, dict(vars(kind)), type(kind), _named(kind)), *of_members)


def _named(kind: type) -> _Named:
    return _Named(kind.__name__, kind.__qualname__, kind.__bases__)


def _put_right(made: _Made) -> None:
    """Give it its attributes back, which an answer can set as if it were a value."""
    if _Watch((made,)).is_as_before():
        return
    thing, before, after = made.thing, made.attributes, dict(vars(made.thing))
    if type(thing) is not made.of:
        thing.__class__ = made.of
    if made.named is None:
        vars(thing).clear()
        vars(thing).update(before)
        return
    for name in before.keys() | after.keys():
        if name not in before:
            delattr(thing, name)
        elif before[name] is not after.get(name):
            setattr(thing, name, before[name])
    if made.named != _named(thing):
        thing.__name__, thing.__qualname__, thing.__bases__ = made.named


class _Watch:
    """Sees whether kinds, and the members of enumerations among them, are what they were: all of them at one look."""

    def __init__(self, made: tuple[_Made, ...]) -> None:
        self.made = made
        self._things = [each.thing for each in made]
        self._sizes = [len(each.attributes) for each in made]
        self._keys = [name for each in made for name in each.attributes]
        self._values = [value for each in made for value in each.attributes.values()]
        self._of = [each.of for each in made]
        self._kinds = [each.thing for each in made if each.named is not None]
        self._named = [each.named for each in made if each.named is not None]

    def is_as_before(self) -> bool:
        """Whether each has the very attributes that it had, in their order: one that is set anew stays in its place."""
        # Asked for anew: who sets a member's attributes can give it others as a whole.
        now = [vars(thing) for thing in self._things]
        return (
            [len(attributes) for attributes in now] == self._sizes
            and all(map(is_, self._keys, chain.from_iterable(now)))
            and all(map(is_, self._values, chain.from_iterable([attributes.values() for attributes in now])))
            and all(map(is_, self._of, map(type, self._things)))
            and [(kind.__name__, kind.__qualname__, kind.__bases__) for kind in self._kinds] == self._named
        )


@lru_cache(maxsize=_MOST_WATCHES)
def _watch(kinds: frozenset[type]) -> _Watch:
    """Over kinds that are known; those of an answer are nearly always the same."""
    return _Watch(tuple(made for kind in kinds for made in _known[kind]))


def _member(kind: Any, name: str) -> Enum:
    """A member of an enumeration, as Python 3.11.2 has it made anew: by ``getattr``, which could lead anywhere."""
    if not (isinstance(kind, type) and issubclass(kind, Enum)):
        raise StrangeAnswerError("an answer that is no value")
    return kind[name]


@lru_cache(maxsize=512)
def _found(module_name: str, global_name: str) -> Any:
    if (module_name, global_name) == ("builtins", "getattr"):
        return _member
    # A name with dots leads to what a module has imported, such as its os.system.
    found = None if "." in global_name else getattr(sys.modules.get(module_name), global_name, None)
    if not (
        isinstance(found, type)
        and (found in _PLAIN or _is_failure(found, module_name) or _is_record(found, module_name))
    ):
        raise StrangeAnswerError("an answer that is no value")
    _know(found)
    return found


def _is_failure(found: type, module_name: str) -> bool:
    return issubclass(found, Exception) and (module_name == "builtins" or _is_ours(module_name))


def _is_ours(module_name: str) -> bool:
    return f"{module_name}.".startswith(_OURS)


def _is_record(found: type, module_name: str) -> bool:
    if not _is_ours(module_name):
        return False
    return is_dataclass(found) or issubclass(found, Enum) or (issubclass(found, tuple) and hasattr(found, "_fields"))
