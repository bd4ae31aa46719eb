"""What is in a proof: every answer that was given, what went where and when, who fetched it; and what is gone."""

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway import proof
from gateway.exporting import Exporter
from gateway.proof import MisfitError
from signing.own.own_keys import OwnKeys
from spool import answers, chain, effects, purges, submissions
from spool.answers import AnswerName, StoredAnswer
from spool.effects import Kind
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.records import Records
from spool.submissions import Ruling, State
from spool.tables import events
from tests.purge_made import LATER, SENDER, Archive, make_archive, make_keys
from tests.submissions_made import BRUSSELS

ANSWER = "ACRF.999999.20261121.00001.R"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> OwnKeys:
    """The gateway's key."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def site(journal: Journal, tmp_path: Path, keys: OwnKeys) -> Archive:
    """A site with nothing in it yet."""
    return make_archive(tmp_path, journal, keys)


async def exported(site: Archive, ticket: str, target: Path) -> dict[str, bytes]:
    """The files of the proof of a ticket, which verifies."""
    await site.seal()
    with site.journal.read() as connection:
        submission = submissions.load(connection, ticket)
    assert submission is not None
    Exporter(site.settings, site.journal, site.keys).write(submission, target)
    assert ticket == proof.verify(target, {site.keys.present.certificate}).ticket
    with zipfile.ZipFile(target) as file:
        return {name: file.read(name) for name in file.namelist()}


def answer_really(site: Archive, number: int) -> str:
    """A submission that is done, with an answer that is really signed."""
    ticket = site.take(number)
    name = AnswerName(ticket, 1, Mailbox(SENDER, "OUT"), "FO", ANSWER)
    signature = site.keys.present.sign(b"<ACRF/>", datetime.now(UTC)).text()
    with site.journal.write() as connection:
        submissions.settle(connection, ticket, Ruling(State.ACCEPTED))
        answers.store(connection, StoredAnswer(name, b"<ACRF/>", signature))
        effects.plan(connection, ticket, Kind.ANSWER, [{"answer_of": ticket, "ordinal": 1}])
    site.carry_out()
    return ticket


async def test_it_says_what_went_where_and_who_fetched_it(site: Archive, tmp_path: Path) -> None:
    """When, in microseconds, and by which user."""
    begun = now()
    ticket = answer_really(site, 1)
    records, box = Records(site.journal, BRUSSELS), Mailbox(SENDER, "OUT")
    for user in ("payroll01", "payroll01", "payroll02"):
        records.fetched(box, f"FO.{ANSWER}", 0.0, user)

    content = await exported(site, ticket, tmp_path / "proof")

    told = json.loads(content["evidence/deliveries.json"])
    assert [("answer", "done"), ("fetch", "done"), ("fetch", "done")] == [
        (each["kind"], each["state"]) for each in told
    ]
    assert all(begun <= each["done_at"] <= now() for each in told)
    assert ["payroll01", "payroll02"] == [each["facts"]["by"] for each in told[1:]]
    sealed = [event for event in json.loads(content["evidence/events.json"]) if event["name"] == "answer.fetched"]
    assert ["payroll01", "payroll02"] == [event["facts"]["by"] for event in sealed]


async def test_a_repeat_has_the_answer_that_its_sender_was_given(site: Archive, tmp_path: Path) -> None:
    """That of the first one, with our signature, and when it was fetched."""
    first = answer_really(site, 1)
    repeat = site.take(2)
    with site.journal.write() as connection:
        submissions.settle(connection, repeat, Ruling(State.REPEATED))
        effects.plan(connection, repeat, Kind.ANSWER, [{"answer_of": first, "ordinal": 1}])
    site.carry_out()
    Records(site.journal, BRUSSELS).fetched(Mailbox(SENDER, "OUT"), f"FO.{ANSWER}", 0.0, "payroll01")

    content = await exported(site, repeat, tmp_path / "proof")

    assert b"<ACRF/>" == content[f"answers/FO.{ANSWER}"]
    [_, fetch] = json.loads(content["evidence/deliveries.json"])
    assert (first, "payroll01") == (fetch["ticket"], fetch["facts"]["by"])


async def test_a_purged_ticket_says_what_is_gone_and_still_verifies(site: Archive, tmp_path: Path) -> None:
    """First the files, then the answers, then the facts; the SHA-256 of what went stay as long as the facts do."""
    ticket = answer_really(site, 1)
    await site.seal()
    site.purge(now() + 401 * purges.DAY)
    content = await exported(site, ticket, tmp_path / "without_files")
    missing = json.loads(content["evidence/missing.json"])
    assert 3 == len(missing)
    assert all(words.startswith("received/") and "payload.purged" in words for words in missing)
    assert f"answers/FO.{ANSWER}" in content

    site.purge(LATER)
    content = await exported(site, ticket, tmp_path / "without_answers")
    missing = json.loads(content["evidence/missing.json"])
    assert 4 == len(missing)
    assert missing[-1].startswith(f"answers/FO.{ANSWER}: its time was up")
    assert not [name for name in content if name.startswith(("answers/", "received/"))]

    site.purge(now() + 3651 * purges.DAY)
    content = await exported(site, ticket, tmp_path / "without_facts")
    assert "the facts of 5 events" in json.loads(content["evidence/missing.json"])[-1]


async def test_a_proof_has_no_event_without_facts_that_no_purge_took(site: Archive, tmp_path: Path) -> None:
    """Who takes the facts of a verdict away can change its name, and the chain holds; the proof does not."""
    ticket = answer_really(site, 1)
    await site.seal()
    with site.journal.write() as connection:
        [number] = connection.execute(sa.select(events.c.number).where(events.c.name == "verdict.accepted")).scalars()
        chain.forget(connection, [number])
    with pytest.raises(MisfitError, match="has lost its facts, and no purge tells of it"):
        await exported(site, ticket, tmp_path / "without_facts")
