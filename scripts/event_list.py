"""What does ``docs/events.md`` say of the events?

It is made of the catalogue by ``python -m scripts.event_list``; a test finds that it is current, and that the catalogue
knows every event of the source.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from gateway.events_catalogue import Event
from gateway.events_catalogue_doors import DOORS
from gateway.events_catalogue_journal import JOURNAL
from gateway.events_catalogue_work import WORK
from gateway.log_stages import STAGES
from scripts.logged_names import Found, Source

DOCUMENT: Final = Path(__file__).resolve().parents[1] / "docs" / "events.md"
# Of the submission in hand, and of the connection: bound by a caller.
_BOUND: Final = {"ticket", "queue", "broker"}
LOGGED: Final = tuple(sorted((*DOORS, *WORK), key=lambda event: event.name))

_HEAD: Final = """# Events

Made by `python -m scripts.event_list` from the catalogue (`gateway/events_catalogue*.py`); a test compares it with
the source.

The log is one JSON object a line, on stderr or, with `[logging] stream`, on stdout: `event` is the name, `level` and
`timestamp` (UTC) say how grave and when, and the fields below say the rest; on a terminal the same is written for
people. A line of an event that is sampled (`[logging] sampled`) has in `left_out` how many were left out before it. An
event that is about one submission has its `ticket`, where one is known.
Libraries' own messages come in the same form, capped, with the kind of an exception in `fault` and never its words.

No field has an INSS, a person's name, a password or anything that stands in a declaration. User names, sender
numbers, the names of files and addresses do stand there: keep the log as you keep those.

`error` wants somebody, `warning` heals by itself or can wait, `info` is the course of things. The alerts that wake
somebody are in [metrics.md](metrics.md), and what to do then in [runbooks.md](runbooks.md).
"""
_STAGES_HEAD: Final = """
## Stages

An event that is about a stage of the way of a file has two fields more, whatever it is called: `stage`, and `outcome`,
how that ended. They name `sender` and `file`, but for these: `custody.failed` names the sender and its directory, for a
set may have no file yet that it goes by; and `declarations.put_off` is about messages of any submissions. While the
journal cannot be read, `custody.recovered` and `judge.failed` have the `ticket` alone.

Where there is `seconds`, it counts from

- *uploaded* and *fetched*: the opening of the file; who goes on with an upload after a break has opened it anew;
- *received*: the end of the last file of the set, or its last message; null if no sender waited, as when a set was
  taken because its time was up;
- *judged*, *answered*, *forwarded* and *closed*: the receipt, at which the ticket was made.
"""
_JOURNAL_HEAD: Final = """
## In the journal

Chained, sealed ([evidence.md](evidence.md)) and shown by `gateway show TICKET`. Acts on the register have lines of
their own, with actor and reason; see
[administration.md](administration.md).
"""


def document() -> str:
    """The whole page."""
    log = ("## In the log", "", *_logged(LOGGED))
    return "\n".join((_HEAD, *log, _STAGES_HEAD, *_staged(), _JOURNAL_HEAD, *_kept(JOURNAL), ""))


def _staged() -> Iterator[str]:
    yield "| event | stage | outcome |"
    yield "| --- | --- | --- |"
    for name, stage in STAGES.items():
        yield f"| `{name}` | `{stage.name}` | {f'`{stage.outcome}`' if stage.outcome else f'as `{stage.field}`'} |"


def _logged(events: Iterable[Event]) -> Iterator[str]:
    yield "| event | level | fields | what has happened | what to do |"
    yield "| --- | --- | --- | --- | --- |"
    for event in events:
        levels = ", ".join(event.levels.split())
        yield f"| `{event.name}` | {levels} | {_fields(event)} | {event.meaning} | {event.to_do} |"


def _kept(events: Iterable[Event]) -> Iterator[str]:
    yield "| event | facts | what has happened |"
    yield "| --- | --- | --- |"
    for event in events:
        yield f"| `{event.name}` | {_fields(event)} | {event.meaning} |"


def _fields(event: Event) -> str:
    return ", ".join(f"`{name}`" for name in event.fields.split()) or "-"


def faults(source: Source) -> list[str]:
    """What the catalogue says otherwise than the source, a line each."""
    logged, noted = source.events()
    kept = {name: Found(set(), found.fields, found.is_open, found.places) for name, found in noted.items()}
    return [*source.unnamed, *_faults("log", LOGGED, logged), *_faults("journal", JOURNAL, kept)]


def _faults(where: str, events: Iterable[Event], found: Mapping[str, Found]) -> Iterator[str]:
    known = {event.name: event for event in events}
    for name in sorted(known.keys() | found.keys()):
        event, there = known.get(name), found.get(name)
        if event is None:
            yield f"{where}: {name} ({', '.join(sorted(there.places)) if there else ''}) is not in the catalogue"
        elif there is None:
            yield f"{where}: {name} is in the catalogue, and nowhere in the source"
        else:
            yield from _differences(where, event, there)


def _differences(where: str, event: Event, there: Found) -> Iterator[str]:
    fields = set(event.fields.split())
    if there.fields - fields or (fields - there.fields - _BOUND and not there.is_open):
        yield f"{where}: {event.name} has the fields {sorted(there.fields)}, catalogued are {sorted(fields)}"
    if set(event.levels.split()) != there.levels:
        yield f"{where}: {event.name} has the levels {sorted(there.levels)}, catalogued is {event.levels}"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
