"""How is what a file says of one column read?  Pure.

A reader takes what stands in the file, a text, or in JSON also a list, a truth or nothing, and raises ValueError with
what is wrong with it.  The numbers' own rules, and those of user names and rights, are the ones that single acts obey.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar

from gateway.register import enterprises
from gateway.register.rights import read_applications
from gateway.registrations import EARLIEST, LATEST
from gateway.user_names import is_user_name

E = TypeVar("E", bound=StrEnum)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def text(value: Any) -> str:
    """A text without spaces around it; empty where nothing is said."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004 - what is wrong with a file is a fault of its values
    if not value.isprintable():
        raise ValueError("must have no control characters")
    return value.strip()


def name(value: Any) -> str:
    """The name of an enterprise."""
    if not 0 < len(text(value)) <= 200:
        raise ValueError("must have 1 to 200 characters")
    return text(value)


def one_of(known: type[E]) -> Callable[[Any], str]:
    """What reads one of these words."""
    return among(*known)


def among(*known: str) -> Callable[[Any], str]:
    """What reads one of these words."""

    def read(value: Any) -> str:
        if text(value) not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return text(value)

    return read


def in_order(value: Any) -> list[str]:
    """Words, each once, in the order in which they stand."""
    return list(dict.fromkeys(map(text, value) if isinstance(value, list) else text(value).split()))


def words_of(known: type[StrEnum]) -> Callable[[Any], list[str]]:
    """What reads some of these words."""
    one = one_of(known)
    return lambda value: sorted(map(one, in_order(value)))


def purposes(value: Any) -> list[str]:
    """Codes of purposes, or ``*``."""
    named = sorted(in_order(value))
    if not named or not all(re.fullmatch(r"[A-Z]{4}|\*", each) for each in named):
        raise ValueError("must be purpose codes of four capitals, or *")
    return named


def purpose(value: Any) -> str:
    """The code of one purpose, or ``*``."""
    if not re.fullmatch(r"[A-Z0-9]{4}|\*", text(value)):
        raise ValueError("must be a purpose code of four characters, or *")
    return text(value)


def yes_or_no(value: Any) -> bool:
    """A truth."""
    said = value if isinstance(value, bool) else {"true": True, "false": False}.get(text(value).lower())
    if said is None:
        raise ValueError("must be true or false")
    return said


def moment(value: Any) -> int | None:
    """A day, which is UTC, or a moment with its zone, in microseconds; None where nothing is said."""
    written = text(value)
    if not written:
        return None
    try:
        read = datetime.fromisoformat(written)
    except ValueError:
        raise ValueError("must be a day such as 2026-12-01, or a moment with its zone") from None
    if read.tzinfo is None:
        if len(written) > len("2026-12-01"):
            raise ValueError("a moment must have a zone, such as +01:00 or Z")
        read = read.replace(tzinfo=UTC)
    at = (read - _EPOCH) // timedelta(microseconds=1)
    if not EARLIEST <= at <= LATEST:
        raise ValueError("must lie in the years 1 to 9999 of UTC")
    return at


def beginning(value: Any) -> int:
    """As :func:`moment`, which has to be said."""
    read = moment(value)
    if read is None:
        raise ValueError("must be said")
    return read


def enterprise(value: Any) -> str:
    """The number of an enterprise."""
    number = enterprises.enterprise_number(text(value))
    if number is None:
        raise ValueError("is no enterprise number")
    return number


def sender(value: Any) -> str:
    """The number of a sender."""
    if not re.fullmatch("[0-9]{6}", text(value)) or text(value) in {"000000", "999999"}:
        raise ValueError("must be six digits, from 000001 to 999998")
    return text(value)


def user(value: Any) -> str:
    """A user name."""
    if not is_user_name(text(value)):
        raise ValueError("must have 8 to 30 digits and letters a to z, and be no INSS")
    return text(value)


def quality(value: Any) -> str:
    """The reference of a quality, as it is kept."""
    parts = text(value).split("/")
    if len(parts) != 3:
        raise ValueError("must be enterprise/kind/registration")
    kind = enterprises.Kind(one_of(enterprises.Kind)(parts[1]))
    registration = enterprises.registration_number(kind, parts[2])
    if registration is None:
        raise ValueError(f"carries no number that a quality {kind} has")
    return f"{enterprise(parts[0])}/{kind}/{registration}"


def quality_or_none(value: Any) -> str | None:
    """The reference of a quality; None where nothing is said."""
    return quality(value) if text(value) else None


def place(value: Any) -> str:
    """The number of an enterprise, or the reference of a quality of one."""
    return quality(value) if "/" in text(value) else enterprise(value)


def applications(value: Any) -> list[str]:
    """What an access is to."""
    access = read_applications(in_order(value))
    if access is None:
        raise ValueError("must be names of applications, or *")
    return sorted(access)
