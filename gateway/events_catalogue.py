"""What is an event, and which are there?

One row for each name that is logged and for each that is written into the journal: its levels, the fields it may have,
what it means, and what an operator does about it.  A test compares the rows with the source (scripts/logged_names.py),
and ``docs/events.md`` is made of them.
"""

from dataclasses import dataclass
from typing import Final

NOTHING: Final = "Nothing."


@dataclass(frozen=True, slots=True)
class Event:
    """An event: where it is written, and what it says.

    Args:
        name: what stands in its field ``event``, or in the journal.
        levels: at which it is logged, such as ``info`` or ``warning error``; empty for the journal.
        fields: their names, with a blank between them; also those that it has only sometimes.
        meaning: what has happened.
        to_do: what an operator does.
    """

    name: str
    levels: str
    fields: str
    meaning: str
    to_do: str = NOTHING
