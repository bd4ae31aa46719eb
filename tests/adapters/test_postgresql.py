"""The journal on a real PostgreSQL server: writers take turns, readers see one moment, one that goes comes back."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from config.errors import ConfigurationError
from spool import answers
from spool.journal import Journal, JournalError, open_journal
from spool.submissions import note
from spool.tables import events
from tests.postgres import Cluster


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    """A database with an empty journal."""
    made = cluster.journal()
    yield made
    cluster.drop(made)


@pytest.fixture
def hosts(url: str) -> Iterator[tuple[Journal, Journal]]:
    """Two gateways' views of one journal."""
    opened = open_journal(url), open_journal(url)
    yield opened
    for journal in opened:
        journal.close()


def _count(connection: sa.Connection) -> int:
    return connection.execute(sa.select(sa.func.count()).select_from(events)).scalar_one()


def test_two_hosts_never_give_the_same_name(hosts: tuple[Journal, Journal]) -> None:
    """Whoever reads a number to write the next one has its turn alone, however many write at a time."""

    def take(turn: int) -> str:
        with hosts[turn % 2].write() as connection:
            return answers.take_stem(connection, "ACRF", "20260101", "R")

    with ThreadPoolExecutor(8) as pool:
        stems = list(pool.map(take, range(80)))

    assert 80 == len(set(stems))


def test_a_reader_sees_one_moment_and_holds_nobody_up(hosts: tuple[Journal, Journal]) -> None:
    """What is committed while it reads it does not see, and the writer did not wait for it."""
    with hosts[0].read() as reading:
        before = _count(reading)
        with hosts[1].write() as connection:
            note(connection, None, "written meanwhile")
        during = _count(reading)
    with hosts[0].read() as reading:
        after = _count(reading)

    assert (0, 0, 1) == (before, during, after)


def test_a_reader_writes_nothing(hosts: tuple[Journal, Journal]) -> None:
    """The database itself refuses it."""
    with pytest.raises(JournalError), hosts[0].read() as connection:
        note(connection, None, "by a reader")


def test_a_commit_that_returned_is_on_the_disk_whatever_the_server_is_set_to(hosts: tuple[Journal, Journal]) -> None:
    """The cluster of the tests says off; the session says on."""
    with hosts[0].read() as connection:
        assert "on" == connection.exec_driver_sql("SHOW synchronous_commit").scalar()


def test_a_writer_whose_host_is_gone_gives_its_turn_back(url: str, hosts: tuple[Journal, Journal]) -> None:
    """Its connection ends in the middle of a transaction: nothing of it stays, and the next one writes."""
    begun, go = threading.Event(), threading.Event()

    def write() -> None:
        with hosts[0].write() as connection:
            note(connection, None, "never committed")
            begun.set()
            go.wait(30)

    with ThreadPoolExecutor(1) as pool:
        lost = pool.submit(write)
        assert begun.wait(30)
        with hosts[1].read() as connection:
            others = (
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
            connection.exec_driver_sql(others)
        with hosts[1].write() as connection:
            count = _count(connection)
        go.set()
        with pytest.raises(JournalError):
            lost.result()

    assert 0 == count


def test_a_server_that_was_away_is_found_again(cluster: Cluster, hosts: tuple[Journal, Journal]) -> None:
    """While it is away every transaction is temporary trouble; afterwards the same journal goes on."""
    with hosts[0].write() as connection:
        note(connection, None, "before")
    cluster.stop()
    try:
        with pytest.raises(JournalError), hosts[0].write() as connection:
            note(connection, None, "while it is away")
    finally:
        cluster.start()
    with hosts[0].write() as connection:
        note(connection, None, "afterwards")
        count = _count(connection)

    assert 2 == count


def test_an_empty_database_is_no_journal(cluster: Cluster) -> None:
    """A gateway that begins again with an empty one would have forgotten what it answers for; no password is shown."""
    url = cluster.empty_database()
    with pytest.raises(ConfigurationError) as caught:
        open_journal(url, upgrade=True)

    assert "there is no journal" in caught.value.faults[0]
    assert str(sa.make_url(url).password) not in caught.value.faults[0]
    cluster.drop(url)


@pytest.mark.parametrize(
    "url", ["postgres", "mysql://user:hush@host/x", "postgresql://user:hush@host", "postgresql:///"]
)
def test_a_url_of_something_else_is_a_fault_that_shows_no_password(url: str) -> None:
    """It is told what is expected."""
    with pytest.raises(ConfigurationError) as caught:
        open_journal(url)

    assert "postgresql://user:password@host:port/database" in caught.value.faults[0]
    assert "hush" not in caught.value.faults[0]
