"""What has one connection, and how much of it may it have?

A visit begins with the TCP connection and knows nobody; the account is set when log-in is complete, and never changes.
What is counted here is counted on the one event loop, so that a limit cannot be passed by asking twice at once.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Final, Protocol

from channels.ports import Account
from channels.sftp.parting import Standing
from channels.sftp.place import Place
from channels.sftp.settings import DoorSettings
from schemas.filename import is_temporary
from spool.mailbox import Entry, MailboxRefusal, Trouble

_REMEMBERED: Final = 1000


class Requests(Protocol):
    """The requests of one channel."""

    @property
    def open_files(self) -> int:
        """How many files are open."""

    @property
    def open_handles(self) -> int:
        """How many files and directories are open."""


class Visit:
    """One connection from its first byte to its last.

    ``source`` is the address it comes from; ``stirred`` is set whenever some work of it ends; ``tasks`` holds what
    is still to be waited for when the connection is gone.
    """

    def __init__(
        self, settings: DoorSettings, source: str, stirred: asyncio.Event, tasks: set[asyncio.Task[None]]
    ) -> None:
        self.source = source
        self.account: Account | None = None
        self.leaving = False
        self.tasks = tasks
        self._settings = settings
        self._stirred = stirred
        self._channels: set[Requests] = set()
        self._at_work: set[Requests] = set()
        self._sessions = 0
        self._opening = 0
        self._finished: OrderedDict[Place, Entry] = OrderedDict()
        self._writable = asyncio.Event()
        self._writable.set()
        self._rested = time.monotonic()

    @property
    def max_handles(self) -> int:
        """How many files and directories may be open at once."""
        return self._settings.max_handles

    # --- sessions and handles

    def take_seat(self) -> bool:
        """Whether one more session may begin; if so it counts until :meth:`give_seat_back`."""
        if self.leaving or self._sessions >= self._settings.max_sessions:
            return False
        self._sessions += 1
        return True

    def give_seat_back(self) -> None:
        """A session has ended."""
        self._sessions -= 1

    @contextmanager
    def one_more_handle(self) -> Iterator[None]:
        """Room for a handle while it is being opened.

        Raises:
            MailboxRefusal: this connection has too many.
        """
        if self._opening + sum(channel.open_handles for channel in self._channels) >= self.max_handles:
            raise MailboxRefusal(Trouble.FULL, "too many open files; close one first")
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1

    # --- work and rest

    def begin(self, channel: Requests) -> None:
        """A channel of this connection starts taking requests."""
        self._channels.add(channel)

    def end(self, channel: Requests) -> None:
        """A channel takes no more requests and has given back what it had open."""
        self._channels.discard(channel)
        self.rest(channel)

    def work(self, channel: Requests) -> None:
        """A request has come in."""
        self._at_work.add(channel)

    def rest(self, channel: Requests) -> None:
        """The request is answered."""
        self._at_work.discard(channel)
        self._rested = time.monotonic()
        self._stirred.set()

    def touch(self) -> None:
        """Something has happened that is no request: somebody has logged in."""
        self._rested = time.monotonic()

    @property
    def busy(self) -> bool:
        """Whether a request is being answered or a file is open."""
        return bool(self._at_work) or any(channel.open_files for channel in self._channels)

    @property
    def idle_for(self) -> float:
        """Seconds since the last request was answered; 0 while one is being answered."""
        return 0.0 if self._at_work else time.monotonic() - self._rested

    @property
    def standing(self) -> Standing:
        """What says whether it may be sent away; who takes no bytes may not have read the last answer."""
        return Standing(self.account is not None, self.busy or not self.is_writable, self.idle_for)

    # --- a client that does not read what it asked for

    def pause(self) -> None:
        """The client takes no more bytes for now."""
        self._writable.clear()

    def resume(self) -> None:
        """The client takes bytes again, or is gone."""
        self._writable.set()

    @property
    def is_writable(self) -> bool:
        """Whether the client takes bytes."""
        return self._writable.is_set()

    async def writable(self) -> None:
        """Wait until the client takes bytes."""
        await self._writable.wait()

    # --- files that are no longer in the inbox

    def remember(self, place: Place, size: int) -> None:
        """A file is whole; some clients ask for its size afterwards, when it may be in custody already."""
        self._finished[place] = Entry(place.name, size, time.time())
        self._finished.move_to_end(place)
        if len(self._finished) > _REMEMBERED:
            self._finished.popitem(last=False)

    def forget(self, place: Place) -> None:
        """The client has removed or renamed it."""
        self._finished.pop(place, None)

    def finished(self, place: Place) -> Entry | None:
        """What was remembered; of a file with a temporary name the inbox alone knows."""
        return None if is_temporary(place.name) else self._finished.get(place)

    def latest(self, count: int) -> list[Place]:
        """The files that were finished last, newest first."""
        return list(islice(reversed(self._finished), count))
