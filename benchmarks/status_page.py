"""What does a page of status cost, and does it cost more the more submissions there are?

    python -m benchmarks.status_page [--quick]

fills a journal with 20,000 and one with 1,000,000 submissions of a day, has every page made from each, with nothing
kept from before, and exits with 1 if one costs more than three times as much from the large one; figures are CPU
seconds of this process, the best of three.  ``--quick`` fills the large one with a tenth.
"""

import argparse
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from config.administration import Operations
from gateway.operations.page.sights import Sights
from spool.journal import Journal, now, open_journal
from spool.submissions import State
from tests.status_made import HOUR, SECOND, SENDERS, TYPES, Made, make_site, row_of, ticket_of

MAX_RATIO: Final = 3.0
_SMALL: Final = 20_000
_LARGE: Final = 1_000_000
_HOURS: Final = 20
_TRIES: Final = 3
_LEAST: Final = 0.005
"""Below so many seconds a ratio is chance."""


def _made(number: int, count: int, at: int) -> Made:
    received = at - round((count - number) / count * _HOURS * HOUR)
    refused = number % 25 == 0
    state, codes = (State.REJECTED, ("ACRF-125",)) if refused else (State.ACCEPTED, ())
    sender, purpose = SENDERS[number % len(SENDERS)], TYPES[number % len(TYPES)]
    return Made(ticket_of(number), received, sender, purpose, state, 4 * SECOND, codes)


def _rows(count: int, at: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        row = row_of(_made(number, count, at), number)
        yield row | {"findings": json.dumps(row["findings"])}


def fill(folder: Path, count: int) -> Journal:
    """A journal with so many submissions, each with two events and a declaration that was forwarded."""
    journal = open_journal(folder / f"{count}.sqlite3", create=True)
    at = now()
    columns = list(row_of(_made(0, 1, at), 0))
    with sqlite3.connect(folder / f"{count}.sqlite3") as bare:
        bare.execute("PRAGMA synchronous = OFF")
        names = ", ".join(columns)
        values = ", ".join(f":{name}" for name in columns)
        bare.executemany(f"INSERT INTO submissions ({names}) VALUES ({values})", _rows(count, at))  # noqa: S608 - ours
        for event, after in (("custody.taken", SECOND // 5), ("answer.placed", 4 * SECOND)):
            bare.execute(
                "INSERT INTO events (ticket, at, name, facts, digest)"
                " SELECT ticket, received_at + ?, ?, '{}', '' FROM submissions",
                (after, event),
            )
        bare.execute(
            "INSERT INTO effects (ticket, kind, ordinal, facts, state) SELECT ticket, 'forward', 1, '{}', 'done'"
            " FROM submissions"
        )
    bare.close()
    return journal


def seconds_of(folder: Path, journal: Journal, page: str, question: Mapping[str, str]) -> float:
    """CPU seconds of a page, made by a gateway that has just started; the best of some."""
    best = float("inf")
    for number in range(_TRIES):
        sights = Sights(make_site(folder / f"{page}{number}", Operations()), journal)
        begun = time.process_time()
        getattr(sights, page)(question)
        best = min(best, time.process_time() - begun)
    return best


def main() -> int:
    """Measure, and print a line for each page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="with a tenth of it")
    large = _LARGE // 10 if parser.parse_args().quick else _LARGE
    pages = {"overview": {}, "answers": {}, "ending": {}, "senders": {}, "ticket": {"ticket": ticket_of(_SMALL // 2)}}
    missed = 0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        journals = {count: fill(folder, count) for count in (_SMALL, large)}
        for page, question in pages.items():
            few, many = (
                seconds_of(folder / f"{page}-{count}", journal, page, question) for count, journal in journals.items()
            )
            ratio = max(many, _LEAST) / max(few, _LEAST)
            missed += ratio > MAX_RATIO
            sys.stdout.write(
                f"{'MISS' if ratio > MAX_RATIO else 'ok  '} {page}: {few:.3f} s with {_SMALL:,} submissions,"
                f" {many:.3f} s with {large:,}: {ratio:.1f} times (limit {MAX_RATIO:g})\n"
            )
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
