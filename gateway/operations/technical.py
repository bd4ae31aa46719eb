"""What can be asked of technical users: the names under which structured messages are sent."""

from typing import Final, Self

from gateway.operations.fields import OfPerson, OfQuality, UserName
from gateway.operations.operation import Asked, Because, Body, Change, Operation, Reason, Told
from gateway.operations.passwords import ToldPassword
from gateway.register import technical
from gateway.register.actor import Refusal
from gateway.register.technical import Technical


class ToldTechnical(Told):
    """A technical user; ``sender`` is null until the quality has its first channel."""

    username: str
    quality: int
    sender: str | None
    state: str

    @classmethod
    def of(cls, known: Technical) -> Self:
        """A technical user in an answer."""
        return cls(username=known.username, quality=known.quality, sender=known.sender, state=known.state)


class TechnicalName(Body):
    """A user name for the technical user."""

    username: UserName
    reason: Reason


def _name(asked: Asked, place: OfQuality, body: TechnicalName) -> ToldTechnical | Refusal:
    return _told(technical.name(asked.connection, asked.actor, place.quality, body.username, reason=body.reason))


def _block(asked: Asked, place: OfPerson, body: Because) -> ToldTechnical | Refusal:
    return _told(technical.block(asked.connection, asked.actor, place.username, reason=body.reason))


def _unblock(asked: Asked, place: OfPerson, body: Because) -> ToldTechnical | Refusal:
    return _told(technical.unblock(asked.connection, asked.actor, place.username, reason=body.reason))


def _delete(asked: Asked, place: OfPerson, body: Because) -> ToldTechnical | Refusal:
    return _told(technical.delete(asked.connection, asked.actor, place.username, reason=body.reason))


def _report_lost(asked: Asked, place: OfPerson, body: Because) -> ToldTechnical | Refusal:
    return _told(technical.report_lost(asked.connection, asked.actor, place.username, reason=body.reason))


def _give_password(asked: Asked, place: OfPerson, body: Because) -> ToldPassword | Refusal:
    first = asked.drawn()
    done = technical.give_password(asked.connection, asked.actor, place.username, first, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldPassword.of(first)


def _told(done: Technical | Refusal) -> ToldTechnical | Refusal:
    return done if isinstance(done, Refusal) else ToldTechnical.of(done)


_ROOT: Final = "/v1/technical-users/{username}"

OPERATIONS: Final[tuple[Operation, ...]] = (
    Change(
        "nameTechnicalUser",
        "PUT",
        "/v1/qualities/{quality}/technical-user",
        "Name the technical user of a quality, which has none.",
        OfQuality,
        TechnicalName,
        ToldTechnical,
        _name,
    ),
    Change(
        "blockTechnicalUser", "POST", f"{_ROOT}/block", "Let it in nowhere.", OfPerson, Because, ToldTechnical, _block
    ),
    Change(
        "unblockTechnicalUser",
        "POST",
        f"{_ROOT}/unblock",
        "Let it in again.",
        OfPerson,
        Because,
        ToldTechnical,
        _unblock,
    ),
    Change(
        "deleteTechnicalUser",
        "POST",
        f"{_ROOT}/delete",
        "Let it be one no longer; the name is never given again.",
        OfPerson,
        Because,
        ToldTechnical,
        _delete,
    ),
    Change(
        "reportTechnicalUserLost",
        "POST",
        f"{_ROOT}/lost",
        "Make all it logs in with useless at once.",
        OfPerson,
        Because,
        ToldTechnical,
        _report_lost,
    ),
    Change(
        "giveTechnicalUserPassword",
        "POST",
        f"{_ROOT}/password",
        "Give a first password, which is told here and never again.",
        OfPerson,
        Because,
        ToldPassword,
        _give_password,
        draws_password=True,
    ),
)
