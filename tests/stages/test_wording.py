"""Every code and every rule can be told to every sender in a language of theirs."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import schemas
from schemas import locate, refusal
from schemas.anomaly import Broken
from schemas.codes import Code
from schemas.content_model import Departure
from schemas.identifiers import Kind
from schemas.rules import RULES
from schemas.wording import Language, anomaly_text, code_text, expected_text

_FOLDER = Path(schemas.__file__).parent
_WORDS: dict[str, Any] = tomllib.loads((_FOLDER / "wording.toml").read_text(encoding="utf-8"))
_FACETS = {"length", "format", "value"}
_SAID_IN_CODE = {
    rule
    for module in (locate, refusal)
    for rule in re.findall(r'Broken\(\s*"([^"]+)"', Path(str(module.__file__)).read_text(encoding="utf-8"))
}
_RULES = {*map(str, Departure), *_FACETS, *_SAID_IN_CODE, *(f"identifier.{kind}" for kind in Kind), *RULES}


def _sentences() -> list[str]:
    ruled = [words for rule in _WORDS["rules"].values() for words in rule.values()]
    return [sentence for words in (*_WORDS["codes"].values(), *ruled) for sentence in words.values()]


@pytest.mark.parametrize("code", Code)
def test_every_code_has_a_sentence_in_four_languages_that_differ(code: Code) -> None:
    """No language borrows another's words."""
    assert len(Language) == len({code_text(code, language) for language in Language})


@pytest.mark.parametrize("rule", sorted(_RULES))
@pytest.mark.parametrize("expected", ["", "A | B"])
def test_every_rule_in_use_has_a_sentence_in_four_languages_that_differ(rule: str, expected: str) -> None:
    """With what would be right, and without."""
    broken = Broken(rule, "000", "Element", "a value", expected)

    assert len(Language) == len({anomaly_text(broken, language) for language in Language})


def test_there_are_no_words_for_what_nobody_says() -> None:
    """A rule or code that went away takes its words along."""
    assert _RULES == set(_WORDS["rules"])
    assert {code.value for code in Code} == set(_WORDS["codes"])


def test_the_rules_named_in_the_code_were_found() -> None:
    """What the tests above go through is not empty by mistake."""
    assert {"text", "form", "form-type", "not-a-form", "syntax"} == _SAID_IN_CODE


def test_every_sentence_begins_and_ends_as_one() -> None:
    """A capital or the element first, one full stop, which is the last character."""
    odd = [sentence for sentence in _sentences() if not re.fullmatch(r"[A-ZÀÉ{].*[^.]\.", sentence)]

    assert [] == odd
    assert [] == [sentence for sentence in _sentences() if re.search(r"\.\s", sentence)]


@pytest.mark.parametrize("language", Language)
def test_a_sentence_names_the_element_and_what_would_be_right(language: Language) -> None:
    """And never the value, which is somebody's."""
    sentence = anomaly_text(Broken("length", "093", "FirstName", "Hendrika", "≤ 24"), language)

    assert "FirstName" in sentence
    assert "≤ 24" in sentence
    assert "Hendrika" not in sentence


def test_what_would_be_right_stands_in_every_sentence_that_can_say_it() -> None:
    """The longer sentence of a rule has its place for it in each language."""
    longer = [words for rule in _WORDS["rules"].values() for words in rule.get("expected", {}).values()]

    assert longer
    assert [] == [sentence for sentence in longer if "{expected}" not in sentence]


def test_braces_in_a_name_or_value_are_letters() -> None:
    """What a document or pattern says is not read as a place for something else."""
    broken = Broken("format", "008", "{expected}", "", "[0-9]{8}|{element}")

    assert "{expected}" in anomaly_text(broken, Language.EN)
    assert anomaly_text(broken, Language.EN).endswith("[0-9]{8}|{element}.")


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ("date", "ein Datum JJJJ-MM-TT"),
        ("digits ≤ 9", "Anzahl Ziffern ≤ 9"),
        ("≤ 9", "≤ 9"),
        ("A | B", "A | B"),
        ("", ""),
    ],
)
def test_what_would_be_right_is_said_in_the_language_where_it_has_words(expected: str, words: str) -> None:
    """Names of types and of bounds are translated, values and patterns are not."""
    assert words == expected_text(expected, Language.DE)


def test_every_type_that_a_schema_builds_on_has_words() -> None:
    """Else a sender would be told the name of an XML type; text needs none, as any will do."""
    named = {
        name
        for path in _FOLDER.glob("*/*.xsd")
        for name in re.findall(r'(?:base|type)="xs:([A-Za-z]+)"', path.read_text(encoding="utf-8"))
    }

    assert set() == named - set(_WORDS["values"]) - {"string"}
