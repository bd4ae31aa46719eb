"""Everything that a program can ask of the interface; what is not here cannot be asked."""

from typing import Final

from gateway.operations import (
    choices,
    credentials,
    enterprises,
    given_tokens,
    mandates,
    me,
    past,
    persons,
    qualities,
    roles,
    technical,
)
from gateway.operations.operation import Operation

OPERATIONS: Final[tuple[Operation, ...]] = (
    *me.OPERATIONS,
    *given_tokens.OPERATIONS,
    *enterprises.OPERATIONS,
    *qualities.OPERATIONS,
    *roles.OPERATIONS,
    *persons.OPERATIONS,
    *technical.OPERATIONS,
    *credentials.OPERATIONS,
    *mandates.OPERATIONS,
    *choices.OPERATIONS,
    *past.OPERATIONS,
)
