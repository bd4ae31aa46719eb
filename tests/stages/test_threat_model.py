"""docs/threat-model.md: every threat has a control that there is, and a test that there is."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from config.settings import Settings

_ROOT = Path(__file__).parents[2]
_TEXT = (_ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
_BOUNDARIES = _TEXT.partition("\n## ")[2].rpartition("\n## What is left\n")[0]
_ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in _BOUNDARIES.splitlines()
    if line.startswith("| ") and not line.startswith(("| threat |", "| --- |"))
]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_CONTROL = re.compile(r"`([^`]+)`")
_SETTING = re.compile(r"\[(\w+)\] (\w+)")


@cache
def found_in(path: str) -> frozenset[str]:
    """The names of the tests in a file; none if there is no such file."""
    file = _ROOT / path
    if not file.is_file():
        return frozenset()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.parse(file.read_bytes()).body if isinstance(node, functions))


def is_there(control: str) -> bool:
    """Whether there is such a file, folder or setting."""
    setting = _SETTING.fullmatch(control)
    if setting is None:
        return (_ROOT / control).exists()
    section = Settings.model_fields.get(setting[1])
    return section is not None and setting[2] in getattr(section.annotation, "model_fields", {})


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row[0][:60])
def test_a_threat_has_a_control_and_a_test_that_exist(row: list[str]) -> None:
    """Its row has four cells: the threat, one letter of STRIDE, controls alone, tests alone."""
    threat, kind, controls, tests = row
    assert threat
    assert kind in set("STRIDE")
    named = _CONTROL.findall(controls)
    assert named
    assert "" == _CONTROL.sub("", controls).strip()
    assert [] == [control for control in named if not is_there(control)]
    proofs = _TEST.findall(tests)
    assert proofs
    assert "" == _TEST.sub("", tests).strip()
    assert [] == [f"{path}::{test}" for path, test in proofs if test not in found_in(path)]


def test_every_boundary_has_its_threats() -> None:
    """Those of the table at the top, each with all that it is open to, and what is left named at the end."""
    listed = re.findall(r"^\| \[[^]]+\]\(#([\w-]+)\) \|", _TEXT, re.MULTILINE)
    titles = re.findall(r"^## (.+)$", _TEXT, re.MULTILINE)
    assert [*listed, "what-is-left"] == [title.lower().replace(" ", "-") for title in titles]
    assert all(section.count("\n| ") > 4 for section in _BOUNDARIES.split("\n## "))
    assert len(re.findall(r"^- \*\*", _TEXT.partition("## What is left")[2], re.MULTILINE)) >= 8
