"""The e-Box in a real journal, as senders, operators and the sweep see it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway import parties
from gateway.openings import Channel
from gateway.parties import Sender, SignatureProfile
from spool import ebox, institutions
from spool.answers import AnswerName, StoredAnswer
from spool.ebox import Ebox
from spool.institutions import InstitutionMessage, State
from spool.journal import Journal, now
from spool.mailbox import Mailbox, MailboxRefusal, Trouble
from spool.outbox import Outbox
from spool.records import Records
from spool.register_tables import ebox as letters
from spool.retention import NotAnsweredError, Retention, expire, place_again
from spool.tables import events
from tests.answers import ASKED
from tests.enterprises_made import staffed
from tests.submissions_made import BRUSSELS

pytestmark = pytest.mark.every_database

MINE, SISTER, OTHER, FREE = "123456", "123457", "654321", "000042"
STEM = "NOTI.999999.20261121.00001.R"
FILES = [f"FO.{STEM}", f"FS.{STEM}", f"GO.{STEM}"]
DAY = 86_400.0


@pytest.fixture
def qualities(journal: Journal) -> tuple[int, int]:
    """Two qualities: the first has two senders, the second one; a fourth sender has none."""
    with journal.write() as connection:
        first, second = (staffed(connection, which).quality for which in (0, 1))
        for number, of in ((MINE, first), (SISTER, first), (OTHER, second), (FREE, None)):
            sender = Sender(number, SignatureProfile.DETACHED, "RTS", ("*",), active=True, quality=of)
            parties.add_sender(connection, sender, [Channel.SFTP])
    return first, second


@pytest.fixture
def box(journal: Journal, qualities: tuple[int, int]) -> Ebox:
    """A message for the first quality, and one for the second."""
    put(journal, qualities[0], "A" * 13, STEM)
    put(journal, qualities[1], "B" * 13, STEM.replace("00001", "00002"))
    return Ebox(journal)


def put(journal: Journal, quality: int, ticket: str, stem: str) -> None:
    """A message of an institution in an e-Box."""
    name = AnswerName(ticket, 1, Mailbox("", "OUT"), "FO", stem, "ebox")
    message = InstitutionMessage(
        ticket, "onss", ticket, now(), "NOTI", "R", None, None, "ab" * 32, State.DELIVERED, "ebox"
    )
    with journal.write() as connection:
        institutions.add(connection, message)
        ebox.put(connection, quality, "R", StoredAnswer(name, b"<NOTIFICATION/>", b"c2ln"))


def names(box: Ebox, sender: str = MINE) -> list[str]:
    """What a sender sees."""
    return [entry.name for entry in box.entries(sender, 100)]


def seen(journal: Journal) -> list[str]:
    """The events of the first message, in order."""
    query = sa.select(events.c.name).where(events.c.ticket == "A" * 13).order_by(events.c.number)
    with journal.read() as connection:
        return list(connection.execute(query).scalars())


def test_every_sender_of_a_quality_sees_its_e_box_and_no_other(box: Ebox) -> None:
    """A sender without a quality has none, and an unknown one neither."""
    assert FILES == names(box) == names(box, SISTER)
    assert [f"FO.{STEM.replace('00001', '00002')}"] == names(box, OTHER)[:1]
    assert [[], []] == [names(box, FREE), names(box, "999998")]


@pytest.mark.parametrize("sender", [OTHER, FREE, "999998"])
def test_nothing_of_a_quality_is_seen_read_or_deleted_by_another(box: Ebox, journal: Journal, sender: str) -> None:
    """As if there were no such file."""
    assert [None, None] == [box.find(sender, FILES[0]), box.document(sender, FILES[0])]
    box.fetched(sender, FILES[0])
    with pytest.raises(MailboxRefusal) as refused:
        box.remove(sender, FILES[0])
    assert Records(journal, BRUSSELS).document(sender, FILES[0]) is None

    assert Trouble.MISSING is refused.value.trouble
    assert ["ebox.placed"] == seen(journal)
    assert FILES == names(box)


def test_the_three_files_are_read_as_they_were_put_there(box: Ebox) -> None:
    """With the sizes that the listing says."""
    documents = [box.document(MINE, name) for name in FILES]

    assert [b"<NOTIFICATION/>", b"c2ln", b""] == [document and document.data for document in documents]
    assert [15, 4, 0] == [entry.size for entry in box.entries(MINE, 100)]
    assert [15, 4, 0] == [entry.size if entry else -1 for entry in (box.find(MINE, name) for name in FILES)]
    assert [None, None] == [box.document(MINE, f"CO.{STEM}"), box.find(MINE, "FO.NOTI")]


def test_a_listing_has_the_oldest_messages(box: Ebox, journal: Journal, qualities: tuple[int, int]) -> None:
    """So that deleting them shows the next."""
    put(journal, qualities[0], "C" * 13, STEM.replace("00001", "00003"))

    assert FILES == [entry.name for entry in box.entries(MINE, 3)]
    assert 6 == len(box.entries(MINE, 6))


def test_each_file_is_deleted_by_itself_and_the_message_with_the_last(box: Ebox, journal: Journal) -> None:
    """There are clients that delete each file as soon as they have it; the record says who and when."""
    left = []
    for name in FILES:
        box.remove(MINE, name)
        left.append(names(box))
    with pytest.raises(MailboxRefusal):
        box.remove(MINE, FILES[0])

    assert [FILES[1:], FILES[2:], []] == left
    assert ["ebox.placed", *["ebox.deleted"] * 3, "ebox.removed"] == seen(journal)
    with journal.read() as connection:
        letter = ebox.find(connection, STEM)
    assert letter is not None
    assert letter.removed_at is not None


def test_reading_it_is_kept_once(box: Ebox, journal: Journal) -> None:
    """And only of the message itself, not of its signature."""
    for name in (FILES[1], FILES[0], FILES[0]):
        box.fetched(MINE, name)

    assert ["ebox.placed", "answer.fetched"] == seen(journal)


def test_what_was_removed_can_be_read_in_status_and_given_again(box: Ebox, journal: Journal, tmp_path: Path) -> None:
    """All three files are there again, whatever was deleted."""
    for name in FILES:
        box.remove(MINE, name)
    document = Records(journal, BRUSSELS).document(SISTER, FILES[0])
    with journal.write() as connection:
        again = place_again(connection, Outbox(tmp_path / "answers"), "A" * 13, ASKED)

    assert document is not None
    assert b"<NOTIFICATION/>" == document.data
    assert [("ebox", FILES[0])] == [(name.channel, name.file_name) for name in again]
    assert FILES == names(box)
    with journal.write() as connection, pytest.raises(NotAnsweredError):
        place_again(connection, Outbox(tmp_path / "answers"), "C" * 13, ASKED)


def test_it_is_given_again_whatever_the_clock_says(box: Ebox, journal: Journal, tmp_path: Path) -> None:
    """Deletions before it count no more, though a clock that was set back says that they came after it."""
    for name in FILES:
        box.remove(MINE, name)
    with journal.write() as connection:
        place_again(connection, Outbox(tmp_path / "answers"), "A" * 13, ASKED)
        connection.execute(sa.update(letters).values(placed_at=1))

    assert FILES == names(box)
    box.remove(MINE, FILES[1])
    assert [FILES[0], FILES[2]] == names(box)


@pytest.mark.parametrize(
    ("read", "days", "left"), [(False, 179, True), (False, 181, False), (True, 29, True), (True, 31, False)]
)
def test_messages_go_when_their_time_is_up(
    box: Ebox, journal: Journal, tmp_path: Path, *, read: bool, days: int, left: bool
) -> None:
    """A month after they were read, half a year if nobody did, as answers in OUT do; the bytes stay."""
    if read:
        box.fetched(MINE, FILES[0])
    ages = Retention(30 * DAY, 180 * DAY)
    expire(journal, Outbox(tmp_path / "answers"), ages, now() / 1_000_000 + days * DAY)

    assert (FILES if left else []) == names(box)
    assert left is ("ebox.expired" not in seen(journal))


def test_status_tells_of_the_messages_of_its_quality_by_their_tickets(box: Ebox, journal: Journal) -> None:
    """Where they are, under which names, and whether they were read; of no other quality's."""
    records = Records(journal, BRUSSELS)
    told = {sender: {entry.name for entry in records.entries(sender)} for sender in (MINE, OTHER, FREE)}

    assert {f"{'A' * 13}.json", "today.json", "history.csv"} == told[MINE]
    assert f"{'A' * 13}.json" not in told[OTHER] | told[FREE]
    document = records.document(MINE, f"{'A' * 13}.json")
    assert document is not None
    for words in (b'"directory": "EBOX"', b'"FO.NOTI.999999.20261121.00001.R"', b'"state": "delivered"'):
        assert words in document.data
    assert records.document(OTHER, f"{'A' * 13}.json") is None
    box.fetched(MINE, FILES[0])
    read = records.document(MINE, f"{'A' * 13}.json")
    assert read is not None
    assert b'"fetched": null' in document.data
    assert b'"fetched": null' not in read.data
