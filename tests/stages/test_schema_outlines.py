"""The outlines that schemas are written from: `scripts.schema_outlines`."""

from pathlib import Path

import pytest
from lxml import etree

from scripts.schema_outlines import OUTLINES, SCHEMAS, OutlineError, schema

WRITTEN = sorted(OUTLINES.glob("*/*.txt"))


def write(folder: Path, text: str, name: str = "Root_20231") -> Path:
    """An outline in a file."""
    path = folder / f"{name}.txt"
    path.write_text(text, encoding="utf-8")
    return path


def is_valid(folder: Path, rules: str, content: str) -> bool:
    """Whether a root with this content is valid by the schema of these rules."""
    judge = etree.XMLSchema(etree.fromstring(schema(write(folder, rules)).encode()))
    return judge.validate(etree.fromstring(f"<Root>{content}</Root>"))


@pytest.mark.parametrize("outline", WRITTEN, ids=lambda path: path.stem)
def test_a_shipped_schema_follows_from_its_outline(outline: Path) -> None:
    """Byte for byte: neither is changed without the other."""
    target = SCHEMAS / outline.parent.name / f"{outline.stem}.xsd"
    assert target.read_text(encoding="utf-8") == schema(outline)


def test_a_schema_in_full(tmp_path: Path) -> None:
    """Comment, numbers, the root, blocks in the order in which they are reached, fields by name; nothing unreached."""
    outline = write(
        tmp_path,
        "# One.\n# Two.\n\nRoot 90001 = Part,\n    (Name | Free)?\nFree = ANY*\nPart 90002 = Name{0,4}\n"
        'Name 00001 = string "A" "B"\nUnused 00002 = boolean\n',
    )
    assert schema(outline) == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<!-- One.\n     Two. -->\n"
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" id="Root_20231" version="20231"'
        ' blockDefault="#all">\n\n'
        '  <xs:element name="Root">\n'
        '    <xs:complexType id="block-90001">\n'
        "      <xs:sequence>\n"
        '        <xs:element name="Part" type="Part"/>\n'
        '        <xs:choice minOccurs="0">\n'
        '          <xs:element name="Name" type="Name"/>\n'
        '          <xs:element name="Free" type="Free"/>\n'
        "        </xs:choice>\n"
        "      </xs:sequence>\n"
        "    </xs:complexType>\n"
        "  </xs:element>\n\n"
        "  <!-- Blocks -->\n\n"
        '  <xs:complexType name="Part" id="block-90002">\n'
        "    <xs:sequence>\n"
        '      <xs:element name="Name" type="Name" minOccurs="0" maxOccurs="4"/>\n'
        "    </xs:sequence>\n"
        "  </xs:complexType>\n\n"
        '  <xs:complexType name="Free">\n'
        "    <xs:sequence>\n"
        '      <xs:any processContents="skip" minOccurs="0" maxOccurs="unbounded"/>\n'
        "    </xs:sequence>\n"
        "  </xs:complexType>\n\n"
        "  <!-- Fields -->\n\n"
        '  <xs:simpleType name="Name" id="zone-00001">\n'
        '    <xs:restriction base="xs:string">\n'
        '      <xs:enumeration value="A"/>\n'
        '      <xs:enumeration value="B"/>\n'
        "    </xs:restriction>\n"
        "  </xs:simpleType>\n\n"
        "</xs:schema>\n"
    )


@pytest.mark.parametrize(
    ("meaning", "valid", "invalid"),
    [
        ("integer 1..12", ["1", "12", "012"], ["0", "13", "x"]),
        ("integer 5..", ["5", "600"], ["4"]),
        ("integer ..5", ["-1", "5"], ["6"]),
        ("integer digits 2", ["12", "012"], ["123"]),
        ("integer digits 2 match [0-9]{2}", ["01"], ["1"]),
        ('integer digits 1 "1" "2"', ["1", "02"], ["3"]),
        ("string length 2..3", ["ab", "abc"], ["a", "abcd"]),
        ("string length ..2", ["", "ab"], ["abc"]),
        ("string length 2..2", ["ab"], ["a", "abc"]),
        ("date from 1990-01-01 match [0-9]{4}-[0-9]{2}-[0-9]{2}", ["1990-01-01"], ["1989-12-31", "1990-01-01Z"]),
        ("boolean", ["true", "0"], ["yes"]),
        ("gYearMonth", ["2026-01"], ["2026"]),
    ],
)
def test_a_field_is_what_its_rule_says(meaning: str, valid: list[str], invalid: list[str], tmp_path: Path) -> None:
    """On both sides of each bound."""
    rules = f"Root = Value\nValue = {meaning}\n"
    taken = [text for text in valid + invalid if is_valid(tmp_path, rules, f"<Value>{text}</Value>")]
    assert taken == valid


@pytest.mark.parametrize(
    ("model", "valid", "invalid"),
    [
        ("A, B", ["AB"], ["A", "BA", "ABB"]),
        ("A?, B*", ["", "A", "ABB"], ["AAB"]),
        ("A+, B{1,2}", ["AB", "AABB"], ["B", "ABBB"]),
        ("A{2,}", ["AA", "AAAA"], ["A"]),
        ("A | B", ["A", "B"], ["", "AB"]),
        ("A, (B | A)?", ["A", "AB", "AA"], ["AAB", "B"]),
        ("((A, B) | B)+", ["AB", "B", "BAB"], ["A", ""]),
    ],
)
def test_a_block_is_what_its_rule_says(model: str, valid: list[str], invalid: list[str], tmp_path: Path) -> None:
    """How often each stands there, in which order."""
    rules = f"Root = {model}\nA = string\nB = string\n"
    taken = [text for text in valid + invalid if is_valid(tmp_path, rules, "".join(f"<{name}/>" for name in text))]
    assert taken == valid


def test_an_outline_like_another_has_its_own_rules_first(tmp_path: Path) -> None:
    """What it doesn't write anew is the other's, comments aside; the other may be in another folder."""
    (tmp_path / "older").mkdir()
    write(tmp_path / "older", "# Old.\nRoot = A, B\nA = string\nB = integer\n", "Root_20113")
    newer = schema(write(tmp_path, "like older/Root_20113\nB = boolean\n"))
    assert 'base="xs:boolean"' in newer
    assert 'name="A" type="A"' in newer
    assert "Old." not in newer


@pytest.mark.parametrize(
    "rules",
    [
        "Root = A, B\nA = string\n",
        "Root = A, B | A\nA = string\nB = string\n",
        "Root = A)\nA = string\n",
        "Root = A B\nA = string\nB = string\n",
        "Root = A%\nA = string\n",
        "Root = A\nA string\n",
        "Root = A\nA = string\nA = string\n",
        "Root = (A\nA = string\n",
        "Other = A\nA = string\n",
    ],
)
def test_an_outline_that_cannot_be_read_is_an_error(rules: str, tmp_path: Path) -> None:
    """A name without a rule, a group of both kinds, what is no rule, one name twice, no root."""
    with pytest.raises(OutlineError):
        schema(write(tmp_path, rules))
