"""Answers in the journal: the very bytes of every acknowledgement, so that one answer can be given again.

The stem of an answer's name is ``ACRF.999999.<day>.<sequence>.<environment>``; the sequence is unique for a day and an
environment, and is taken in the transaction that writes the verdict.
"""

from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool.mailbox import Mailbox
from spool.tables import answer_numbers, answers, effects

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMERIC: Final = 99_999


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as its sender gets it: FO is ``data``, FS is ``signature``."""

    ticket: str
    mailbox: Mailbox
    stem: str
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


def take_stem(connection: Connection, day: str, environment: str) -> str:
    """A stem no other answer has; ``day`` is YYYYMMDD."""
    key = (answer_numbers.c.day == day) & (answer_numbers.c.environment == environment)
    last = connection.execute(sa.select(answer_numbers.c.last).where(key)).scalar()
    if last is None:
        connection.execute(sa.insert(answer_numbers).values(day=day, environment=environment, last=1))
        last = 0
    else:
        connection.execute(sa.update(answer_numbers).where(key).values(last=last + 1))
    return f"ACRF.999999.{day}.{sequence_text(last + 1)}.{environment}"


def store(connection: Connection, answer: StoredAnswer) -> None:
    """Keep ``answer`` for good."""
    connection.execute(
        sa.insert(answers).values(
            ticket=answer.ticket,
            sender=answer.mailbox.sender,
            directory=answer.mailbox.directory,
            stem=answer.stem,
            data=answer.data,
            signature=answer.signature,
        )
    )


def find(connection: Connection, ticket: str) -> StoredAnswer | None:
    """The answer that was made for ``ticket``, or None while there is none."""
    row = connection.execute(
        sa.select(answers.c.sender, answers.c.directory, answers.c.stem, answers.c.data, answers.c.signature).where(
            answers.c.ticket == ticket
        )
    ).first()
    return None if row is None else StoredAnswer(ticket, Mailbox(row[0], row[1]), row[2], row[3], row[4])


def load(connection: Connection, ticket: str) -> StoredAnswer:
    """The answer that was made for ``ticket``.

    Raises:
        LookupError: there is none.
    """
    answer = find(connection, ticket)
    if answer is None:
        raise LookupError("no answer was made for this ticket")
    return answer


def unsettled_stems(connection: Connection) -> set[str]:
    """The stems of the answers whose placing is not recorded yet."""
    waiting = sa.select(effects.c.facts["answer_of"].as_string()).where(
        effects.c.state == "pending", effects.c.kind == "answer"
    )
    return set(connection.execute(sa.select(answers.c.stem).where(answers.c.ticket.in_(waiting))).scalars())
