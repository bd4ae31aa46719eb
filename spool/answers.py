"""Answers in the journal: the very bytes of every answer, so that one can be given again.

A submission has one acknowledgement, its first answer, and may have others. The stem of an answer's name is
``<purpose>.999999.<day>.<sequence>.<environment>``; the sequence is unique for a day and an environment, whatever the
purpose. It is taken in the transaction that writes the verdict, but for an answer that holds its own name. Some types
of message have parts in their names (`PARTED`), of which an answer is always the first and only one.

A ticket is that of a submission, or that of a message which an institution sent by itself.
"""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.mailbox import Mailbox
from spool.prepared import Prepared
from spool.tables import answer_numbers, answers, effects, submissions

FETCHED: Final = "answer.fetched"
PARTED: Final = frozenset({"DMNO", "DMDB", "DMPI"})
_ONLY_PART: Final = ".1.1"
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMERIC: Final = 99_999


@dataclass(frozen=True, slots=True)
class AnswerName:
    """Where an answer of ``ticket`` is given and what it is called.

    ``ordinal`` counts the answers of a submission from 1, ``prefix`` is FO for the answer itself and CO for a ZIP.
    ``channel`` is where its sender gets it, sftp or mq, and ``correlation`` what the sender called its message.
    """

    ticket: str
    ordinal: int
    mailbox: Mailbox
    prefix: str
    stem: str
    channel: str = "sftp"
    correlation: str | None = None

    @property
    def file_name(self) -> str:
        """The name of the file that holds the answer."""
        return f"{self.prefix}.{self.stem}"


def file_names(prefix: str, stem: str) -> tuple[str, str, str]:
    """The names of an answer's three files, in the order in which they may appear: FO or CO, FS, GO."""
    start = stem.removesuffix(".1") if stem.endswith(_ONLY_PART) else stem
    return f"{prefix}.{stem}", f"FS.{stem}", f"GO.{start}"


def stem_of(name: str) -> str:
    """The stem of the answer that a file ``name`` belongs to; total."""
    prefix, _, rest = name.partition(".")
    return f"{rest}.1" if prefix == "GO" and rest.count(".") == 5 else rest


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as its sender gets it: FO or CO is ``data``, FS is ``signature``."""

    name: AnswerName
    data: bytes
    signature: bytes


def sequence_text(number: int) -> str:
    """The five characters of the ``number``-th answer of a day: digits first, then a letter and four alphanumerics.

    Raises:
        OverflowError: 45 million answers of one environment in one day are more than the name can tell apart.
    """
    if number <= _NUMERIC:
        return f"{number:05d}"
    rest = number - _NUMERIC - 1
    text = ""
    for _ in range(4):
        rest, digit = divmod(rest, 36)
        text = _DIGITS[digit] + text
    if rest >= 26:
        raise OverflowError("no answer name is left for today")
    return _DIGITS[10 + rest] + text


def take_stem(connection: Connection, purpose: str, day: str, environment: str) -> str:
    """A stem no other answer has; ``purpose`` is that of the answer, ``day`` is YYYYMMDD.

    Raises:
        OverflowError: no number is left for this day and environment.
    """
    key = {"of_day": day, "of_environment": environment}
    # The update comes first: it keeps every other process from this row until the number is committed.
    counted = _COUNT.first(connection, key)
    number = 1 if counted is None else counted[0]
    if counted is None:
        connection.execute(sa.insert(answer_numbers).values(day=day, environment=environment, last=number))
    tail = _ONLY_PART if purpose in PARTED else ""
    return f"{purpose}.999999.{day}.{sequence_text(number)}.{environment}{tail}"


def store(connection: Connection, answer: StoredAnswer) -> None:
    """Keep ``answer`` for good."""
    name = answer.name
    row = {
        "ticket": name.ticket,
        "ordinal": name.ordinal,
        "sender": name.mailbox.sender,
        "directory": name.mailbox.directory,
        "prefix": name.prefix,
        "stem": name.stem,
        "data": answer.data,
        "signature": answer.signature,
        "channel": name.channel,
        "correlation": name.correlation,
    }
    _STORE.run(connection, row)


_NAME: Final = (
    answers.c.ticket,
    answers.c.ordinal,
    answers.c.sender,
    answers.c.directory,
    answers.c.prefix,
    answers.c.stem,
    answers.c.channel,
    answers.c.correlation,
)


def names(connection: Connection, ticket: str) -> list[AnswerName]:
    """The answers that were made for ``ticket``, in their order; none while there is no verdict."""
    return [_name(*row) for row in _NAMES.all(connection, {"of": ticket})]


def load(connection: Connection, ticket: str, ordinal: int) -> StoredAnswer:
    """One of the answers that were made for ``ticket``.

    Raises:
        LookupError: there is none.
    """
    row = _LOAD.first(connection, {"of": ticket, "which": ordinal})
    if row is None:
        raise LookupError("no such answer was made for this ticket")
    *name, data, signature = row
    return StoredAnswer(_name(*name), data, signature)


def _name(*facts: Any) -> AnswerName:
    ticket, ordinal, sender, directory, *rest = facts
    return AnswerName(ticket, ordinal, Mailbox(sender, directory), *rest)


@dataclass(frozen=True, slots=True)
class Way:
    """How a sender is answered: by ``channel``, sftp or mq, there with its own name for what it sent."""

    channel: str
    correlation: str | None = None


def way_of(connection: Connection, ticket: str) -> Way:
    """The way back to whoever sent the submission ``ticket``: the one it came by."""
    row = _WAY.first(connection, {"of": ticket})
    return Way("sftp") if row is None else Way(*row)


def unsettled_stems(connection: Connection) -> set[str]:
    """The stems of the answers whose placing is not recorded yet."""
    # An effect that doesn't say which answer it places is of a time when there was one.
    ordinal = sa.func.coalesce(effects.c.facts["ordinal"].as_integer(), 1)
    promised = (answers.c.ticket == effects.c.facts["answer_of"].as_string()) & (answers.c.ordinal == ordinal)
    query = (
        sa.select(answers.c.stem)
        .join(effects, promised)
        .where(effects.c.state == "pending", effects.c.kind == "answer")
    )
    return set(connection.execute(query).scalars())


# Asked for every submission, and so put together only once.
_THIS_COUNT: Final = (answer_numbers.c.day == sa.bindparam("of_day")) & (
    answer_numbers.c.environment == sa.bindparam("of_environment")
)
_COUNT: Final = Prepared(
    sa.update(answer_numbers).where(_THIS_COUNT).values(last=answer_numbers.c.last + 1).returning(answer_numbers.c.last)
)
_STORE: Final = Prepared(
    sa.insert(answers),
    (*(column.name for column in _NAME), "data", "signature"),
)
_NAMES: Final = Prepared(sa.select(*_NAME).where(answers.c.ticket == sa.bindparam("of")).order_by(answers.c.ordinal))
_LOAD: Final = Prepared(
    sa.select(*_NAME, answers.c.data, answers.c.signature).where(
        answers.c.ticket == sa.bindparam("of"), answers.c.ordinal == sa.bindparam("which")
    )
)
_WAY: Final = Prepared(
    sa.select(submissions.c.channel, submissions.c.message_id).where(submissions.c.ticket == sa.bindparam("of"))
)
