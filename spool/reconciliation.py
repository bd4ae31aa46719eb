"""Does what is known of a submission fit together: its row, its folder in custody, its answers, its messages?

The promise is: what was told OK is in custody, answered once, and, if it was accepted, forwarded once.  Pure: what was
read of one ticket goes in, what does not fit comes out, with what to do about it.  Not named is what may be: gaps in
the numbers of answers, answers that their sender has deleted, a repeat, which has the answer of its first, messages
that are parked, and a folder whose content was purged.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from spool.submissions import VERDICTS, State

ACKNOWLEDGEMENT: Final = "ACRF."


class Misfit(StrEnum):
    """What can be wrong with a ticket."""

    NO_FOLDER = "no-folder"
    NOT_RECORDED = "not-recorded"
    FILE_MISSING = "file-missing"
    FILE_UNKNOWN = "file-unknown"
    FILE_ALTERED = "file-altered"
    NOT_ANSWERED = "not-answered"
    ANSWERED_TWICE = "answered-twice"
    ANSWERED_TOO_SOON = "answered-too-soon"
    ANSWER_NOT_PROMISED = "answer-not-promised"
    ANSWER_LOST = "answer-lost"
    NOT_FORWARDED = "not-forwarded"
    FORWARDED_UNASKED = "forwarded-unasked"
    FORWARDED_UNKNOWN = "forwarded-unknown"
    NOT_QUEUED = "not-queued"
    QUEUED_UNASKED = "queued-unasked"
    NOT_CLOSED = "not-closed"
    CLOSED_TOO_SOON = "closed-too-soon"
    ACCEPTED_TWICE = "accepted-twice"
    NOBODYS = "nobodys"
    NEVER_RECEIVED = "never-received"
    UNKNOWN_TICKET = "unknown-ticket"
    OTHER_NAME = "other-name"


MEANING: Final[Mapping[Misfit, str]] = {
    Misfit.NO_FOLDER: "the journal has a submission whose folder is not in custody",
    Misfit.NOT_RECORDED: "a folder is in custody that the journal does not have",
    Misfit.FILE_MISSING: "a file of a submission is not in its folder",
    Misfit.FILE_UNKNOWN: "a file, or a folder with an envelope, lies where the journal has none",
    Misfit.FILE_ALTERED: "a file has another size, or other bytes, than what came",
    Misfit.NOT_ANSWERED: "there is a verdict and no acknowledgement",
    Misfit.ANSWERED_TWICE: "there is more than one acknowledgement",
    Misfit.ANSWERED_TOO_SOON: "there are answers and no verdict",
    Misfit.ANSWER_NOT_PROMISED: "an answer is kept that nothing gives to the sender",
    Misfit.ANSWER_LOST: "an answer is to be given, or was, that is not kept",
    Misfit.NOT_FORWARDED: "an accepted form has no message",
    Misfit.FORWARDED_UNASKED: "there are messages of what was not accepted, or of more forms than came",
    Misfit.FORWARDED_UNKNOWN: "the broker's queue has a message of a ticket that is not here",
    Misfit.NOT_QUEUED: "a message counts as sent and is not in the embedded queue",
    Misfit.QUEUED_UNASKED: "the embedded queue has a message that does not count as sent",
    Misfit.NOT_CLOSED: "everything is done, and the submission is open",
    Misfit.CLOSED_TOO_SOON: "the submission is closed, and messages wait",
    Misfit.ACCEPTED_TWICE: "one name of one sender was accepted under two tickets",
    Misfit.NOBODYS: "answers or effects are of a ticket that nobody has",
    Misfit.NEVER_RECEIVED: "the sender was told OK, it says, and nothing of that name is here",
    Misfit.UNKNOWN_TICKET: "the sender has an answer, it says, under a ticket that is not here",
    Misfit.OTHER_NAME: "the ticket that the sender names is of another file",
}
"""What each means."""

_RESTORE: Final = "restore it from a backup; if there is none, have the sender send it again under a new name"
_LOOK: Final = "look at `gateway show`, and find out who has changed the journal"
ADVICE: Final[Mapping[Misfit, str]] = {
    Misfit.NO_FOLDER: _RESTORE,
    Misfit.NOT_RECORDED: "restart the gateway: its start records the folder, and answers it",
    Misfit.FILE_MISSING: _RESTORE,
    Misfit.FILE_UNKNOWN: "find out who has put it there; the gateway does not look at it",
    Misfit.FILE_ALTERED: _RESTORE,
    Misfit.NOT_ANSWERED: "answer its sender by hand, and report this as a fault of the gateway",
    Misfit.ANSWERED_TWICE: "tell its sender which answer counts, and report this as a fault of the gateway",
    Misfit.ANSWERED_TOO_SOON: _LOOK,
    Misfit.ANSWER_NOT_PROMISED: "`gateway answer again` if its sender misses it; report this as a fault of the gateway",
    Misfit.ANSWER_LOST: "restore the journal's table of answers from a backup",
    Misfit.NOT_FORWARDED: "forward what is missing by hand, and report this as a fault of the gateway",
    Misfit.FORWARDED_UNASKED: "have the receiver drop it, and report this as a fault of the gateway",
    Misfit.FORWARDED_UNKNOWN: "the journal is older: have that sender send the file again, and the receiver drop one",
    Misfit.NOT_QUEUED: "if the site had a broker then, it went there; else forward it by hand",
    Misfit.QUEUED_UNASKED: "have the receiver drop it, and report this as a fault of the gateway",
    Misfit.NOT_CLOSED: "nothing is left to do for it but its closing; report this as a fault of the gateway",
    Misfit.CLOSED_TOO_SOON: "what waits is still done; report this as a fault of the gateway",
    Misfit.ACCEPTED_TWICE: "have the receiver drop the later one, and report this as a fault of the gateway",
    Misfit.NOBODYS: "restore the journal's submissions from a backup, or find out who has changed the journal",
    Misfit.NEVER_RECEIVED: "have the sender send it again: it never came, or the journal is an older one",
    Misfit.UNKNOWN_TICKET: "the journal is older than the ticket: restore a newer one, or have it sent again",
    Misfit.OTHER_NAME: "compare the sender's list with the acknowledgement it has: the ticket is that of another file",
}
"""What to do about each."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What does not fit of a ticket, in words; of a name in a sender's list there may be no ticket."""

    ticket: str
    misfit: Misfit
    detail: str

    @property
    def advice(self) -> str:
        """What to do about it."""
        return ADVICE[self.misfit]


@dataclass(frozen=True, slots=True)
class File:
    """A file: ``size`` in bytes, ``sha256`` in hex, empty where it was not read."""

    size: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What the journal has of a submission."""

    ticket: str
    received_at: int
    state: State
    forms: int | None
    closed_at: int | None
    is_purged: bool = False


@dataclass(slots=True)
class Promises:
    """How many effects of a submission are in which state; ``first`` and ``last`` are those of the messages.

    ``own`` and ``others`` are answers that are promised, of itself and of the submission that it repeats.
    """

    own: int = 0
    others: int = 0
    open_answers: int = 0
    lost_answers: int = 0
    messages: int = 0
    by_file: int = 0
    first: int = 0
    last: int = 0
    open_messages: int = 0
    parked: int = 0
    queued: int | None = None


@dataclass(slots=True)
class Known:
    """Everything that was read of a ticket; ``folder`` is None if there is none, ``stems`` are those of its answers."""

    row: Row
    files: dict[str, File] = field(default_factory=dict)
    folder: Mapping[str, File] | None = None
    stems: list[str] = field(default_factory=list)
    promises: Promises = field(default_factory=Promises)

    @property
    def is_open(self) -> bool:
        """Whether something is still to be done for it."""
        return self.row.state not in VERDICTS or bool(self.promises.open_answers or self.promises.open_messages)


def compare(known: Known) -> list[Mismatch]:
    """What does not fit of one submission; empty if all does."""
    if known.row.state in VERDICTS:
        found = [*_files(known), *_answers(known), *_messages(known), *_closing(known)]
    else:
        found = [*_files(known), *_undecided(known)]
    return [Mismatch(known.row.ticket, misfit, detail) for misfit, detail in found]


_Found = Iterator[tuple[Misfit, str]]


def _files(known: Known) -> _Found:
    if known.row.is_purged:
        return
    if known.folder is None:
        yield Misfit.NO_FOLDER, "the journal has it, and custody has no folder of it on the day it came"
        return
    for name in sorted(known.files.keys() | known.folder.keys()):
        recorded, there = known.files.get(name), known.folder.get(name)
        if there is None:
            yield Misfit.FILE_MISSING, name
        elif recorded is None:
            yield Misfit.FILE_UNKNOWN, ascii(name)  # whoever has put it there has named it too
        elif there.size != recorded.size:
            yield Misfit.FILE_ALTERED, f"{name} has {there.size} bytes, and {recorded.size} came"
        elif there.sha256 not in {"", recorded.sha256}:
            yield Misfit.FILE_ALTERED, f"{name} has another SHA-256 than what came"


def _undecided(known: Known) -> _Found:
    promises = known.promises
    if known.stems or promises.own or promises.others:
        yield Misfit.ANSWERED_TOO_SOON, f"it is {known.row.state} and has answers"
    if promises.messages:
        yield Misfit.FORWARDED_UNASKED, f"it is {known.row.state} and has {promises.messages} messages"
    if known.row.closed_at is not None:
        yield Misfit.CLOSED_TOO_SOON, f"it is {known.row.state} and closed"


def _answers(known: Known) -> _Found:
    promises, acknowledgements = known.promises, sum(stem.startswith(ACKNOWLEDGEMENT) for stem in known.stems)
    repeats = known.row.state is State.REPEATED
    if repeats and not promises.others:
        yield Misfit.NOT_ANSWERED, "it repeats another, and nobody was to give it that one's answer"
    if not repeats and not acknowledgements:
        yield Misfit.NOT_ANSWERED, "it has a verdict and no acknowledgement"
    if acknowledgements > (0 if repeats else 1):
        yield Misfit.ANSWERED_TWICE, f"it has {acknowledgements} acknowledgements of its own"
    if not repeats and promises.others:
        yield Misfit.ANSWERED_TWICE, "it is given the answers of another submission too"
    if promises.own != len(known.stems):
        yield Misfit.ANSWER_NOT_PROMISED, f"of {len(known.stems)} answers {promises.own} were to be given"
    if promises.lost_answers:
        yield Misfit.ANSWER_LOST, f"{promises.lost_answers} answers were to be given that are not kept"


def _messages(known: Known) -> _Found:
    row, promises = known.row, known.promises
    if row.state is not State.ACCEPTED:
        if promises.messages:
            yield Misfit.FORWARDED_UNASKED, f"it is {row.state} and has {promises.messages} messages"
        return
    forms = row.forms or 0
    if promises.last > forms or promises.messages > forms:
        yield Misfit.FORWARDED_UNASKED, f"it has {promises.messages} messages, up to form {promises.last} of {forms}"
    # A message may hold a whole file, and then stands for its other forms too.
    needed = min(forms, 1) if promises.by_file else forms
    if promises.messages < needed:
        yield Misfit.NOT_FORWARDED, f"of {forms} forms {promises.messages} have a message"
    done = promises.messages - promises.open_messages
    if promises.queued is not None and promises.queued < done:
        yield Misfit.NOT_QUEUED, f"of {done} messages that were sent, {promises.queued} are in the embedded queue"


def _closing(known: Known) -> _Found:
    if known.row.closed_at is None and not known.is_open:
        yield Misfit.NOT_CLOSED, "everything is done, and it is open"
    # An answer is given again after the closing where an operator asks for it; a message never is.
    if known.row.closed_at is not None and known.promises.open_messages:
        yield Misfit.CLOSED_TOO_SOON, f"{known.promises.open_messages} messages wait, and it is closed"
