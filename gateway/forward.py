"""Accepted declarations to the routing queue: one message each, at least once, told apart by message id.

A queue is anything that confirms.  An effect is recorded as done after the confirm and never before, so a crash between
the two sends a message again, under the same id.  A message that fails by itself waits by itself, longer each time, and
is parked in the end; trouble with the broker as a whole counts against none (:mod:`gateway.breaker`).  Where a
declaration goes is :mod:`gateway.routes`'s, and what the queues are :mod:`gateway.routing_queues`'s.  However many
wait, a page of them is in memory.
"""

import asyncio
import json
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy.engine import Connection

from channels.mq.publisher import BrokerUnavailable, NotConfirmed
from config.messages import Routing
from gateway import routes
from gateway.breaker import Breaker, Patience, Stuck, Target
from gateway.examination import Declaration, ValidatedSet
from gateway.routes import Declared, Place
from gateway.routing_queues import Faults, RoutingQueue, report_parked
from schemas.filename import FileName
from spool import declarations, effects
from spool.declarations import Backlog
from spool.effects import Effect, Failure, Kind
from spool.journal import Journal, now
from spool.routing import RoutingMessage
from spool.submissions import StoredFile, Submission

log = structlog.get_logger()

_SECOND: Final = 1_000_000
_PAGE: Final = 1000
_PAGE_BYTES: Final = 16 * 1024**2
_READY_SECONDS: Final = 5.0
_IDLE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted submission: what its name says, its FI files, what is in them, and their folder below custody."""

    submission: Submission
    name: FileName
    parts: Sequence[StoredFile]
    result: ValidatedSet
    folder: str


def promise(connection: Connection, accepted: Accepted, routing: Routing) -> None:
    """Plan the messages of an accepted submission: one for each declaration, or for each file where a route says so."""
    planned: dict[int, dict[str, Any]] = {}
    files: dict[tuple[int, str, str], int] = {}
    for form, declaration in enumerate(accepted.result.declarations, 1):
        declared = Declared(
            environment=str(accepted.name.environment),
            purpose=accepted.name.purpose,
            form_code=declaration.identification,
            sender=accepted.submission.sender,
            employers=tuple(dict.fromkeys(employer.number for employer in declaration.employers)),
        )
        place = routes.place(declared, routing)
        if place.payload == "form" or files.setdefault((declaration.part, place.exchange, place.key), form) == form:
            planned[form] = _facts(accepted, form, declaration, declared, place)
    ticket = accepted.submission.ticket
    effects.plan(connection, ticket, Kind.FORWARD, list(planned.values()), list(planned))


def _facts(accepted: Accepted, form: int, declaration: Declaration, declared: Declared, place: Place) -> dict[str, Any]:
    part = accepted.parts[declaration.part]
    headers = {
        "ticket": accepted.submission.ticket,
        "form": form,
        "forms": len(accepted.result.declarations),
        "file": part.name,
        "sender": accepted.submission.sender,
        "message_type": accepted.name.purpose,
        "schema_version": accepted.result.parts[declaration.part].schema_version,
        "sha256": part.sha256,
    }
    facts = {"routing_key": place.key, "exchange": place.exchange, "headers": headers, "payload": place.payload}
    facts |= {"form_code": declared.form_code, "employers": list(declared.employers)}
    if place.payload == "form":
        return facts | {"offset": declaration.offset, "length": declaration.length}
    headers["payload"] = place.payload
    return facts | {"path": f"{accepted.folder}/{part.name}", "length": part.size}


def message_of(effect: Effect, body: bytes) -> RoutingMessage:
    """The message that ``effect`` promises; its id is the same however often it is made."""
    facts: Any = effect.facts
    message_id = f"{effect.ticket}-{effect.ordinal:06d}"
    return RoutingMessage(message_id, facts["routing_key"], facts["headers"], body, facts.get("exchange", ""))


@dataclass(frozen=True, slots=True)
class _Page:
    """What is to be sent next: effects, the messages of as many of them as may be in memory, and what can't be read."""

    effects: Sequence[Effect]
    batch: list[tuple[Effect, RoutingMessage]]
    faults: Faults


class Forwarder:
    """Sends what is due.  Its turns follow each other; the breaker's state lasts as long as it does.

    Args:
        journal, queue: where effects stand, and where messages go.
        spool: the folder with ``declarations`` and ``custody``.
        patience: how long a message that failed waits, and when it is parked.
        backlog: what is counted anew in each turn.
    """

    def __init__(
        self, journal: Journal, queue: RoutingQueue, spool: Path, patience: Patience, backlog: Backlog
    ) -> None:
        self._journal = journal
        self._queue = queue
        self._folder = spool / "declarations"
        self._custody = spool / "custody"
        self._patience = patience
        self._backlog = backlog
        self._is_full = False
        self._breaker = Breaker(patience)
        self._stuck = Stuck(patience)

    async def turn(self) -> float:
        """Send everything that is due; seconds until something may be due again.

        Raises:
            JournalError: the journal cannot be read or written just now.
        """
        while (pause := self._breaker.wait(time.monotonic())) <= 0:
            if not await self._is_ready():
                pause = 0.0
                break
            found = await asyncio.to_thread(self._next, 1 if self._breaker.is_open else _PAGE)
            if not isinstance(found, _Page):
                return found
            if not await self._send(found):
                return self._breaker.wait(time.monotonic())
        await asyncio.to_thread(self._prepare)
        return pause

    async def _is_ready(self) -> bool:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                await self._queue.ready()
        except TimeoutError:
            return False
        return True

    async def _send(self, page: "_Page") -> bool:
        """Send what is in memory; answers whether the broker takes anything."""
        batch, faults = page.batch, page.faults
        is_taken = True
        try:
            faults += await self._queue.send(batch) if batch else []
        except BrokerUnavailable as fault:
            is_taken = False
            self._breaker.failed(time.monotonic(), random.random())  # noqa: S311 - spreads tries, keeps no secret
            seconds = round(self._breaker.wait(time.monotonic()), 1)
            log.warning("forwarding.interrupted", reason=str(fault), seconds=seconds)
            if isinstance(fault, NotConfirmed):
                for target in {_target(effect) for effect, _ in batch}:
                    self._stuck.failed(target, time.monotonic(), random.random())  # noqa: S311 - as above
            elif len(page.effects) == 1:
                await asyncio.to_thread(self._make_way, page.effects[0], str(fault))
        else:
            if batch:
                self._breaker.succeeded()
            failed = {effect.number for effect, _ in faults}
            self._stuck.succeeded(_target(effect) for effect, _ in batch if effect.number not in failed)
        if faults:
            await asyncio.to_thread(self._put_off, faults)
        await asyncio.to_thread(_drop_finished, self._journal, self._folder, {effect.ticket for effect, _ in batch})
        return is_taken

    def _prepare(self) -> None:
        size = self._backlog.measure()
        if self._backlog.is_full != self._is_full:
            self._is_full = self._backlog.is_full
            event = "intake.stopped" if self._is_full else "intake.resumed"
            log.warning(event, waiting_bytes=size, limit=self._backlog.limit)

    def _next(self, limit: int) -> "_Page | float":
        """What is to be sent next; if nothing is, seconds until something may be due."""
        page, pause = self._page(limit)
        return _Page(page, *self._messages(page)) if page else pause

    def _page(self, limit: int) -> tuple[list[Effect], float]:
        """What is due; what goes where nothing is confirmed waits, and lets the others pass.

        If nothing is due, also seconds until something may be.
        """
        while True:
            self._prepare()
            with self._journal.read() as connection:
                page, pause = effects.due(connection, Kind.FORWARD, now(), _PAGE), 0.0
                late = self._late(connection)
                if not page:
                    pause = self._pause(connection)
            if late is not None:
                self._hasten(late)
                continue
            at = time.monotonic()
            waits = {effect.number: self._stuck.wait(_target(effect), at) for effect in page}
            stuck = [(effect, waits[effect.number]) for effect in page if waits[effect.number]]
            if stuck:
                self._wait(stuck, "nothing is confirmed where it goes")
            if not page or len(stuck) < len(page):
                return [effect for effect in page if not waits[effect.number]][:limit], pause

    def _late(self, connection: Connection) -> int | None:
        """Until when nothing is put off, if something is put off for longer: the clock was set back."""
        beyond = now() + int(2 * self._patience.ceiling * _SECOND)
        return beyond if effects.due_beyond(connection, Kind.FORWARD, beyond) else None

    def _hasten(self, beyond: int) -> None:
        with self._journal.write() as connection:
            effects.hasten(connection, Kind.FORWARD, beyond)

    @staticmethod
    def _pause(connection: Connection) -> float:
        at = effects.next_due(connection, Kind.FORWARD)
        return _IDLE if at is None else max(0.05, (at - now()) / _SECOND)

    def _messages(self, page: Sequence[Effect]) -> tuple[list[tuple[Effect, RoutingMessage]], Faults]:
        """The messages of as much of ``page`` as may be in memory, and what of it cannot be read."""
        batch: list[tuple[Effect, RoutingMessage]] = []
        faults: Faults = []
        size = 0
        for effect in page:
            size += effect.facts["length"]
            if batch and size > _PAGE_BYTES:
                break
            try:
                batch.append((effect, message_of(effect, self._body(effect))))
            except OSError as fault:
                log.error("declaration.unreadable", ticket=effect.ticket, form=effect.ordinal, errno=fault.errno)
                faults.append((effect, f"the declaration cannot be read (error {fault.errno})"))
        return batch, faults

    def _body(self, effect: Effect) -> bytes:
        facts: Mapping[str, Any] = effect.facts
        match facts.get("payload", "form"):
            case "file":
                return Path(self._custody, facts["path"]).read_bytes()
            case "reference":
                told = {"ticket": effect.ticket, "path": f"custody/{facts['path']}", "size": facts["length"]}
                return json.dumps(told | {"sha256": facts["headers"]["sha256"]}).encode()
        return declarations.read(self._folder / effect.ticket, facts["offset"], facts["length"])

    def _put_off(self, faults: Faults) -> None:
        at = now()
        failures = [self._failure(effect, reason, at) for effect, reason in faults]
        with self._journal.write() as connection:
            effects.failed(connection, failures)
        parked = [failure for failure in failures if failure.next_attempt_at is None]
        if len(parked) < len(failures):
            log.warning("declarations.put_off", count=len(failures) - len(parked), reason=failures[0].reason)
        report_parked(parked)

    def _make_way(self, effect: Effect, reason: str) -> None:
        """Let the next trial be another message's: should it be this one that the broker chokes on, others pass it."""
        pause = self._patience.pause(1, random.random())  # noqa: S311 - spreads tries, keeps no secret
        self._wait([(effect, pause)], reason)

    def _wait(self, pauses: Sequence[tuple[Effect, float]], reason: str) -> None:
        """Put off by so many seconds what is not to blame."""
        at = now()
        waits = [Failure(effect, effect.attempts, reason, at + int(pause * _SECOND)) for effect, pause in pauses]
        with self._journal.write() as connection:
            effects.failed(connection, waits)

    def _failure(self, effect: Effect, reason: str, at: int) -> Failure:
        attempts = effect.attempts + 1
        pause = self._patience.pause(attempts, random.random())  # noqa: S311 - spreads tries, keeps no secret
        is_last = self._patience.is_exhausted(attempts)
        return Failure(effect, attempts, reason, None if is_last else at + int(pause * _SECOND))


def _target(effect: Effect) -> Target:
    return effect.facts.get("exchange", ""), effect.facts["routing_key"]


def _drop_finished(journal: Journal, folder: Path, tickets: set[str]) -> None:
    with journal.read() as connection:
        pending = effects.tickets_with_pending(connection, Kind.FORWARD, among=tickets)
    for ticket in tickets - pending:
        (folder / ticket).unlink(missing_ok=True)
