"""Who am I here, and what does my token let me do?"""

from typing import Final

from gateway.operations.operation import Asked, Moment, Operation, Place, Read, Told, moment
from gateway.operations.roles import ToldRole
from gateway.register import standing
from gateway.register.actor import Person, label


class Me(Told):
    """Whom a token acts as."""

    actor: str
    operator: bool
    token: str
    valid_to: Moment
    roles: list[ToldRole]


def _whoami(asked: Asked, _: Place) -> Me:
    held = standing.holdings(asked.connection, username=asked.actor.username) if isinstance(asked.actor, Person) else []
    return Me(
        actor=label(asked.actor),
        operator=not isinstance(asked.actor, Person),
        token=asked.token.name,
        valid_to=moment(asked.token.valid_to),
        roles=[ToldRole.of(item) for item in held],
    )


OPERATIONS: Final[tuple[Operation, ...]] = (Read("showMe", "/v1/me", "Whom the token stands for.", Place, Me, _whoami),)
