"""What is kept no longer goes, and nothing else: a real custody, a sealed journal on both databases, a later day."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import ValidationError

from config.retention import OfType, Retention
from gateway import purge
from gateway.purge import Position, preview, rules_of
from gateway.reconcile import Comparison, Tally, reconcile
from gateway.repeats import check_repeats
from gateway.sealing import Sound, verify_journal
from signing.own.own_keys import OwnKeys
from spool import chain, effects, legal_holds, purges, submissions
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.custody import Custody
from spool.effects import Kind
from spool.holds import Selection, Word
from spool.journal import Journal, now
from spool.outbox import Outbox
from spool.purge_lock import purging, undiminished
from spool.relied import EVIDENCE, Relied
from spool.relied import Kind as ReliedKind
from spool.retention import NotKeptError, place_again
from spool.submissions import State
from spool.tables import answers, events, routing_queue
from tests.answers import ASKED
from tests.purge_made import FI, LATER, SENDER, Archive, gone, make_archive, make_keys, odd

pytestmark = pytest.mark.every_database

UNTOLD = "has lost its facts, and no purge tells of it"
WORD = Word("operator", "a letter from the court")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> OwnKeys:
    """The gateway's key."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def site(journal: Journal, tmp_path: Path, keys: OwnKeys) -> Archive:
    """A site with nothing in it yet."""
    return make_archive(tmp_path, journal, keys)


def timeline(site: Archive, ticket: str) -> list[str]:
    """The events of a ticket."""
    with site.journal.read() as connection:
        return [event.name for event in submissions.timeline(connection, ticket)]


async def is_sound(site: Archive) -> bool:
    """Whether the whole chain verifies, with every event sealed."""
    await site.seal()
    with site.journal.read() as connection:
        files = Checkpoints(site.spool / CHECKPOINTS)
        found = verify_journal(connection, files, {site.keys.present.certificate})
    return isinstance(found, Sound) and not found.unsealed


async def test_a_payload_goes_when_its_time_is_up(site: Archive) -> None:
    """Its files go, its row and their hashes stay; the chain verifies, and nothing is missed or taken for new."""
    ticket = site.settle(1)
    await site.seal()

    assert [] == site.purge(now() + 399 * purges.DAY)
    steps = site.purge(now() + 401 * purges.DAY)

    assert [("payload", ticket)] == gone(steps)
    assert not site.folder(ticket).exists()
    with site.journal.read() as connection:
        found = submissions.load(connection, ticket)
        purged = submissions.timeline(connection, ticket)[-1]
    assert found is not None
    assert hashlib.sha256(FI).hexdigest() in {file.sha256 for file in found.files}
    assert ("payload.purged", {"files": 3, "bytes": len(FI) + 4}) == (purged.name, purged.facts)
    assert await is_sound(site)
    assert [] == Custody(site.spool / "custody", site.journal).recover()
    tally = Tally()
    assert [] == list(reconcile(Comparison(site.journal, site.spool, pauses=()), tally))
    assert 1 == tally.purged
    assert [] == site.purge(now() + 401 * purges.DAY)


async def test_an_answer_goes_later_and_leaves_its_digest(site: Archive) -> None:
    """Its name stays taken, nobody is given nothing for it, and it is said why."""
    ticket = site.settle(1)
    await site.seal()
    site.purge(now() + 401 * purges.DAY)
    await site.seal()

    assert [("answers", ticket)] == gone(site.purge(LATER))
    with site.journal.read() as connection:
        [told] = [event for event in submissions.timeline(connection, ticket) if event.name == "answers.purged"]
        kept = connection.execute(sa.select(answers.c.stem, answers.c.data, answers.c.signature)).one()
    stem = "ACRF.999999.20261121.00001.R"
    assert (stem, b"", b"") == tuple(kept)
    digests = {f"FO.{stem}": b"<ACRF/>", f"FS.{stem}": b"c2ln"}
    assert {name: hashlib.sha256(data).hexdigest() for name, data in digests.items()} == told.facts["sha256"]
    with pytest.raises(NotKeptError), site.journal.write() as connection:
        place_again(connection, Outbox(site.spool / "answers"), ticket, ASKED)
    assert await is_sound(site)


async def test_the_facts_go_last_and_the_chain_holds(site: Archive) -> None:
    """After ten years: every event keeps its digest, the row its codes and names, and no user is named any more."""
    ticket = site.settle(1)
    with site.journal.write() as connection:
        submissions.note(connection, None, "user.blocked", sender=SENDER, username="payroll01")
    await site.seal()
    for _ in range(2):  # what a purge writes down has to be sealed before the next kind goes
        site.purge(LATER)
        await site.seal()

    steps = site.purge(now() + 3651 * purges.DAY)

    assert [("evidence", ticket)] == gone(steps)
    assert 1 <= sum(step.loose for step in steps)
    with site.journal.read() as connection:
        found = submissions.load(connection, ticket)
        facts = {event.name: event.facts for event in submissions.timeline(connection, ticket)}
        said = connection.execute(sa.select(events.c.facts).where(events.c.name == "user.blocked")).scalar_one()
    assert found is not None
    assert ("", (("ACRF-0", ""),)) == (found.username, found.findings)
    assert {} == facts["custody.taken"] == facts["verdict.accepted"] == said
    assert await is_sound(site)
    assert [] == site.purge(now() + 3651 * purges.DAY)


@pytest.mark.parametrize("changed", [{"ticket": "another"}, {"at": 1}, {"name": "fetched"}])
@pytest.mark.parametrize("bare", ["user.blocked", "custody.taken"])
async def test_what_is_left_of_an_event_is_covered(site: Archive, bare: str, changed: dict[str, str | int]) -> None:
    """Without its facts an event has ticket, time and name still, and the chain does not hold if these are changed."""
    site.settle(1)
    with site.journal.write() as connection:
        submissions.note(connection, None, "user.blocked", sender=SENDER, username="payroll01")
    await site.seal()
    for _ in range(2):
        site.purge(LATER)
        await site.seal()
    site.purge(now() + 3651 * purges.DAY)
    assert await is_sound(site)

    with site.journal.write() as connection:
        connection.execute(sa.update(events).where(events.c.name == bare).values(changed))
    assert misfit_of(site).startswith("an event whose facts were purged was changed") or UNTOLD in misfit_of(site)


@pytest.mark.parametrize("name", ["user.blocked", "custody.taken", "evidence.purged"])
async def test_facts_that_no_purge_took_are_missed(site: Archive, name: str) -> None:
    """Who takes the facts of an event away, to change its name after that, or that of a purge, is found out."""
    site.settle(1)
    with site.journal.write() as connection:
        submissions.note(connection, None, "user.blocked", sender=SENDER, username="payroll01")
    await site.seal()
    if name == "evidence.purged":
        for _ in range(2):
            site.purge(LATER)
            await site.seal()
        site.purge(now() + 3651 * purges.DAY)
    assert await is_sound(site)

    with site.journal.write() as connection:
        found = connection.execute(sa.select(events.c.number).where(events.c.name == name)).scalars().all()
        chain.forget(connection, found)
    assert UNTOLD in misfit_of(site)


def misfit_of(site: Archive) -> str:
    """What is wrong with the journal, in words."""
    with site.journal.read() as connection:
        found = verify_journal(connection, Checkpoints(site.spool / CHECKPOINTS), {site.keys.present.certificate})
    assert isinstance(found, str)
    return found


def _open_effect(site: Archive, ticket: str) -> None:
    with site.journal.write() as connection:
        effects.plan(connection, ticket, Kind.FORWARD, [{"offset": 0, "length": 1}])


def _unsealed(site: Archive, ticket: str) -> None:
    with site.journal.write() as connection:
        submissions.note(connection, ticket, "answer.fetched", file="FO")


def _held(site: Archive, ticket: str) -> None:
    with site.journal.write() as connection:
        legal_holds.place(connection, Selection(ticket=ticket), WORD, now(), None)


def _sender_held(site: Archive, _ticket: str) -> None:
    with site.journal.write() as connection:
        legal_holds.place(connection, Selection(sender=SENDER, purpose="DIMN"), WORD, now(), None)


def _in_the_queue(site: Archive, ticket: str) -> None:
    with site.journal.write() as connection:
        effects.plan(connection, ticket, Kind.FORWARD, [{"offset": 0, "length": 1}])
        effects.done(connection, effects.pending(connection, Kind.FORWARD, 1))
        queued = {"message_id": f"{ticket}-000001", "routing_key": "k", "headers": {}, "body": b"form", "queued_at": 1}
        connection.execute(sa.insert(routing_queue).values(**queued))


@pytest.mark.sqlite_only
@pytest.mark.parametrize("keep", [_open_effect, _unsealed, _held, _sender_held, _in_the_queue])
async def test_what_is_not_done_or_sealed_or_is_held_stays(site: Archive, keep: Callable[[Archive, str], None]) -> None:
    """And keeps nothing else: the one of another type goes."""
    ticket, other = site.settle(1), site.settle(2, "DMFA")
    await site.seal()
    keep(site, ticket)

    assert [("payload", other)] == [each for each in gone(site.purge()) if each[0] == "payload"]
    assert (site.folder(ticket) / f"FI.DIMN.{SENDER}.20261121.00001.R.1.1").exists()


async def test_what_was_taken_off_the_embedded_queue_goes_with_the_payload(site: Archive) -> None:
    """Its body; that it was there stays known."""
    ticket = site.settle(1)
    _in_the_queue(site, ticket)
    with site.journal.write() as connection:
        connection.execute(sa.update(routing_queue).values(taken_at=now()))
    await site.seal()

    assert ("payload", ticket) in gone(site.purge())
    with site.journal.read() as connection:
        assert [(f"{ticket}-000001", b"")] == [
            tuple(row) for row in connection.execute(sa.select(routing_queue.c.message_id, routing_queue.c.body))
        ]


async def test_a_lifted_legal_hold_keeps_nothing(site: Archive) -> None:
    """Nor one that has ended."""
    ticket = site.settle(1)
    await site.seal()
    with site.journal.write() as connection:
        placed = legal_holds.place(connection, Selection(ticket=ticket), WORD, now(), None)
        legal_holds.place(connection, Selection(ticket=ticket), WORD, now(), now() + purges.DAY)
        assert legal_holds.lift(connection, placed.number, now())
        assert not legal_holds.lift(connection, placed.number, now())

    assert [("payload", ticket)] == gone(site.purge())


def _no_folder(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _a_file_is_missing(folder: Path) -> None:
    min(folder.glob("FI.*")).unlink()


def _a_file_was_put_in(folder: Path) -> None:
    (folder / "FI.of.nobody").touch()


def _a_folder_was_put_in(folder: Path) -> None:
    (folder / ".more").mkdir()


@pytest.mark.sqlite_only
@pytest.mark.parametrize("spoil", [_no_folder, _a_file_is_missing, _a_file_was_put_in, _a_folder_was_put_in])
async def test_an_odd_one_is_told_and_passed_over(site: Archive, spoil: Callable[[Path], None]) -> None:
    """It comes first, and what comes after it goes; a loss is not hidden as a purge."""
    first, second = site.settle(1), site.settle(2)
    await site.seal()
    spoil(site.folder(first))

    steps = site.purge()

    assert [first] == list(odd(steps))
    assert ("payload", second) in gone(steps)
    assert ("payload", first) not in gone(steps)
    assert "payload.purged" not in timeline(site, first)


@pytest.mark.sqlite_only
async def test_what_cannot_be_removed_is_gone_on_with(site: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan stands, part of the folder is gone, nobody calls that a loss; the next pass does the rest."""
    ticket = site.settle(1)
    await site.seal()
    unlink = Path.unlink

    def stubborn(self: Path, *, missing_ok: bool = False) -> None:
        if self.name.startswith("FS."):
            raise OSError(5, "no")
        unlink(self, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", stubborn)
        assert {ticket: "OSError 5"} == odd(site.purge())
    assert "payload.purged" not in timeline(site, ticket)
    assert [] == list(reconcile(Comparison(site.journal, site.spool, pauses=()), Tally()))

    assert ("payload", ticket) in gone(site.purge())
    assert not site.folder(ticket).exists()


async def test_a_plan_of_what_is_held_by_now_is_given_up(site: Archive) -> None:
    """As long as nothing of it was removed."""
    ticket = site.settle(1)
    await site.seal()
    with site.journal.write() as connection:
        purges.plan(connection, purges.Kind.PAYLOAD, [purges.Plan(ticket, 3, 1)], now())
    _held(site, ticket)

    assert [] == gone(site.purge())
    assert site.folder(ticket).exists()
    with site.journal.read() as connection:
        assert set() == purges.gone(connection, purges.Kind.PAYLOAD, [ticket])


@pytest.mark.sqlite_only
async def test_nothing_goes_before_what_it_relied_on_is_in_the_archive(site: Archive) -> None:
    """A list that was lost keeps the payload, as part of the proof; once it is back, that goes."""
    lost = b"an invented list"
    digest = hashlib.sha256(lost).hexdigest()
    ticket = site.settle(1, facts={"signatures": [{"chain": [], "revocation": [digest]}]})
    await site.seal()

    assert f"revocation/{digest}" in odd(site.purge())[ticket]
    Relied(site.spool / EVIDENCE).keep(ReliedKind.REVOCATION, lost)
    assert [("payload", ticket)] == gone(site.purge())


@pytest.mark.sqlite_only
async def test_a_proof_stands_in_the_archive_first(site: Archive, tmp_path: Path) -> None:
    """With the files in it; without the archive's folder nothing goes."""
    ticket = site.settle(1)
    site.settings = site.settings.model_copy(update={"retention": Retention(archive=tmp_path / "proofs")})
    await site.seal()
    with pytest.raises(purge.UnarchivedError, match="no such folder"):
        site.purge()
    assert site.folder(ticket).exists()

    (tmp_path / "proofs").mkdir()
    site.purge()
    assert [f"{ticket}.asice"] == [path.name for path in (tmp_path / "proofs").rglob("*") if path.is_file()]
    assert not site.folder(ticket).exists()


@pytest.mark.sqlite_only
async def test_a_type_has_its_own_span(site: Archive) -> None:
    """Shorter or longer than the others'; 0 is for good."""
    own = (OfType(type="DMFA", payload_days=30), OfType(type="DIMN", payload_days=0))
    site.settings = site.settings.model_copy(update={"retention": Retention(types=own, without_archive=True)})
    site.settle(1)
    short, other = site.settle(2, "DMFA"), site.settle(3, "DMRQ")
    await site.seal()

    assert [("payload", short)] == gone(site.purge(now() + 31 * purges.DAY))
    assert [("payload", other)] == gone(site.purge(now() + 401 * purges.DAY))


@pytest.mark.sqlite_only
async def test_nothing_goes_of_which_nobody_has_said_where_its_proof_stays(site: Archive) -> None:
    """Whoever asks; a gateway that is to purge by itself starts as it did before, and leaves all where it is."""
    ticket = site.settle(1)
    site.settings = site.settings.model_copy(update={"retention": Retention()})
    await site.seal()
    with pytest.raises(purge.UnarchivedError, match="without_archive"):
        site.purge()
    assert site.folder(ticket).exists()
    site.settings = site.settings.model_copy(update={"retention": Retention(by_itself=True)})
    assert 3600 == await site.purger.turn()
    assert site.folder(ticket).exists()
    with pytest.raises(ValidationError, match="archive"):
        Retention.model_validate({"archive": "/proofs", "without_archive": True})
    settled = ({"archive": "/proofs"}, {"without_archive": True})
    assert [False, False] == [
        Retention.model_validate({"by_itself": True} | said).waits_for_a_choice for said in settled
    ]


@pytest.mark.sqlite_only
def test_an_answer_is_kept_as_long_as_it_can_be_asked_for(site: Archive) -> None:
    """Its name may come again for so long, and it may lie in OUT; evidence outlives all that is not for good."""
    settings = site.settings.model_copy(update={"retention": Retention(answer_days=1, evidence_years=1)})
    spans = rules_of(settings).general
    assert (400, 367, 400) == tuple(span // purges.DAY for span in (spans.payload, spans.answers, spans.evidence))
    for_good = site.settings.model_copy(update={"retention": Retention(payload_days=0, evidence_years=1)})
    assert 0 == rules_of(for_good).general.evidence


async def test_a_dry_run_says_what_would_go_and_changes_nothing(site: Archive) -> None:
    """The same tickets, files and bytes as go then."""
    ticket, other = site.settle(1), site.settle(2)
    await site.seal()
    _no_folder(site.folder(other))
    before = now()

    pages = list(preview(site.settings, site.journal, LATER))

    going = [(page.kind, one.ticket, plan.files, plan.size) for page in pages for one, plan in page.going]
    kinds = purges.Kind
    assert {(kinds.PAYLOAD, ticket, 3, len(FI) + 4), (kinds.ANSWERS, ticket, 2, 11), (kinds.ANSWERS, other, 2, 11)} == {
        *going
    }
    assert [other] == [each.ticket for page in pages for each in page.odd]
    assert site.folder(ticket).exists()
    with site.journal.read() as connection:
        assert not [link for link in chain.everything(connection) if link.at > before]


@pytest.mark.sqlite_only
async def test_one_purges_and_none_while_a_backup_is_made(site: Archive) -> None:
    """On whatever host; they go on when it is over."""
    ticket = site.settle(1)
    await site.seal()
    with purging(site.spool) as alone:
        assert alone
        assert site.purger.step(Position(), LATER) is None
    with undiminished(site.spool), undiminished(site.spool):
        assert [] == site.purge()
    assert ("payload", ticket) in gone(site.purge())


@pytest.mark.sqlite_only
async def test_the_gateway_purges_only_where_it_is_asked_to(site: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, a step a turn, and then it rests for hours."""
    ticket = site.settle(1)
    await site.seal()
    monkeypatch.setattr(purge, "now", lambda: LATER)
    assert 3600 == await site.purger.turn()
    assert site.folder(ticket).exists()

    site.settings = site.settings.model_copy(update={"retention": Retention(by_itself=True, without_archive=True)})
    purger = site.purger
    for _ in range(2 * len(purge.STAGES)):
        if await purger.turn() > 1:
            break
    else:
        pytest.fail("the pass has no end")
    assert not site.folder(ticket).exists()


@pytest.mark.sqlite_only
async def test_a_repeat_of_what_is_forgotten_is_refused(site: Archive) -> None:
    """An answer that is kept no longer is promised to nobody."""
    ticket = site.settle(1)
    with site.journal.read() as connection:
        first = submissions.load(connection, ticket)
    assert first is not None
    [finding] = check_repeats(replace(first, state=State.RECEIVED), first, answered=False)  # type: ignore[misc]
    assert "kept no longer" in finding.detail
