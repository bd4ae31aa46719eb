"""docs/traps.md names tests that exist, at least one for every trap."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (_ROOT / "docs" / "traps.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith(("| trap |", "| --- |"))
]
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_TRAPS = 20


@cache
def found_in(path: str) -> frozenset[str]:
    """The names of the tests in a file; none if there is no such file."""
    file = _ROOT / path
    if not file.is_file():
        return frozenset()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.parse(file.read_bytes()).body if isinstance(node, functions))


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row[0])
def test_a_trap_has_tests_that_exist(row: list[str]) -> None:
    """Its row has four cells, and the last one nothing but tests."""
    name, elsewhere, here, proof = row
    named = _TEST.findall(proof)

    assert all((name, elsewhere, here, named))
    assert "" == _TEST.sub("", proof).replace("|", "").strip()
    assert [] == [f"{path}::{test}" for path, test in named if test not in found_in(path)]


def test_every_trap_is_there_once() -> None:
    """Twenty of them."""
    assert _TRAPS == len({row[0] for row in _ROWS}) == len(_ROWS)
