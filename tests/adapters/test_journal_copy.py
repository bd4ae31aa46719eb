"""A journal moves from SQLite to PostgreSQL, on real databases."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from config.errors import ConfigurationError
from spool import answers, effects, submissions
from spool.answers import AnswerName, StoredAnswer
from spool.effects import Kind
from spool.journal import Journal, JournalError, open_journal
from spool.journal_copy import copy
from spool.mailbox import Mailbox
from spool.register_tables import TABLES, qualities
from spool.submissions import State, Submission, note
from spool.tables import events, senders
from tests.command_line import done
from tests.gateway_process import Site
from tests.postgres import Cluster


@pytest.fixture
def source(tmp_path: Path) -> Journal:
    """A journal with something in it, some of it more than one batch."""
    journal = open_journal(tmp_path / "journal.sqlite3", create=True)
    with journal.write() as connection:
        connection.execute(
            sa.insert(senders),
            {"number": "123456", "signature": "detached", "environments": "RTS", "purposes": ["*"], "state": "active",
             "created_at": 1, "any_employer": False},
        )  # fmt: skip
        submissions.add(connection, Submission("A", 1, "sftp", "123456", "u", "IN", "n", "n", "c", State.RECEIVED, 0))
        name = AnswerName("A", 1, Mailbox("123456", "OUT"), "FO", "ACRF.999999.20260101.00001.R")
        answers.store(connection, StoredAnswer(name, b"\x00\xffbytes", b"signature"))
        effects.plan(connection, "A", Kind.ANSWER, [{"answer_of": "A", "ordinal": 1, "words": "élève €"}])
        for number in range(1200):
            note(connection, "A", "event", number=number)
    return journal


def _rows(journal: Journal) -> dict[str, list[tuple[object, ...]]]:
    with journal.read() as connection:
        return {
            table.name: [
                tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))
            ]
            for table in TABLES
        }


def test_a_copied_journal_has_every_row_as_it_was(source: Journal, cluster: Cluster) -> None:
    """Bytes, documents, truth values and nothing at all are the same on the other side, and so are the counts."""
    target = open_journal(cluster.empty_database(), create=True)
    copied = copy(source, target)

    assert _rows(source) == _rows(target)
    assert {name: len(rows) for name, rows in _rows(source).items()} == copied
    target.close()


def test_what_is_written_after_the_copy_goes_on_counting(source: Journal, cluster: Cluster) -> None:
    """The next event has the next number; a table that was empty begins with 1."""
    target = open_journal(cluster.empty_database(), create=True)
    copied = copy(source, target)
    with target.write() as connection:
        note(connection, "A", "one more")
        connection.execute(sa.text("INSERT INTO enterprises VALUES ('0123456749', 'A bakery', 'active', 1)"))
        row = {"enterprise": "0123456749", "kind": "employer", "registration": "", "state": "active", "created_at": 1}
        first = connection.execute(sa.insert(qualities).values(**row)).inserted_primary_key
        last = connection.execute(sa.select(sa.func.max(events.c.number))).scalar()

    assert (copied["events"] + 1, 1) == (last, first[0] if first else None)
    target.close()


def test_a_database_with_something_in_it_takes_no_copy(source: Journal, cluster: Cluster) -> None:
    """Two histories are never mixed; what was there stays as it was."""
    target = open_journal(cluster.empty_database(), create=True)
    with target.write() as connection:
        note(connection, None, "was here")
    before = _rows(target)

    with pytest.raises(ConfigurationError) as caught:
        copy(source, target)

    assert "events" in caught.value.faults[0]
    assert before == _rows(target)
    target.close()


def test_a_copy_that_fails_half_way_leaves_nothing_behind(source: Journal, cluster: Cluster) -> None:
    """SQLite keeps what is longer than its column; PostgreSQL does not, and the database stays empty."""
    with source.write() as connection:
        note(connection, "A", "x" * 100)
    target = open_journal(cluster.empty_database(), create=True)

    with pytest.raises(JournalError):
        copy(source, target)

    assert not any(_rows(target).values())
    target.close()


def test_an_operator_moves_a_site_to_postgresql(site: Site, cluster: Cluster) -> None:
    """`gateway journal copy`, then journal.url: the same senders are listed from there."""
    url = cluster.empty_database()
    before = done(site, "sender", "list", "--json")
    done(site, "journal", "copy", "--to", url)
    site.configure('# url = "postgresql://gateway:password@127.0.0.1:5432/gateway"', f'url = "{url}"')
    site.settings.journal.path.unlink()

    assert before == done(site, "sender", "list", "--json")
    done(site, "migrate")
