"""docs/compliance.md: every table of the journal and every folder of the spool stands there, with what is in it."""

import re
from pathlib import Path

from spool.register_tables import TABLES

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "compliance.md").read_text(encoding="utf-8")


def rows(heading: str) -> dict[str, list[str]]:
    """The rows of the table under a heading by their first cell."""
    section = _PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in lines}


def test_every_table_says_what_is_in_it_and_how_long() -> None:
    """And no table is named that there is not."""
    found = rows("In the journal")

    assert {table.name for table in TABLES} == set(found)
    assert all(len(cells) == 2 and all(cells) for cells in found.values())


def test_every_folder_of_the_spool_says_what_is_in_it_and_how_long() -> None:
    """As ``spool/README.md`` lists them, which is held by the code."""
    listing = (_ROOT / "spool" / "README.md").read_text(encoding="utf-8").partition("```text\n")[2].partition("```")[0]
    folders = {line.split()[0].partition("/")[0] for line in listing.splitlines()}
    found = rows("In the spool")

    assert folders <= set(found)
    assert all(len(cells) == 2 and all(cells) for cells in found.values())


def test_every_row_names_a_kind_of_data() -> None:
    """One that the page explains, or that it says what another place does."""
    kinds = set(re.findall(r"^\| \*\*(\w+)\*\* \|", _PAGE, re.MULTILINE))

    assert {"content", "mark", "person", "act", "trade", "none"} == kinds
    for name, (what, _) in (rows("In the journal") | rows("In the spool")).items():
        assert re.match(rf"({'|'.join(kinds)}|as the journal)\b", what), name
