"""A journal of its own for each test that asks for one.

Modules marked ``every_database`` run each of their tests on SQLite and on PostgreSQL; ``--every-database`` lets all
tests with a journal do so.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import spool.journal
from spool.journal import Journal, open_journal
from spool.register_tables import TABLES
from tests.postgres import Cluster

_SQLITE, _POSTGRESQL = "sqlite", "postgresql"


def databases_of(metafunc: pytest.Metafunc) -> list[str]:
    """On which databases a test with a journal runs."""
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    every = metafunc.config.getoption("--every-database") or "every_database" in marks
    return [_SQLITE, _POSTGRESQL] if every and "sqlite_only" not in marks else [_SQLITE]


@pytest.fixture(scope="session", autouse=True)
def migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A new journal in a file is a copy of the first one: its migrations cost a tenth of a second, a thousand times."""
    template = tmp_path_factory.mktemp("journal") / "empty.sqlite3"
    open_journal(template, create=True).close()
    really = spool.journal.migrate

    def migrate(journal: Journal) -> None:
        url = journal._engine.url
        if url.drivername == "sqlite" and not Path(str(url.database)).exists():
            shutil.copyfile(template, str(url.database))
            with journal.write():
                pass  # so that it has its log, as one that was migrated has
        else:
            really(journal)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool.journal, "migrate", migrate)
        yield


@pytest.fixture(scope="session")
def shared_database(cluster: Cluster) -> str:
    """The URL of a PostgreSQL database that tests have after each other."""
    return cluster.journal()


@pytest.fixture
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    """An empty journal."""
    if getattr(request, "param", _SQLITE) == _SQLITE:
        opened = open_journal(tmp_path / "journal.sqlite3", create=True)
    else:
        opened = open_journal(request.getfixturevalue("shared_database"))
        with opened.write() as connection:
            names = ", ".join(table.name for table in TABLES)
            connection.execute(sa.text(f"TRUNCATE {names} RESTART IDENTITY"))
    yield opened
    opened.close()
