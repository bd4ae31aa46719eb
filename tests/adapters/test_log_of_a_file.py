"""What the log says of a file on its way: how large, how long, which stage, and how that ended."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from gateway import log_of_submissions
from gateway.log_stages import STAGES, add_stage
from gateway.metrics import steps
from spool import submissions
from spool.closing import Closed
from spool.custody import ENVELOPE, Custody, Origin
from spool.envelopes import submission_of
from spool.journal import Journal
from spool.mailbox import Mailbox
from spool.submissions import StoredFile
from spool.tickets import new_ticket
from tests.adapters.sftp_door import FO, GO, Ledger, open_house
from tests.submissions_made import receive

BOX = Mailbox("123456", "IN")
STEM = "DIMN.123456.20261121.00001.R"


class Watch(Ledger):
    """A reception that notes since when a client waits."""

    def __init__(self) -> None:
        super().__init__()
        self.since: list[float | None] = []

    async def arrived(self, mailbox: Mailbox, username: str, name: str, since: float | None = None) -> None:
        """Note it."""
        await super().arrived(mailbox, username, name, since)
        self.since.append(since)


async def test_a_transfer_says_how_long_it_took_and_how_much_it_moved(tmp_path: Path) -> None:
    """There and back; of what was read twice the bytes count twice, its size once."""
    with capture_logs() as lines:
        async with open_house(tmp_path / "house") as house, house.client() as client:
            async with client.open(f"IN/{GO}", "wb") as there:
                await there.write(b"a" * 1000)
            house.answer(FO, data=b"b" * 700)
            async with client.open(f"OUT/{FO}", "rb") as back:
                assert 700 == len(await back.read(offset=0)) == len(await back.read(offset=0))
    told_of = {line["event"]: line for line in lines}
    up, down = told_of["sftp.upload.finished"], told_of["sftp.download"]
    assert ((1000, 1000), (700, 1400)) == ((up["size"], up["bytes"]), (down["size"], down["bytes"]))
    assert all(0 <= line["seconds"] < 60 for line in (up, down))


async def test_who_waits_to_be_let_pass_waits_since_its_file_was_there(tmp_path: Path) -> None:
    """Closed or renamed: the time before the turn came is the sender's wait too."""
    begun = []

    @asynccontextmanager
    async def passing(_sender: str) -> AsyncIterator[None]:
        begun.append(monotonic())
        yield

    watch = Watch()
    async with (
        open_house(tmp_path / "house", reception=watch, passing=passing) as house,
        house.client() as client,
    ):
        for name in (GO, f"{GO}.part"):
            async with client.open(f"IN/{name}", "wb") as file:
                await file.write(b"")
        await client.remove(f"IN/{GO}")
        await client.rename(f"IN/{GO}.part", f"IN/{GO}")
    assert 2 == len(begun) == len(watch.since)
    assert all(since is not None and since <= at for since, at in zip(watch.since, begun, strict=True))


@pytest.mark.every_database
def test_custody_keeps_how_long_a_sender_had_waited(tmp_path: Path, journal: Journal) -> None:
    """In the event alone: what lies beside the files is read by the release before too, which knows no such word."""
    custody, tickets = Custody(tmp_path / "custody", journal), []
    for number, since in enumerate((monotonic() - 7, None)):
        folder = tmp_path / "incoming" / str(number)
        folder.mkdir(parents=True)
        (folder / f"GO.{STEM}.{number}").write_bytes(b"")
        tickets.append(custody.take(folder, Origin("sftp", BOX, "payroll01", since=since)))
    with journal.read() as connection:
        waited = [submissions.timeline(connection, ticket)[0].facts["waited"] for ticket in tickets]
    assert 7_000_000 <= waited[0] < 60_000_000
    assert 0 == waited[1]
    [path] = custody.root.glob(f"*/{tickets[0]}/{ENVELOPE}")
    envelope = json.loads(path.read_bytes())
    said = {"ticket", "received_at", "channel", "sender", "directory", "username", "message_ids", "found", "by"}
    assert said == envelope.keys()
    file = StoredFile(f"GO.{STEM}.0", 0, "")
    assert tickets[0] == submission_of(envelope | {"of a later release": 1}, (file,)).ticket


def test_a_line_about_a_stage_says_which_and_how_it_ended() -> None:
    """As the metrics count it; any other line has neither."""
    for event, step in steps.STEPS.items():
        if event in STAGES and STAGES[event].outcome:
            assert step == (STAGES[event].name, STAGES[event].outcome)
    judged: dict[str, object] = {"event": "submission.judged", "verdict": "rejected"}
    add_stage(judged)
    assert ("judged", "rejected") == (judged["stage"], judged["outcome"])
    assert ("judged", "rejected") == steps.STEPS["verdict.rejected"]
    other: dict[str, object] = {"event": "gateway.ready"}
    add_stage(other)
    assert {"event": "gateway.ready"} == other


def test_the_first_and_the_last_line_of_a_submission_name_its_sender_and_file() -> None:
    """With the seconds of the sender's wait, and those since the receipt."""
    ticket = new_ticket()
    with capture_logs() as lines:
        log_of_submissions.report_taken(ticket, BOX, f"GO.{STEM}.1", monotonic() - 3)
        log_of_submissions.report_taken(ticket, BOX, f"GO.{STEM}.1")
        log_of_submissions.report_closed([Closed(ticket, BOX.sender, f"GO.{STEM}.1")])
    assert ["custody.taken", "custody.taken", "submission.closed"] == [line["event"] for line in lines]
    assert {(ticket, "123456", f"GO.{STEM}.1")} == {(line["ticket"], line["sender"], line["file"]) for line in lines}
    assert 3 <= lines[0]["seconds"] < 60
    assert lines[1]["seconds"] is None
    assert 0 <= lines[2]["seconds"] < 60


def test_what_is_recorded_after_all_names_sender_and_file(journal: Journal) -> None:
    """The ticket alone, should the journal not be readable again."""
    receive(journal, "T000000000001", name=f"GO.{STEM}.1")
    with capture_logs() as lines:
        log_of_submissions.report_recovered(journal, ["T000000000001"])
        with journal.write() as connection:
            connection.execute(sa.text("ALTER TABLE submissions RENAME TO elsewhere"))
        log_of_submissions.report_recovered(journal, ["T000000000001"])
    assert [("T000000000001", "123456", f"GO.{STEM}.1"), ("T000000000001", None, None)] == [
        (line["ticket"], line["sender"], line["file"]) for line in lines if line["event"] == "custody.recovered"
    ]
