"""The table of states in ``spool/README.md`` is that of the code."""

from pathlib import Path

import spool
from spool.submissions import OPEN_STATES, VERDICTS, State

_README = Path(spool.__file__).with_name("README.md")


def rows() -> dict[str, list[str]]:
    """The columns of the table by state; moments before the journal knows anything are in brackets."""
    table = _README.read_text().partition("## States of a submission")[2].partition("\n## ")[0]
    lines = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| ")]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in lines[2:]}


def test_every_state_has_its_row() -> None:
    """No state is missing, and none is invented."""
    assert {str(state) for state in State} == {name for name in rows() if not name.startswith("(")}


def test_only_a_verdict_has_effects() -> None:
    """Before a verdict nothing is promised; after it the answer may still have to be placed."""
    for name, cells in rows().items():
        expected = "?" if name in VERDICTS else "-"
        assert expected == cells[4]


def test_a_recorded_submission_is_in_custody_and_nowhere_else() -> None:
    """Every state of the journal has custody and row, and nothing in incoming."""
    for state in (*OPEN_STATES, State.QUARANTINED, *VERDICTS):
        assert ["-", "+", "+"] == rows()[state][:3]


def test_every_row_says_who_cleans_up() -> None:
    """No crash leaves something nobody is responsible for."""
    assert all(cells[5] for cells in rows().values())
