"""Forwarding from a real journal to the embedded queue."""

from pathlib import Path

import pytest

from gateway.forward import DeclarationsUnreadableError, EmbeddedQueue, forward_all
from spool import declarations, effects, routing_queue, submissions
from spool.effects import Kind
from spool.journal import Journal
from spool.submissions import Ruling, State, Submission


def accept(journal: Journal, folder: Path, ticket: str) -> None:
    """An accepted submission of two declarations that are still to be forwarded."""
    with declarations.writing(folder / ticket) as writer:
        writer.append(b"<first/>")
        writer.append(b"<second/>")
    with journal.write() as connection:
        name = "GO.DIMN.123456.20261121.00001.R.1"
        submissions.add(
            connection, Submission(ticket, 1, "sftp", "123456", "u", "IN", name, name[3:-2], "c", State.RECEIVED, 0)
        )
        submissions.settle(connection, ticket, Ruling(State.ACCEPTED))
        facts = [
            {"offset": offset, "length": length, "routing_key": "R.DIMN", "headers": {"ticket": ticket}}
            for offset, length in writer.spans
        ]
        effects.plan(connection, ticket, Kind.FORWARD, facts)


async def test_declarations_that_cannot_be_read_keep_no_others_waiting(journal: Journal, tmp_path: Path) -> None:
    """A missing file and one cut short are tried again later; nothing of them is sent; all others are."""
    folder = tmp_path / "declarations"
    for ticket in ("A", "B", "C"):
        accept(journal, folder, ticket)
    (folder / "A").unlink()
    whole = (folder / "B").read_bytes()
    (folder / "B").write_bytes(whole[:-1])

    with pytest.raises(DeclarationsUnreadableError):
        await forward_all(journal, EmbeddedQueue(journal), folder, window=1)
    with journal.read() as connection:
        sent = [item.message.message_id for item in routing_queue.waiting(connection, 10)]
    assert ["B-000001", "C-000001", "C-000002"] == sent
    assert not (folder / "C").exists()

    accept(journal, folder, "D")
    (folder / "A").write_bytes(whole)
    (folder / "B").write_bytes(whole)
    assert 5 == await forward_all(journal, EmbeddedQueue(journal), folder)
    assert [] == list(folder.iterdir())
