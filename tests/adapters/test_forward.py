"""Forwarding from a real journal to the embedded queue, and to queues whose faults have a name."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from channels.mq.publisher import BrokerUnavailable, NotConfirmed
from config.messages import Route, Routing
from gateway import forward
from gateway.breaker import Patience
from gateway.cli.replay import send_again
from gateway.examination import Declaration, ValidatedSet
from gateway.forward import Accepted, Forwarder
from gateway.register import history
from gateway.register.actor import Operator
from gateway.routing_queues import Batch, EmbeddedQueue, Faults, RoutingQueue
from schemas.filename import FileName, parse
from schemas.identifiers import Kind as NumberKind
from schemas.inspection import Employer
from schemas.validate import Validated
from spool import declarations, effects, routing_queue, submissions
from spool.declarations import Backlog
from spool.effects import Kind
from spool.intake import Intake, IntakeLimits
from spool.journal import Journal, now
from spool.mailbox import Mailbox, MailboxRefusal
from spool.submissions import Ruling, State, StoredFile, Submission

pytestmark = pytest.mark.every_database

NAME = "GO.DIMN.123456.20261121.00001.R.1"
IMPATIENT = Patience(first=0.001, ceiling=0.001, attempts=3)
WAITING = Patience(first=3600.0, ceiling=3600.0, attempts=3)


def accept(
    journal: Journal,
    spool: Path,
    ticket: str,
    forms: Sequence[bytes],
    routing: Routing | None = None,
    codes: Sequence[str] = ("DIMONA",),
) -> None:
    """An accepted submission of declarations that are still to be forwarded, all of one file; of ``codes`` in turn."""
    with declarations.writing(spool / "declarations" / ticket) as writer:
        for form in forms:
            writer.append(form)
    fi = StoredFile("FI.DIMN.123456.20261121.00001.R.1.1", 6, "a" * 64)
    (spool / "custody" / "day" / ticket).mkdir(parents=True)
    (spool / "custody" / "day" / ticket / fi.name).write_bytes(b"<all/>")
    submission = Submission(ticket, 1, "sftp", "123456", "u", "IN", NAME, NAME[3:-2], "c", State.RECEIVED, 0)
    employers = (Employer(NumberKind.ENTERPRISE, "123456749"), Employer(NumberKind.ONSS, "1012345621"))
    kinds = zip(writer.spans, cycle(codes))
    declared = tuple(Declaration(0, *span, identification=code, employers=employers) for span, code in kinds)
    result = ValidatedSet((Validated("Dimona", "20231", len(forms), "a" * 64),), declared)
    name = parse(NAME)
    assert isinstance(name, FileName)
    with journal.write() as connection:
        submissions.add(connection, submission)
        submissions.settle(connection, ticket, Ruling(State.ACCEPTED))
        forward.promise(connection, Accepted(submission, name, [fi], result, f"day/{ticket}"), routing or Routing())


def forwarder(
    journal: Journal, spool: Path, queue: RoutingQueue | None = None, patience: Patience = IMPATIENT
) -> Forwarder:
    """What forwards to the embedded queue, or to another."""
    backlog = Backlog(spool / "declarations", 10**9)
    return Forwarder(journal, queue or EmbeddedQueue(journal), spool, patience, backlog)


def sent(journal: Journal) -> list[str]:
    """The ids of what is on the embedded queue."""
    with journal.read() as connection:
        return [item.message.message_id for item in routing_queue.waiting(connection, 100)]


class ChokingQueue(EmbeddedQueue):
    """A queue that fails as long as some messages are among those it is given; it notes how many came at a time."""

    def __init__(self, journal: Journal, chokes_on: Callable[[str], bool]) -> None:
        """Choke on messages with such an id."""
        super().__init__(journal)
        self.chokes_on = chokes_on
        self.sizes: list[int] = []

    async def send(self, batch: Batch) -> Faults:
        """Choke on the whole."""
        self.sizes.append(len(batch))
        if any(self.chokes_on(message.message_id) for _, message in batch):
            raise BrokerUnavailable("choked")
        return await super().send(batch)


class PickyQueue(EmbeddedQueue):
    """A queue that takes some messages and gives the others back."""

    def __init__(self, journal: Journal, wants: Callable[[str], bool]) -> None:
        """Give back messages with any other id."""
        super().__init__(journal)
        self.wants = wants

    async def send(self, batch: Batch) -> Faults:
        """Take what is wanted."""
        await super().send([pair for pair in batch if self.wants(pair[1].message_id)])
        return [(effect, "NO_ROUTE") for effect, message in batch if not self.wants(message.message_id)]


async def test_a_declaration_is_a_message_with_the_key_of_its_form(journal: Journal, tmp_path: Path) -> None:
    """Its body, its headers and its identity are what a consumer relies on."""
    accept(journal, tmp_path, "A", [b"<first/>", b"<second/>"])

    assert 60.0 == await forwarder(journal, tmp_path).turn()
    with journal.read() as connection:
        messages = [item.message for item in routing_queue.waiting(connection, 10)]
        closed = submissions.load(connection, "A")
    assert [("A-000001", b"<first/>"), ("A-000002", b"<second/>")] == [
        (each.message_id, each.body) for each in messages
    ]
    assert {("declarations", "R.DIMN.DIMONA")} == {(each.exchange, each.routing_key) for each in messages}
    assert {
        "ticket": "A",
        "form": 2,
        "forms": 2,
        "file": "FI.DIMN.123456.20261121.00001.R.1.1",
        "sender": "123456",
        "message_type": "DIMN",
        "schema_version": "20231",
        "sha256": "a" * 64,
    } == messages[1].headers
    assert closed is not None
    assert closed.closed_at is not None
    assert [] == list((tmp_path / "declarations").iterdir())


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ("file", "<all/>"),
        (
            "reference",
            json.dumps(
                {
                    "ticket": "A",
                    "path": "custody/day/A/FI.DIMN.123456.20261121.00001.R.1.1",
                    "size": 6,
                    "sha256": "a" * 64,
                }
            ),
        ),
    ],
)
async def test_a_route_may_want_the_file_or_a_reference_once_for_all_its_forms(
    journal: Journal, tmp_path: Path, payload: str, body: str
) -> None:
    """One message for the file, whatever number of forms it has, to the route's exchange under the route's key."""
    route = Route.model_validate({"exchange": "dimona", "key": "{purpose}.{sender}", "payload": payload})
    accept(journal, tmp_path, "A", [b"<first/>", b"<second/>"], Routing(routes=(route,)))

    await forwarder(journal, tmp_path).turn()

    with journal.read() as connection:
        [message] = [item.message for item in routing_queue.waiting(connection, 10)]
    assert ("A-000001", "dimona", "DIMN.123456", body) == (
        message.message_id,
        message.exchange,
        message.routing_key,
        message.body.decode(),
    )
    assert (1, 2, payload) == tuple(message.headers[key] for key in ("form", "forms", "payload"))


async def test_a_file_goes_under_every_key_that_its_forms_have(journal: Journal, tmp_path: Path) -> None:
    """A reader of one kind of form must not miss a file because a form of another kind stands before."""
    routing = Routing(routes=(Route.model_validate({"payload": "file"}),))
    accept(journal, tmp_path, "A", [b"<a/>"] * 4, routing, ["DIMONA", "DIMONA2"])

    await forwarder(journal, tmp_path).turn()

    with journal.read() as connection:
        messages = [item.message for item in routing_queue.waiting(connection, 10)]
    assert [("A-000001", "R.DIMN.DIMONA"), ("A-000002", "R.DIMN.DIMONA2")] == [
        (message.message_id, message.routing_key) for message in messages
    ]


async def test_declarations_that_cannot_be_read_keep_no_others_waiting(journal: Journal, tmp_path: Path) -> None:
    """A missing file and one cut short are tried again later; nothing of them is sent; all others are."""
    folder = tmp_path / "declarations"
    for ticket in ("A", "B", "C"):
        accept(journal, tmp_path, ticket, [b"<first/>", b"<second/>"])
    (folder / "A").unlink()
    whole = (folder / "B").read_bytes()
    (folder / "B").write_bytes(whole[:-1])

    await forwarder(journal, tmp_path, patience=WAITING).turn()
    assert ["B-000001", "C-000001", "C-000002"] == sent(journal)
    assert not (folder / "C").exists()

    (folder / "A").write_bytes(whole)
    (folder / "B").write_bytes(whole)
    with journal.write() as connection:
        effects.hasten(connection, Kind.FORWARD, now())
    await forwarder(journal, tmp_path, patience=WAITING).turn()
    assert ["B-000001", "C-000001", "C-000002", "A-000001", "A-000002", "B-000002"] == sent(journal)
    assert [] == list(folder.iterdir())


async def test_a_message_that_nobody_takes_is_parked_and_its_submission_stays_open(
    journal: Journal, tmp_path: Path
) -> None:
    """After the attempts of the settings, its reason in the timeline; the others are sent, and its body is kept."""
    accept(journal, tmp_path, "A", [b"<first/>", b"<second/>"])
    accept(journal, tmp_path, "B", [b"<third/>"])
    picky = PickyQueue(journal, lambda message_id: message_id != "A-000001")
    forwarding = forwarder(journal, tmp_path, picky)
    with capture_logs() as lines:
        while await forwarding.turn() < 60.0:
            pass
    [parked] = [line for line in lines if line["event"] == "declaration.parked"]
    assert ("A", "123456", f"FI.{NAME[3:]}.1", 1, "NO_ROUTE") == tuple(
        parked[key] for key in ("ticket", "sender", "file", "count", "reason")
    )

    with journal.read() as connection:
        [standing] = effects.parked(connection, Kind.FORWARD, 10)
        timeline = submissions.timeline(connection, "A")
        opened, closed = submissions.load(connection, "A"), submissions.load(connection, "B")
    assert ["A-000002", "B-000001"] == sent(journal)
    assert ("A", 1, 3, "parked", "NO_ROUTE") == (
        standing.effect.ticket,
        standing.effect.ordinal,
        standing.effect.attempts,
        standing.state,
        standing.reason,
    )
    assert [{"form": 1, "attempts": 3, "reason": "NO_ROUTE"}] == [
        event.facts for event in timeline if event.name == "declaration.parked"
    ]
    assert opened is not None
    assert closed is not None
    assert (True, False) == (opened.closed_at is None, closed.closed_at is None)
    assert ["A"] == [path.name for path in (tmp_path / "declarations").iterdir()]

    with journal.write() as connection:
        assert 1 == effects.replay(connection, [standing])
        assert 0 == effects.replay(connection, [standing])
    await forwarder(journal, tmp_path).turn()
    assert "A-000001" == sent(journal)[-1]
    assert [] == list((tmp_path / "declarations").iterdir())


async def test_trouble_with_the_broker_counts_against_no_message(journal: Journal, tmp_path: Path) -> None:
    """While the breaker is open one message at a time is tried; with the first that goes all the others follow."""
    accept(journal, tmp_path, "A", [b"<a/>"] * 5)
    away = True
    queue = ChokingQueue(journal, lambda _: away)
    forwarding = forwarder(journal, tmp_path, queue)
    for _ in range(6):
        await forwarding.turn()
    tried = queue.sizes[:]
    away = False
    while await forwarding.turn() < 60.0:
        pass

    assert (5, {1}) == (tried[0], set(tried[1:]))
    assert (1, 5) == (queue.sizes[len(tried)], sum(queue.sizes[len(tried) :]))
    with journal.read() as connection:
        standings = list(effects.standings(connection, Kind.FORWARD, "A"))
    assert {("done", 0)} == {(standing.state, standing.effect.attempts) for standing in standings}


async def test_a_message_that_the_broker_chokes_on_keeps_no_others_waiting(journal: Journal, tmp_path: Path) -> None:
    """A trial that fails makes way for another message, so that those behind it get through, each in its turn."""
    accept(journal, tmp_path, "A", [b"<a/>"] * 3)
    forwarding = forwarder(journal, tmp_path, ChokingQueue(journal, lambda message_id: message_id == "A-000001"))
    for _ in range(40):
        if {"A-000002", "A-000003"} == set(sent(journal)):
            break
        await forwarding.turn()

    assert {"A-000002", "A-000003"} == set(sent(journal))


class QueueWithoutQuorum(EmbeddedQueue):
    """A broker where one queue confirms nothing, which says so of everything when nothing else is under way."""

    async def send(self, batch: Batch) -> Faults:
        """Confirm what is not of the ticket A."""
        confirmed = [pair for pair in batch if pair[1].routing_key != "R.DIMN.STUCK"]
        if not confirmed:
            raise NotConfirmed("no confirm in 30 s")
        await super().send(confirmed)
        return [(effect, "no confirm in 30 s") for effect, message in batch if message.routing_key == "R.DIMN.STUCK"]


async def test_a_queue_without_quorum_keeps_no_others_waiting(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although a whole page of what goes there is the oldest."""
    monkeypatch.setattr(forward, "_PAGE", 3)
    accept(journal, tmp_path, "A", [b"<a/>"] * 9, codes=["STUCK"])
    accept(journal, tmp_path, "B", [b"<b/>"])
    forwarding = forwarder(journal, tmp_path, QueueWithoutQuorum(journal), WAITING)
    for _ in range(2):
        await forwarding.turn()

    assert ["B-000001"] == sent(journal)


async def test_what_two_operators_send_again_is_in_the_history_once(journal: Journal, tmp_path: Path) -> None:
    """The second finds nothing parked any more, although it was when it looked."""
    accept(journal, tmp_path, "A", [b"<a/>"] * 2)
    await forwarder(journal, tmp_path, PickyQueue(journal, lambda _: False), replace(IMPATIENT, attempts=1)).turn()
    with journal.read() as connection:
        parked = effects.parked(connection, Kind.FORWARD, 10)
    counts = [send_again(journal, parked, Operator(name), "mended") for name in ("first", "second")]

    with journal.read() as connection:
        assert ["operator:first"] == [change.actor for change in history.changes(connection, subjects=["ticket:A"])]
    assert [2, 0] == counts


async def test_a_clock_set_back_does_not_keep_a_message_waiting(journal: Journal, tmp_path: Path) -> None:
    """What lies further ahead than any pause is due at once."""
    accept(journal, tmp_path, "A", [b"<a/>"])
    with journal.write() as connection:
        [effect] = effects.due(connection, Kind.FORWARD, now(), 10)
        effects.failed(connection, [effects.Failure(effect, 1, "NO_ROUTE", now() + 10**12)])

    await forwarder(journal, tmp_path).turn()

    assert ["A-000001"] == sent(journal)


def test_the_backlog_counts_what_waits_and_says_when_it_is_too_much(tmp_path: Path) -> None:
    """Nothing is there at first; it is not counted again at once."""
    folder = tmp_path / "declarations"
    backlog = Backlog(folder, 15)
    assert (0, False) == (backlog.measure(), backlog.is_full)

    for ticket in ("A", "B"):
        with declarations.writing(folder / ticket) as writer:
            writer.append(b"0123456789")
    full = Backlog(folder, 15)
    assert (20, True) == (full.measure(), full.is_full)

    intake = Intake(tmp_path / "incoming", IntakeLimits(1000, 10, reserve=1, backlog=full))
    with pytest.raises(MailboxRefusal, match="wait to be forwarded, and no more are taken"):
        intake.begin(Mailbox("123456", "IN"), "FI.DIMN.123456.20261121.00001.R.1.1")
