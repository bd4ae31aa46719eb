"""Messages of institutions go when their time is up, those of an e-Box once they are out of it."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from signing.own.own_keys import OwnKeys
from spool import answers, ebox, institutions
from spool.answers import AnswerName, StoredAnswer
from spool.ebox import Ebox
from spool.institutions import InstitutionMessage, State
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.outbox import Outbox
from spool.register_tables import ebox as boxes
from spool.retention import NotKeptError, place_again
from spool.status_messages import file as status_file
from tests.answers import ASKED
from tests.enterprises_made import staffed
from tests.purge_made import SENDER, Archive, gone, make_archive, make_keys

pytestmark = pytest.mark.every_database

PLACED, BOXED = "P" * 13, "B" * 13
STEM = "NOTI.999999.20261121.00001.R"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> OwnKeys:
    """The gateway's key."""
    return make_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def site(journal: Journal, tmp_path: Path, keys: OwnKeys) -> Archive:
    """A site with a message in OUT, and one in an e-Box."""
    made = make_archive(tmp_path, journal, keys)
    with journal.write() as connection:
        quality = staffed(connection, 0).quality
        for ticket, channel in ((PLACED, "sftp"), (BOXED, "ebox")):
            sender = SENDER if channel == "sftp" else None
            message = InstitutionMessage(
                ticket, "onss", ticket, now(), "NOTI", "R", sender, None, "ab" * 32, State.DELIVERED, channel
            )
            institutions.add(connection, message)
            stem = STEM if channel == "sftp" else STEM.replace("00001", "00002")
            name = AnswerName(ticket, 1, Mailbox(sender or "", "OUT"), "FO", stem, channel)
            stored = StoredAnswer(name, b"<NOTIFICATION/>", b"c2ln")
            if channel == "sftp":
                answers.store(connection, stored)
            else:
                ebox.put(connection, quality, "R", stored)
    return made


async def test_a_message_goes_once_nobody_can_come_for_it(site: Archive) -> None:
    """That of an e-Box stays while it lies there; what is gone is neither given again nor shown in STATUS."""
    await site.seal()
    with site.journal.read() as connection:
        assert status_file(connection, SENDER, f"FO.{STEM}") is not None
    assert [("answers", PLACED)] == gone(site.purge())
    with site.journal.read() as connection:
        assert status_file(connection, SENDER, f"FO.{STEM}") is None

    assert 1 == ebox.expire(site.journal, 0, now() + 1)
    await site.seal()
    assert [("answers", BOXED)] == gone(site.purge())
    with site.journal.read() as connection:
        assert (b"", b"") == tuple(connection.execute(sa.select(boxes.c.data, boxes.c.signature)).one())
    with pytest.raises(NotKeptError), site.journal.write() as connection:
        place_again(connection, Outbox(site.spool / "answers"), BOXED, ASKED)
    assert [] == Ebox(site.journal).entries(SENDER, 10)
