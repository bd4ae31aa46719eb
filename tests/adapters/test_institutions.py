"""Messages of institutions with a real journal, real keys and the shipped schemas: each taken once, or dead."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import pytest
import sqlalchemy as sa

import schemas
from channels.mq.consumer import TAKEN, How, Settled
from channels.mq.delivery import Delivery
from channels.mq.staging import Staging, StagingLimits
from config.scanner import Scanner as ScannerRules
from config.settings import Signing
from gateway import parties
from gateway.answer import Desk, place_all
from gateway.clamd import ScannerUnavailable
from gateway.institutions import Institutions, Office
from gateway.openings import Channel
from gateway.parties import Sender, SignatureProfile
from gateway.register import choices
from gateway.register.choices import Route
from gateway.registrations import ALWAYS
from gateway.scanning import ContentScanner
from gateway.vetting import Vetted
from gateway.workers import Workers
from schemas.identifiers import Kind as NumberKind
from schemas.inspection import Employer
from schemas.validate import Limits
from signing.own.own_keys import open_keys
from spool import answers, ebox, effects, institutions, submissions
from spool.answers import StoredAnswer
from spool.effects import Kind
from spool.institutions import InstitutionMessage, State
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.outbox import Outbox, answer_files
from spool.records import Records
from spool.register_tables import disclosures, institution_messages
from spool.retention import place_again
from spool.submissions import Submission
from spool.tables import answer_numbers, events
from tests.answers import ASKED
from tests.authority import Pki
from tests.clamd import MARKER, NAME, Scanner
from tests.enterprises_made import HELPDESK, ONSS_NUMBERS, granted, staffed
from tests.submissions_made import BRUSSELS

pytestmark = pytest.mark.every_database

P = ParamSpec("P")
T = TypeVar("T")

SAMPLES = Path(schemas.__file__).parent
NOTI = (SAMPLES / "notification" / "samples" / "valid_small.xml").read_bytes()
RICH = (SAMPLES / "notification" / "samples" / "valid_rich.xml").read_bytes()
PID = (SAMPLES / "dmfa_pid" / "samples" / "valid_small.xml").read_bytes()
BAD = (SAMPLES / "notification" / "samples" / "invalid_result_code.xml").read_bytes()
FREE, EMPLOYER, BY_MQ = "123456", "654321", "000042"
TICKET = "0MI9K3Q2ABCDE"


class InThisProcess:
    """Workers that start no process."""

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function answers."""
        return function(*args, **kwargs)


class Branch:
    """The way back on a journal of its own."""

    def __init__(self, journal: Journal, pki: Pki, folder: Path, **changes: Any) -> None:
        own = pki.issue("Gateway")
        keys = open_keys(Signing(key=own.key, certificate=own.certificate))
        folder.joinpath("types").mkdir(exist_ok=True)
        facts: dict[str, Any] = {
            "journal": journal,
            "workers": cast("Workers", InThisProcess()),
            "desk": Desk(keys, BRUSSELS, journal, changes.pop("compress_above", 50_000_000)),
            "stamping": None,
            "limits": Limits(1_000_000, 100),
            "types": folder / "types",
            "marker": lambda: lambda inss: f"{int(inss):064x}",
            "promised": lambda: self.rings.append(1),
        }
        self.rings: list[int] = []
        self._made_of = (journal, pki, folder)
        self.journal = journal
        self.staging = Staging(folder / "back", StagingLimits(1_000_000, 4_000_000, 0))
        self.take_one = Institutions(Office(**(facts | changes))).take

    def like(self, **changes: Any) -> "Branch":
        """Another one on the same journal."""
        return Branch(*self._made_of, **changes)

    async def take(self, body: bytes = NOTI, message_id: str = "m1", user_id: str = "onss", **headers: str) -> Settled:
        """What becomes of a message."""
        staged = self.staging.open(len(body))
        staged.write(body)
        staged.close()
        said = {"Type": "NOTI", "Environment": "R"} | {name.capitalize(): value for name, value in headers.items()}
        try:
            return await self.take_one(Delivery("batch.back", staged, said, message_id, user_id, "", redelivered=False))
        finally:
            staged.drop()

    def messages(self) -> list[InstitutionMessage]:
        """What was taken, in order."""
        query = sa.select(institution_messages.c.ticket).order_by("received_at")
        with self.journal.read() as connection:
            found = [institutions.load(connection, ticket) for ticket in connection.execute(query).scalars()]
        return [message for message in found if message is not None]

    def only(self) -> tuple[InstitutionMessage, StoredAnswer]:
        """The only message that was taken and what its sender gets."""
        [message] = self.messages()
        with self.journal.read() as connection:
            return message, answers.load(connection, message.ticket, 1)

    def planned(self, kind: Kind) -> list[dict[str, Any]]:
        """What is still to do."""
        with self.journal.read() as connection:
            return [dict(effect.facts) for effect in effects.pending(connection, kind, 10)]


@pytest.fixture
def quality(journal: Journal) -> int:
    """An employer's quality with a sender; besides it a sender of no quality, and one that is reached by message."""
    with journal.write() as connection:
        staff = staffed(connection)
        for number, channel, of in (
            (FREE, Channel.SFTP, None),
            (EMPLOYER, Channel.SFTP, staff.quality),
            (BY_MQ, Channel.MQ, None),
        ):
            sender = Sender(number, SignatureProfile.DETACHED, "RTS", ("*",), active=True, quality=of)
            parties.add_sender(connection, sender, [channel])
    return staff.quality


@pytest.fixture
def branch(journal: Journal, quality: int, pki: Pki, tmp_path: Path) -> Branch:
    """The way back."""
    assert quality
    return Branch(journal, pki, tmp_path)


def received(journal: Journal, sender: str, channel: str, directory: str = "IN") -> None:
    """A submission that a message can be about."""
    name = f"GO.DIMN.{sender}.20261121.00001.R.1"
    facts = (TICKET, now(), channel, sender, "u", directory, name, name[3:-2], "c", submissions.State.RECEIVED, 0)
    submission = Submission(*facts, message_id="theirs-1" if channel == "mq" else None)
    with journal.write() as connection:
        submissions.add(connection, submission)


def today() -> str:
    """The day in names."""
    return datetime.now(BRUSSELS).strftime("%Y%m%d")


async def test_a_message_for_a_sender_is_put_into_its_outbox(branch: Branch) -> None:
    """Under a name of the gateway's, with the bytes as they came and our signature, promised in one transaction."""
    assert await branch.take(sender=FREE) == TAKEN

    message, answer = branch.only()
    assert (FREE, "NOTI", "R", "sftp", State.PROMISED) == (
        message.sender,
        message.purpose,
        message.environment,
        message.channel,
        message.state,
    )
    assert (Mailbox(FREE, "OUT"), "FO", f"NOTI.999999.{today()}.00001.R") == (
        answer.name.mailbox,
        answer.name.prefix,
        answer.name.stem,
    )
    assert NOTI == answer.data
    assert answer.signature
    assert [{"answer_of": message.ticket, "ordinal": 1}] == branch.planned(Kind.ANSWER)
    assert branch.rings


async def test_the_same_message_again_is_taken_and_nothing_else(branch: Branch) -> None:
    """By the publisher's id, as after a kill between commit and ack, and by its bytes under another id."""
    settled = [await branch.take(sender=FREE, message_id=name) for name in ("m1", "m1", "m2", "")]

    assert [TAKEN] * 4 == settled
    assert 1 == len(branch.messages())
    assert 1 == len(branch.planned(Kind.ANSWER))


async def test_another_institution_may_say_the_same(branch: Branch) -> None:
    """Ids are each publisher's own; so are other recipients of the same text."""
    await branch.take(sender=FREE)
    await branch.take(sender=FREE, user_id="onem")
    await branch.take(sender=BY_MQ, message_id="m2")

    assert ["onss", "onem", "onss"] == [message.publisher for message in branch.messages()]


async def test_an_id_means_one_message(branch: Branch) -> None:
    """Other bytes under it are a mistake, and lost to nobody: they are dead with the reason."""
    await branch.take(sender=FREE)
    settled = await branch.take(RICH, sender=FREE)

    assert How.DEAD is settled.how
    assert settled.reason.startswith("133")
    assert 1 == len(branch.messages())


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (NOTI, {"type": "XXXX"}, "158: no type of message"),
        (NOTI, {"type": "DIMN"}, "158: no type of message"),
        (NOTI, {"type": "DMNO"}, "088: no schema of DMNO is known here"),
        (NOTI, {"type": "IDFL"}, "089"),
        (BAD, {}, "255"),
        (b"", {}, "134"),
        (b"<NOTIFICATION", {}, "102"),
        (NOTI, {"sender": "999998"}, "103: there is no such sender"),
        (NOTI, {"sender": ""}, "it says neither"),
        (NOTI, {"ticket": "0MI9K3Q2ABCDF"}, "there is no submission"),
        (b" " * 1_000_001, {}, "184"),
    ],
)
async def test_what_cannot_be_delivered_is_dead_with_its_finding(
    branch: Branch, body: bytes, headers: dict[str, str], reason: str
) -> None:
    """And leaves nothing behind, so that it can be put right and published again under the same id."""
    settled = await branch.take(body, **({"sender": FREE} | headers))

    assert How.DEAD is settled.how
    assert settled.reason.startswith(reason), settled.reason
    assert [] == branch.messages()
    assert await branch.take(sender=FREE) == TAKEN


async def test_a_message_about_a_submission_goes_back_the_way_that_came(branch: Branch) -> None:
    """By message, with the id that its sender gave the submission."""
    received(branch.journal, BY_MQ, "mq")
    assert await branch.take(ticket=TICKET) == TAKEN

    message, answer = branch.only()
    assert (BY_MQ, TICKET, "mq", "theirs-1") == (
        message.sender,
        message.about,
        message.channel,
        answer.name.correlation,
    )
    assert ["theirs-1"] == [facts["correlation"] for facts in branch.planned(Kind.PUBLISH)]


async def test_a_message_of_another_environment_than_what_it_answers_is_dead(branch: Branch) -> None:
    """Test and production don't mix."""
    received(branch.journal, FREE, "sftp", "INTEST")

    assert (await branch.take(ticket=TICKET)).reason.startswith("117")


async def test_a_large_message_goes_out_as_a_zip(journal: Journal, quality: int, pki: Pki, tmp_path: Path) -> None:
    """CO with FO in it, under one name."""
    assert quality
    branch = Branch(journal, pki, tmp_path, compress_above=100)
    await branch.take(sender=FREE)

    _, answer = branch.only()
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert [(f"FO.{answer.name.stem}", NOTI)] == [(name, archive.read(name)) for name in archive.namelist()]
    assert "CO" == answer.name.prefix


async def test_a_type_with_parts_in_its_names_has_them(branch: Branch) -> None:
    """DMPI is always the first part of one; its GO has the number of parts alone."""
    await branch.take(PID, sender=FREE, type="DMPI")

    _, answer = branch.only()
    stem = f"DMPI.999999.{today()}.00001.R"
    assert f"{stem}.1.1" == answer.name.stem
    assert (f"FO.{stem}.1.1", f"FS.{stem}.1.1", f"GO.{stem}.1") == answers.file_names("FO", answer.name.stem)
    assert [f"{stem}.1.1"] * 3 == [answers.stem_of(name) for name in answers.file_names("CO", answer.name.stem)]


async def test_a_message_with_parts_comes_and_goes_as_one(branch: Branch, tmp_path: Path) -> None:
    """Its GO has another end than the rest; a crash doesn't bring it back after it was deleted, an operator does."""
    outbox, records = Outbox(tmp_path / "answers"), Records(branch.journal, BRUSSELS)
    await branch.take(PID, sender=FREE, type="DMPI")
    message, answer = branch.only()
    box, names = Mailbox(FREE, "OUT"), answers.file_names("FO", answer.name.stem)
    for name, data in answer_files(answer):
        outbox.place(box, [(name, data)])
        outbox.remove(box, name)
    with branch.journal.read() as connection:
        outbox.bury(outbox.tombstones(), answers.unsettled_stems(connection))
    place_all(branch.journal, outbox)
    after_the_crash = outbox.entries(box)
    for name in names:
        records.fetched(box, name, 0.0)
    with branch.journal.write() as connection:
        place_again(connection, outbox, message.ticket, ASKED)
        fetched = [event.facts["file"] for event in submissions.timeline(connection, message.ticket)[-4:-1]]
    place_all(branch.journal, outbox)

    assert [] == after_the_crash
    assert list(names) == fetched
    assert list(names) == [entry.name for entry in outbox.entries(box)]


async def test_its_sender_reads_of_a_message_in_status(branch: Branch, tmp_path: Path) -> None:
    """By its ticket, in the list of today, and by name for as long as it likes; nobody else does."""
    records = Records(branch.journal, BRUSSELS)
    await branch.take(sender=FREE)
    message, answer = branch.only()
    name = answer.name.file_name

    def told() -> dict[str, Any]:
        document = records.document(FREE, f"{message.ticket}.json")
        assert document is not None
        facts: dict[str, Any] = json.loads(document.data)
        today = records.document(FREE, "today.json")
        assert today is not None
        return facts | {"not_fetched": json.loads(today.data)["answers_not_fetched"]}

    promised = told()
    place_all(branch.journal, Outbox(tmp_path / "answers"))
    placed = told()
    records.fetched(answer.name.mailbox, name, 0.0)
    fetched = told()

    assert ("promised", "OUT", name, [name]) == (
        promised["state"],
        promised["directory"],
        promised["files"][0],
        promised["not_fetched"],
    )
    assert ("delivered", None) == (placed["state"], placed["fetched"])
    assert ([], True) == (fetched["not_fetched"], fetched["fetched"] is not None)
    assert f"{message.ticket}.json" in {entry.name for entry in records.entries(FREE)}
    document = records.document(FREE, name)
    assert document is not None
    assert NOTI == document.data
    assert [None, None] == [records.document(BY_MQ, each) for each in (name, f"{message.ticket}.json")]


def about_the_employer(body: bytes) -> bytes:
    """The message with the invented employer's number in it."""
    return re.sub(rb"(?<=<NOSSRegistrationNbr>)\d+", ONSS_NUMBERS[0].encode(), body)


async def test_a_choice_of_the_employer_leads_to_its_e_box(branch: Branch, quality: int) -> None:
    """Whoever sent what it is about: the employer that the message names has chosen."""
    received(branch.journal, FREE, "sftp")
    with branch.journal.write() as connection:
        route = Route(quality, quality, "NOTI", "R", Channel.EBOX, ALWAYS)
        granted(choices.choose(connection, HELPDESK, route, reason="made for a test"))
    assert await branch.take(about_the_employer(RICH), ticket=TICKET) == TAKEN

    [message] = branch.messages()
    with branch.journal.read() as connection:
        [letter] = ebox.letters(connection, quality, 10)
    assert (None, TICKET, "ebox", State.DELIVERED) == (message.sender, message.about, message.channel, message.state)
    assert (message.ticket, len(about_the_employer(RICH))) == (letter.ticket, letter.size)
    assert [] == branch.planned(Kind.ANSWER)


async def test_a_message_that_names_an_employer_alone_goes_to_it(branch: Branch) -> None:
    """By its own sender, where nobody chose otherwise; the number may stand in a header too."""
    await branch.take(about_the_employer(RICH))
    await branch.take(NOTI, message_id="m2", employer=ONSS_NUMBERS[0])

    assert [EMPLOYER, EMPLOYER] == [message.sender for message in branch.messages()]


async def test_the_same_words_for_two_employers_are_two_messages(branch: Branch, quality: int) -> None:
    """Each finds them in its own e-Box, also where nothing but a header tells them apart."""
    with branch.journal.write() as connection:
        other = staffed(connection, 1).quality
        connection.execute(sa.text("UPDATE sender_channels SET valid_to = 1"))
    for message_id, employer in (("m1", 0), ("m2", 1), ("m3", 1)):
        assert TAKEN == await branch.take(NOTI, message_id=message_id, employer=ONSS_NUMBERS[employer])

    with branch.journal.read() as connection:
        assert [1, 1] == [len(ebox.letters(connection, each, 10)) for each in (quality, other)]


async def test_many_employers_are_looked_up_together(branch: Branch) -> None:
    """A document that names thousands holds up nobody who writes: a few questions for all of them."""
    many = frozenset(Employer(NumberKind.ONSS, str(number)) for number in range(100_006, 101_006))

    class NamesMany(InThisProcess):
        """A worker that finds a thousand employers in everything."""

        async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
            """What the function answers, with these employers."""
            return cast("T", replace(cast("Vetted", function(*args, **kwargs)), employers=many))

    asked: list[str] = []
    branch = branch.like(workers=NamesMany())
    with branch.journal.read() as connection:
        engine = connection.engine

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        assert TAKEN == await branch.take(sender=FREE)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    assert len([statement for statement in asked if "FROM qualities" in statement]) < 10


async def test_a_closed_channel_loses_nothing(branch: Branch, quality: int) -> None:
    """A sender of a quality finds the message in the e-Box, one of none in OUT, which can be read all the same."""
    with branch.journal.write() as connection:
        connection.execute(sa.text("UPDATE sender_channels SET valid_to = 1"))
    await branch.take(sender=EMPLOYER)
    await branch.take(sender=BY_MQ, message_id="m2")

    assert [(None, "ebox"), (BY_MQ, "sftp")] == [(message.sender, message.channel) for message in branch.messages()]
    with branch.journal.read() as connection:
        assert 1 == len(ebox.letters(connection, quality, 10))


async def test_whom_a_message_names_is_kept_by_a_mark(branch: Branch) -> None:
    """One row for each person of each form, and only of what was taken."""
    await branch.take(BAD, sender=FREE)
    await branch.take(RICH, sender=FREE)
    [message] = branch.messages()

    with branch.journal.read() as connection:
        rows = connection.execute(sa.select(disclosures.c.ticket, disclosures.c.form, disclosures.c.inss_mark)).all()
    assert {message.ticket} == {ticket for ticket, _, _ in rows}
    assert f"{88070412305:064x}" in {mark for _, _, mark in rows}


async def test_no_number_of_the_day_is_left(branch: Branch) -> None:
    """The message waits for tomorrow; it isn't dead."""
    row = {"day": today(), "environment": "R", "last": 99_999 + 26 * 36**4}
    with branch.journal.write() as connection:
        connection.execute(sa.insert(answer_numbers).values(**row))

    assert How.AGAIN is (await branch.take(sender=FREE)).how
    assert [] == branch.messages()


async def test_what_the_scanner_finds_is_dead_and_what_it_cannot_say_waits(
    branch: Branch, clamd: Scanner, tmp_path: Path
) -> None:
    """It looks before the document is parsed; what it said of a message that was taken is in the journal."""
    marked = NOTI.replace(b"?>", b"?><!-- " + MARKER + b" -->", 1)
    scanned = branch.like(scanner=ContentScanner(ScannerRules(address=clamd.address)))
    away = branch.like(scanner=ContentScanner(ScannerRules(address=f"unix:{tmp_path}/none")))

    settled = await scanned.take(marked, sender=FREE)
    assert (How.DEAD, f"277: the content scanner found {NAME} in a message") == (settled.how, settled.reason)
    with pytest.raises(ScannerUnavailable):
        await away.take(sender=FREE)
    assert [] == branch.messages()

    assert TAKEN == await scanned.take(sender=FREE)
    with branch.journal.read() as connection:
        facts = connection.execute(sa.select(events.c.facts).where(events.c.name == "institution.taken")).scalar_one()
    assert [None] == [one["found"] for one in facts["scans"]]
