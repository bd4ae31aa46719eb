"""What can be asked of routing choices: to whom, and by what, goes what comes back about an employer."""

from typing import Annotated, Final, Self

from pydantic import Field

from gateway.openings import Channel
from gateway.operations.fields import OfQuality, Serial, Span, ToldSpan
from gateway.operations.mandates import Ended
from gateway.operations.operation import (
    Asked,
    Change,
    Operation,
    Place,
    Read,
    Reason,
    Told,
    microseconds,
    moment_or_none,
)
from gateway.operations.qualities import Environment
from gateway.register import choices
from gateway.register.actor import Refusal
from gateway.register.choices import EVERY_TYPE, Choice, Route
from gateway.register.enterprises import quality_for
from gateway.register.rights import Act


class OfChoice(Place):
    """A choice."""

    choice: Serial


class ToldChoice(ToldSpan):
    """Messages of ``purpose`` (``*``: of every type) about ``employer`` go to ``recipient``, by ``channel``."""

    choice: int
    employer: int
    recipient: int
    purpose: str
    environment: str
    channel: Channel

    @classmethod
    def of(cls, made: Choice) -> Self:
        """A choice in an answer."""
        route = made.route
        return cls(
            choice=made.number,
            employer=route.employer,
            recipient=route.recipient,
            purpose=route.purpose,
            environment=route.environment,
            channel=route.channel,
            valid_from=moment_or_none(route.period.start),
            valid_to=moment_or_none(route.period.end),
        )


class ToldChoices(Told):
    """Every choice that was ever made for an employer, in the order in which they were made."""

    choices: list[ToldChoice]


class Question(OfQuality):
    """Messages of a type about an employer."""

    purpose: Annotated[str, Field(pattern="^[A-Z0-9]{4}$")]
    environment: Environment


class ToldRecipient(Told):
    """Where a message goes now that is about nothing anybody has sent; ``sender`` is null for an e-Box."""

    recipient: int | None
    channel: Channel
    sender: str | None
    chosen: bool


class ChoiceWanted(Span):
    """To whom (a provider that has its mandate; without one: the employer itself) and by what."""

    recipient: Serial | None = None
    purpose: Annotated[str, Field(pattern=r"^([A-Z0-9]{4}|\*)$")] = EVERY_TYPE
    environment: Environment
    channel: Channel
    reason: Reason


def _list(asked: Asked, place: OfQuality) -> ToldChoices | Refusal:
    mine = quality_for(asked.connection, asked.actor, Act.CHANGE_QUALITY, place.quality)
    if isinstance(mine, Refusal):
        return mine
    return ToldChoices(choices=[ToldChoice.of(item) for item in choices.choices_of(asked.connection, place.quality)])


def _explain(asked: Asked, place: Question) -> ToldRecipient | Refusal:
    mine = quality_for(asked.connection, asked.actor, Act.CHANGE_QUALITY, place.quality)
    if isinstance(mine, Refusal):
        return mine
    goes = choices.recipient_of(asked.connection, place.quality, place.purpose, place.environment, asked.at)
    return ToldRecipient(recipient=goes.quality, channel=goes.channel, sender=goes.sender, chosen=goes.chosen)


def _choose(asked: Asked, place: OfQuality, body: ChoiceWanted) -> ToldChoice | Refusal:
    recipient = body.recipient or place.quality
    route = Route(place.quality, recipient, body.purpose, body.environment, body.channel, body.period())
    done = choices.choose(asked.connection, asked.actor, route, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldChoice.of(done)


def _end(asked: Asked, place: OfChoice, body: Ended) -> ToldChoice | Refusal:
    at = asked.at if body.at is None else microseconds(body.at)
    done = choices.end_choice(asked.connection, asked.actor, place.choice, at, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldChoice.of(done)


_ROOT: Final = "/v1/qualities/{quality}/choices"

OPERATIONS: Final[tuple[Operation, ...]] = (
    Read("listChoices", _ROOT, "Choices for an employer.", OfQuality, ToldChoices, _list),
    Read(
        "explainRouting",
        "/v1/qualities/{quality}/recipient",
        "Where a message about the employer goes.",
        Question,
        ToldRecipient,
        _explain,
    ),
    Change("choose", "POST", _ROOT, "Choose recipient and channel.", OfQuality, ChoiceWanted, ToldChoice, _choose),
    Change("endChoice", "POST", "/v1/choices/{choice}/end", "End a choice.", OfChoice, Ended, ToldChoice, _end),
)
