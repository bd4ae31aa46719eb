"""What is one thing that a program can ask of the interface?  A row of its table.

The table is all there is: requests are checked, answered and described (OpenAPI) from these rows and their models, so
that the description cannot say anything else than what is done.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.engine import Connection

from config.settings import Settings
from gateway.operations.tokens import Token
from gateway.register.actor import Actor, Refusal
from gateway.register.passwords import FirstPassword

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


class Place(BaseModel):
    """What an address names: parts of the path, and what follows the question mark."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Body(BaseModel):
    """What is sent along."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Told(BaseModel):
    """What is answered."""

    model_config = ConfigDict(frozen=True)


PRINTABLE: Final = r"^[^\x00-\x1f\x7f]*$"

Reason = Annotated[
    str, Field(min_length=1, max_length=500, pattern=PRINTABLE, description="Why; it stays in the history.")
]


class Because(Body):
    """Of a change that needs to be told nothing else."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, with which token, when (microseconds), and the transaction in which it is answered."""

    actor: Actor
    token: Token
    at: int
    connection: Connection
    settings: Settings
    first_password: FirstPassword | None = None

    def drawn(self) -> FirstPassword:
        """The first password that was drawn for this request, before its transaction.

        Raises:
            LookupError: none was: the row does not say that it needs one.
        """
        if self.first_password is None:
            raise LookupError("no password was drawn")
        return self.first_password


P = TypeVar("P", bound=Place)
B = TypeVar("B", bound=Body)
T = TypeVar("T", bound=Told)


@dataclass(frozen=True, slots=True)
class Read(Generic[P, T]):
    """A question, which changes nothing.  ``name`` is what the description and the log call it."""

    name: str
    path: str
    summary: str
    place: type[P]
    told: type[T]
    do: Callable[[Asked, P], T | Refusal]
    for_operators: bool = False


@dataclass(frozen=True, slots=True)
class Change(Generic[P, B, T]):
    """An act, in one transaction, which a refusal undoes; or, if it ``writes`` nothing, a question with a body.

    ``draws_password`` where a first password is needed for the ``username`` of the place.
    """

    name: str
    method: Literal["POST", "PUT"]
    path: str
    summary: str
    place: type[P]
    body: type[B]
    told: type[T]
    do: Callable[[Asked, P, B], T | Refusal]
    for_operators: bool = False
    draws_password: bool = False
    writes: bool = True


Operation = Read[Any, Any] | Change[Any, Any, Any]


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        # The first and the last day there are, some hours from UTC.
        return _FIRST if moment.year == 1 else _LAST


def _whole(value: object) -> object:
    """JSON knows no difference between 5 and 5.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(_whole)
"""Behind the bounds of a number, lets it be written as 5.0 too."""

Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
"""A moment in a request or an answer: RFC 3339, with its distance from UTC."""


def moment(at: int) -> datetime:
    """A time of the journal (microseconds)."""
    return _EPOCH + timedelta(microseconds=at)


def moment_or_none(at: int | None) -> datetime | None:
    """A time of the journal (microseconds), if there is one."""
    return None if at is None else moment(at)


def microseconds(at: datetime) -> int:
    """A moment as the journal keeps it."""
    return (at - _EPOCH) // timedelta(microseconds=1)
