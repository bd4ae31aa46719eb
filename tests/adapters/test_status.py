"""What a sender reads about its submissions, made from a real journal."""

import csv
import io
import json
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from spool import effects, status, submissions
from spool.effects import Kind
from spool.journal import Journal, now
from spool.mailbox import Mailbox
from spool.records import Records
from spool.register_tables import expiry_warnings
from spool.submissions import Ruling, State
from spool.tables import events, senders, ssh_keys, technical_users
from spool.withdrawals import is_withdrawn
from tests.submissions_made import BRUSSELS, MINE, OTHER, STEM, answer, receive

pytestmark = pytest.mark.every_database


@pytest.fixture
def records(journal: Journal) -> Records:
    """The documents of a journal with two senders; one reads Dutch."""
    with journal.write() as connection:
        for number, language in ((MINE, "nl"), (OTHER, "fr")):
            facts = {"signature": "detached", "environments": "RTS", "purposes": ["*"], "state": "active"}
            connection.execute(sa.insert(senders).values(number=number, created_at=0, language=language, **facts))
    return Records(journal, BRUSSELS)


def read(records: Records, name: str, sender: str = MINE) -> dict[str, Any]:
    """A document of JSON."""
    document = records.document(sender, name)
    assert document is not None
    facts: dict[str, Any] = json.loads(document.data)
    return facts


def test_a_ticket_tells_its_state_findings_and_answers(journal: Journal, records: Records) -> None:
    """Each finding has its code, a sentence in the sender's language and the detail; each answer its three names."""
    receive(journal, "A" * 13)
    answer(journal, "A" * 13, codes=("ACRF-125",))

    facts = read(records, f"{'A' * 13}.json")

    assert ("rejected", "IN", f"GO.DIMN.{MINE}.20261121.00001.R.1") == (
        facts["state"],
        facts["directory"],
        facts["name"],
    )
    assert [("ACRF-125", "shown as it is")] == [(finding["code"], finding["detail"]) for finding in facts["findings"]]
    assert "handtekening" in facts["findings"][0]["text"]
    files = [f"FO.{STEM}", f"FS.{STEM}", f"GO.{STEM}"]
    assert [{"directory": "OUT", "channel": "sftp", "files": files, "fetched": None}] == facts["answers"]
    assert [("e3b0" * 16, 0)] == [(file["sha256"], file["size"]) for file in facts["files"]]
    assert datetime.fromisoformat(facts["received"]).utcoffset() is not None


def test_a_ticket_without_verdict_says_so(journal: Journal, records: Records) -> None:
    """Received, and no answer yet."""
    receive(journal, "A" * 13)

    facts = read(records, f"{'A' * 13}.json")

    assert ("received", None, [], []) == (facts["state"], facts["verdict"], facts["findings"], facts["answers"])


def test_a_sender_is_not_told_that_a_person_looks_at_its_file(journal: Journal, records: Records) -> None:
    """Quarantined is our word; for the sender the submission is held."""
    receive(journal, "A" * 13)
    with journal.write() as connection:
        submissions.hold(
            connection, "A" * 13, state=State.QUARANTINED, attempts=10, next_attempt_at=0, reason="TypeError"
        )

    document = records.document(MINE, f"{'A' * 13}.json")

    assert "held" == read(records, f"{'A' * 13}.json")["state"]
    assert document is not None
    assert b"TypeError" not in document.data


def test_nothing_of_one_sender_is_seen_by_another(journal: Journal, records: Records) -> None:
    """Neither document nor answer, whatever name is asked for."""
    receive(journal, "A" * 13, OTHER)
    answer(journal, "A" * 13, sender=OTHER)

    assert {status.TODAY, status.HISTORY} == {entry.name for entry in records.entries(MINE)}
    assert [None, None] == [records.document(MINE, name) for name in (f"{'A' * 13}.json", f"FO.{STEM}")]
    assert [] == read(records, status.TODAY)["submissions"]
    assert b"A" * 13 not in (records.document(MINE, status.HISTORY) or status.Document(b"", 0)).data
    assert records.document(OTHER, f"FO.{STEM}") is not None


@pytest.mark.parametrize(
    "name", ["x.json", "../x", "FO.", "GO.x", ".json", "today.JSON", "AAAAAAAAAAAAA.json", "%s.json", "' OR 1=1 --"]
)
def test_what_is_not_there_is_none(records: Records, name: str) -> None:
    """Any other name, odd ones included."""
    assert records.document(MINE, name) is None


def test_a_listing_has_the_sizes_that_reading_gives(journal: Journal, records: Records) -> None:
    """Clients read as many bytes as a listing says."""
    for number in range(3):
        receive(journal, f"{number}" * 13, name=f"GO.DIMN.{MINE}.20261121.0000{number + 1}.R.1")
    answer(journal, "0" * 13, codes=("ACRF-125", "ACRF-133"))
    answer(journal, "1" * 13, "ACRF.999999.20261121.00002.R")

    entries = records.entries(MINE)

    assert ["0" * 13 + ".json", "1" * 13 + ".json", "2" * 13 + ".json", "history.csv", "today.json"] == [
        entry.name for entry in entries
    ]
    documents = [records.document(MINE, entry.name) for entry in entries]
    assert [entry.size for entry in entries] == [len(document.data) if document else -1 for document in documents]


def test_today_has_what_came_today_and_what_was_not_fetched(journal: Journal, records: Records) -> None:
    """A submission of the day before yesterday is not in it, its answer is while nobody has fetched it."""
    receive(journal, "A" * 13, at=now() - 2 * 86_400_000_000)
    answer(journal, "A" * 13)
    receive(journal, "B" * 13, name=f"GO.DIMN.{MINE}.20261121.00002.R.1")
    before = read(records, status.TODAY)
    records.fetched(Mailbox(MINE, "OUT"), f"FO.{STEM}", 0.0)
    after = read(records, status.TODAY)

    assert ["B" * 13] == [one["ticket"] for one in before["submissions"]]
    assert [f"FO.{STEM}"] == before["answers_not_fetched"]
    assert [] == after["answers_not_fetched"]


def test_today_warns_of_what_ends(journal: Journal, records: Records) -> None:
    """What the sender was warned of, with its day; of nobody else's."""
    end = now() + 7 * 86_400_000_000
    key = {"username": "payroll01", "fingerprint": "SHA256:x", "line": "ssh-ed25519 x", "valid_to": end}
    warned = {"subject": f"{MINE} key payroll01 SHA256:x", "expires_at": end, "days": 7, "given_at": now()}
    with journal.write() as connection:
        connection.execute(sa.insert(technical_users).values(username="payroll01", sender=MINE, created_at=0))
        connection.execute(sa.insert(ssh_keys).values(**key))
        connection.execute(sa.insert(expiry_warnings).values(**warned))

    [warning] = read(records, status.TODAY)["warnings"]

    assert ("key", "payroll01 SHA256:x") == (warning["what"], warning["which"])
    assert int(datetime.fromisoformat(warning["ends"]).timestamp()) == end // 1_000_000
    assert [] == read(records, status.TODAY, OTHER)["warnings"]


def test_the_history_is_a_spreadsheet(journal: Journal, records: Records) -> None:
    """One line a submission, newest first, every value without a line break."""
    receive(journal, "A" * 13)
    answer(journal, "A" * 13, codes=("ACRF-125", "ACRF-133"))
    receive(journal, "B" * 13, name=f"GO.DIMN.{MINE}.20261121.00002.R.1")

    document = records.document(MINE, status.HISTORY)
    assert document is not None
    rows = list(csv.DictReader(io.StringIO(document.data.decode(), newline="")))

    assert [("B" * 13, "received", "", ""), ("A" * 13, "rejected", "ACRF-125 ACRF-133", f"FO.{STEM}")] == [
        (row["ticket"], row["state"], row["codes"], row["answers"]) for row in rows
    ]


def test_the_lists_are_bounded(journal: Journal, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest tickets are listed; an older one can still be read by its name."""
    monkeypatch.setattr(status, "LISTED", 2)
    monkeypatch.setattr(status, "ROWS", 2)
    for number in range(4):
        receive(journal, f"{number}" * 13, name=f"GO.DIMN.{MINE}.20261121.0000{number + 1}.R.1", at=now() + number)

    names = [entry.name for entry in records.entries(MINE)]

    assert ["2" * 13 + ".json", "3" * 13 + ".json", "history.csv", "today.json"] == names
    assert "0" * 13 == read(records, "0" * 13 + ".json")["ticket"]


def test_what_today_leaves_out_is_counted(journal: Journal, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as everything is in it, it is complete; of what is beyond the lists it says how much there is."""
    for number in range(5):
        stem = f"ACRF.999999.20261121.0000{number}.R"
        receive(journal, f"{number}" * 13, name=f"GO.DIMN.{MINE}.20261121.0000{number + 1}.R.1", at=now() + number)
        answer(journal, f"{number}" * 13, stem)
    whole = read(records, status.TODAY)
    monkeypatch.setattr(status, "LISTED", 2)
    monkeypatch.setattr(status, "ROWS", 4)
    part = read(records, status.TODAY)

    assert (True, {"submissions": 0, "messages": 0, "answers_not_fetched": 0}) == (whole["complete"], whole["left_out"])
    assert (False, {"submissions": 1, "messages": 0, "answers_not_fetched": 3}) == (part["complete"], part["left_out"])
    assert (4, [f"FO.ACRF.999999.20261121.0000{number}.R" for number in (3, 4)]) == (
        len(part["submissions"]),
        part["answers_not_fetched"],
    )


def test_an_answer_is_read_again_by_its_name(journal: Journal, records: Records) -> None:
    """The very bytes of its three files, whatever became of them in OUT."""
    receive(journal, "A" * 13)
    answer(journal, "A" * 13)

    files = [records.document(MINE, f"{prefix}.{STEM}") for prefix in ("FO", "FS", "GO", "CO")]

    assert [b"<ACRF/>", b"c2ln", b"", None] == [None if file is None else file.data for file in files]


def test_a_repeat_names_the_first_answer(journal: Journal, records: Records) -> None:
    """The answer of the first submission is that of the second too."""
    receive(journal, "A" * 13)
    answer(journal, "A" * 13)
    receive(journal, "B" * 13)
    with journal.write() as connection:
        submissions.settle(connection, "B" * 13, Ruling(State.REPEATED))
        effects.plan(connection, "B" * 13, Kind.ANSWER, [{"answer_of": "A" * 13, "ordinal": 1}])

    facts = read(records, f"{'B' * 13}.json")

    assert ("repeated", f"FO.{STEM}") == (facts["state"], facts["answers"][0]["files"][0])


def test_fetching_and_deleting_are_events_of_the_ticket(journal: Journal, records: Records) -> None:
    """Each file once for every placing, however often it is fetched; names that no answer has are nobody's."""
    receive(journal, "A" * 13)
    answer(journal, "A" * 13)
    box = Mailbox(MINE, "OUT")
    for _ in range(3):
        records.fetched(box, f"FO.{STEM}", 0.0)
    records.fetched(box, f"FS.{STEM}", 0.0)
    records.fetched(box, f"FO.{STEM}", now() / 1_000_000 + 1)
    records.deleted(box, f"FO.{STEM}")
    records.fetched(box, "FO.unknown", 0.0)
    records.fetched(Mailbox(OTHER, "OUT"), f"FO.{STEM}", 0.0)
    records.deleted(Mailbox(MINE, "OUTTEST"), f"FO.{STEM}")

    with journal.read() as connection:
        query = sa.select(events.c.ticket, events.c.name, events.c.facts).where(events.c.name.startswith("answer."))
        seen = [(ticket, name, facts["file"]) for ticket, name, facts in connection.execute(query)]
    assert [
        ("A" * 13, "answer.fetched", f"FO.{STEM}"),
        ("A" * 13, "answer.fetched", f"FS.{STEM}"),
        ("A" * 13, "answer.fetched", f"FO.{STEM}"),
        ("A" * 13, "answer.deleted", f"FO.{STEM}"),
    ] == seen


@pytest.mark.parametrize(
    ("sender", "name", "later", "withdrawn"),
    [
        (MINE, f"TD.DIMN.{MINE}.20261121.00001.R.1", 1, True),
        (MINE, f"TD.DIMN.{MINE}.20261121.00001.R.1", -1, False),
        (MINE, f"TD.DIMN.{MINE}.20261121.00002.R.1", 1, False),
        (MINE, f"GO.DIMN.{MINE}.20261121.00001.R.1", 1, False),
        (OTHER, f"TD.DIMN.{MINE}.20261121.00001.R.1", 1, False),
    ],
    ids=["its TD", "a TD before it", "the TD of another", "a GO", "the TD of somebody else"],
)
def test_a_td_withdraws_what_came_before_it(
    journal: Journal, records: Records, sender: str, name: str, later: int, withdrawn: bool
) -> None:
    """Of the same sender, directory and stem, while it has no verdict; a TD is not withdrawn itself."""
    at = now()
    first = receive(journal, "A" * 13, at=at)
    second = receive(journal, "B" * 13, sender, name, at + later)

    with journal.read() as connection:
        found = (is_withdrawn(connection, first), is_withdrawn(connection, second))
    assert (withdrawn, False) == found
