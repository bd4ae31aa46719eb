"""Is this the name of a file of the channel, what does it say, and which files belong together?

``PREFIX.PURPOSE.SENDER.DATE.SEQUENCE.ENVIRONMENT[.PARTS[.PART]]``

======================  =======================================================================
FI, FS, FO, CO          number of parts and number of this part: ``FI.DIMN.123456.20261121.00001.R.1.1``
GO, TD                  number of parts: ``GO.DIMN.123456.20261121.00001.R.1``
any, the older form     no parts at all: ``FI.WECH.123456.20261121.00001.R``
======================  =======================================================================

The older form is that of the declarations of social risks (`WITHOUT_PARTS`: AOAT, WECH, ZIMA), of the employer's own
acknowledgement (ACRF), and of what the gateway itself sends, as sender 999999. With any other purpose its parts are
missing, which is a fault of structure. FO and CO come from the gateway only: of another sender they are wrong prefixes.

Source: the batch directives on file names and annex 30 for the code of each fault. A purpose that is not four
capitals and a sender that is not six digits have no code of their own there; as such a name does not have the
structure of one, it gets the structure code of its prefix (107, 131, 132). Code 108 is not given here: whose directory
it is, a name does not know. Nor is it judged here whether a purpose exists.

The elements are judged by their position. A name with fewer than six or more than eight elements has none to judge.
"""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from schemas.codes import Code, Finding

GATEWAY = "999999"
WITHOUT_PARTS = frozenset({"ACRF", "AOAT", "WECH", "ZIMA"})
_LONGEST = 64


class Environment(StrEnum):
    """The environment letter of a name, and the directories that belong to it."""

    PRODUCTION = "R"
    TEST = "T"
    SIMULATION = "S"

    @property
    def inbox(self) -> str:
        """The only directory where a sender may put files of this environment."""
        return f"IN{_DIRECTORY_SUFFIX[self]}"

    @property
    def outbox(self) -> str:
        """The directory where the sender finds the answers of this environment."""
        return f"OUT{_DIRECTORY_SUFFIX[self]}"


_DIRECTORY_SUFFIX = {Environment.PRODUCTION: "", Environment.TEST: "TEST", Environment.SIMULATION: "TEST-S"}


class Prefix(StrEnum):
    """What a file is: data, signature, start or cancel of a sender; data or compressed data of the gateway."""

    FI = "FI"
    FS = "FS"
    GO = "GO"
    TD = "TD"
    FO = "FO"
    CO = "CO"


INBOUND = frozenset({Prefix.FI, Prefix.FS, Prefix.GO, Prefix.TD})
_FROM_GATEWAY = frozenset({Prefix.FO, Prefix.CO})
_WITHOUT_PART = frozenset({Prefix.GO, Prefix.TD})
_STRUCTURE = {
    Prefix.FI: Code.FI_STRUCTURE,
    Prefix.FO: Code.FI_STRUCTURE,
    Prefix.CO: Code.FI_STRUCTURE,
    Prefix.FS: Code.FS_STRUCTURE,
    Prefix.GO: Code.GO_STRUCTURE,
    Prefix.TD: Code.GO_STRUCTURE,
}
_SHAPE = re.compile(
    r"(F[ISO]|GO|TD|CO)\.([A-Z]{4})\.(?!000000)([0-9]{6})\.([0-9]{8})\.(?!00000)([0-9A-Z]{5})\.([RST])"
    r"(?:\.([1-9])(?:\.([1-9]))?)?"
)
"""Every good name has it, and of those that have it few are bad."""


@dataclass(frozen=True, slots=True)
class FileName:
    """A name that `parse` found good; ``str()`` gives it back exactly."""

    prefix: Prefix
    purpose: str
    sender: str
    date: datetime.date
    sequence: str
    environment: Environment
    parts: int | None = None
    part: int | None = None

    @property
    def stem(self) -> str:
        """What the files of one set share, such as ``DIMN.123456.20261121.00001.R``."""
        return f"{self.purpose}.{self.sender}.{_eight_digits(self.date)}.{self.sequence}.{self.environment}"

    def __str__(self) -> str:
        tail = "".join(f".{number}" for number in (self.parts, self.part) if number is not None)
        return f"{self.prefix}.{self.stem}{tail}"


def parse(name: str, *, max_parts: int = 9) -> FileName | tuple[Finding, ...]:
    """Read a name, whatever string it is.

    ``max_parts`` is the permitted maximum, 1 to 9. Answers the name, or every fault of it (at least one), in the
    order of its elements. Never raises.
    """
    # Read several times for each file; what is longer than any name is not worth remembering.
    return (_parsed if len(name) <= _LONGEST else _parsed.__wrapped__)(name, max_parts)


@lru_cache(maxsize=1024)
def _parsed(name: str, max_parts: int) -> FileName | tuple[Finding, ...]:
    # Nearly every name is good, and one look tells; what is wrong with another takes a look at each element.
    return _good(name, max_parts) or tuple(_faults(name.split(".", 8), max_parts))


def _good(name: str, max_parts: int) -> FileName | None:
    """What a name says that has no fault; None for one of which `_faults` tells any."""
    shaped = _SHAPE.fullmatch(name)
    if shaped is None:
        return None
    letters, purpose, sender, date, sequence, environment, parts, part = shaped.groups()
    try:
        day = datetime.date.fromisoformat(date)
    except ValueError:
        return None
    prefix, numbers = Prefix(letters), [int(number) for number in (parts, part) if number is not None]
    if prefix in _FROM_GATEWAY and sender != GATEWAY:
        return None
    if not numbers:
        fits = sender == GATEWAY or purpose in WITHOUT_PARTS
    else:
        fits = len(numbers) == _with_parts(prefix) and numbers[-1] <= numbers[0] <= max_parts
    return FileName(prefix, purpose, sender, day, sequence, Environment(environment), *numbers) if fits else None


def _with_parts(prefix: Prefix) -> int:
    """How many numbers stand behind the environment."""
    return 1 if prefix in _WITHOUT_PART else 2


def check_date(created: datetime.date, *, today: datetime.date, max_age_days: int) -> tuple[Finding, ...]:
    """Judge the date of a name on the day of its receipt: not later (111), at most ``max_age_days`` older (126)."""
    if created > today:
        return (Finding(Code.DATE_FUTURE, "the date is later than today"),)
    if (today - created).days > max_age_days:
        return (Finding(Code.DATE_TOO_OLD, f"the date is more than {max_age_days} days ago"),)
    return ()


def is_safe(name: str) -> bool:
    """Whether the name may reach a disk: 1 to 100 ASCII letters, digits and ``._-``, no leading sign, no ``..``."""
    return ".." not in name and re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}", name) is not None


def is_temporary(name: str) -> bool:
    """Whether a client is still writing under this name and will rename the file when it is whole."""
    return name.lower().endswith((".part", ".filepart", ".tmp"))


def set_key(name: str) -> str:
    """What the files of one set share: the five elements after FI, FS, GO or TD, be they well formed or not.

    So a set with a fault in its name still comes together and gets its one answer. A name without such a prefix has a
    key of its own: the name behind ``=``, which no safe name holds. Total: any string has a key.
    """
    prefix, _, rest = name.partition(".")
    stem = ".".join(rest.split(".", 5)[:5])
    return stem if prefix in INBOUND and stem else f"={name}"


def _faults(elements: list[str], max_parts: int) -> Iterator[Finding]:
    prefix = _prefix(elements)
    if prefix is None:
        yield Finding(Code.PREFIX_INVALID, "the prefix is none of FI, FS, GO, TD")
    if not 6 <= len(elements) <= 8:
        if prefix is not None:
            yield Finding(_STRUCTURE[prefix], "the name does not have 6 to 8 elements")
        return
    _, purpose, sender, date, sequence, environment, *tail = elements
    if prefix is not None:
        yield from _structure_faults(prefix, purpose, sender, len(tail))
    yield from _date_faults(date)
    yield from _sequence_faults(sequence)
    if environment not in set(Environment):
        yield Finding(Code.ENVIRONMENT_INVALID, "the environment is none of R, T, S")
    if tail:
        yield from _parts_faults(tail[0], max_parts)
    if len(tail) == 2 and not _counts_to(tail[1], tail[0]):
        code = Code.FS_NUMBERING if prefix is Prefix.FS else Code.FI_NUMBERING
        yield Finding(code, "the part number is not one digit from 1 to the number of parts")


def _prefix(elements: list[str]) -> Prefix | None:
    """The prefix, unless it is none or one that only the gateway uses."""
    if elements[0] not in set(Prefix):
        return None
    prefix = Prefix(elements[0])
    return None if prefix in _FROM_GATEWAY and elements[2:3] != [GATEWAY] else prefix


def _structure_faults(prefix: Prefix, purpose: str, sender: str, tail: int) -> Iterator[Finding]:
    code = _STRUCTURE[prefix]
    if not re.fullmatch("[A-Z]{4}", purpose):
        yield Finding(code, "the purpose is not 4 capitals")
    if not re.fullmatch("[0-9]{6}", sender) or sender == "000000":
        yield Finding(code, "the sender is not 6 digits from 000001")
    with_parts = _with_parts(prefix)
    if tail == 0 and purpose not in WITHOUT_PARTS and sender != GATEWAY:
        yield Finding(code, f"the number of parts is missing; this purpose needs {6 + with_parts} elements")
    elif tail not in (0, with_parts):
        yield Finding(code, f"the name has {6 + tail} elements, not {6 + with_parts}")


def _date_faults(date: str) -> Iterator[Finding]:
    if len(date) != 8:
        yield Finding(Code.DATE_LENGTH, "the date does not have 8 positions")
        return
    try:
        _day(date)
    except ValueError:
        yield Finding(Code.DATE_INVALID, "the date is not a day written YYYYMMDD")


def _sequence_faults(sequence: str) -> Iterator[Finding]:
    if len(sequence) != 5:
        yield Finding(Code.SEQUENCE_LENGTH, "the sequence does not have 5 positions")
    if not re.fullmatch("[0-9A-Z]*", sequence):
        yield Finding(Code.SEQUENCE_CHARACTER, "the sequence has a character other than 0-9 and A-Z")
    if sequence == "00000":
        yield Finding(Code.SEQUENCE_ZERO, "the sequence is zero")


def _parts_faults(parts: str, max_parts: int) -> Iterator[Finding]:
    if len(parts) != 1:
        yield Finding(Code.PARTS_LENGTH, "the number of parts does not have 1 position")
    if not re.fullmatch("[0-9]*", parts):
        yield Finding(Code.PARTS_NOT_NUMERIC, "the number of parts is not numeric")
    elif parts == "0":
        yield Finding(Code.PARTS_ZERO, "the number of parts is zero")
    elif len(parts) == 1 and int(parts) > max_parts:
        yield Finding(Code.PARTS_ABOVE_MAXIMUM, f"the number of parts is above {max_parts}")


def _counts_to(part: str, parts: str) -> bool:
    """Whether the part number can be one of ``parts``; a bad number of parts has a finding of its own."""
    highest = parts if re.fullmatch("[1-9]", parts) else "9"
    return re.fullmatch("[1-9]", part) is not None and part <= highest


def _day(date: str) -> datetime.date:
    """The day of eight ASCII digits; `ValueError` for anything else (``fromisoformat`` also takes ``2026-W01``)."""
    if not re.fullmatch("[0-9]{8}", date):
        raise ValueError("not eight digits")
    return datetime.date(int(date[:4]), int(date[4:6]), int(date[6:]))


def _eight_digits(day: datetime.date) -> str:
    """YYYYMMDD; ``strftime`` would leave out the leading zeros of the years before 1000."""
    return day.isoformat().replace("-", "")
