"""What can be asked of the roles in a quality: its GL, Co-GLs and users."""

from collections.abc import Callable
from typing import Final, Self

from gateway.operations.fields import Applications, InQuality, Named, OfQuality
from gateway.operations.operation import Asked, Because, Body, Change, Operation, Reason, Told
from gateway.register import roles
from gateway.register.actor import Refusal
from gateway.register.persons import Candidate
from gateway.register.rights import EVERYTHING, Role
from gateway.register.standing import Holding


class ToldRole(Told):
    """A role that a person holds; ``quality`` is null for those of an enterprise as a whole."""

    username: str
    role: Role
    enterprise: str
    quality: int | None
    applications: list[str]
    given_by: str

    @classmethod
    def of(cls, held: Holding) -> Self:
        """A role in an answer."""
        return cls(
            username=held.username,
            role=held.role,
            enterprise=held.enterprise,
            quality=held.quality,
            applications=sorted(held.applications),
            given_by=held.given_by,
        )


class GlNamed(Named):
    """Who becomes GL, with access to which applications (``*``: all)."""

    applications: Applications = (EVERYTHING,)


class UserNamed(Named):
    """Who becomes a user, with access to which applications (``*``: all that the GL has)."""

    applications: Applications


class Access(Body):
    """Just these applications."""

    applications: Applications
    reason: Reason


def given(asked: Asked, body: Named, act: Callable[[str | Candidate], Holding | Refusal]) -> ToldRole | Refusal:
    """The answer to the giving of a role by ``act`` to whom ``body`` names."""
    who = body.who(asked)
    done = who if isinstance(who, Refusal) else act(who)
    return done if isinstance(done, Refusal) else ToldRole.of(done)


def _name_gl(asked: Asked, place: OfQuality, body: GlNamed) -> ToldRole | Refusal:
    def act(who: str | Candidate) -> Holding | Refusal:
        return roles.name_gl(asked.connection, asked.actor, place.quality, who, body.applications, reason=body.reason)

    return given(asked, body, act)


def _add_co_gl(asked: Asked, place: OfQuality, body: Named) -> ToldRole | Refusal:
    def act(who: str | Candidate) -> Holding | Refusal:
        return roles.add_co_gl(asked.connection, asked.actor, place.quality, who, reason=body.reason)

    return given(asked, body, act)


def _add_user(asked: Asked, place: OfQuality, body: UserNamed) -> ToldRole | Refusal:
    def act(who: str | Candidate) -> Holding | Refusal:
        return roles.add_user(asked.connection, asked.actor, place.quality, who, body.applications, reason=body.reason)

    return given(asked, body, act)


def _set_access(asked: Asked, place: InQuality, body: Access) -> ToldRole | Refusal:
    done = roles.set_applications(
        asked.connection, asked.actor, place.quality, place.username, body.applications, reason=body.reason
    )
    return done if isinstance(done, Refusal) else ToldRole.of(done)


def _end_co_gl(asked: Asked, place: InQuality, body: Because) -> ToldRole | Refusal:
    done = roles.delete_co_gl(asked.connection, asked.actor, place.quality, place.username, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldRole.of(done)


def _end_user(asked: Asked, place: InQuality, body: Because) -> ToldRole | Refusal:
    done = roles.delete_user(asked.connection, asked.actor, place.quality, place.username, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldRole.of(done)


_ROOT: Final = "/v1/qualities/{quality}"

OPERATIONS: Final[tuple[Operation, ...]] = (
    Change(
        "nameGl",
        "PUT",
        f"{_ROOT}/gl",
        "Name the GL in place of the one before, or give the present one another access.",
        OfQuality,
        GlNamed,
        ToldRole,
        _name_gl,
    ),
    Change("addCoGl", "POST", f"{_ROOT}/co-gls", "Make somebody a Co-GL.", OfQuality, Named, ToldRole, _add_co_gl),
    Change(
        "endCoGl",
        "POST",
        f"{_ROOT}/co-gls/{{username}}/end",
        "Let somebody be Co-GL no longer.",
        InQuality,
        Because,
        ToldRole,
        _end_co_gl,
    ),
    Change("addUser", "POST", f"{_ROOT}/users", "Make somebody a user.", OfQuality, UserNamed, ToldRole, _add_user),
    Change(
        "setAccess",
        "PUT",
        f"{_ROOT}/users/{{username}}/applications",
        "Give a user just these applications.",
        InQuality,
        Access,
        ToldRole,
        _set_access,
    ),
    Change(
        "endUser",
        "POST",
        f"{_ROOT}/users/{{username}}/end",
        "Let somebody be a user no longer.",
        InQuality,
        Because,
        ToldRole,
        _end_user,
    ),
)
