"""`docs/reconcile.md` names every mismatch, with the words that the command prints."""

from pathlib import Path

from spool.reconciliation import ADVICE, MEANING, Misfit

_PAGE = Path(__file__).parents[2] / "docs" / "reconcile.md"


def test_the_page_has_every_mismatch_with_what_to_do() -> None:
    """In the order of the code, and no other."""
    table = _PAGE.read_text().partition("## What is named, and what to do")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]

    assert [f"| `{misfit}` | {MEANING[misfit]} | {ADVICE[misfit]} |" for misfit in Misfit] == rows
