"""Does the broker's queue have messages that this journal knows nothing of?

After a restore it may: the journal is older than they are. What lies in the queue names its ticket, and in its headers
the sender and the file, so that an operator knows whom to ask. What was taken out of the queue already cannot be known
here. Reads only; a message of the embedded queue is compared by :mod:`gateway.reconcile`.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import sqlalchemy as sa

from channels.mq.looking import Lying
from spool.effects import Kind
from spool.journal import Journal
from spool.reconciliation import Misfit, Mismatch
from spool.tables import effects, submissions

_LONGEST: Final = 100


def compare_queue(journal: Journal, found: Iterable[Lying]) -> Iterator[Mismatch]:
    """What does not fit of the messages in a queue of the broker, one after the other."""
    for message in found:
        ticket, _, form = message.message_id.partition("-")
        if not (len(ticket) == 13 and ticket.isascii() and form.isascii() and form.isdigit()):
            continue  # none of ours
        with journal.read() as connection:
            is_known = connection.execute(sa.select(submissions.c.ticket).where(submissions.c.ticket == ticket)).first()
            this = (effects.c.ticket == ticket) & (effects.c.ordinal == int(form)) & (effects.c.kind == Kind.FORWARD)
            is_promised = connection.execute(sa.select(effects.c.number).where(this)).first()
        if is_known is None:
            yield Mismatch(ticket, Misfit.FORWARDED_UNKNOWN, _words(message, int(form)))
        elif is_promised is None:
            yield Mismatch(ticket, Misfit.FORWARDED_UNASKED, f"the queue has a message of form {int(form)}")


def _words(message: Lying, form: int) -> str:
    said = {name: ascii(str(message.headers.get(name, "?"))[:_LONGEST])[1:-1] for name in ("sender", "file")}
    return f"the queue has form {form} of {said['file']} from sender {said['sender']}"
