"""How does an answer carry a first password?  Once; and it is drawn before the transaction, for it costs a hash."""

from typing import Self

from gateway.operations.operation import Moment, Told, moment
from gateway.register.passwords import FirstPassword


class ToldPassword(Told):
    """A first password, which is told here and never again; it has to be changed at its first use."""

    password: str
    usable_until: Moment

    @classmethod
    def of(cls, first: FirstPassword) -> Self:
        """A first password in an answer."""
        return cls(password=first.word, usable_until=moment(first.usable_until))
