"""Arrive, gather, custody, for what comes by message: from a delivery to a submission the gateway answers for.

Who sent a message is its ``user_id``, which the broker has made sure of, or the one who owns the entrance by which it
came; a message of nobody is dead (108), for there is nobody to answer.  One whose name says another sender is judged as
the user's own, and refused there (108).  A set is complete with its last part; until then its messages are not
acknowledged, so nothing of it is promised.

A message is acknowledged after custody.  Between the two the broker may lose the acknowledgement, or we our lives, and
deliver it again: what is in custody already is only acknowledged (:mod:`spool.redelivery`).  The same bytes under
another message id are a repeat, and the judge answers them as such.

What a kill leaves: bodies and half-built sets, which the next start removes, for the broker still has them all; or a
folder in custody that the journal does not know, which the next start records, and the message that comes again is
known by it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog

from channels.mq.consumer import TAKEN, How, Settled
from channels.mq.delivery import Delivery
from channels.mq.door import inbox_of
from channels.mq.envelope import Content, Letter, read_letter
from channels.mq.topology import entrance_owner
from config.errors import TemporaryError
from gateway.log_of_submissions import report_taken
from gateway.message_custody import MessageCustody
from gateway.message_owners import Asked, look
from gateway.message_sets import Key, MessageSet, Part
from gateway.together import Together
from schemas.codes import Code, Finding
from schemas.filename import set_key
from spool.custody import Custody
from spool.gather import is_complete_without_start
from spool.journal import Journal
from spool.mailbox import Mailbox
from spool.waiting import WaitingLimits, gives_way

log = structlog.get_logger()

_LOOKED_UP: Final = 256
"""Messages whose owners are looked up together, at most."""

_LEFT: Final = Settled(How.AGAIN, "the gateway stops")


@dataclass(frozen=True, slots=True)
class Rules:
    """``grace``: seconds that a set waits for its next part; ``file_bytes``: largest file that is taken.

    ``hashed`` says of a user whether its channel gives hashes; ``exchange`` is the one that senders write to.
    While intake is ``held_up`` the time of sets stands still, for their other parts cannot come.
    """

    grace: float
    waiting: WaitingLimits
    file_bytes: int
    hashed: Callable[[str], bool]
    exchange: str
    held_up: Callable[[], bool] = bool


@dataclass(frozen=True, slots=True)
class _Arrival:
    """A message of a user, of whom it is not known yet whose it is."""

    delivery: Delivery
    letter: Letter
    username: str
    at: float
    settled: asyncio.Future[Settled]

    @property
    def asked(self) -> Asked:
        """What it is looked up by."""
        delivery, directory = self.delivery, inbox_of(self.delivery.queue)
        return Asked(self.username, directory, delivery.message_id, self.letter.name, delivery.body.sha256)

    def of(self, sender: str, may: bool) -> Part:
        """The message as one of ``sender``'s, whose user ``may`` send or not."""
        letter = self.letter
        if not may:
            # Blocked after it had sent, or while its connection was open.
            finding = Finding(Code.SENDER_NOT_AUTHORISED, "this user may not send")
            letter = replace(letter, findings=(finding, *letter.findings))
        mailbox = Mailbox(sender, inbox_of(self.delivery.queue))
        return Part(self.delivery, letter, self.username, mailbox, self.at, self.settled)


class MessageReception:
    """Takes what comes by message into custody; ``taken`` is called after each set.

    Sets are built in ``folder``, on the file system of the custody; what is in there is removed.  Other ``rules`` may
    be put in place of these at any time, for what comes then.
    """

    def __init__(
        self, folder: Path, custody: Custody, journal: Journal, rules: Rules, taken: Callable[[], None]
    ) -> None:
        self._custody = MessageCustody(folder, custody, journal)
        self._owners = Together(partial(look, journal, custody), _LOOKED_UP)
        self.rules = rules
        self._taken = taken
        self._sets: dict[Key, MessageSet] = {}
        self._locks: dict[tuple[str, str], tuple[asyncio.Lock, int]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def close(self) -> None:
        """Let go of the sets that wait: their messages stay with the broker."""
        self._closing = True
        while self._sets:
            _, waiting = self._sets.popitem()
            waiting.stop_the_clock()
            waiting.settle(_LEFT)

    async def receive(self, delivery: Delivery) -> Settled:
        """Return once the message is in custody with its whole set, was there before, or can never be.

        Raises:
            TemporaryError, OSError: it cannot be told now whose it is.
        """
        username = delivery.user_id or entrance_owner(self.rules.exchange, delivery.exchange)
        if not username:
            return Settled(How.DEAD, "108: the message has no user_id")
        content = Content(delivery.body.size, delivery.body.sha256, self.rules.file_bytes)
        letter = read_letter(delivery.headers, content, hashed=self.rules.hashed(username))
        loop = asyncio.get_running_loop()
        settled: asyncio.Future[Settled] = loop.create_future()
        self._start(self._enter(_Arrival(delivery, letter, username, loop.time(), settled)))
        try:
            return await settled
        except asyncio.CancelledError:
            # The connection is lost: the broker will deliver it again.  What is being taken is taken to its end.
            for waiting in self._sets.values():
                if (part := waiting.parts.get(letter.name)) is not None and part.settled is settled:
                    del waiting.parts[letter.name]
            raise

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- gathering

    async def _enter(self, arrival: _Arrival) -> None:
        """Let a message into its set, and take that if it is complete; what goes wrong is tried again.

        Messages of one set come to their turn in the order in which they were delivered.
        """
        name, settled = arrival.letter.name, arrival.settled
        try:
            async with self._locked(inbox_of(arrival.delivery.queue), set_key(name)):
                owned = await self._owners.ask(arrival.asked)
                part = arrival.of(owned.sender, owned.may) if owned.sender else None
                if settled.done():
                    return  # its connection is lost
                if part is None:
                    settled.set_result(Settled(How.DEAD, "108: the user_id is no technical user of a sender"))
                elif owned.is_known:
                    log.info("message.known", sender=part.mailbox.sender, file=name)
                    settled.set_result(TAKEN)
                elif part.letter.findings:
                    await self._take(MessageSet.of(part))
                else:
                    await self._gather(part)
        except Exception as fault:  # whoever waits for the message hands it in again, or lets it die
            if not settled.done():
                settled.set_exception(fault)

    async def _gather(self, part: Part) -> None:
        key, name = part.key, part.letter.name
        waiting = self._sets.setdefault(key, MessageSet())
        if (older := waiting.parts.get(name)) is not None:
            # As with an upload under the same name: the later one counts.
            MessageSet.of(older).settle(TAKEN)
        waiting.parts[name] = part
        waiting.stop_the_clock()
        if is_complete_without_start(waiting.parts):
            waiting.since = part.arrived
            await self._take(self._sets.pop(key))
        elif self._closing:
            self._sets.pop(key).settle(_LEFT)
        else:
            self._wait(key, waiting)
            self._make_room()

    def _wait(self, key: Key, waiting: MessageSet) -> None:
        waiting.timer = asyncio.get_running_loop().call_later(self.rules.grace, self._time_is_up, key, waiting)

    def _time_is_up(self, key: Key, waiting: MessageSet) -> None:
        if self.rules.held_up():
            self._wait(key, waiting)
        else:
            self._end(key, waiting)

    def _make_room(self) -> None:
        incomplete = {key: each.as_incomplete for key, each in self._sets.items()}
        counted = {key: each for key, each in incomplete.items() if each is not None}
        if (key := gives_way(counted, self.rules.waiting)) is not None:
            self._end(key, self._sets[key])

    def _end(self, key: Key, waiting: MessageSet) -> None:
        """The time of a set is up: take it as it is."""
        waiting.stop_the_clock()
        self._start(self._take_as_it_is(key, waiting))

    async def _take_as_it_is(self, key: Key, waiting: MessageSet) -> None:
        mailbox, stem = key
        async with self._locked(mailbox.directory, stem):
            if self._sets.get(key) is waiting:  # and not complete meanwhile, and another begun
                await self._take(self._sets.pop(key))

    @asynccontextmanager
    async def _locked(self, directory: str, stem: str) -> AsyncIterator[None]:
        """Hold a set, so that a message that comes again meets the first one taken or not, but not half."""
        key = directory, stem
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            users = self._locks[key][1] - 1
            self._locks[key] = lock, users
            if not users:
                del self._locks[key]

    # --- custody

    async def _take(self, waiting: MessageSet) -> None:
        if not waiting.parts:
            return  # the connection that all of it came by is lost
        mailbox, name = next(iter(waiting.parts.values())).mailbox, min(waiting.parts)
        try:
            ticket = await self._custody.take(waiting)
        except (OSError, TemporaryError) as fault:
            waiting.settle(Settled(How.AGAIN, f"custody could not be taken: {type(fault).__name__}"))
            return
        except Exception as fault:
            waiting.fail(fault)
            return
        report_taken(ticket, mailbox, name, waiting.since)
        waiting.settle(TAKEN)
        self._taken()
