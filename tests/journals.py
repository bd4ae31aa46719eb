"""A journal of its own for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from spool.journal import Journal, open_journal


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty journal."""
    opened = open_journal(tmp_path / "journal.sqlite3", create=True)
    yield opened
    opened.close()
