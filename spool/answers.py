"""Answers in the journal: the very bytes of every answer, so that one can be given again.

A submission has one acknowledgement, its first answer, and may have others. The stem of an answer's name is
``<purpose>.999999.<day>.<sequence>.<environment>``; the sequence is unique for a day and an environment, whatever the
purpose. It is taken in the transaction that writes the verdict, but for an answer that holds its own name.
"""

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.mailbox import Mailbox
from spool.tables import answer_numbers, answers, effects

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMERIC: Final = 99_999


@dataclass(frozen=True, slots=True)
class AnswerName:
    """Where an answer of ``ticket`` is given and what it is called.

    ``ordinal`` counts the answers of a submission from 1, ``prefix`` is FO for the answer itself and CO for a ZIP.
    """

    ticket: str
    ordinal: int
    mailbox: Mailbox
    prefix: str
    stem: str

    @property
    def file_name(self) -> str:
        """The name of the file that holds the answer."""
        return f"{self.prefix}.{self.stem}"


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
    """A stem no other answer has; ``purpose`` is that of the answer, ``day`` is YYYYMMDD."""
    key = (answer_numbers.c.day == day) & (answer_numbers.c.environment == environment)
    last = connection.execute(sa.select(answer_numbers.c.last).where(key)).scalar()
    if last is None:
        connection.execute(sa.insert(answer_numbers).values(day=day, environment=environment, last=1))
        last = 0
    else:
        connection.execute(sa.update(answer_numbers).where(key).values(last=last + 1))
    return f"{purpose}.999999.{day}.{sequence_text(last + 1)}.{environment}"


def store(connection: Connection, answer: StoredAnswer) -> None:
    """Keep ``answer`` for good."""
    name = answer.name
    connection.execute(
        sa.insert(answers).values(
            ticket=name.ticket,
            ordinal=name.ordinal,
            sender=name.mailbox.sender,
            directory=name.mailbox.directory,
            prefix=name.prefix,
            stem=name.stem,
            data=answer.data,
            signature=answer.signature,
        )
    )


_NAME: Final = (
    answers.c.ticket,
    answers.c.ordinal,
    answers.c.sender,
    answers.c.directory,
    answers.c.prefix,
    answers.c.stem,
)


def names(connection: Connection, ticket: str) -> list[AnswerName]:
    """The answers that were made for ``ticket``, in their order; none while there is no verdict."""
    query = sa.select(*_NAME).where(answers.c.ticket == ticket).order_by(answers.c.ordinal)
    return [_name(*row) for row in connection.execute(query)]


def load(connection: Connection, ticket: str, ordinal: int) -> StoredAnswer:
    """One of the answers that were made for ``ticket``.

    Raises:
        LookupError: there is none.
    """
    this = (answers.c.ticket == ticket) & (answers.c.ordinal == ordinal)
    row = connection.execute(sa.select(*_NAME, answers.c.data, answers.c.signature).where(this)).first()
    if row is None:
        raise LookupError("no such answer was made for this ticket")
    *name, data, signature = row
    return StoredAnswer(_name(*name), data, signature)


def _name(*facts: Any) -> AnswerName:
    ticket, ordinal, sender, directory, prefix, stem = facts
    return AnswerName(ticket, ordinal, Mailbox(sender, directory), prefix, stem)


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
