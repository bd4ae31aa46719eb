"""In which words does a schema differ from another one of the same root?

For an operator who is about to replace or add a version: each element that comes, goes, or may hold something else,
with what was demanded of it before. What is the same isn't told, nor is anything below an element that comes or goes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from schemas.structure import Demands

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Change:
    """The path of an element below the root, and in which way it isn't what it was."""

    path: str
    words: str

    def __str__(self) -> str:
        return f"{self.path}: {self.words}"


def changes(before: Mapping[str, Demands], after: Mapping[str, Demands]) -> Iterator[Change]:
    """What changes, in the order of the newer schema; elements that go come last."""
    for path, demanded in after.items():
        if path in before:
            yield from (Change(path, words) for words in _changed(before[path], demanded))
        elif _has_parent(path, before):
            yield Change(path, f"new, {_often(demanded)}")
    for path in before:
        if path not in after and _has_parent(path, after):
            yield Change(path, "gone")


def _has_parent(path: str, known: Mapping[str, Demands]) -> bool:
    parent = path.rpartition("/")[0]
    return not parent or parent in known


def _changed(before: Demands, after: Demands) -> Iterator[str]:
    if (before.least, before.most) != (after.least, after.most):
        yield f"{_often(after)}; was {_often(before)}"
    if before.base != after.base:
        yield f"{after.base or 'a block'}; was {before.base or 'a block'}"
    if not (before.base and after.base) and before.base != after.base:
        return
    for name in sorted({*before.facets, *after.facets}):
        yield from _facet(name, before.facets.get(name, ()), after.facets.get(name, ()))
    if before.content != after.content and _names(before.content) == _names(after.content):
        yield f"its children come as {after.content}; was {before.content}"


def _facet(name: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[str]:
    if name in {"enumeration", "attribute"}:
        yield from _listed("value" if name == "enumeration" else name, before, after)
    elif before != after:
        yield f"{name} {_said(after)}; was {_said(before)}"


def _listed(kind: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[str]:
    if not before or not after:
        # From or to a value that isn't one of a list.
        if before != after:
            yield f"{kind}: {_said(after)}; was {_said(before)}"
        return
    for words, some, others in ((f"new {kind}", after, before), (f"no longer the {kind}", before, after)):
        named = [value for value in some if value not in others]
        if named:
            yield f"{words} {_said(tuple(named))}"


def _said(values: tuple[str, ...]) -> str:
    return " | ".join(values[:_MOST_NAMED]) + (" | …" if len(values) > _MOST_NAMED else "") if values else "none"


def _often(demanded: Demands) -> str:
    if demanded.most is None:
        return f"{demanded.least} or more times"
    if demanded.least == demanded.most:
        return _times(demanded.most)
    return f"{demanded.least} to {demanded.most} times" if demanded.least else f"at most {_times(demanded.most)}"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _names(content: str) -> list[str]:
    return sorted(content.translate(str.maketrans("(),|&", "     ")).split())
