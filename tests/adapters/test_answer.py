"""Signing, stamping and keeping answers, and placing them from a real journal to a real disk."""

import base64
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import structlog
from aiohttp import web
from asn1crypto import cms
from pydantic import HttpUrl

from config.errors import TemporaryError
from config.settings import Signing
from gateway import answer
from gateway.answer import Desk, NotPlacedError, SignedAnswer, Told, place_all
from gateway.timestamping import open_stamping
from signing.own.own_keys import open_keys
from spool import answers, submissions
from spool.answers import AnswerName, StoredAnswer
from spool.journal import Journal
from spool.mailbox import Mailbox
from spool.outbox import Outbox
from spool.submissions import Ruling, State, Submission
from spool.tables import events
from tests.authority import Pki
from tests.timestamp_authority import TimestampServer, timestamp_server

pytestmark = pytest.mark.every_database

BRUSSELS = ZoneInfo("Europe/Brussels")


@pytest.fixture
async def clock(tmp_path: Path, pki: Pki) -> AsyncIterator[TimestampServer]:
    """A timestamp authority that works."""
    async with timestamp_server(tmp_path, pki) as server:
        yield server


@pytest.fixture
def signed(journal: Journal, pki: Pki) -> SignedAnswer:
    """An answer to a recorded submission, signed and nothing more."""
    with journal.write() as connection:
        record(connection, "A", "111111")
        submission = submissions.load(connection, "A")
    assert submission is not None
    [signed] = answer.compose(Told(submission), desk(journal, pki))
    return signed


def desk(journal: Journal, pki: Pki, compress_above: int = 50_000_000) -> Desk:
    """What answers are made with."""
    own = pki.issue("Gateway")
    keys = open_keys(Signing(key=own.key, certificate=own.certificate))
    return Desk(keys, BRUSSELS, journal, compress_above)


async def broken(_: web.Request) -> web.StreamResponse:
    """A timestamp authority in trouble."""
    return web.Response(status=500)


async def stamp(signed: SignedAnswer, clock: TimestampServer, *, required: bool) -> SignedAnswer:
    """The answer as the pipeline has it stamped."""
    settings = Signing(timestamp_url=HttpUrl(clock.url), timestamp_required=required)
    async with open_stamping(settings) as stamping:
        return await answer.stamp(signed, stamping)


def kept(journal: Journal, signed: SignedAnswer) -> StoredAnswer:
    """The answer as the journal keeps it."""
    with journal.write() as connection:
        answer.promise(connection, [signed])
    with journal.read() as connection:
        return answers.load(connection, signed.submission.ticket, 1)


def stamps(text: bytes) -> int:
    """How many timestamps a signature has."""
    [signer] = cms.ContentInfo.load(base64.b64decode(text), strict=True)["content"]["signer_infos"]
    return len(signer["unsigned_attrs"])


def notes(journal: Journal) -> list[str]:
    """What the journal says happened."""
    with journal.read() as connection:
        return list(connection.execute(sa.select(events.c.name)).scalars())


async def test_an_answer_is_stamped_and_kept_so(journal: Journal, signed: SignedAnswer, clock: TimestampServer) -> None:
    """What is given again later has the same timestamp; the acknowledgement and what was signed stay as they were."""
    stamped = await stamp(signed, clock, required=True)
    stored = kept(journal, stamped)

    assert (signed.data, stamped.signature.text()) == (stored.data, stored.signature)
    assert (0, 1) == (stamps(signed.signature.text()), stamps(stored.signature))
    assert signed.signature.value == stamped.signature.value
    assert "answer.not_stamped" not in notes(journal)


async def test_an_answer_goes_out_without_a_timestamp_where_none_is_required(
    journal: Journal, signed: SignedAnswer, clock: TimestampServer
) -> None:
    """The log says so, and the history of the submission too."""
    clock.answer = broken
    with structlog.testing.capture_logs() as lines:
        unstamped = await stamp(signed, clock, required=False)

    assert 0 == stamps(kept(journal, unstamped).signature)
    assert "answer.not_stamped" in notes(journal)
    [line] = [line for line in lines if line["event"] == "answer.not_stamped"]
    assert ("A", "HTTP status 500") == (line["ticket"], line["reason"])


async def test_an_answer_waits_for_a_timestamp_that_is_required(signed: SignedAnswer, clock: TimestampServer) -> None:
    """It is trouble of our own; the submission is held and judged again later."""
    clock.answer = broken
    with pytest.raises(TemporaryError):
        await stamp(signed, clock, required=True)


async def test_without_an_authority_an_answer_is_not_stamped(journal: Journal, signed: SignedAnswer) -> None:
    """That is as it should be, and no event."""
    assert await answer.stamp(signed, None) == signed
    assert 0 == stamps(kept(journal, signed).signature)
    assert "answer.not_stamped" not in notes(journal)


def record(connection: sa.Connection, ticket: str, sender: str) -> None:
    """A submission that was received."""
    name = f"GO.DIMN.{sender}.20261121.00001.R.1"
    submissions.add(
        connection, Submission(ticket, 1, "sftp", sender, "u", "IN", name, name[3:-2], "c", State.RECEIVED, 0)
    )


def promise(journal: Journal, ticket: str, sender: str, purposes: Sequence[str] = ("ACRF",)) -> None:
    """A rejected submission whose answers are still to be placed."""
    with journal.write() as connection:
        record(connection, ticket, sender)
        submissions.settle(connection, ticket, Ruling(State.REJECTED))
        for ordinal, purpose in enumerate(purposes, 1):
            stem = answers.take_stem(connection, purpose, "20261121", "R")
            name = AnswerName(ticket, ordinal, Mailbox(sender, "OUT"), "FO", stem)
            answers.store(connection, StoredAnswer(name, b"<ACRF/>", b"sig"))
        answer.promise_again(connection, ticket, ticket)


def test_one_answer_that_cannot_be_placed_does_not_hold_up_the_others(journal: Journal, tmp_path: Path) -> None:
    """It is tried again later; everybody else has theirs."""
    outbox = Outbox(tmp_path / "answers")
    (tmp_path / "answers").mkdir()
    (tmp_path / "answers" / "111111").write_text("a file where a folder should be")
    for ticket, sender in (("A", "111111"), ("B", "222222"), ("C", "333333")):
        promise(journal, ticket, sender)

    with pytest.raises(NotPlacedError):
        place_all(journal, outbox, batch_size=1)
    assert [3, 3] == [len(outbox.entries(Mailbox(sender, "OUT"))) for sender in ("222222", "333333")]
    (tmp_path / "answers" / "111111").unlink()

    assert 1 == place_all(journal, outbox)
    assert 3 == len(outbox.entries(Mailbox("111111", "OUT")))
    assert 0 == place_all(journal, outbox)


def test_an_idle_turn_writes_nothing(journal: Journal, tmp_path: Path) -> None:
    """Without anything to place there is no transaction that writes."""
    before = journal_size(tmp_path)

    assert 0 == place_all(journal, Outbox(tmp_path / "answers"))
    assert before == journal_size(tmp_path)


def journal_size(folder: Path) -> int:
    """The bytes of the journal and its log."""
    return sum(path.stat().st_size for path in folder.glob("journal.sqlite3*"))
