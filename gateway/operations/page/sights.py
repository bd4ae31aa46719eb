"""What is on each page?

Each is made in a thread, from the journal and the disk, which every process of a gateway shares; what processes say of
themselves the overview alone is told, by whoever has asked them.  What is asked often is made once in some seconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from config.errors import ConfigurationError, TemporaryError
from config.settings import Settings
from gateway.answer_times import Promise
from gateway.health import Part
from gateway.metrics.waiting import waiting
from gateway.operations.page import ending, incoming, promised, troubled
from gateway.operations.page import ticket as of_ticket
from gateway.operations.page.attention import Seen, is_many, notices
from gateway.operations.page.drawing import draw
from gateway.operations.page.ending import Dates, Own, Registered, Trusted
from gateway.operations.page.looking import Recent, looking
from gateway.operations.page.promised import OfDay
from spool import maintenance
from spool.journal import Journal, JournalError

MOST_WAITING: Final = 10_000
_SECOND: Final = 1_000_000
_SHORT: Final = 5.0
_LONG: Final = 60.0
_PAST: Final = 3600.0

STAGES: Final[Mapping[str, tuple[str, str]]] = {
    "judge": ("To be judged", "taken into custody, no verdict yet"),
    "held": ("Held", "for want of something, or by an operator; tried again by itself"),
    "quarantined": ("In quarantine", "could not be judged; waits for a person"),
    "answer": ("Answers to place", "into OUT"),
    "publish": ("Answers to publish", "to the broker"),
    "forward": ("Declarations to forward", "to the routing queue"),
    "parked": ("Declarations parked", "refused too often; wait for a person"),
    "unpublished": ("Answers parked", "refused by the broker; wait for a person"),
    "queue": ("On the embedded queue", "not taken by anybody yet"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was made: its status, and its HTML."""

    status: HTTPStatus
    body: bytes


class Sights:
    """Makes the pages of one gateway; from any thread.

    Args:
        settings: where everything is, and what is promised.
        journal: what is read.
    """

    def __init__(self, settings: Settings, journal: Journal) -> None:
        self._settings = settings
        self._journal = journal
        own = settings.promise
        self._promise = Promise(own.share, own.answer_seconds, own.receipt_seconds)
        self._trusted = Trusted()
        self._days: Recent[OfDay | None] = Recent()
        self._seen: Recent[Seen] = Recent()
        self._registered: Recent[Registered] = Recent()

    def overview(self, asked: Mapping[str, str], parts: Sequence[Part] = ()) -> Page:
        """Everything that is there, in short, with every part of a process; ``refresh`` has a browser ask again."""
        seen = replace(self._see(), unfit=tuple(part for part in parts if not part.ready))
        return _page("overview", "", {"seen": seen, "notices": notices(seen), "stages": STAGES, "most": MOST_WAITING,
                                      "refresh": "refresh" in asked})  # fmt: skip

    def answers(self, asked: Mapping[str, str]) -> Page:
        """The report of a day: today, or ``day``."""
        today = datetime.now(UTC).date()
        try:
            day = date.fromisoformat(asked["day"]) if asked.get("day") else today
        except ValueError:
            return self.refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "That is no day: a day is written 2026-11-30.")
        if not date(2000, 1, 1) <= day <= today:
            return self.refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "Of that day there is nothing.")
        found = self._day(day, today)
        if found is None:
            words = f"That day could not be measured in time; gateway report --day {day} takes its time."
            return self.refusal(HTTPStatus.SERVICE_UNAVAILABLE, words)
        days = {"before": day - timedelta(days=1), "after": day + timedelta(days=1) if day < today else None}
        return _page("answers", "answers", {"found": found, "most": promised.MOST, **days})

    def ending(self, _: Mapping[str, str]) -> Page:
        """What counts for how long."""
        seen = self._see()
        return _page("ending", "ending", {"seen": seen, "most": ending.MOST})

    def senders(self, _: Mapping[str, str]) -> Page:
        """Senders with trouble."""
        seen = self._see()
        return _page("senders", "senders", {"seen": seen, "is_many": is_many, "newest": incoming.NEWEST})

    def ticket(self, asked: Mapping[str, str]) -> Page:
        """The timeline of ``ticket``; without one, the field to ask for it."""
        typed = asked.get("ticket", "")
        if not typed.strip():
            return _page("ticket", "ticket", {"found": None, "words": "", "typed": ""})
        wanted = of_ticket.normal(typed)
        if wanted is None:
            words = "That is no ticket: a ticket has up to 13 letters and digits."
            return _page("ticket", "ticket", {"found": None, "words": words, "typed": ""}, HTTPStatus.NOT_FOUND)
        with looking(self._journal) as connection:
            found = of_ticket.look(connection, wanted)
        if found is None:
            facts = {"found": None, "words": "There is no such ticket.", "typed": wanted}
            return _page("ticket", "ticket", facts, HTTPStatus.NOT_FOUND)
        return _page("ticket", "ticket", {"found": found, "words": "", "typed": wanted, "most": of_ticket.STEPS})

    @staticmethod
    def log_in(status: HTTPStatus, words: str = "") -> Page:
        """The form that asks for a token."""
        return _page("login", None, {"words": words}, status)

    @staticmethod
    def refusal(status: HTTPStatus, words: str) -> Page:
        """A page that says why there is no other."""
        return _page("refusal", None, {"words": words, "status": status}, status)

    def _see(self) -> Seen:
        return self._seen.get("", _SHORT, self._look)

    def _look(self) -> Seen:
        at = datetime.now(UTC)
        present = int(at.timestamp() * _SECOND)
        today = self._day(at.date(), at.date())
        held = self._registered.get("", _LONG, lambda: self._look_at_registered(present))
        with looking(self._journal) as connection:
            return Seen(
                at=at,
                maintenance=maintenance.planned(connection, present),
                waiting=tuple(waiting(connection, MOST_WAITING)),
                incoming=incoming.look(connection, present),
                promise=self._promise,
                today=today,
                authorities=self._authorities(),
                own=self._own(at),
                registered=held,
                troubled=troubled.look(connection, present),
            )

    def _day(self, day: date, today: date) -> OfDay | None:
        # What is past changes little: only what had no answer yet.
        return self._days.get(day.isoformat(), _LONG if day == today else _PAST, lambda: self._look_at_day(day))

    def _look_at_day(self, day: date) -> OfDay | None:
        present = int(datetime.now(UTC).timestamp() * _SECOND)
        try:
            with looking(self._journal) as connection:
                return promised.look(connection, day, self._promise, present)
        except JournalError:
            # The largest question there is: whatever else there is to see is seen without it.
            return None

    def _look_at_registered(self, at: int) -> Registered:
        with looking(self._journal) as connection:
            return ending.registered(connection, at)

    def _authorities(self) -> tuple[Dates, ...] | None:
        try:
            return self._trusted.look(self._settings)
        except (TemporaryError, ConfigurationError):
            return None

    def _own(self, at: datetime) -> tuple[Own, ...]:
        return ending.own_certificates(self._settings.signing, at)


def _page(template: str, page: str | None, facts: Mapping[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Page:
    return Page(status, draw(template, {"page": page, "made": datetime.now(UTC), "refresh": False, **facts}))
