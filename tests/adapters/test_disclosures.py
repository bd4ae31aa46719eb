"""Who exchanged data about a person: `gateway.register.disclosures` on a real journal, and the command."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.engine import Connection

from gateway.cli import gateway
from gateway.register import disclosures, history, inss
from gateway.register.actor import Operator
from gateway.register.disclosures import Exchange
from gateway.site import make_site, open_site
from spool.effects import Kind
from spool.journal import Journal
from spool.register_tables import disclosures as rows
from spool.register_tables import institution_messages, register_changes
from spool.tables import effects, submissions

pytestmark = pytest.mark.every_database

_MARK = "a" * 64
_OTHER = "b" * 64
_INSS = "88070412305"
_AT = 1_795_000_000_000_000
_WHO = Operator("privacy")


def submit(connection: Connection, ticket: str, name: str) -> None:
    """An accepted submission of sender 123456 whose second form was forwarded."""
    row = {"ticket": ticket, "received_at": _AT, "channel": "sftp", "sender": "123456", "username": "payroll01"}
    row |= {"directory": "IN", "name": name, "stem": "x", "content": "", "state": "accepted"}
    connection.execute(sa.insert(submissions).values(**row, attempts=0, next_attempt_at=0))
    for form in (1, 2):
        state = {"state": "pending"} if form == 1 else {"state": "done", "done_at": _AT + form}
        facts = {"exchange": "declarations", "routing_key": f"R.{name[3:7]}", "payload": "form"}
        effect = {"ticket": ticket, "kind": Kind.FORWARD, "ordinal": form, "facts": facts}
        connection.execute(sa.insert(effects).values(**effect, **state))


def asked(journal: Journal, mark: str) -> list[Exchange]:
    """What is answered about a mark."""
    with journal.write() as connection:
        return disclosures.ask(connection, _WHO, mark, reason="asked by letter")


def test_an_exchange_says_who_sent_what_and_where_it_went(journal: Journal) -> None:
    """Only of the forms that name the person, oldest first."""
    with journal.write() as connection:
        submit(connection, "T000000000001", "GO.DIMN.123456.20261121.00001.R.1")
        disclosures.record(connection, "T000000000001", [(1, _OTHER), (2, _MARK)], _AT)

    [exchange] = asked(journal, _MARK)

    assert Exchange(_AT, "123456", "DIMN", "R", "T000000000001", 2, "declarations R.DIMN", "done", _AT + 2) == exchange
    assert [None] == [each.forwarded_at for each in asked(journal, _OTHER)]


def test_a_form_is_in_every_message_with_its_file(journal: Journal) -> None:
    """A message with a file is planned for its first form, and has the data of all of them."""
    facts = {"exchange": "archive", "routing_key": "R.DIMN", "payload": "file"}
    with journal.write() as connection:
        submit(connection, "T000000000006", "GO.DIMN.123456.20261121.00001.R.1")
        first = (effects.c.ticket == "T000000000006") & (effects.c.ordinal == 1)
        connection.execute(sa.update(effects).where(first).values(facts=facts))
        disclosures.record(connection, "T000000000006", [(2, _MARK)], _AT)

    assert [("archive R.DIMN", "pending"), ("declarations R.DIMN", "done")] == [
        (each.forwarded_to, each.state) for each in asked(journal, _MARK)
    ]


def test_a_message_of_an_institution_is_an_exchange_too(journal: Journal) -> None:
    """It was sent by the institution, and went to a sender by one of its channels."""
    with journal.write() as connection:
        row = {"ticket": "T000000000002", "publisher": "onss", "message_id": "1", "received_at": _AT, "purpose": "NOTI"}
        row |= {"environment": "R", "sender": "123456", "sha256": "", "state": "delivered", "channel": "mq"}
        connection.execute(sa.insert(institution_messages).values(**row))
        disclosures.record(connection, "T000000000002", [(1, _MARK)], _AT)

    [exchange] = asked(journal, _MARK)

    assert ("onss", "NOTI", "mq 123456", "delivered") == (
        exchange.sent_by,
        exchange.message_type,
        exchange.forwarded_to,
        exchange.state,
    )


def test_what_is_recorded_twice_is_there_once(journal: Journal) -> None:
    """A ticket's persons are written with its verdict, and stay as they were written."""
    for _ in range(2):
        with journal.write() as connection:
            disclosures.record(connection, "T000000000003", ((form, _MARK) for form in range(1, 2501)), _AT)
    with journal.read() as connection:
        assert 2500 == connection.execute(sa.select(sa.func.count()).select_from(rows)).scalar()


def test_every_question_is_in_the_history(journal: Journal) -> None:
    """Who asked, why, and how much was found; by the mark of the person, also when there was nothing."""
    asked(journal, _MARK)
    with journal.read() as connection:
        [change] = history.changes(connection)

    assert ("operator:privacy", "disclosures.asked", f"inss:{_MARK}") == (change.actor, change.act, change.subject)
    assert ("asked by letter", {"exchanges": 0}) == (change.reason, change.after)


def test_a_missed_key_is_temporary_trouble(tmp_path: Path) -> None:
    """Nothing that names persons is accepted while it is away, and no other key is made in its place."""
    settings, journal = open_site(make_site(tmp_path / "site"))
    with journal.write() as connection:
        disclosures.record(connection, "T000000000004", [(1, _MARK)], _AT)
    disclosures.marker(settings, journal)
    inss.key_file(settings).unlink()

    with pytest.raises(disclosures.InssKeyUnusableError):
        disclosures.marker(settings, journal)
    assert not inss.key_file(settings).exists()
    journal.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    """The settings of a site on which one exchange concerned a person."""
    path = make_site(tmp_path / "site")
    settings, journal = open_site(path)
    with journal.write() as connection:
        submit(connection, "T000000000005", "GO.DIMN.123456.20261121.00001.R.1")
        mark = inss.mark(inss.read_key(inss.key_file(settings)), _INSS)
        disclosures.record(connection, "T000000000005", [(2, mark)], _AT)
    yield path
    with journal.read() as connection:
        for row in connection.execute(sa.select(register_changes)):
            assert _INSS not in str(row)
    journal.close()


def command(site: Path, *words: str, typed: str | None = None) -> Result:
    """What ``gateway disclosures`` answers."""
    return CliRunner(env={"GATEWAY_CONFIG": str(site)}).invoke(gateway, ["disclosures", *words], input=typed)


def test_the_number_is_read_from_a_pipe(site: Path) -> None:
    """As it may be written on a letter; the answer doesn't repeat it."""
    result = command(site, "--reason", "letter of 3 November", typed="88.07.04-123.05\n")

    assert 0 == result.exit_code, result.output
    assert "T000000000005" in result.stdout
    assert _INSS not in result.output


def test_a_number_among_the_words_is_taken_with_a_warning(site: Path) -> None:
    """Others on the machine can read it there."""
    result = command(site, "--reason", "letter", "--inss", _INSS, "--json")

    assert 0 == result.exit_code
    assert "list of processes" in result.stderr
    assert '"ticket": "T000000000005"' in result.stdout


@pytest.mark.parametrize(
    ("words", "typed"),
    [(["--reason", "letter"], "88070412306\n"), (["--reason", " "], f"{_INSS}\n"), ([], f"{_INSS}\n")],
)
def test_a_question_without_a_number_or_a_reason_is_not_asked(site: Path, words: list[str], typed: str) -> None:
    """Wrong check digits, no reason, an empty one: nothing is looked up, and nothing is in the history."""
    result = command(site, *words, typed=typed)

    assert 2 == result.exit_code
    assert "8807041230" not in result.output
    _, journal = open_site(site)
    with journal.read() as connection:
        assert [] == list(history.changes(connection))
    journal.close()
