"""Which values of a form do checks across its elements ask for, and in which order do they stand?

Identifiers, amounts and references are taken out of a form's bytes by name alone, wherever in the form they stand. That
is right for a form that the schema has accepted: comments, CDATA, references, attributes and prefixes hide nothing.

What is done with the values is in `schemas.rules` and `schemas.identifiers`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from typing import Final, NamedTuple

from schemas.splitting import Form

_REST_OF_TAG: Final = r"""[^<>"']*(?:(?:"[^"<]*"|'[^'<]*')[^<>"']*)*>"""
_REFERENCE: Final = re.compile("&(?:#([0-9]{1,9})|#x([0-9A-Fa-f]{1,8})|(amp|lt|gt|quot|apos));")
_NAMED: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


class Field(NamedTuple):
    """An element known by its name; ``occurrence`` counts those of the name in the form, from 0."""

    name: str
    occurrence: int


def fields_of(form: Form, names: Iterable[str], encoding: str, *, prefixed: bool = False) -> list[tuple[str, str]]:
    """The elements of these names in a valid form, in their order, with their values as they stand, space included.

    Of one that holds other elements the value says nothing. No objects here: it is done for every form of every file.

    Args:
        form: as it stands in its document
        names: of elements, without namespace
        encoding: of the document
        prefixed: whether the names may have a prefix
    """
    content = form.written_plainly().decode(encoding, "replace")
    found: list[tuple[str, str]] = _wanted(frozenset(names), prefixed).findall(content)
    return [(name, _resolved(value)) for name, value in found] if "&" in content else found


@lru_cache(maxsize=64)
def _wanted(names: frozenset[str], prefixed: bool) -> re.Pattern[str]:
    """What finds the start tags of these names and the text behind each; they are told apart by their first letter."""
    first = f"(?=[{''.join(sorted({name[0] for name in names}))}])"
    letters = groupby(sorted(names), key=lambda name: name[0])
    known = "|".join(f"{letter}(?:{'|'.join(re.escape(name[1:]) for name in those)})" for letter, those in letters)
    prefix = r"(?:[^ \t\r\n/<>:!?]+:)?" if prefixed else ""
    return re.compile(rf"<{prefix}{first}({known})(?:>|(?=[ \t\r\n/]){_REST_OF_TAG})([^<]*)")


def _resolved(text: str) -> str:
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    return _NAMED[name] if name else chr(int(decimal) if decimal else int(hexadecimal, 16))
