"""What can be asked of enterprises: what they are, their qualities, their RAE and Co-RAEs."""

from typing import Annotated, Any, Final

from pydantic import Field

from gateway.operations.fields import InEnterprise, Limit, Named, OfEnterprise
from gateway.operations.operation import (
    Asked,
    Because,
    Body,
    Change,
    Moment,
    Operation,
    Place,
    Read,
    Reason,
    Told,
    moment,
)
from gateway.operations.past import ToldChanges, told_changes
from gateway.operations.roles import ToldRole, given
from gateway.operations.technical import ToldTechnical
from gateway.register import roles
from gateway.register.actor import Refusal
from gateway.register.enterprises import (
    Enterprise,
    Kind,
    Quality,
    State,
    activate_quality,
    all_enterprises,
    announce_quality,
    register_enterprise,
)
from gateway.register.persons import Candidate
from gateway.register.search import see_changes, see_enterprise
from gateway.register.standing import Holding


class Page(Place):
    """Enterprises by number, page by page."""

    after: Annotated[str, Field(pattern="^[0-9]{0,10}$", description="The last number of the page before.")] = ""
    limit: Limit = 100


class Changes(OfEnterprise):
    """The newest changes of an enterprise."""

    limit: Limit = 100


class ToldQuality(Told):
    """A quality; ``registration`` is the number that declarations name it by, empty where its kind has none."""

    quality: int
    enterprise: str
    kind: Kind
    registration: str
    state: State
    created_at: Moment


class ToldEnterprise(Told):
    """An enterprise."""

    enterprise: str
    name: str
    active: bool
    created_at: Moment


class ToldEnterprises(Told):
    """Enterprises, by number."""

    enterprises: list[ToldEnterprise]


class EnterpriseDetails(ToldEnterprise):
    """An enterprise, its qualities (those announced and those closed included), and who is what in it."""

    qualities: list[ToldQuality]
    roles: list[ToldRole]
    technical_users: list[ToldTechnical]


class EnterpriseName(Body):
    """What an enterprise is called."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    reason: Reason


class QualityWanted(Body):
    """A quality by its kind, and the number that declarations name it by, where the kind has one."""

    kind: Kind
    registration: Annotated[str, Field(max_length=20)] = ""
    reason: Reason


def told_quality(found: Quality) -> ToldQuality:
    """A quality in an answer."""
    return ToldQuality(
        quality=found.number,
        enterprise=found.enterprise,
        kind=found.kind,
        registration=found.registration,
        state=found.state,
        created_at=moment(found.created_at),
    )


def _facts(found: Enterprise) -> dict[str, Any]:
    created = moment(found.created_at)
    return {"enterprise": found.number, "name": found.name, "active": found.active, "created_at": created}


def _show(asked: Asked, place: OfEnterprise) -> EnterpriseDetails | Refusal:
    found = see_enterprise(asked.connection, asked.actor, place.enterprise)
    if isinstance(found, Refusal):
        return found
    return EnterpriseDetails(
        **_facts(found.enterprise),
        qualities=[told_quality(item) for item in found.qualities],
        roles=[ToldRole.of(item) for item in found.roles],
        technical_users=[ToldTechnical.of(item) for item in found.technical],
    )


def _list(asked: Asked, place: Page) -> ToldEnterprises:
    found = all_enterprises(asked.connection, after=place.after, limit=place.limit)
    return ToldEnterprises(enterprises=[ToldEnterprise(**_facts(item)) for item in found])


def _changes(asked: Asked, place: Changes) -> ToldChanges | Refusal:
    found = see_changes(asked.connection, asked.actor, place.enterprise, place.limit)
    return found if isinstance(found, Refusal) else told_changes(found)


def _register(asked: Asked, place: OfEnterprise, body: EnterpriseName) -> ToldEnterprise | Refusal:
    done = register_enterprise(asked.connection, asked.actor, place.enterprise, body.name, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldEnterprise(**_facts(done))


def _announce(asked: Asked, place: OfEnterprise, body: QualityWanted) -> ToldQuality | Refusal:
    done = announce_quality(
        asked.connection, asked.actor, place.enterprise, body.kind, body.registration, reason=body.reason
    )
    return done if isinstance(done, Refusal) else told_quality(done)


def _activate(asked: Asked, place: OfEnterprise, body: QualityWanted) -> ToldQuality | Refusal:
    done = activate_quality(
        asked.connection, asked.actor, place.enterprise, body.kind, body.registration, reason=body.reason
    )
    return done if isinstance(done, Refusal) else told_quality(done)


def _name_rae(asked: Asked, place: OfEnterprise, body: Named) -> ToldRole | Refusal:
    def act(who: str | Candidate) -> Holding | Refusal:
        return roles.name_rae(asked.connection, asked.actor, place.enterprise, who, reason=body.reason)

    return given(asked, body, act)


def _add_co_rae(asked: Asked, place: OfEnterprise, body: Named) -> ToldRole | Refusal:
    def act(who: str | Candidate) -> Holding | Refusal:
        return roles.add_co_rae(asked.connection, asked.actor, place.enterprise, who, reason=body.reason)

    return given(asked, body, act)


def _end_co_rae(asked: Asked, place: InEnterprise, body: Because) -> ToldRole | Refusal:
    done = roles.delete_co_rae(asked.connection, asked.actor, place.enterprise, place.username, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldRole.of(done)


_ROOT: Final = "/v1/enterprises/{enterprise}"

OPERATIONS: Final[tuple[Operation, ...]] = (
    Read(
        "listEnterprises",
        "/v1/enterprises",
        "Every enterprise.",
        Page,
        ToldEnterprises,
        _list,
        for_operators=True,
    ),
    Read("showEnterprise", _ROOT, "An enterprise, and who is what in it.", OfEnterprise, EnterpriseDetails, _show),
    Read(
        "showChanges",
        f"{_ROOT}/changes",
        "What was changed of the enterprise and of who and what belongs to it, the newest first.",
        Changes,
        ToldChanges,
        _changes,
    ),
    Change(
        "registerEnterprise",
        "PUT",
        _ROOT,
        "Enter an enterprise, or give a known one its new name.",
        OfEnterprise,
        EnterpriseName,
        ToldEnterprise,
        _register,
    ),
    Change(
        "announceQuality",
        "POST",
        f"{_ROOT}/qualities/announce",
        "Enter a quality that the network's registers give the enterprise.",
        OfEnterprise,
        QualityWanted,
        ToldQuality,
        _announce,
    ),
    Change(
        "activateQuality",
        "POST",
        f"{_ROOT}/qualities/activate",
        "Let the enterprise act in a quality.",
        OfEnterprise,
        QualityWanted,
        ToldQuality,
        _activate,
    ),
    Change(
        "nameRae",
        "PUT",
        f"{_ROOT}/rae",
        "Name the RAE, in place of the one before.",
        OfEnterprise,
        Named,
        ToldRole,
        _name_rae,
    ),
    Change(
        "addCoRae", "POST", f"{_ROOT}/co-raes", "Make somebody a Co-RAE.", OfEnterprise, Named, ToldRole, _add_co_rae
    ),
    Change(
        "endCoRae",
        "POST",
        f"{_ROOT}/co-raes/{{username}}/end",
        "Let somebody be Co-RAE no longer.",
        InEnterprise,
        Because,
        ToldRole,
        _end_co_rae,
    ),
)
