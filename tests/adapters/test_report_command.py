"""``gateway report`` over a journal: by type, as a table, CSV and JSON."""

import csv
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from gateway.answer_times import Timed
from gateway.cli import gateway
from gateway.metrics.timed import timed
from gateway.site import make_site
from spool import submissions
from spool.journal import Journal, open_journal
from spool.submissions import State
from spool.tables import events
from tests.submissions_made import answer, receive

SECOND = 1_000_000
NOON = 1_795_262_400 * SECOND
DAY = "2026-11-21"


def told(journal: Journal) -> None:
    """One answered after 20 seconds, one after 90 as it was held, one that is not answered, one of another day."""
    for number, at in enumerate((NOON, NOON, NOON, NOON - 86_400 * SECOND), 1):
        receive(journal, f"26XQ{number}", at=at)
    for number in (1, 2):
        answer(journal, f"26XQ{number}", f"ACRF.999999.20261121.0000{number}.R")
    with journal.write() as connection:
        for number in (1, 2):
            submissions.note(connection, f"26XQ{number}", "answer.placed", stem="s")
            submissions.note(connection, f"26XQ{number}", "answer.placed", stem="again")
        for reason in ("the list of 'test' is too old", "the list of 'test' is too old", "again"):
            submissions.note(connection, "26XQ2", "submission.held", reason=reason, attempt=1)
        for number, name, seconds in ((1, "answer.placed", 20), (2, "answer.placed", 90), (3, "custody.taken", 1)):
            this = (events.c.ticket == f"26XQ{number}") & (events.c.name == name)
            first = sa.select(sa.func.min(events.c.number)).where(this)
            connection.execute(
                sa.update(events).where(events.c.number == first.scalar_subquery()).values(at=NOON + seconds * SECOND)
            )


@pytest.mark.every_database
def test_how_long_a_sender_waited_is_read_from_the_event(journal: Journal) -> None:
    """And is nothing where an older release, or a purge, has left no word of it."""
    for number in (1, 2):
        receive(journal, f"26XQ{number}", at=NOON)
    with journal.write() as connection:
        [first, second] = connection.execute(sa.select(events.c.number).order_by(events.c.number)).scalars()
        for number, facts in ((first, {"name": "x", "waited": 4000 * SECOND}), (second, {})):
            connection.execute(sa.update(events).where(events.c.number == number).values(facts=facts))
    with journal.read() as connection:
        found = list(timed(connection, NOON, NOON + SECOND))
    assert [4000 * SECOND, 0] == [one.waited for one in found]


@pytest.mark.every_database
def test_what_came_and_when_it_was_answered_is_read_from_the_journal(journal: Journal) -> None:
    """The first answer counts; every reason once; another day is not of this one."""
    told(journal)
    with journal.read() as connection:
        found = list(timed(connection, NOON, NOON + SECOND))

    assert ["26XQ1", "26XQ2", "26XQ3"] == [one.ticket for one in found]
    assert [NOON + 20 * SECOND, NOON + 90 * SECOND, None] == [one.answered_at for one in found]
    assert NOON + SECOND == found[2].recorded_at
    assert ("the list of 'test' is too old", "again") == found[1].held
    assert Timed("26XQ3", "123456", "DIMN", State.RECEIVED, NOON, NOON + SECOND, None) == found[2]


def test_the_report_is_printed_for_people_spreadsheets_and_programs(tmp_path: Path) -> None:
    """The same figures each time."""
    make_site(tmp_path / "site")
    journal = open_journal(tmp_path / "site/var/journal.sqlite3")
    told(journal)
    journal.close()

    def said(*words: str) -> str:
        config = {"GATEWAY_CONFIG": str(tmp_path / "site/gateway.toml")}
        done = CliRunner(env=config).invoke(gateway, ["report", "--day", DAY, *words])
        assert 0 == done.exit_code, done.output
        return done.stdout

    table = said()
    assert "99.9 % answered within 60 s" in table
    assert "26XQ2" in table
    [dimona, whole] = csv.DictReader(said("--format", "csv").splitlines())
    assert ("DIMN", "all", DAY) == (dimona["type"], whole["type"], whole["day"])
    program = json.loads(said("--format", "json", "--worst", "1"))
    [line, _] = program["types"]
    assert (3, 3, 1, 1, False) == tuple(
        line[name] for name in ("submissions", "counted", "within", "unanswered", "kept")
    )
    assert (33.333, "33.333") == (line["percent"], dimona["percent"])
    assert ["26XQ3"] == [one["ticket"] for one in program["worst"]]
    assert ["26XQ2"] == [one["ticket"] for one in program["held"]]
