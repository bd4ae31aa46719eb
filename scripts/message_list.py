"""What does ``docs/messages.md`` say of types, codes and rules?

Its prose is written by hand; what stands between ``<!-- name -->`` and ``<!-- end -->`` is taken from the catalogue,
the codes and the rules, by running ``python -m scripts.message_list``. A test finds that the document is current.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from schemas import catalogue, type_file
from schemas.codes import Code
from schemas.identifiers import ZONES
from schemas.message_type import FileLimits, MessageType
from schemas.rules import OF_EVERY_TYPE, RULES
from schemas.wording import Language, code_text

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "messages.md"
_PART: Final = re.compile(r"(<!-- ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_LANGUAGES: Final = tuple(Language)


def current(text: str) -> str:
    """The document with every generated part made anew; `LookupError` for a part that nobody knows."""
    return _PART.sub(lambda part: f"{part[1]}\n{PARTS[part[2]]()}\n\n{part[4]}", text)


def types() -> str:
    """Every type that has a schema."""
    columns = ("purpose", "root", "versions, and the day from which each counts", "forms", "direction", "limits")
    return table(columns, ((_code(kind.purpose), _code(kind.root), *_facts(kind)) for kind in _with_schema()))


def without_schema() -> str:
    """Every purpose whose structure isn't known."""
    kinds = (kind for kind in catalogue.load() if not kind.versions)
    columns = ("purpose", "direction", "forms", "what it is")
    return table(columns, ((_code(k.purpose), k.direction, _forms(k), k.title) for k in kinds))


def titles() -> str:
    """What each type is called."""
    kinds = catalogue.load()
    rows = ((_code(kind.purpose), _code(kind.root), *map(kind.titles.__getitem__, _LANGUAGES)) for kind in kinds)
    return table(("purpose", "root", *_LANGUAGES), rows)


def codes() -> str:
    """What each code of an acknowledgement says."""
    rows = ((f"`{code.value}`", *(code_text(code, language) for language in _LANGUAGES)) for code in sorted(Code))
    return table(("code", *_LANGUAGES), rows)


def rules() -> str:
    """The rules across a form or a file, and the types that have them."""
    return table(("rule", "what it demands", "of"), (_rule(name) for name in RULES))


def identifiers() -> str:
    """The kinds of number whose check digits are judged."""
    return table(("kind", "zones"), ((_code(kind), ", ".join(zones)) for kind, zones in ZONES.items()))


def example() -> str:
    """Everything that a type.toml may say."""
    text = str(type_file.__doc__).partition("::\n\n")[2]
    lines = (line.removeprefix("    ") for line in text.rstrip().splitlines())
    return "\n".join(["```toml", *lines, "```"])


PARTS: Final[Mapping[str, Callable[[], str]]] = {
    "types": types,
    "without-schema": without_schema,
    "titles": titles,
    "codes": codes,
    "rules": rules,
    "identifiers": identifiers,
    "example": example,
}


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    titles = list(columns)
    lines = [titles, ["---"] * len(titles), *(list(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _with_schema() -> Iterator[MessageType]:
    return (kind for kind in catalogue.load() if kind.versions)


def _facts(kind: MessageType) -> Iterator[str]:
    yield ", ".join(f"{version} ({kind.starts[version]})" for version in kind.versions)
    yield _forms(kind)
    yield kind.direction
    yield "; ".join(_limits(kind.limits)) or "none of its own"


def _limits(limits: FileLimits) -> Iterator[str]:
    if limits.max_bytes:
        yield f"{limits.max_bytes} bytes"
    if limits.max_forms:
        yield f"{limits.max_forms} form{'s' if limits.max_forms > 1 else ''}"
    if limits.declarations:
        yield f"{limits.max_declarations} of `{limits.declarations}` in a form"


def _rule(name: str) -> tuple[str, str, str]:
    demanded = " ".join(str(RULES[name].check.__doc__).split("\n\n")[0].split())
    of = "every type" if name in OF_EVERY_TYPE else ", ".join(_code(k.root) for k in _with_schema() if name in k.rules)
    return _code(name), demanded, of


def _forms(kind: MessageType) -> str:
    return ", ".join(map(_code, sorted(kind.form_codes)))


def _code(word: str) -> str:
    return f"`{word}`" if word else ""


if __name__ == "__main__":
    DOCUMENT.write_text(current(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
