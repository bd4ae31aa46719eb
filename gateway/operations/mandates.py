"""What can be asked of mandates: who may act for whom, and until when."""

from typing import Annotated, Final, Self

from pydantic import Field

from gateway.operations.fields import Limit, OfQuality, Serial, Span, ToldSpan
from gateway.operations.operation import (
    WHOLE,
    Asked,
    Body,
    Change,
    Moment,
    Operation,
    Place,
    Read,
    Reason,
    Told,
    microseconds,
    moment_or_none,
)
from gateway.register import mandates
from gateway.register.actor import Refusal
from gateway.register.enterprises import quality_for
from gateway.register.mandates import Mandate, Means
from gateway.register.rights import Act


class OfMandate(Place):
    """A mandate."""

    mandate: Serial


class Page(OfQuality):
    """The mandates that a quality has given or holds: those that count at a moment, or all there ever were."""

    at: Moment | None = None
    after: Annotated[int, Field(ge=0, le=2**53 - 1, description="The last number of the page before."), WHOLE] = 0
    limit: Limit = 100


class ToldMandate(ToldSpan):
    """The right of ``provider`` to act for ``employer``, both by the numbers of their qualities."""

    mandate: int
    employer: int
    provider: int
    means: Means

    @classmethod
    def of(cls, found: Mandate) -> Self:
        """A mandate in an answer."""
        return cls(
            mandate=found.number,
            employer=found.employer,
            provider=found.provider,
            means=found.means,
            valid_from=moment_or_none(found.period.start),
            valid_to=moment_or_none(found.period.end),
        )


class ToldMandates(Told):
    """Mandates, in the order in which they were entered."""

    mandates: list[ToldMandate]


class MandateWanted(Span):
    """Who shall act for the employer: its secretariat by affiliation, or a provider by notification."""

    provider: Serial
    means: Means
    reason: Reason


class Ended(Body):
    """When it ends; without a moment now."""

    at: Moment | None = None
    reason: Reason


def _list(asked: Asked, place: Page) -> ToldMandates | Refusal:
    mine = quality_for(asked.connection, asked.actor, Act.CHANGE_QUALITY, place.quality)
    if isinstance(mine, Refusal):
        return mine
    at = None if place.at is None else microseconds(place.at)
    found = mandates.mandates_of(asked.connection, place.quality, at=at, after=place.after, limit=place.limit)
    return ToldMandates(mandates=[ToldMandate.of(item) for item in found])


def _give(asked: Asked, place: OfQuality, body: MandateWanted) -> ToldMandate | Refusal:
    act = mandates.affiliate if body.means is Means.SECRETARIAT else mandates.notify_mandate
    done = act(asked.connection, asked.actor, place.quality, body.provider, body.period(), reason=body.reason)
    return done if isinstance(done, Refusal) else ToldMandate.of(done)


def _end(asked: Asked, place: OfMandate, body: Ended) -> ToldMandate | Refusal:
    at = asked.at if body.at is None else microseconds(body.at)
    done = mandates.end_mandate(asked.connection, asked.actor, place.mandate, at, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldMandate.of(done)


_ROOT: Final = "/v1/qualities/{quality}/mandates"

OPERATIONS: Final[tuple[Operation, ...]] = (
    Read("listMandates", _ROOT, "Mandates that a quality has given or holds.", Page, ToldMandates, _list),
    Change(
        "giveMandate",
        "POST",
        _ROOT,
        "Let a provider act for an employer.",
        OfQuality,
        MandateWanted,
        ToldMandate,
        _give,
    ),
    Change("endMandate", "POST", "/v1/mandates/{mandate}/end", "End a mandate.", OfMandate, Ended, ToldMandate, _end),
)
