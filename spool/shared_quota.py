"""How much of one sender waits, where several processes take it in?

What is counted for all is in a file (:mod:`spool.tally`).  So that it is touched seldom, each process has a purse for
each sender: room that it has taken there and not used, some of it ahead while there is plenty, none near the limit.
What an upload takes comes out of the purse, and what is given back goes into it.  A thread returns what was not used
for a second, and twice a second what by then would not be taken ahead any more: others may have come near the limit.

What a process that died had in its purse stays counted until the disk is measured: now and then, when no upload of the
sender is open, for only then is on the disk what was counted.  Each measuring gives the record a new epoch, and purses
of an older one are worth nothing: their owners see it with the next file that they begin, and nobody measures while one
is open.  The same heals what a power cut has left.
"""

import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.errors import TemporaryError
from spool.mailbox import Mailbox
from spool.quota import Quota, full
from spool.tally import BYTES, EPOCH, MEASURED_AT, UNKNOWN, Tally, TallyHeldError, may_wait, place_of, record_in

_MEASURED_FOR: Final = 12  # times that a look is good for
_AHEAD: Final = 4 * 1024**2
_PLENTY: Final = 64
_WORTH_IT: Final = 1024**2  # where nobody may wait; less than that would be fetched as often as something is written
_LEAST: Final = 64 * 1024
_IDLE: Final = 1.0
_LOOKED_AT: Final = 0.5

Act = Callable[[list[int], int], int]
"""Changes a record, given what is in the purse; answers how much more, or less, is to be in there afterwards."""


class UncountedError(TemporaryError):
    """Nobody has measured yet what the sender has; whoever asks next has it measured."""


@dataclass(slots=True)
class _Purse:
    """``room`` in bytes; ``keep``: as much of it as may stay; ``used_at``: by the monotonic clock."""

    room: int = 0
    epoch: int = 0
    keep: int = 0
    used_at: float = 0.0


class SharedQuota(Quota):
    """The same for several processes, with the counters of each sender in a file below ``root``.

    Args:
        limit: most bytes of one sender.
        root: the folder of all inboxes.
        seconds: for how long a look at the file is good; what it says is measured anew after twelve times that.
        hung: for how many seconds at most a host may hold it.
    """

    def __init__(self, limit: int, root: Path, seconds: float, hung: float) -> None:
        super().__init__(limit)
        self._tally = Tally(root, hung)
        self._seconds = seconds
        self._looked_at: dict[str, float] = {}
        self._purses: defaultdict[str, _Purse] = defaultdict(_Purse)
        self._is_returning = False

    def knows(self, sender: str) -> bool:
        """Whether the bytes of ``sender`` were counted by somebody, a short while ago."""
        looked_at = self._looked_at.get(sender)
        return looked_at is not None and time.monotonic() - looked_at < self._seconds

    def count(self, sender: str, measure: Callable[[], int], is_quiet: Callable[[], bool]) -> None:
        """See that they are counted, and that the count is not too old."""
        if self.knows(sender):
            return
        record = self._tally.read(sender)
        is_old = abs(time.time() - record[MEASURED_AT]) >= _MEASURED_FOR * self._seconds
        if not record[EPOCH] or (is_old and is_quiet()):
            used = measure()

            def begin_anew(record: list[int], room: int) -> int:
                record[BYTES], record[MEASURED_AT], record[EPOCH] = used, int(time.time()), 1 + secrets.randbits(62)
                return -room

            self._change(sender, begin_anew)
        self._looked_at[sender] = time.monotonic()

    def used(self, sender: str) -> int:
        """How many bytes wait, or are promised to other processes."""
        record, purse = self._tally.read(sender), self._purses.get(sender)
        own = purse.room if purse is not None and purse.epoch == record[EPOCH] else 0
        return max(0, record[BYTES] - own)

    def is_at_hand(self, sender: str, size: int) -> bool:
        """Whether so much is in the purse."""
        purse = self._purses.get(sender)
        return purse is not None and purse.room >= size

    def see_that_it_may_wait(self) -> None:
        """See that the disk may be counted here, for which locks are waited for.

        Raises:
            UncountedError: an event loop runs here, which may not stand still.
        """
        if not may_wait():
            raise UncountedError("what waits of a sender has to be counted, and not here")

    def fetch(self, sender: str, size: int) -> None:
        """See that there are ``size`` bytes in the purse, for who comes first.

        Raises:
            MailboxRefusal: the sender would have more than it may.
            TallyHeldError, UncountedError: it cannot be told just now.
        """

        def top_up(record: list[int], room: int) -> int:
            _see_that_it_is_measured(record)
            left = self.limit - record[BYTES] + room - size
            if left < 0:
                raise full(self.limit)
            more = size + _ahead(left) - room
            record[BYTES] += more
            return more

        if not self.is_at_hand(sender, size):
            if self._purses[sender].keep < _WORTH_IT and not may_wait():
                raise TallyHeldError("near the limit room is fetched too often for that")
            self._change(sender, top_up)

    def take(self, sender: str, size: int) -> None:
        """Room for ``size`` bytes.

        Raises:
            MailboxRefusal: the sender would have more than it may.
            TallyHeldError, UncountedError: it cannot be told just now.
        """
        while True:
            with self._guard:
                purse = self._purses[sender]
                if purse.room >= size:
                    purse.room -= size
                    purse.used_at = time.monotonic()
                    return
            self.fetch(sender, size)

    def give_back(self, sender: str, size: int) -> None:
        """``size`` bytes no longer wait; never waits for others, and forgets nothing."""
        if not size:
            return
        with self._guard:
            purse = self._purses[sender]
            purse.room += size
            purse.used_at = time.monotonic()
            keep = purse.keep
            is_too_much = purse.room > keep
        if is_too_much:
            with suppress(OSError, TallyHeldError):
                self._return(sender, patient=False, keep=keep)
        self._see_to_the_rest(sender)

    def add_file(self, mailbox: Mailbox, most: int) -> bool:
        """Count one more file, for all, and have room for its first bytes.

        Raises:
            TallyHeldError, UncountedError: it cannot be told just now.
        """
        place, is_added = place_of(mailbox), False

        def add(record: list[int], room: int) -> int:
            nonlocal is_added
            _see_that_it_is_measured(record)
            self._files[mailbox] = most if record[place] == UNKNOWN else record[place]
            is_added = self._files[mailbox] < most
            if is_added:
                record[place] += 1
                self._files[mailbox] += 1
            more = _ahead(self.limit - record[BYTES] + room) - room
            record[BYTES] += more
            return more

        self._change(mailbox.sender, add)
        return is_added

    def set_files(self, mailbox: Mailbox, count: int) -> None:
        """So many wait there."""

        def change(record: list[int], _room: int) -> int:
            record[place_of(mailbox)] = count
            return 0

        self._change(mailbox.sender, change)

    def _change(self, sender: str, act: Act, *, patient: bool = True) -> None:
        """Let ``act`` change the counters, and nobody else meanwhile; if it raises, they stay as they are."""
        try:
            while not self._has_changed(sender, act, patient=patient):
                pass
        except UncountedError:
            self._looked_at.pop(sender, None)
            raise
        self._see_to_the_rest(sender)

    def _has_changed(self, sender: str, act: Act, *, patient: bool) -> bool:
        with self._tally.held(sender, patient=patient) as descriptor:
            record = record_in(descriptor)
            with self._guard:
                purse = self._opened_purse(sender, record[EPOCH])
                more = act(record, purse.room)
                # What is returned nobody may take meanwhile, and what is fetched nobody before it is written.
                purse.room += min(0, more)
            is_done = False
            try:
                is_done = self._tally.put(sender, descriptor, record)
            finally:
                with self._guard:
                    purse.room += max(0, more) if is_done else -min(0, more)
                    purse.used_at = time.monotonic()
                    if is_done:
                        purse.epoch, purse.keep = record[EPOCH], _ahead(self.limit - record[BYTES])
            return is_done

    def _opened_purse(self, sender: str, epoch: int) -> _Purse:
        purse = self._purses[sender]
        if purse.epoch not in (0, epoch):
            purse.room = 0
        purse.epoch = epoch
        return purse

    def _return(self, sender: str, *, patient: bool, keep: int = 0) -> None:
        """Give back to all what is in the purse, but for what is to be kept."""
        self._change(sender, lambda record, room: _put_back(record, max(0, room - keep)), patient=patient)

    def _return_excess(self, sender: str) -> None:
        """Give back what would not be taken ahead any more, if that is something."""
        left, room = self.limit - self._tally.read(sender)[BYTES], self._purses[sender].room
        if _excess(left, room):
            self._change(sender, lambda record, room: _put_back(record, _excess(self.limit - record[BYTES], room)))

    def _see_to_the_rest(self, sender: str) -> None:
        """Have a thread that returns what is not used, if there is something."""
        with self._guard:
            if self._is_returning or not self._purses[sender].room:
                return
            self._is_returning = True
        try:
            threading.Thread(target=self._keep_returning, name="purses", daemon=True).start()
        except RuntimeError:  # no thread is to be had just now; the next change of this sender tries again
            self._is_returning = False

    def _keep_returning(self) -> None:
        try:
            self._return_what_is_idle()
        except BaseException:
            self._is_returning = False
            raise

    def _return_what_is_idle(self) -> None:
        while True:
            time.sleep(_LOOKED_AT)
            now = time.monotonic()
            with self._guard:
                filled = {sender: purse.used_at for sender, purse in self._purses.items() if purse.room}
                self._is_returning = bool(filled)
            if not filled:
                return
            for sender, used_at in filled.items():
                with suppress(OSError, TallyHeldError):
                    if now - used_at >= _IDLE:
                        self._return(sender, patient=True)
                    else:
                        self._return_excess(sender)


def _see_that_it_is_measured(record: list[int]) -> None:
    if not record[EPOCH]:
        raise UncountedError("what waits of a sender was not measured yet")


def _ahead(left: int) -> int:
    """How much of what is ``left`` to a sender one process may have in its purse: none of little."""
    most = min(_AHEAD, left // _PLENTY)
    return most if most >= _LEAST else 0


def _excess(left: int, room: int) -> int:
    """How much of the ``room`` in a purse is too much, where ``left`` is what nobody has."""
    return max(0, room - _ahead(left + room))


def _put_back(record: list[int], back: int) -> int:
    record[BYTES] = max(0, record[BYTES] - back)
    return -back
