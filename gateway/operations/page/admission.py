"""Who may look at the status page, and for how long?

An operator's token opens it, and so does the word in the file of the settings, which opens nothing else: for a screen
on a wall.  Whoever logs in with a browser gets a random word of our own instead, in a cookie; it is good for some
hours, in this process alone, and only as long as what it was given for.  Wrong words are few a minute, whoever tries.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.credential import credential_file, read_secret
from config.errors import ConfigurationError
from config.settings import Settings
from gateway.operations.tokens import Bearer, bearer, holder
from gateway.register import history
from gateway.register.actor import Operator
from spool.journal import Journal, now

SHORTEST: Final = 32
LONGEST: Final = 512
FILE: Final = "status_token"
SOCKET: Final = "socket"

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: what the log calls it, and the SHA-256 in hex of what was shown; empty for a trusted socket."""

    name: str
    mark: str = ""


class Admission:
    """Knows who may look; its questions block on the journal and the disk.

    Args:
        journal: knows operators' tokens.
        file: where the page's own word is, a file or ``credential:NAME``; None for nowhere.
    """

    def __init__(self, journal: Journal, file: Path | str | None) -> None:
        self._journal = journal
        self._file = file

    def viewer(self, word: str) -> Viewer | None:
        """Who shows ``word``, None if it opens nothing.

        Raises:
            JournalError: the journal cannot be read.
        """
        mark = _mark(word)
        if self._is_of_file(mark):
            return Viewer(FILE, mark)
        with self._journal.read() as connection:
            return _operator(bearer(connection, word, now()))

    def still(self, viewer: Viewer) -> bool:
        """Whether what ``viewer`` once showed is good still: a token is revoked, a file is written anew.

        Raises:
            JournalError: the journal cannot be read.
        """
        if viewer.name == FILE:
            return self._is_of_file(viewer.mark)
        with self._journal.read() as connection:
            return _operator(holder(connection, viewer.mark, now())) == viewer

    def record(self, viewer: Viewer) -> None:
        """Write into the history that ``viewer`` has logged in with a browser.

        Raises:
            JournalError: it could not be written, so nobody is in.
        """
        with self._journal.write() as connection:
            found = holder(connection, viewer.mark, now())
            actor = Operator(viewer.name) if found is None else found.actor
            reason = "logged in to the status page"
            history.record(connection, actor, "status.opened", f"token:{viewer.name}", reason, None, None)

    def _is_of_file(self, mark: str) -> bool:
        if self._file is None:
            return False
        try:
            known = _mark(read_word(self._file))
        except ConfigurationError:
            # A running gateway has read it: what is wrong with it now keeps those out who would show it.
            return False
        return hmac.compare_digest(known, mark)


def _operator(found: Bearer | None) -> Viewer | None:
    """Persons of the register have their own enterprise to look at, not the gateway."""
    if found is None or not isinstance(found.actor, Operator):
        return None
    return Viewer(found.token.name, found.token.mark)


def faults(settings: Settings) -> list[str]:
    """What is wrong with the file of the settings, where there is one."""
    own = settings.operations
    if not own.status_page or own.status_token is None:
        return []
    try:
        read_word(own.status_token)
    except ConfigurationError as fault:
        return list(fault.faults)
    return []


def read_word(named: Path | str) -> str:
    """The word in a file, or in a credential of systemd.

    Raises:
        ConfigurationError: it cannot be read, others may read it, or it is no word of a good length.
    """
    try:
        path = named if isinstance(named, Path) else credential_file(named)
        content, found = read_secret(path)
    except ConfigurationError as fault:
        raise ConfigurationError([f"operations.status_token: {line}" for line in fault.faults]) from fault
    word = content.strip()
    if not SHORTEST <= len(word) <= LONGEST or not word.isascii() or len(word.split()) != 1:
        found.append(f"{path}: expected one word of {SHORTEST} to {LONGEST} characters")
    if found:
        raise ConfigurationError([f"operations.status_token: {line}" for line in found])
    return word.decode("ascii")


class Sessions:
    """Log-ins with a browser, by the SHA-256 of the word in the cookie; for one thread.

    Args:
        seconds: for so long each is good.
        most: so many at a time; one more ends the oldest.
        clock: seconds that only go on.
    """

    def __init__(self, seconds: float, most: int = 256, clock: Clock = time.monotonic) -> None:
        self._seconds = seconds
        self._most = most
        self._clock = clock
        self._known: dict[str, tuple[Viewer, float]] = {}

    def begin(self, viewer: Viewer) -> str:
        """A word for the cookie of ``viewer``."""
        word = secrets.token_urlsafe(32)
        at = self._clock()
        self._known = {mark: (one, end) for mark, (one, end) in self._known.items() if at < end}
        while len(self._known) >= self._most:
            del self._known[next(iter(self._known))]
        self._known[_mark(word)] = (viewer, at + self._seconds)
        return word

    def viewer(self, word: str) -> Viewer | None:
        """Whose cookie it is, None if it is nobody's any more."""
        viewer, end = self._known.get(_mark(word), (None, 0.0))
        return viewer if self._clock() < end else None

    def end(self, word: str) -> None:
        """Let a word be nobody's."""
        self._known.pop(_mark(word), None)


class Tries:
    """How many words may be wrong: so many at once, and one more each so many seconds; for one thread."""

    def __init__(self, most: int = 10, seconds: float = 6.0, clock: Clock = time.monotonic) -> None:
        self._most = most
        self._seconds = seconds
        self._clock = clock
        self._left = float(most)
        self._seen = clock()

    def take(self) -> bool:
        """Whether one more may be looked at; counted as wrong until it is given back."""
        at = self._clock()
        self._left = min(self._most, self._left + (at - self._seen) / self._seconds)
        self._seen = at
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def give_back(self) -> None:
        """It was right after all."""
        self._left = min(self._most, self._left + 1)


def _mark(word: str) -> str:
    return hashlib.sha256(word.encode("utf-8", "surrogateescape")).hexdigest()
