"""`gateway reconcile` on a real disk and a real journal: what fits, what does not, and what only seemed not to."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway import reconcile
from gateway.cli import run
from gateway.reconcile import Comparison, Sent, Tally
from gateway.site import make_site, open_site
from spool import answers, effects, reconciliation_pages, routing_queue, submissions
from spool.answers import AnswerName, StoredAnswer
from spool.custody import Custody, Origin
from spool.effects import Kind
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.reconciliation import Misfit
from spool.routing import RoutingMessage
from spool.submissions import Ruling, State
from spool.tables import effects as effects_table
from spool.tables import submissions as received

SENDER = "123456"


class World:
    """A spool and a journal to which submissions come, and are settled as the gateway does."""

    def __init__(self, spool: Path, journal: Journal) -> None:
        self.spool = spool
        self.journal = journal
        self.custody = Custody(spool / "custody", journal)
        self._count = 0

    def take(self) -> str:
        """A set in custody."""
        self._count += 1
        folder = self.spool / f"set{self._count}"
        folder.mkdir(parents=True)
        for name in ("FI.{}.1.1", "FS.{}.1.1", "GO.{}.1"):
            (folder / name.format(self.stem)).write_bytes(name.encode())
        return self.custody.take(folder, Origin("sftp", Mailbox(SENDER, "IN"), "payroll01"))

    @property
    def stem(self) -> str:
        """What the files of the last set share."""
        return f"DIMN.{SENDER}.20261121.{self._count:05}.R"

    def settle(self, ticket: str, state: State = State.ACCEPTED, first: str = "") -> None:
        """A verdict, with what follows from it."""
        with self.journal.write() as connection:
            submissions.settle(connection, ticket, Ruling(state, forms=2 if state is State.ACCEPTED else None))
            if state is not State.REPEATED:
                stem = answers.take_stem(connection, "ACRF", "20261121", "R")
                name = AnswerName(ticket, 1, Mailbox(SENDER, "OUT"), "FO", stem)
                answers.store(connection, StoredAnswer(name, b"<ACRF/>", b"c2ln"))
            promised = {"answer_of": first or ticket, "ordinal": 1}
            effects.plan(connection, ticket, Kind.ANSWER, [promised])
            if state is State.ACCEPTED:
                effects.plan(connection, ticket, Kind.FORWARD, [{"payload": "form"}, {"payload": "form"}])

    def carry_out(self) -> None:
        """Everything that is promised."""
        with self.journal.write() as connection:
            effects.done(connection, effects.due(connection, Kind.ANSWER, now(), 100))
            batch = effects.due(connection, Kind.FORWARD, now(), 100)
            ids = [f"{effect.ticket}-{effect.ordinal:06d}" for effect in batch]
            routing_queue.put(connection, [RoutingMessage(one, "R.DIMN.DIMONA", {}, b"<a/>") for one in ids])
            effects.done(connection, batch)

    def change(self, statement: Callable[[Connection], object]) -> None:
        """Do to the journal what nobody should."""
        with self.journal.write() as connection:
            statement(connection)

    def comparison(self, **options: Any) -> Comparison:
        """What is compared, without a moment's wait."""
        return Comparison(self.journal, self.spool, is_embedded=True, **({"pauses": (0.0,)} | options))

    def misfits(self, **options: Any) -> list[tuple[str, Misfit]]:
        """What does not fit."""
        found = reconcile.reconcile(self.comparison(**options), Tally())
        return [(mismatch.ticket, mismatch.misfit) for mismatch in found]


@pytest.fixture
def world(tmp_path: Path, journal: Journal) -> World:
    """An empty one."""
    return World(tmp_path / "spool", journal)


@pytest.fixture
def done(world: World) -> str:
    """The ticket of a submission that was accepted, answered and forwarded."""
    ticket = world.take()
    world.settle(ticket)
    world.carry_out()
    return ticket


@pytest.mark.every_database
def test_what_was_kept_fits_in_every_state(world: World, done: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accepted, rejected, repeated and still undecided ones, over more pages and days than one."""
    monkeypatch.setattr(reconciliation_pages, "PAGE", 2)
    world.settle(world.take(), State.REJECTED)
    world.settle(world.take(), State.REPEATED, first=done)
    with monkeypatch.context() as patch:
        patch.setattr("spool.custody.now", lambda: now() - 3 * 86_400_000_000)
        world.take()
    world.carry_out()
    world.settle(world.take())
    tally = Tally()

    assert list(reconcile.reconcile(world.comparison(hashes=True), tally)) == []
    assert {"accepted": 2, "rejected": 1, "repeated": 1, "received": 1} == tally.states
    assert (5, 1, 1, 2, 0) == (tally.submissions, tally.undecided, tally.to_answer, tally.to_forward, tally.parked)


def _rename(world: World, ticket: str) -> None:
    folder = next(world.spool.glob(f"custody/*/{ticket}"))
    folder.rename(world.spool / "away")


def _swap_bytes(world: World, ticket: str) -> None:
    path = next(world.spool.glob(f"custody/*/{ticket}/FI.*"))
    path.chmod(0o640)
    path.write_bytes(path.read_bytes()[::-1])


def _delete(table: str, where: str = "1 = 1") -> Callable[[World, str], None]:
    def act(world: World, ticket: str) -> None:
        words = sa.text(f"DELETE FROM {table} WHERE {where}")  # noqa: S608 - names of tables, written in this file
        world.change(lambda connection: connection.execute(words))

    return act


def _forget(world: World, ticket: str) -> None:
    for table in ("files", "answers", "effects", "routing_queue", "submissions"):
        _delete(table)(world, ticket)


def _orphan(world: World, ticket: str) -> None:
    world.change(lambda c: effects.plan(c, "X" * 13, Kind.ANSWER, [{"answer_of": ticket, "ordinal": 1}]))


def _queue_again(world: World, ticket: str) -> None:
    message = RoutingMessage(f"{ticket}-000009", "R.DIMN.DIMONA", {}, b"<a/>")
    world.change(lambda c: routing_queue.put(c, [message]))


def _reopen(world: World, ticket: str) -> None:
    forward = effects_table.c.kind == "forward"
    world.change(lambda c: c.execute(sa.update(effects_table).where(forward).values(state="pending")))


HARM = {
    "the folder is gone": (_rename, [Misfit.NO_FOLDER]),
    "a file has other bytes": (_swap_bytes, [Misfit.FILE_ALTERED]),
    "the journal has forgotten it": (_forget, [Misfit.NOT_RECORDED]),
    "the answer is gone": (_delete("answers"), [Misfit.NOT_ANSWERED, Misfit.ANSWER_NOT_PROMISED, Misfit.ANSWER_LOST]),
    "nobody was to give the answer": (_delete("effects", "kind = 'answer'"), [Misfit.ANSWER_NOT_PROMISED]),
    "a message was never planned": (
        _delete("effects", "kind = 'forward' AND ordinal = 2"),
        [Misfit.NOT_FORWARDED, Misfit.QUEUED_UNASKED],
    ),
    "a message is not in the queue": (_delete("routing_queue", "position = 1"), [Misfit.NOT_QUEUED]),
    "a message too many is in the queue": (_queue_again, [Misfit.QUEUED_UNASKED]),
    "messages wait after the closing": (
        _reopen,
        [Misfit.CLOSED_TOO_SOON, Misfit.QUEUED_UNASKED, Misfit.QUEUED_UNASKED],
    ),
    "an effect is nobody's": (_orphan, [Misfit.NOBODYS]),
}


@pytest.mark.every_database
@pytest.mark.parametrize("harm", HARM)
def test_every_harm_is_named_with_its_ticket(world: World, done: str, harm: str) -> None:
    """And nothing else is; another submission beside it fits."""
    act, expected = HARM[harm]
    act(world, done)
    world.take()

    found = world.misfits(hashes=True)
    assert expected == [misfit for _, misfit in found]
    assert {ticket for ticket, _ in found} <= {done, "X" * 13}


@pytest.mark.every_database
def test_a_name_that_was_accepted_twice_is_named(world: World, done: str) -> None:
    """By the later ticket."""
    second = world.take()
    world.settle(second)
    world.carry_out()
    world.change(lambda c: c.execute(sa.update(received).values(stem="DIMN.123456.20261121.00001.R")))

    assert [(second, Misfit.ACCEPTED_TWICE)] == world.misfits()


def test_other_bytes_of_the_same_size_are_found_by_their_hash_alone(world: World, done: str) -> None:
    """Without `--hash` nothing is read."""
    _swap_bytes(world, done)

    assert [] == world.misfits()
    assert [(done, Misfit.FILE_ALTERED)] == world.misfits(hashes=True)


@pytest.mark.every_database
def test_what_is_purged_is_not_missed(world: World, done: str) -> None:
    """The journal says that the files' time was up."""
    _rename(world, done)
    world.change(lambda c: submissions.note(c, done, reconciliation_pages.PURGED))

    assert [] == world.misfits()


def test_a_folder_without_an_envelope_is_not_the_gateways(world: World, done: str) -> None:
    """Such as lost+found."""
    next(world.spool.glob("custody/*")).joinpath("lost+found").mkdir()

    assert [] == world.misfits()


def test_work_in_progress_is_read_again_and_not_named(world: World, done: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder whose commit comes while we wait, and a row whose folder went while its purge was recorded."""
    with monkeypatch.context() as patch:
        patch.setattr(world.custody, "_record", lambda *_: None)
        late = world.take()

    def meanwhile(_seconds: float) -> None:
        with suppress(StopIteration):
            world.custody._record(next(world.spool.glob(f"custody/*/{late}")))
            world.change(lambda c: submissions.note(c, done, reconciliation_pages.PURGED))

    _rename(world, done)
    monkeypatch.setattr("gateway.reconcile.time.sleep", lambda _seconds: None)
    assert sorted([(done, Misfit.NO_FOLDER), (late, Misfit.NOT_RECORDED)]) == sorted(world.misfits())
    monkeypatch.setattr("gateway.reconcile.time.sleep", meanwhile)
    assert [] == world.misfits()


SENT = {
    "it is there, its ticket is not known yet": (Sent("GO.DIMN.123456.20261121.00001.R.1", ""), None),
    "it is there under its ticket": (Sent("FI.DIMN.123456.20261121.00001.R.1.1", "*"), None),
    "it never came": (Sent("GO.DIMN.123456.20261121.00077.R.1", ""), Misfit.NEVER_RECEIVED),
    "its ticket is of no journal": (Sent("GO.DIMN.123456.20261121.00001.R.1", "A" * 13), Misfit.UNKNOWN_TICKET),
    "its ticket is of another file": (Sent("GO.DIMN.123456.20261121.00002.R.1", "*"), Misfit.OTHER_NAME),
}


@pytest.mark.every_database
@pytest.mark.parametrize("case", SENT)
def test_what_a_sender_says_is_looked_for(world: World, done: str, case: str) -> None:
    """By name, and by the ticket of its answer."""
    line, expected = SENT[case]
    line = Sent(line.name, done if line.ticket == "*" else line.ticket)

    found = list(reconcile.compare_sent(world.comparison(), [line], SENDER))
    assert ([] if expected is None else [expected]) == [mismatch.misfit for mismatch in found]
    assert [] != list(reconcile.compare_sent(world.comparison(), [line], "654321"))


@pytest.fixture
def site(tmp_path: Path) -> World:
    """A site as `gateway init` makes it."""
    settings, journal = open_site(make_site(tmp_path / "site"))
    return World(settings.spool.path, journal)


def test_the_command_says_what_fits_by_its_exit_status(
    site: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 and words; 1 and a table with what to do, or JSON; 2 for a list that is none."""
    monkeypatch.setattr("gateway.reconcile.time.sleep", lambda _seconds: None)
    config, sent = ["--config", str(tmp_path / "site" / "gateway.toml")], tmp_path / "sent.csv"
    ticket = site.take()
    site.settle(ticket)
    site.carry_out()
    sent.write_text(f"Name,Ticket\nGO.{site.stem}.1,{ticket}\n\nGO.{site.stem}.1,\n")
    assert 0 == run(["reconcile", "--hash", "--sent", str(sent), *config])
    assert capsys.readouterr().out.endswith("0 answers to give, 0 messages to forward, 0 parked\nEverything fits.\n")

    _rename(site, ticket)
    sent.write_text("GO.DIMN.123456.20261121.00077.R.1\n")
    assert 1 == run(["reconcile", "--sent", str(sent), "--limit", "1", *config])
    shown = capsys.readouterr().out
    assert all(words in shown for words in (ticket, "no-folder", "restore it", "1 more do not fit", "2 do not fit"))
    assert 1 == run(["reconcile", "--json", "--sent", str(sent), "--sender", SENDER, *config])
    facts = json.loads(capsys.readouterr().out)
    assert (1, {"accepted": 1}, 2) == (facts["submissions"], facts["states"], facts["count"])
    assert [(ticket, "no-folder"), ("", "never-received")] == [
        (m["ticket"], m["mismatch"]) for m in facts["mismatches"]
    ]

    for line in ("../etc/passwd,", "FI.A,B,C", "FI.A,\x1b[31m", '"' + "x" * 200_000):
        sent.write_text(line)
        assert 2 == run(["reconcile", "--sent", str(sent), *config])
