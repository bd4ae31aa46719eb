"""What goes of a ticket when its time is up, and what stays?

Of the payload the files go, one by one, the envelope last; of answers the bytes, and the event has their SHA-256; of
events the facts, and each keeps its digest. What stays are names, sizes, digests, states and times, and every row.
Everything here is harmless twice; who asks for it, and when, is :mod:`spool.purging`'s.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool import chain, checkpoints, purged_events
from spool.answers import file_names
from spool.custody import ENVELOPE
from spool.effects import Kind as EffectKind
from spool.purged_events import EVIDENCE_PURGED
from spool.purges import Plan
from spool.reconciliation_pages import PURGED
from spool.register_tables import disclosures, ebox
from spool.submissions import note
from spool.tables import answers, effects, events, files, routing_queue, submissions

ANSWERS_PURGED: Final = "answers.purged"
_BATCH: Final = 500


class OddError(Exception):
    """What is there is not what should go; the message says why, without names of files."""


def remove(folder: Path) -> None:
    """Remove a submission's folder with its files, the envelope last; the names go with a sync of its parent.

    Raises:
        OddError: there is something in it that nobody has put there; nothing was removed.
        OSError: something could not be removed.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: (entry.name == ENVELOPE, entry.name))
    except FileNotFoundError:
        return
    if not all(entry.is_file(follow_symlinks=False) for entry in found):
        raise OddError("there is something in its folder that is no file")
    for entry in found:
        _unlink(Path(entry.path))
    folder.rmdir()


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)


def recorded_files(connection: Connection, ticket: str) -> dict[str, int]:
    """The sizes in bytes of the files that came, by their names."""
    return {
        row.name: row.size
        for row in connection.execute(sa.select(files.c.name, files.c.size).where(files.c.ticket == ticket))
    }


def check(folder: Path, recorded: Mapping[str, int]) -> None:
    """See that the files that came are there, and nothing else: a loss must not be taken for a purge.

    Raises:
        OddError: they are not.
    """
    try:
        there = {path.name: path.lstat().st_size for path in folder.iterdir() if path.name != ENVELOPE}
    except (FileNotFoundError, NotADirectoryError):
        raise OddError("it has no folder in custody") from None
    if there != recorded:
        raise OddError("its folder has not the files that came")


def message_ids(connection: Connection, ticket: str) -> Iterator[list[str]]:
    """The ids of the messages of ``ticket``, in parts; none where nothing ever was in the embedded queue."""
    if connection.execute(sa.select(routing_queue.c.position).limit(1)).first() is None:
        return
    query = sa.select(effects.c.ordinal).where(effects.c.ticket == ticket, effects.c.kind == EffectKind.FORWARD)
    named = [f"{ticket}-{ordinal:06d}" for ordinal in connection.execute(query).scalars()]
    for start in range(0, len(named), _BATCH):
        yield named[start : start + _BATCH]


def forget_payload(connection: Connection, plan: Plan) -> None:
    """The folder is gone: take away what the embedded queue still has of it, and say so."""
    for named in message_ids(connection, plan.ticket):
        connection.execute(sa.update(routing_queue).where(routing_queue.c.message_id.in_(named)).values(body=b""))
    note(connection, plan.ticket, PURGED, files=plan.files, bytes=plan.size)


# --- answers


def forget_answers(connection: Connection, plan: Plan) -> None:
    """Take the bytes of answers away; their names stay, so that no other ever has them."""
    digests: dict[str, str] = {}
    for table in (answers, ebox):
        key = table.primary_key.columns
        query = sa.select(*key, table.c.prefix, table.c.stem).where(table.c.ticket == plan.ticket)
        for row in connection.execute(query).mappings().all():
            this = sa.and_(*(column == row[column.name] for column in key))
            digests |= _digests(connection, table, this, row)
            connection.execute(sa.update(table).where(this).values(data=b"", signature=b""))
    note(connection, plan.ticket, ANSWERS_PURGED, sha256=digests, bytes=plan.size)


def _digests(
    connection: Connection, table: sa.Table, this: sa.ColumnElement[bool], row: Mapping[Any, Any]
) -> dict[str, str]:
    data, signature, _ = file_names(row["prefix"], row["stem"])
    content = connection.execute(sa.select(table.c.data, table.c.signature).where(this)).one()
    return {name: hashlib.sha256(each).hexdigest() for name, each in zip((data, signature), content, strict=True)}


# --- facts of events


def forget_facts(connection: Connection, plan: Plan) -> None:
    """Take away what the journal still says of a ticket but for names of files, their SHA-256, states and times."""
    this = submissions.c.ticket == plan.ticket
    last = checkpoints.latest(connection).last
    chain.forget(connection, list(connection.execute(_NUMBERS, {"ticket": plan.ticket, "last": last}).scalars()))
    findings = connection.execute(sa.select(submissions.c.findings).where(this)).scalar()
    bare = [[code, ""] for code, _ in findings or ()]
    values = {"username": "", "message_id": None, "certificate": None, "findings": bare or None}
    connection.execute(sa.update(submissions).where(this).values(values))
    connection.execute(sa.delete(disclosures).where(disclosures.c.ticket == plan.ticket))
    left = purged_events.headers(purged_events.of_ticket(connection, plan.ticket))
    note(connection, plan.ticket, EVIDENCE_PURGED, events=plan.files, last=last, headers=left)


_NUMBERS: Final = sa.select(events.c.number).where(
    events.c.ticket == sa.bindparam("ticket"), events.c.number <= sa.bindparam("last")
)
