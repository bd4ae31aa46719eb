"""How does what is kept no longer go, and how is it known afterwards that it is gone, and was there?

A plan is committed first, then files go, then the journal says so: the events ``payload.purged``, ``answers.purged``
and ``evidence.purged`` of the ticket, in the chain as every other. Of answers the event has the SHA-256; those of the
files stand in ``custody.taken``, and each event keeps its digest when its facts go. So the chain verifies as before.

A kill leaves a plan that is not done, and perhaps part of a folder: :meth:`Purging.carry_out` goes on where it was, for
every step of it is harmless twice. The row of a submission stays for good: without it what is left of a folder would
be taken for one that came and was not recorded (:meth:`spool.custody.Custody.recover`).
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from spool import chain, checkpoints, holds, legal_holds, purged_events, purges
from spool.custody import ENVELOPE, Custody
from spool.files import sync_folder
from spool.forgetting import (
    OddError,
    check,
    forget_answers,
    forget_facts,
    forget_payload,
    message_ids,
    recorded_files,
    remove,
)
from spool.journal import Journal, now
from spool.purged_events import EVIDENCE_PURGED
from spool.purges import DAY, Due, Kind, Plan
from spool.reconciliation_pages import day_of
from spool.retention_tables import purges as planned
from spool.submissions import note
from spool.tables import events, routing_queue

_MOST_LOOSE: Final = 500
_PAST: Final = 7 * DAY


@dataclass(frozen=True, slots=True)
class Odd:
    """A ticket whose data cannot go, and why; it is passed over."""

    ticket: str
    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class Purging:
    """Takes data away from a journal and its spool.  Every method blocks on both."""

    journal: Journal
    spool: Path

    def sizes(self, kind: Kind, found: Sequence[Due]) -> tuple[list[Plan], list[Odd]]:
        """How much would go of each, and what is odd about some."""
        plans, odd = [], []
        with self.journal.read() as connection:
            for one in found:
                try:
                    plans.append(self._sized(connection, kind, one))
                except OddError as fault:
                    odd.append(Odd(one.ticket, kind, str(fault)))
        return plans, odd

    def _sized(self, connection: Connection, kind: Kind, one: Due) -> Plan:
        match kind:
            case Kind.PAYLOAD:
                recorded = recorded_files(connection, one.ticket)
                check(self._folder(one), recorded)
                return Plan(one.ticket, len(recorded), sum(recorded.values()))
            case Kind.ANSWERS:
                return Plan(one.ticket, *purges.size_of_answers(connection, one.ticket))
            case Kind.EVIDENCE:
                counted = sa.select(sa.func.count()).where(events.c.ticket == one.ticket, events.c.content.is_(None))
                return Plan(one.ticket, connection.execute(counted).scalar_one(), 0)

    def plan(self, kind: Kind, found: Sequence[Due], plans: Sequence[Plan], at: int) -> list[Plan]:
        """Write down what is to go, but for what must wait or is held; answers what was written down."""
        if not plans:
            return []
        with self.journal.write() as connection:
            may = {one.ticket for one in free(connection, kind, found, at)}
            chosen = [one for one in plans if one.ticket in may]
            purges.plan(connection, kind, chosen, at)
        return chosen

    def carry_out(self, kind: Kind, plans: Sequence[Plan], at: int) -> tuple[list[Plan], list[Odd]]:
        """Do what was planned, and record it; answers what is gone now, and what is odd.  Harmless twice."""
        if not plans:
            return [], []
        match kind:
            case Kind.PAYLOAD:
                removed, odd = self._remove(plans)
                return self._record(kind, removed, at, forget_payload), odd
            case Kind.ANSWERS:
                return self._record(kind, plans, at, forget_answers), []
            case Kind.EVIDENCE:
                return self._record(kind, plans, at, forget_facts), []

    def _remove(self, plans: Sequence[Plan]) -> tuple[list[Plan], list[Odd]]:
        with self.journal.read() as connection:
            known = {one.ticket: one for one in purges.settled(connection, [plan.ticket for plan in plans])}
        removed: list[Plan] = []
        odd: list[Odd] = []
        days: set[Path] = set()
        for plan in plans:
            one = known.get(plan.ticket)
            if one is None:
                odd.append(Odd(plan.ticket, Kind.PAYLOAD, "it is no submission of which everything is done"))
            elif words := self._remove_one(one):
                odd.append(Odd(plan.ticket, Kind.PAYLOAD, words))
            else:
                removed.append(plan)
                days.add(self._folder(one).parent)
        for day in days:
            # A folder that is gone with its last submission needs no more; what is left of it must not come back.
            with suppress(FileNotFoundError):
                sync_folder(day)
                _remove_if_past(day)
        return removed, odd

    def _remove_one(self, one: Due) -> str:
        """Remove the folder of a submission; answers why that could not be done, or nothing."""
        try:
            remove(self._folder(one))
        except OddError as fault:
            return str(fault)
        except OSError as fault:
            return f"{type(fault).__name__} {fault.errno}"
        return ""

    def _folder(self, one: Due) -> Path:
        return Custody(self.spool / "custody", self.journal).folder(one.ticket, one.received_at)

    def _record(
        self, kind: Kind, plans: Sequence[Plan], at: int, forget: Callable[[Connection, Plan], None]
    ) -> list[Plan]:
        recorded = []
        with self.journal.write() as connection:
            for plan in plans:
                if purges.done(connection, kind, plan.ticket, at):
                    forget(connection, plan)
                    recorded.append(plan)
        return recorded

    def resumable(self, kind: Kind, plans: Sequence[Plan], at: int) -> list[Plan]:
        """Those of plans that were begun that may go on: one that is held by now and still whole is given up."""
        if not plans:
            return []
        with self.journal.write() as connection:
            found = purges.settled(connection, [plan.ticket for plan in plans])
            held = {one.ticket: one for one in found if _is_held(one, _selections(connection, at))}
            for one in held.values():
                if kind is not Kind.PAYLOAD or self._is_whole(connection, one):
                    purges.give_up(connection, kind, one.ticket)
        return [plan for plan in plans if plan.ticket not in held]

    def _is_whole(self, connection: Connection, one: Due) -> bool:
        folder = self._folder(one)
        try:
            check(folder, recorded_files(connection, one.ticket))
        except OddError:
            return False
        return (folder / ENVELOPE).exists()

    def forget_loose(self, before: int) -> int:
        """Take away the facts of sealed events before a moment that are of no ticket, some; answers how many."""
        with self.journal.write() as connection:
            query = (
                sa.select(events.c.number)
                .where(events.c.ticket.is_(None), events.c.content.is_(None), events.c.at < before)
                .where(events.c.number <= checkpoints.latest(connection).last, events.c.name != EVIDENCE_PURGED)
                .order_by(events.c.number)
                .limit(_MOST_LOOSE)
            )
            numbers = list(connection.execute(query).scalars())
            chain.forget(connection, numbers)
            if numbers:
                first, last = numbers[0], numbers[-1]
                left = purged_events.headers(purged_events.of_none(connection, first, last, before))
                span = {"first": first, "last": last, "before": before}
                note(connection, None, EVIDENCE_PURGED, events=len(numbers), **span, headers=left)
        return len(numbers)


def _remove_if_past(day: Path) -> None:
    """Remove the folder of a day on which nothing comes any more, if it is empty."""
    if day.name < day_of(now() - _PAST):
        with suppress(OSError):  # it has something in it
            day.rmdir()


def free(connection: Connection, kind: Kind, found: Sequence[Due], at: int) -> list[Due]:
    """Those that nothing keeps: no work to do, no event to be sealed, no hold of either kind, no reader to come."""
    tickets = [one.ticket for one in found]
    waiting = purges.waits(connection, tickets) | purges.gone(connection, kind, tickets)
    if kind is Kind.PAYLOAD:
        waiting |= _untaken(connection, tickets)
    if kind is Kind.ANSWERS:
        waiting |= purges.awaited(connection, tickets)
    if kind is Kind.EVIDENCE:
        payloads = {one.ticket for one in purges.settled(connection, tickets)}
        waiting |= payloads - _finished(connection, Kind.PAYLOAD, tickets)
        waiting |= set(tickets) - _finished(connection, Kind.ANSWERS, tickets)
    selections = _selections(connection, at)
    return [one for one in found if one.ticket not in waiting and not _is_held(one, selections)]


def _finished(connection: Connection, kind: Kind, tickets: Collection[str]) -> set[str]:
    table = planned.c
    query = sa.select(table.ticket).where(table.kind == kind, table.ticket.in_(tickets), table.done_at.is_not(None))
    return set(connection.execute(query).scalars())


def _selections(connection: Connection, at: int) -> list[holds.Selection]:
    return [one.selection for one in (*holds.in_force(connection, at), *legal_holds.in_force(connection, at))]


def _is_held(one: Due, selections: Sequence[holds.Selection]) -> bool:
    return any(one.is_of(selection) for selection in selections)


def _untaken(connection: Connection, tickets: Collection[str]) -> set[str]:
    """Those of which the embedded queue has a message that nobody has taken."""
    queued, taken = routing_queue.c.message_id, routing_queue.c.taken_at
    return {
        ticket
        for ticket in tickets
        for named in message_ids(connection, ticket)
        if connection.execute(sa.select(queued).where(queued.in_(named), taken.is_(None)).limit(1)).first()
    }
