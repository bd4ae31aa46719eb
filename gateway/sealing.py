"""When is the journal's chain sealed, and does it still fit the seals?

Sealing: so many events, or the oldest unsealed one so old, make a checkpoint (:mod:`spool.checkpoints`), signed by our
key and timestamped where the settings name an authority. Events that do not fit the chain are never sealed.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import structlog
from sqlalchemy.engine import Connection

from config.errors import TemporaryError
from gateway.sealed_chain import Reached, checkpoint_fault, follow_sealed
from gateway.sealing_copies import Copies
from gateway.timestamping import Stamping
from signing.own.own_keys import OwnKeys
from signing.own.timestamp_request import TimestampUnavailable
from spool import chain, checkpoints, purged_events
from spool.chain import Link, Misfit, Place
from spool.checkpoints import MOST, Checkpoint, Checkpoints, Recorded, Sealed
from spool.journal import Journal, now
from spool.submissions import note
from spool.unsealed import Unsealed

log = structlog.get_logger()

_IDLE: Final = 15.0
_SECOND: Final = 1_000_000


class UnsealableError(TemporaryError):
    """The journal and its checkpoints do not fit together; an operator has to look."""


def sealed_as(files: Checkpoints, ordinal: int) -> Sealed:
    """A checkpoint that there has to be.

    Raises:
        UnsealableError: there is none.
    """
    try:
        sealed = files.load(ordinal)
    except ValueError as fault:
        raise UnsealableError(f"checkpoint {ordinal}: {fault}") from fault
    if sealed is None:
        raise UnsealableError(f"checkpoint {ordinal} is missing: there is no {files.path(ordinal)}")
    return sealed


@dataclass(frozen=True, slots=True)
class Sealer:
    """Makes checkpoints: of ``events`` events, or as soon as one is ``age`` microseconds old.

    ``unsealed`` is told after each turn how it stands, and stops intake if need be; ``copies`` are written beside.
    """

    journal: Journal
    files: Checkpoints
    keys: OwnKeys
    stamping: Stamping | None = None
    events: int = MOST
    age: int = 300 * _SECOND
    unsealed: Unsealed | None = None
    copies: Copies | None = None

    async def turn(self) -> float:
        """Seal what is due; answers after how many seconds to look again."""
        try:
            while await asyncio.to_thread(self._is_due):
                await self._seal()
        except Exception:
            await asyncio.to_thread(self._look)
            raise
        await asyncio.to_thread(self._look)
        await self._make_up()
        return _IDLE

    async def _make_up(self) -> None:
        """Copy what could not be copied when it was sealed."""
        if self.copies is not None:
            ordinal = (await asyncio.to_thread(self._latest)).ordinal
            if self.copies.is_due(ordinal, now()):
                await self.copies.bring(self.files, ordinal, self.journal)

    def _latest(self) -> Recorded:
        with self.journal.read() as connection:
            return checkpoints.latest(connection)

    async def seal_all(self) -> None:
        """Seal everything there is up to now."""
        with self.journal.read() as connection:
            end = chain.end(connection).number
        while (await asyncio.to_thread(self._latest)).last < end:
            await self._seal()

    def _is_due(self) -> bool:
        with self.journal.read() as connection:
            last = checkpoints.latest(connection).last
            oldest = chain.after(connection, last, 1)
            waiting = chain.end(connection).number - last
        return bool(oldest) and (waiting >= self.events or now() - oldest[0].at >= self.age)

    def _look(self) -> None:
        """Let intake stop, or go on, by whether evidence can be written."""
        if self.unsealed is None:
            return
        with self.journal.read() as connection:
            oldest = chain.after(connection, checkpoints.latest(connection).last, 1)
        if not self.unsealed.look(oldest[0].at if oldest else None, now()):
            return
        stops, words = self.unsealed.stops_intake, self.unsealed.words
        event = "intake.stopped" if stops else "intake.resumed"
        facts = {"reason": words} if stops else {}
        log.error(event, **facts) if stops else log.warning(event)
        with self.journal.write() as connection:
            note(connection, None, event, **facts)

    async def _seal(self) -> None:
        before, links = await asyncio.to_thread(self._unsealed)
        if not links:
            return
        made = checkpoints.make(before.ordinal + 1, before.digest, links, now())
        found = await asyncio.to_thread(self._written_before, made, links)
        if found is None:
            sealed = await self._signed(made)
            await asyncio.to_thread(self.files.store, sealed)
        if self.copies is not None:
            await self.copies.bring(self.files, made.ordinal, self.journal)
        await asyncio.to_thread(self._record, found or made)

    def _unsealed(self) -> tuple[Recorded, list[Link]]:
        with self.journal.read() as connection:
            before = checkpoints.latest(connection)
            links = chain.after(connection, before.last, min(MOST, self.events))
        followed = chain.follow(links, Place(before.last, before.chain))
        if isinstance(followed, Misfit):
            raise UnsealableError(f"{followed.words}; nothing is sealed")
        return before, links

    def _written_before(self, made: Checkpoint, links: list[Link]) -> Checkpoint | None:
        """What a process that died has written of this number, if it says the same as far as it goes."""
        sealed = self._load(made.ordinal)
        if sealed is None:
            return None
        there = sealed.checkpoint
        if there != checkpoints.make(made.ordinal, made.previous, links[: max(1, there.events)], there.at):
            raise UnsealableError(f"checkpoint {made.ordinal} is of another journal; nothing is sealed")
        return there

    def _load(self, ordinal: int) -> Sealed | None:
        try:
            return self.files.load(ordinal)
        except ValueError as fault:
            raise UnsealableError(f"checkpoint {ordinal}: {fault}; nothing is sealed") from fault

    async def _signed(self, made: Checkpoint) -> Sealed:
        moment = datetime.now(UTC)
        signature = await asyncio.to_thread(self.keys.at(moment).sign, made.statement(), moment)
        if self.stamping is not None:
            try:
                signature = replace(signature, token=await self.stamping.authority.stamp(signature.value))
            except TimestampUnavailable as fault:
                if self.stamping.required:
                    raise
                log.warning("checkpoint.not_stamped", checkpoint=made.ordinal, reason=str(fault))
        return Sealed(made, signature.cms())

    def _record(self, checkpoint: Checkpoint) -> None:
        with self.journal.write() as connection:
            checkpoints.record(connection, checkpoint)
        log.info("checkpoint.sealed", checkpoint=checkpoint.ordinal, events=checkpoint.events)


@dataclass(frozen=True, slots=True)
class Sound:
    """Everything fits: how many checkpoints there are, and how many events after the last."""

    checkpoints: int
    unsealed: int


def verify_journal(connection: Connection, files: Checkpoints, certificates: Collection[bytes]) -> Sound | str:
    """Follow the whole chain against its checkpoints; answers the first thing that does not fit, in words.

    Args:
        certificates: those that may have signed checkpoints, DER
    """
    reached = Reached()
    for recorded in checkpoints.every(connection):
        sealed = _checked(files, recorded.ordinal, reached, certificates)
        if isinstance(sealed, str):
            return sealed
        if sealed.digest != recorded.digest:
            return f"checkpoint {recorded.ordinal} was replaced: it is not the one that the journal has recorded"
        followed = _sealed_events(connection, sealed, reached)
        if isinstance(followed, str):
            return followed
        reached = followed
    if wrong := _unrecorded(connection, files, reached, certificates):
        return wrong
    end = chain.follow(chain.everything(connection, reached.place.number), reached.place)
    wrong = end.words if isinstance(end, Misfit) else purged_events.misfit(connection)
    return wrong or Sound(reached.ordinal, end.number - reached.place.number)


def _unrecorded(connection: Connection, files: Checkpoints, reached: Reached, certificates: Collection[bytes]) -> str:
    """What is wrong with files that the journal does not know: one may be, of a process that died, and it must fit."""
    ordinal = reached.ordinal + 1
    if files.highest() < ordinal:
        return ""
    if files.highest() > ordinal:
        return f"checkpoint {ordinal} is not recorded in the journal, which lacks what was sealed"
    sealed = _checked(files, ordinal, reached, certificates)
    followed = sealed if isinstance(sealed, str) else _sealed_events(connection, sealed, reached)
    return followed if isinstance(followed, str) else ""


def _checked(files: Checkpoints, ordinal: int, reached: Reached, certificates: Collection[bytes]) -> Checkpoint | str:
    if ordinal != reached.ordinal + 1:
        return f"checkpoint {reached.ordinal + 1} is missing in the journal"
    try:
        sealed = sealed_as(files, ordinal)
    except UnsealableError as fault:
        return str(fault)
    return checkpoint_fault(sealed, reached, certificates) or sealed.checkpoint


def _sealed_events(connection: Connection, sealed: Checkpoint, reached: Reached) -> Reached | str:
    """Follow the events of a checkpoint."""
    links = chain.after(connection, reached.place.number, min(MOST, max(1, sealed.events)))
    return follow_sealed(sealed, links, reached)
