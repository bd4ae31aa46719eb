"""What do the names and numbers look like that several rows of the table speak of?"""

from typing import Annotated

from pydantic import Field

from config.errors import ConfigurationError, TemporaryError
from gateway.operations.operation import WHOLE, Asked, Body, Moment, Place, Reason, Told, microseconds, moment_or_none
from gateway.register import inss
from gateway.register.actor import Refusal, Why
from gateway.register.persons import Candidate
from gateway.registrations import Period
from schemas.wording import Language

EnterpriseNumber = Annotated[str, Field(pattern="^[0-9]{10}$", description="In the Crossroads Bank for Enterprises.")]
UserName = Annotated[str, Field(pattern="^[0-9a-z]{8,30}$")]
SenderNumber = Annotated[str, Field(pattern="^[0-9]{6}$")]
Serial = Annotated[int, Field(ge=1, le=2**53 - 1), WHOLE]
Applications = Annotated[tuple[Annotated[str, Field(max_length=40)], ...], Field(max_length=200)]
Emails = Annotated[tuple[Annotated[str, Field(max_length=320)], ...], Field(max_length=5)]
Limit = Annotated[int, Field(ge=1, le=500, description="So many at most."), WHOLE]


class OfEnterprise(Place):
    """An enterprise."""

    enterprise: EnterpriseNumber


class InEnterprise(OfEnterprise):
    """Somebody in an enterprise."""

    username: UserName


class OfQuality(Place):
    """A quality of an enterprise."""

    quality: Serial


class InQuality(OfQuality):
    """Somebody in a quality."""

    username: UserName


class OfPerson(Place):
    """A person, or a technical user."""

    username: UserName


class InssKeyMissedError(TemporaryError):
    """No INSS can be compared just now."""


class NewPerson(Body):
    """Somebody who isn't in the register yet; of the INSS only a keyed hash is kept."""

    last_name: Annotated[str, Field(min_length=1, max_length=100)]
    first_name: Annotated[str, Field(min_length=1, max_length=100)]
    title: Annotated[str, Field(max_length=20)] = ""
    language: Language = Language.FR
    emails: Emails = ()
    inss: Annotated[str, Field(max_length=20)] | None = None


class Named(Body):
    """Who gets a role: a user name that is known in the enterprise, or, with ``person``, a new one."""

    username: UserName
    person: NewPerson | None = None
    reason: Reason

    def who(self, asked: Asked) -> str | Candidate | Refusal:
        """The person as the register's acts want it.

        Raises:
            InssKeyMissedError: the key that INSSs are hashed with cannot be used.
        """
        new = self.person
        if new is None:
            return self.username
        mark = None if new.inss is None else inss_mark(asked, new.inss)
        if isinstance(mark, Refusal):
            return mark
        return Candidate(self.username, new.last_name, new.first_name, new.title, new.language, new.emails, mark)


class Span(Body):
    """From when (without: from now or from ever on) until just before when (without: open)."""

    valid_from: Moment | None = None
    valid_to: Moment | None = None

    def period(self) -> Period:
        """As the register keeps it."""
        start, end = self.valid_from, self.valid_to
        return Period(None if start is None else microseconds(start), None if end is None else microseconds(end))


class ToldSpan(Told):
    """From when (null: from ever on) until just before when (null: open)."""

    valid_from: Moment | None
    valid_to: Moment | None


def told_span(period: Period) -> ToldSpan:
    """A period in an answer."""
    return ToldSpan(valid_from=moment_or_none(period.start), valid_to=moment_or_none(period.end))


def inss_mark(asked: Asked, typed: str) -> str | Refusal:
    """The keyed hash of an INSS as it may be typed.

    Raises:
        InssKeyMissedError: the key cannot be used.
    """
    digits = inss.normal(typed)
    if digits is None:
        return Refusal(Why.INVALID, "this is no INSS")
    try:
        return inss.mark(inss.key_of(asked.connection, inss.key_file(asked.settings)), digits)
    except ConfigurationError as fault:
        raise InssKeyMissedError("the key of the INSSs") from fault
