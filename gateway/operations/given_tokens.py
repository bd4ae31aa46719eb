"""What can be asked of tokens: which there are, one for a person, and the end of one."""

from typing import Annotated, Final, Literal, Self

from pydantic import Field

from gateway.operations import tokens
from gateway.operations.fields import Limit, UserName
from gateway.operations.operation import (
    PRINTABLE,
    WHOLE,
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
    moment_or_none,
)
from gateway.operations.tokens import Token
from gateway.register.actor import Person, Refusal

_DAY: Final = 86_400 * 1_000_000


class OfToken(Place):
    """A token, by the beginning of its SHA-256 in hex."""

    token: Annotated[str, Field(pattern="^[0-9a-f]{12}$")]


class Page(Place):
    """Tokens in order of their giving, page by page."""

    after: Annotated[str, Field(pattern="^([0-9a-f]{12})?$", description="The last token of the page before.")] = ""
    limit: Limit = 100


class ToldToken(Told):
    """What is kept of a token; ``username`` is null for an operator's."""

    token: str
    username: str | None
    label: str
    state: Literal["active", "expired", "revoked"]
    created_at: Moment
    valid_to: Moment
    revoked_at: Moment | None

    @classmethod
    def of(cls, kept: Token, at: int) -> Self:
        """A token in an answer."""
        return cls(
            token=kept.name,
            username=kept.username,
            label=kept.label,
            state=kept.state(at),
            created_at=moment(kept.created_at),
            valid_to=moment(kept.valid_to),
            revoked_at=moment_or_none(kept.revoked_at),
        )


class ToldTokens(Told):
    """Tokens, in order of their giving."""

    tokens: list[ToldToken]


class TokenWanted(Body):
    """A token for a person; one for an operator is given on the machine itself only."""

    username: UserName
    label: Annotated[str, Field(min_length=1, max_length=tokens.LONGEST_LABEL, pattern=PRINTABLE)]
    days: (
        Annotated[int, Field(ge=1, description="Without: as long as the settings let it; never longer."), WHOLE] | None
    ) = None
    reason: Reason


class NewToken(Told):
    """The token itself, which is told here and never again."""

    token: str
    valid_to: Moment


def _list(asked: Asked, place: Page) -> ToldTokens:
    own = asked.actor.username if isinstance(asked.actor, Person) else None
    found = tokens.tokens(asked.connection, username=own, after=place.after, limit=place.limit)
    return ToldTokens(tokens=[ToldToken.of(item, asked.at) for item in found])


def _give(asked: Asked, _: Place, body: TokenWanted) -> NewToken | Refusal:
    longest = asked.settings.operations.token_days
    valid_to = asked.at + min(body.days or longest, longest) * _DAY
    word = tokens.give(asked.connection, asked.actor, body.username, body.label, valid_to, reason=body.reason)
    return word if isinstance(word, Refusal) else NewToken(token=word, valid_to=moment(valid_to))


def _revoke(asked: Asked, place: OfToken, body: Because) -> ToldToken | Refusal:
    stopped = tokens.revoke(asked.connection, asked.actor, place.token, at=asked.at, reason=body.reason)
    return stopped if isinstance(stopped, Refusal) else ToldToken.of(stopped, asked.at)


OPERATIONS: Final[tuple[Operation, ...]] = (
    Read("listTokens", "/v1/tokens", "Your tokens; an operator's: all tokens.", Page, ToldTokens, _list),
    Change(
        "giveToken",
        "POST",
        "/v1/tokens",
        "Give a person a token.",
        Place,
        TokenWanted,
        NewToken,
        _give,
        for_operators=True,
    ),
    Change(
        "revokeToken",
        "POST",
        "/v1/tokens/{token}/revoke",
        "Stop a token at once.",
        OfToken,
        Because,
        ToldToken,
        _revoke,
    ),
)
