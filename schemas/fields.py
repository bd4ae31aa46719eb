"""Which values of a form do checks across its elements ask for, and in which order do they stand?

Identifiers, amounts and references are taken out of a form's bytes by name alone. That is right for a form that the
schema has accepted, and that writes its elements plainly; one that doesn't is first written anew.

What is done with the values is in `schemas.rules` and `schemas.identifiers`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from schemas.splitting import Form, Splitter
from schemas.strict import STRICT

_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


@dataclass(frozen=True, slots=True)
class Field:
    """One element with its value; ``occurrence`` counts those of its name in the form, from 0."""

    name: str
    value: str
    occurrence: int


@lru_cache(maxsize=64)
def _wanted(names: frozenset[str]) -> re.Pattern[bytes]:
    known = "|".join(re.escape(name) for name in sorted(names))
    return re.compile(rf"<({known})(?=[ \t\r\n/>])([^>]*)>([^<]*)".encode())


def fields_of(form: Form, names: Iterable[str], splitter: Splitter, encoding: str) -> list[Field]:
    """The elements of these names in a valid form, in their order; of one that holds others, just that it is there.

    Args:
        form: as it stands in its document
        names: of elements, without namespace
        splitter: what cut the form out; it knows the root
        encoding: of the document
    """
    wanted = _wanted(frozenset(names))
    content = form.content if form.plain else _plain(splitter.alone(form.content), encoding)
    found = wanted.findall(content)
    if any(rest or b"&" in value for _, rest, value in found):
        found = wanted.findall(_plain(splitter.alone(form.content), encoding))
    counts: dict[bytes, int] = {}
    fields: list[Field] = []
    for name, _, value in found:
        count = counts[name] = counts.get(name, -1) + 1
        fields.append(Field(name.decode(), value.strip(b" \t\r\n").decode(encoding), count))
    return fields


def _plain(document: bytes, encoding: str) -> bytes:
    """The document without comments, instructions, CDATA, character references and ``xsi:`` attributes below its root.

    Lesser-than signs and ampersands are left out of values; no check asks for values that have them.
    """
    root = etree.fromstring(document, etree.XMLParser(encoding=encoding, strip_cdata=True, **STRICT))
    for element in root.iterdescendants():
        for name in [name for name in element.attrib if str(name).startswith(_XSI)]:
            del element.attrib[name]
        if element.text and not len(element):
            element.text = element.text.replace("&", "").replace("<", "")
        element.tail = None
    form = etree.tostring(root[0], encoding=encoding)
    return form.replace(b"/>", b"></>")
