"""What can be asked of a quality: what it is, who is what in it, and by which channels it sends and receives."""

from typing import Annotated, Final, Literal

from pydantic import Field

from gateway.openings import Channel, Opening, openings_of
from gateway.operations.enterprises import ToldQuality, told_quality
from gateway.operations.fields import OfQuality, Span, ToldSpan
from gateway.operations.operation import (
    Asked,
    Because,
    Body,
    Change,
    Moment,
    Operation,
    Read,
    Reason,
    Told,
    microseconds,
    moment_or_none,
)
from gateway.operations.roles import ToldRole
from gateway.operations.technical import ToldTechnical
from gateway.register import channels, technical, withdrawal
from gateway.register.actor import Refusal
from gateway.register.enterprises import quality_for
from gateway.register.rights import Act
from gateway.register.standing import holdings

Environment = Annotated[Literal["R", "T", "S"], Field(description="Real, test or simulation.")]


class ToldOpening(ToldSpan):
    """A channel in one environment, and when it is open."""

    channel: Channel
    environment: str


class QualityDetails(ToldQuality):
    """A quality, who is what in it, and its sender number with the channels that it has or had."""

    roles: list[ToldRole]
    technical_users: list[ToldTechnical]
    sender: str | None
    channels: list[ToldOpening]


class ToldSender(Told):
    """The sender number of a quality, which stays whatever is closed."""

    sender: str


class OpeningWanted(Span):
    """A channel to be opened."""

    channel: Channel
    environment: Environment
    reason: Reason


class ClosingWanted(Body):
    """A channel to be closed; without a moment now."""

    channel: Channel
    environment: Environment
    at: Moment | None = None
    reason: Reason


def _show(asked: Asked, place: OfQuality) -> QualityDetails | Refusal:
    found = quality_for(asked.connection, asked.actor, Act.CHANGE_QUALITY, place.quality)
    if isinstance(found, Refusal):
        return found
    sender = channels.sender_of(asked.connection, place.quality)
    openings = () if sender is None else openings_of(asked.connection, sender)
    return QualityDetails(
        **told_quality(found).model_dump(),
        roles=[ToldRole.of(item) for item in holdings(asked.connection, quality=place.quality)],
        technical_users=[ToldTechnical.of(item) for item in technical.of_quality(asked.connection, place.quality)],
        sender=sender,
        channels=[_told_opening(item) for item in openings],
    )


def _told_opening(item: Opening) -> ToldOpening:
    start, end = moment_or_none(item.period.start), moment_or_none(item.period.end)
    return ToldOpening(channel=item.channel, environment=item.environment, valid_from=start, valid_to=end)


def _close_quality(asked: Asked, place: OfQuality, body: Because) -> ToldQuality | Refusal:
    done = withdrawal.close_quality(asked.connection, asked.actor, place.quality, reason=body.reason)
    return done if isinstance(done, Refusal) else told_quality(done)


def _open(asked: Asked, place: OfQuality, body: OpeningWanted) -> ToldSender | Refusal:
    opening = Opening(body.channel, body.environment, body.period())
    done = channels.open_channel(asked.connection, asked.actor, place.quality, opening, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldSender(sender=done)


def _close(asked: Asked, place: OfQuality, body: ClosingWanted) -> ToldSender | Refusal:
    at = asked.at if body.at is None else microseconds(body.at)
    opening = Opening(body.channel, body.environment)
    done = channels.close_channel(asked.connection, asked.actor, place.quality, opening, at, reason=body.reason)
    return done if isinstance(done, Refusal) else ToldSender(sender=done)


_ROOT: Final = "/v1/qualities/{quality}"

OPERATIONS: Final[tuple[Operation, ...]] = (
    Read("showQuality", _ROOT, "A quality, and who is what in it.", OfQuality, QualityDetails, _show),
    Change(
        "closeQuality",
        "POST",
        f"{_ROOT}/close",
        "Let nobody act in it any more; its roles and its technical user end.",
        OfQuality,
        Because,
        ToldQuality,
        _close_quality,
    ),
    Change(
        "openChannel",
        "POST",
        f"{_ROOT}/channels/open",
        "Open a channel; the first one gives the sender number.",
        OfQuality,
        OpeningWanted,
        ToldSender,
        _open,
    ),
    Change(
        "closeChannel",
        "POST",
        f"{_ROOT}/channels/close",
        "Close a channel.",
        OfQuality,
        ClosingWanted,
        ToldSender,
        _close,
    ),
)
