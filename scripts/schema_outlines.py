"""Which XSD follows from the outline of a structure?

The schemas of the shipped message types are long and regular, so each is written as an outline, beside this file in
``outlines/<folder>/<Root>_<version>.txt``, and turned into ``schemas/<folder>/<Root>_<version>.xsd`` by running
``python -m scripts.schema_outlines``. A test finds that the two agree. An operator's schemas need no outline.

An outline has one rule for each name; a line that begins with space continues the one before::

    # What these lines say becomes the comment of the schema.
    like DmfAOriginal_20223
    Form 90059 = Identification, Reference{0,4}, (DimonaIn | DimonaOut), Remark*
    Identification 00296 = string "DMFA"
    INSS 00024 = integer digits 11 match 0|[0-9]{11}
    Amount 00070 = integer 0..99999999999 digits 11
    Name 00025 = string length 1..48
    Since 00090 = date from 1990-01-01 match [0-9]{4}-[0-9]{2}-[0-9]{2}

``like`` takes over every rule of another outline that this one doesn't write anew. The number is that of the block or
zone in the glossary, where one is known. The root is named as the file is; what it doesn't reach is left out. ``?``,
``*``, ``+`` and ``{least,most}`` say how often; ``ANY`` is any XML.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

OUTLINES = Path(__file__).resolve().parent / "outlines"
SCHEMAS = Path(__file__).resolve().parents[1] / "schemas"

_XSD = "http://www.w3.org/2001/XMLSchema"
_RULE = re.compile(r"(?P<name>[A-Za-z0-9]+) (?:(?P<number>[0-9]{5}) )?= (?P<meaning>.+)")
_TOKEN = re.compile(r"\s*([A-Za-z][A-Za-z0-9]*|\{[0-9]+,[0-9]*\}|[(),|?*+])")
_FIELD = re.compile(
    r"(?P<base>string|integer|date|time|gYearMonth|boolean)"
    r"(?: from (?P<from>[0-9-]+))?"
    r"(?: (?P<low>[0-9]+)?\.\.(?P<high>[0-9]+)?)?"
    r"(?: length (?P<short>[0-9]+)?\.\.(?P<long>[0-9]+)?)?"
    r"(?: digits (?P<digits>[0-9]+))?"
    r'(?P<values>(?: "[^"]*")*)'
    r"(?: match (?P<pattern>\S+))?"
)
_OFTEN = {"": ("1", "1"), "?": ("0", "1"), "*": ("0", "unbounded"), "+": ("1", "unbounded")}


class OutlineError(Exception):
    """An outline that cannot be read; says which rule."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One name: the number of its block or zone, and what it consists of."""

    number: str | None
    meaning: str

    @property
    def is_field(self) -> bool:
        """Whether it holds a value, and not elements."""
        return _FIELD.fullmatch(self.meaning) is not None


@dataclass(frozen=True, slots=True)
class Particle:
    """Elements of a block: a name, or a sequence (``,``) or choice (``|``) of more, and how often."""

    name: str
    parts: tuple["Particle", ...]
    often: tuple[str, str]

    def names(self) -> Iterator[str]:
        """Every element in it, in order."""
        if not self.parts:
            yield self.name
        for part in self.parts:
            yield from part.names()


def schema(outline: Path) -> str:
    """The XSD of an outline, as text.

    Raises `OutlineError` for a rule that cannot be read and for a name without a rule.
    """
    comment, rules = read_outline(outline)
    root, _, version = outline.stem.rpartition("_")
    if root not in rules:
        raise OutlineError(f"{outline.name}: no rule for {root}")
    models = {name: _model(rule.meaning) for name, rule in rules.items() if not rule.is_field}
    reached = list(_reach(root, rules, models))
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        *_comment(comment),
        f'<xs:schema xmlns:xs="{_XSD}" id="{outline.stem}" version="{version}" blockDefault="#all">',
        "",
        f'  <xs:element name="{root}">',
        *_indented(_block("", rules[root].number, models[root])),
        "  </xs:element>",
        "",
        "  <!-- Blocks -->",
        "",
    ]
    for name in reached[1:]:
        if name in models:
            lines += [*_block(name, rules[name].number, models[name]), ""]
    lines += ["  <!-- Fields -->", ""]
    for name in sorted(reached, key=str.casefold):
        if name not in models:
            lines += [*_field(name, rules[name]), ""]
    return "\n".join([*lines, "</xs:schema>", ""])


def read_outline(outline: Path) -> tuple[list[str], dict[str, Rule]]:
    """The lines of its comment, and its rules with those of the outline it is like.

    Raises `OutlineError` for a line that is no rule.
    """
    text = re.sub(r"\n[ \t]+", " ", outline.read_text(encoding="utf-8"))
    comment: list[str] = []
    taken: dict[str, Rule] = {}
    rules: dict[str, Rule] = {}
    for line in filter(None, text.splitlines()):
        rule = _RULE.fullmatch(line)
        if line.startswith("#"):
            comment.append(line.removeprefix("#").strip())
        elif line.startswith("like "):
            _, taken = read_outline(outline.parent / f"{line.removeprefix('like ')}.txt")
        elif rule is None or rule["name"] in rules:
            raise OutlineError(f"{outline.name}: {line}")
        else:
            rules[rule["name"]] = Rule(rule["number"], rule["meaning"])
    return comment, taken | rules


def _reach(root: str, rules: Mapping[str, Rule], models: Mapping[str, Particle]) -> Iterator[str]:
    """The names that stand below the root, nearest first."""
    seen = {root: None}
    queue = [root]
    for name in queue:
        yield name
        below = () if name not in models else models[name].names()
        for other in below:
            if other != "ANY" and other not in rules:
                raise OutlineError(f"{name}: {other} has no rule")
            if other != "ANY" and other not in seen:
                seen[other] = None
                queue.append(other)


def _model(meaning: str) -> Particle:
    tokens = _TOKEN.findall(meaning)
    if re.sub(r"\s", "", meaning) != "".join(tokens):
        raise OutlineError(meaning)
    tokens.append(")")
    try:
        whole = _group(tokens)
    except IndexError as unfinished:
        raise OutlineError(meaning) from unfinished
    if tokens:
        raise OutlineError(meaning)
    return whole


def _group(tokens: list[str]) -> Particle:
    """Read up to the closing parenthesis; `IndexError` if there is none."""
    parts: list[Particle] = []
    signs: set[str] = set()
    sign = ""
    while sign != ")":
        first = tokens.pop(0)
        part = _group(tokens) if first == "(" else Particle(first, (), _OFTEN[""])
        if tokens[0] in _OFTEN or tokens[0].startswith("{"):
            part = Particle(part.name, part.parts, _how_often(tokens.pop(0)))
        parts.append(part)
        sign = tokens.pop(0)
        signs.add(sign)
    kinds = signs - {")"}
    if len(kinds) > 1 or not kinds <= {",", "|"}:
        raise OutlineError("a group is a sequence or a choice: " + " ".join(part.name for part in parts))
    return Particle("choice" if kinds == {"|"} else "sequence", tuple(parts), _OFTEN[""])


def _how_often(sign: str) -> tuple[str, str]:
    least, _, most = sign.strip("{}").partition(",")
    return _OFTEN.get(sign, (least, most or "unbounded"))


def _block(name: str, number: str | None, model: Particle) -> Iterator[str]:
    named = f' name="{name}"' if name else ""
    numbered = f' id="block-{number}"' if number else ""
    yield f"  <xs:complexType{named}{numbered}>"
    body = model if model.name == "sequence" else Particle("sequence", (model,), _OFTEN[""])
    yield from _particle(body, "    ")
    yield "  </xs:complexType>"


def _particle(particle: Particle, indent: str) -> Iterator[str]:
    often = _often(*particle.often)
    if particle.name == "ANY":
        yield f'{indent}<xs:any processContents="skip"{often}/>'
    elif not particle.parts:
        yield f'{indent}<xs:element name="{particle.name}" type="{particle.name}"{often}/>'
    else:
        yield f"{indent}<xs:{particle.name}{often}>"
        for part in particle.parts:
            yield from _particle(part, indent + "  ")
        yield f"{indent}</xs:{particle.name}>"


def _often(least: str, most: str) -> str:
    shown = "" if least == "1" else f' minOccurs="{least}"'
    return shown if most == "1" else f'{shown} maxOccurs="{most}"'


def _field(name: str, rule: Rule) -> Iterator[str]:
    written = _FIELD.fullmatch(rule.meaning)
    if written is None:
        raise OutlineError(f"{name}: {rule.meaning}")
    exact = written["short"] if written["short"] == written["long"] else None
    facets = [
        ("minInclusive", written["from"] or written["low"]),
        ("maxInclusive", written["high"]),
        ("length", exact),
        ("minLength", None if exact else written["short"]),
        ("maxLength", None if exact else written["long"]),
        ("totalDigits", written["digits"]),
        ("pattern", written["pattern"]),
        *(("enumeration", value) for value in re.findall('"([^"]*)"', written["values"])),
    ]
    numbered = f' id="zone-{rule.number}"' if rule.number else ""
    yield f'  <xs:simpleType name="{name}"{numbered}>'
    given = [(facet, value) for facet, value in facets if value is not None]
    yield f'    <xs:restriction base="xs:{written["base"]}"' + (">" if given else "/>")
    for facet, value in given:
        yield f'      <xs:{facet} value="{value}"/>'
    if given:
        yield "    </xs:restriction>"
    yield "  </xs:simpleType>"


def _comment(lines: list[str]) -> list[str]:
    return ["<!-- " + "\n     ".join(lines) + " -->"] if lines else []


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return ("  " + line for line in lines)


def write_all() -> None:
    """Write the XSD of every outline."""
    for outline in sorted(OUTLINES.glob("*/*.txt")):
        target = SCHEMAS / outline.parent.name / f"{outline.stem}.xsd"
        target.parent.mkdir(exist_ok=True)
        target.write_text(schema(outline), encoding="utf-8")


if __name__ == "__main__":
    write_all()
