"""Two invented employers with their people, and three providers that they may choose from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import pytest
from sqlalchemy.engine import Connection

from gateway.employers import Standing
from gateway.register import enterprises, roles, speaking
from gateway.register.actor import Person, Refusal
from gateway.register.enterprises import Kind
from gateway.register.mandates import Mandate, affiliate, notify_mandate
from gateway.registrations import Period
from schemas.inspection import Employer
from spool.journal import Journal, open_journal
from tests.enterprises_made import HELPDESK, Staff, candidate, granted, staffed, undone

OFFICE: Final = "0987654394"
GL: Final = "theofficegl"


@dataclass
class Market:
    """Two employers with their people, and three providers of one enterprise, whose GL is one person."""

    connection: Connection
    first: Staff
    second: Staff
    secretariat: int
    provider: int
    rival: int

    def notify(self, period: Period, provider: int | None = None, actor: str = "") -> Mandate | Refusal:
        """Let the first employer name a provider."""
        who = Person(actor or self.first.gl)
        holder = provider or self.provider
        return notify_mandate(self.connection, who, self.first.quality, holder, period, reason="by form")

    def affiliate(self, period: Period, provider: int | None = None) -> Mandate | Refusal:
        """Let the first employer join a secretariat."""
        who, holder = Person(self.first.gl), provider or self.secretariat
        return affiliate(self.connection, who, self.first.quality, holder, period, reason="joined")

    def standing(self, provider: int, employer: Employer, at: int) -> Standing:
        """How a provider stands to an employer."""
        return speaking.mandated(self.connection, provider, [employer], at)[employer]


@pytest.fixture(scope="module")
def market_hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    """A journal for every market of a module."""
    opened = open_journal(tmp_path_factory.mktemp("market") / "journal.sqlite3", create=True)
    yield opened
    opened.close()


def market_in(connection: Connection) -> Market:
    """The market, made in a transaction."""
    first, second = staffed(connection, 0), staffed(connection, 1)
    granted(enterprises.register_enterprise(connection, HELPDESK, OFFICE, "Kantoor Verzonnen", reason="test"))
    kinds = (Kind.SOCIAL_SECRETARIAT, Kind.PROVIDER_LEGAL, Kind.FULL_SERVICE_SECRETARIAT)
    numbers = [
        granted(enterprises.activate_quality(connection, HELPDESK, OFFICE, kind, reason="test")).number
        for kind in kinds
    ]
    for number in numbers:
        who = candidate(GL) if number == numbers[0] else GL
        granted(roles.name_gl(connection, HELPDESK, number, who, ("*",), reason="test"))
    return Market(connection, first, second, *numbers)


@pytest.fixture
def market(market_hall: Journal) -> Iterator[Market]:
    """In one transaction, which leaves nothing behind."""
    with undone(market_hall) as connection:
        yield market_in(connection)
