"""``docs/messages.md`` says what is true: its tables are made from the catalogue, its commands and settings exist."""

import re

import pytest

from config.settings import Settings
from gateway.cli.schemas import schemas
from schemas import catalogue
from schemas.codes import Code
from scripts import message_list


@pytest.fixture(scope="module")
def text() -> str:
    """The document."""
    return message_list.DOCUMENT.read_text(encoding="utf-8")


def test_the_document_is_current(text: str) -> None:
    """``python -m scripts.message_list`` would change nothing, and every part is there."""
    assert message_list.current(text) == text
    assert set(re.findall(r"<!-- ([a-z-]+) -->", text)) == {*message_list.PARTS, "end"}


def test_every_type_and_code_is_in_the_document(text: str) -> None:
    """By purpose, root and version, and by number."""
    for kind in catalogue.load():
        assert f"| `{kind.purpose}` |" in text
        assert all(f"{version} ({kind.starts[version]})" in text for version in kind.versions)
    assert [code for code in Code if f"| `{code.value}` |" not in text] == []


def test_every_command_and_option_in_the_document_exists(text: str) -> None:
    """And every command has its place there."""
    named = set(re.findall(r"gateway schemas ([a-z]+)", text))
    options = {word for command in schemas.commands.values() for option in command.params for word in option.opts}
    assert named == set(schemas.commands)
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) <= options


def test_every_setting_in_the_document_exists(text: str) -> None:
    """With the section it is in."""
    defaults = Settings().model_dump()
    named = re.findall(r"`\[([a-z]+)\] ([a-z_]+)`", text)
    assert named
    assert [pair for pair in named if pair[1] not in defaults.get(pair[0], {})] == []


def test_a_cell_may_hold_a_bar() -> None:
    """It doesn't end the cell."""
    assert message_list.table(("a", "b"), [("x|y", "z")]).splitlines() == [
        "| a | b |",
        "| --- | --- |",
        r"| x\|y | z |",
    ]
