"""Confirmed declarations are cut out of custody again and sent under the same ids; what cannot be is said."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import pytest
import sqlalchemy as sa

from config.messages import Routing
from gateway.examination import Content, ContentRules, ValidatedSet, validate_set
from gateway.forward import Accepted, promise
from gateway.forward_again import NotAgainError, Resender, content_of
from gateway.reconcile import Comparison, Tally, reconcile
from gateway.register.actor import Operator
from gateway.workers import Workers
from schemas.filename import FileName, parse
from schemas.validate import Limits
from signing.evidence import Proven
from signing.own.own_keys import OwnKeys
from signing.policy import Policy
from signing.xmldsig import examine_enveloped
from spool import declarations, effects, purges, submissions
from spool.answers import AnswerName, StoredAnswer, store
from spool.effects import Kind
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.submissions import Ruling, State
from spool.tables import effects as planned
from tests.gateway_process import three_forms
from tests.purge_made import LATER, SENDER, Archive, make_archive, make_keys
from tests.submissions_made import BRUSSELS
from tests.xml_builder import XmlBench

WHO = Operator("operator")


class HereAndNow:
    """Workers without processes: what they are asked is done where it is asked."""

    async def run(self, function: Callable[..., Any], *args: Any) -> Any:
        """What it answers."""
        return function(*args)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> OwnKeys:
    """The gateway's key."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def site(journal: Journal, tmp_path: Path, keys: OwnKeys, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """A site whose senders send three real forms."""
    monkeypatch.setattr("tests.purge_made.FI", three_forms())
    return make_archive(tmp_path, journal, keys)


def accept(site: Archive, number: int = 1, *, signed: bool = True) -> str:
    """A submission whose declarations are all confirmed, and dropped."""
    ticket = site.take(number)
    folder, waiting = site.folder(ticket), site.spool / "declarations" / ticket
    with site.journal.read() as connection:
        submission = submissions.load(connection, ticket)
    assert submission is not None
    name = parse(submission.name)
    assert isinstance(name, FileName)
    [fi] = [file for file in submission.files if file.name.startswith("FI.")]
    rules = ContentRules("DIMN", Limits(10**6, 100), datetime.now(BRUSSELS).date(), site.settings.schemas.folder)
    waiting.parent.mkdir(exist_ok=True)
    result = validate_set([Content(fi.name, folder / fi.name, None)], rules, waiting)
    assert isinstance(result, ValidatedSet)
    said = {"certificate": "ab" * 32, "data": fi.sha256, "leniencies": [], "chain": [], "revocation": []}
    with site.journal.write() as connection:
        facts = {"signatures": [said if signed else None]}
        submissions.settle(connection, ticket, Ruling(State.ACCEPTED, forms=3, facts=facts))
        stem = f"ACRF.999999.20261121.{number:05}.R"
        store(connection, StoredAnswer(AnswerName(ticket, 1, Mailbox(SENDER, "OUT"), "FO", stem), b"a", b"s"))
        effects.plan(connection, ticket, Kind.ANSWER, [{"answer_of": ticket, "ordinal": 1}])
        promise(connection, Accepted(submission, name, [fi], result, f"{folder.parent.name}/{ticket}"), Routing())
        effects.done(connection, effects.pending(connection, Kind.FORWARD, 10))
    site.carry_out()
    waiting.unlink()
    return ticket


def resender(site: Archive) -> Resender:
    """With workers that are here."""
    return Resender(site.settings, site.journal, cast("Workers", HereAndNow()))


def waiting(site: Archive) -> list[bytes]:
    """What is to be forwarded, byte for byte."""
    with site.journal.read() as connection:
        return [
            declarations.read(site.spool / "declarations" / each.ticket, each.facts["offset"], each.facts["length"])
            for each in effects.pending(connection, Kind.FORWARD, 10)
        ]


@pytest.mark.parametrize("signed", [True, False])
async def test_every_form_is_sent_again_as_it_was(site: Archive, signed: bool) -> None:
    """The same bytes at the same places; the ticket is open until they are confirmed, and closes again."""
    begun = now()
    ticket = accept(site, signed=signed)
    assert [] == list(resender(site).tickets(now() + purges.DAY))
    assert [ticket] == list(resender(site).tickets(begun))

    assert 3 == await resender(site).send(ticket, WHO, "the broker has lost its disk", begun)

    forms = waiting(site)
    assert 3 == len(forms)
    assert all(form.startswith(b"<") for form in forms)
    assert [] == [path.name for path in (site.spool / "declarations").iterdir() if path.name != ticket]
    assert [] == list(reconcile(Comparison(site.journal, site.spool, pauses=()), Tally()))
    with site.journal.write() as connection:
        effects.done(connection, effects.pending(connection, Kind.FORWARD, 10))
    with site.journal.read() as connection:
        found = submissions.load(connection, ticket)
        told = [event.name for event in submissions.timeline(connection, ticket)]
    assert found is not None
    assert found.closed_at is not None
    assert ["submission.closed", "declarations.sent_again", "submission.closed"] == told[-3:]


async def test_what_is_not_the_same_any_more_is_not_sent(site: Archive) -> None:
    """Other bytes in custody, another cut, no files, an unknown ticket: each in words, and nothing is planned."""
    altered, moved, bare = accept(site, 1), accept(site, 2), accept(site, 3)
    other = three_forms().replace(b"Dimona", b"DIMONA", 1)
    fi = next(site.folder(altered).glob("FI.*"))
    fi.chmod(0o640)
    fi.write_bytes(other)
    assert hashlib.sha256(other).hexdigest() != hashlib.sha256(three_forms()).hexdigest()
    with site.journal.write() as connection:
        facts = {"offset": 7, "length": 9, "routing_key": "k", "headers": {}}
        mine = (planned.c.ticket == moved) & (planned.c.kind == Kind.FORWARD) & (planned.c.ordinal == 1)
        connection.execute(sa.update(planned).where(mine).values(facts=facts))
    next(site.folder(bare).glob("FI.*")).unlink()

    words = {}
    for ticket in (altered, moved, bare, "NOSUCHTICKET0"):
        with pytest.raises(NotAgainError) as refused:
            await resender(site).send(ticket, WHO, "a test")
        words[ticket] = str(refused.value)
    assert "cut otherwise" in words[moved]
    assert words[altered] in {words[moved], "its files are not those that were judged"}
    assert "not in custody" in words[bare]
    assert "no accepted submission" in words["NOSUCHTICKET0"]
    assert [] == waiting(site)
    assert [] == list((site.spool / "declarations").iterdir())


async def test_what_is_purged_cannot_be_sent_again(site: Archive) -> None:
    """Nor be purged while it is to be sent."""
    kept, purged = accept(site, 1), accept(site, 2)
    await site.seal()
    await resender(site).send(kept, WHO, "a test")
    await site.seal()
    site.purge(LATER)
    assert [True, False] == [site.folder(ticket).exists() for ticket in (kept, purged)]
    with pytest.raises(NotAgainError):
        await resender(site).send(purged, WHO, "a test")


def test_what_a_signature_inside_covers_is_taken_out_again(tmp_path: Path) -> None:
    """By the certificate that was judged and no other; nothing of a document that was changed."""
    bench = XmlBench.open(tmp_path)
    document = tmp_path / "document"
    document.write_text(bench.draft().dump())
    proven = examine_enveloped(document, Policy())
    assert isinstance(proven, Proven)
    certificate = hashlib.sha256(proven.certificate).hexdigest()

    assert proven.content == content_of(document, [], certificate)
    assert content_of(document, [], "ab" * 32) is None
    document.write_text(bench.draft().dump().replace("<", "<!-- -->\n<", 1).replace("</", "more</", 1))
    assert content_of(document, [], certificate) is None
