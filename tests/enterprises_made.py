"""Two invented enterprises with everybody that there can be in one, for tests of the register."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, TypeVar

from sqlalchemy.engine import Connection

from gateway.register import enterprises, roles
from gateway.register.actor import Operator, Refusal
from gateway.register.enterprises import Kind
from gateway.register.persons import Candidate
from spool.database import Begins, begin
from spool.journal import Journal

T = TypeVar("T")

ENTERPRISES: Final = ("0123456749", "0200000043")
ONSS_NUMBERS: Final = ("100006", "100103")
HELPDESK: Final = Operator("helpdesk")
APPLICATIONS: Final = ("DIMN", "DMFA")


@dataclass(frozen=True, slots=True)
class Staff:
    """An enterprise with an employer's quality and one person in each role; the GL has ``APPLICATIONS``."""

    enterprise: str
    quality: int
    rae: str
    co_rae: str
    gl: str
    co_gl: str
    user: str

    @property
    def by_role(self) -> dict[str, str]:
        """The user names by the names of the roles."""
        return {"rae": self.rae, "co-rae": self.co_rae, "gl": self.gl, "co-gl": self.co_gl, "user": self.user}


def granted(result: T | Refusal) -> T:
    """What an act answers that has to be done."""
    assert not isinstance(result, Refusal), result.words
    return result


def candidate(username: str) -> Candidate:
    """Somebody invented."""
    return Candidate(username, "Verzonnen", "Annemie")


def staffed(connection: Connection, which: int = 0) -> Staff:
    """The first or the second enterprise; its people's names end in 1 or 2."""
    number, end = ENTERPRISES[which], str(which + 1)
    why = {"reason": "made for a test"}
    granted(enterprises.register_enterprise(connection, HELPDESK, number, "Bakkerij Verzonnen", **why))
    registration = ONSS_NUMBERS[which]
    active = enterprises.activate_quality(connection, HELPDESK, number, Kind.EMPLOYER, registration, **why)
    quality = granted(active).number
    staff = Staff(
        number, quality, *(f"{name}{end}" for name in ("theonerae", "thecorae", "theonegl", "thecogl", "theuser"))
    )
    granted(roles.name_rae(connection, HELPDESK, number, candidate(staff.rae), **why))
    granted(roles.add_co_rae(connection, HELPDESK, number, candidate(staff.co_rae), **why))
    granted(roles.name_gl(connection, HELPDESK, quality, candidate(staff.gl), APPLICATIONS, **why))
    granted(roles.add_co_gl(connection, HELPDESK, quality, candidate(staff.co_gl), **why))
    granted(roles.add_user(connection, HELPDESK, quality, candidate(staff.user), APPLICATIONS[:1], **why))
    return staff


@contextmanager
def undone(journal: Journal) -> Iterator[Connection]:
    """One transaction that leaves nothing behind: cheaper than a journal for each of many small tests."""
    with journal._engine.connect() as connection:
        begin(connection, Begins.WRITING)
        yield connection
        connection.rollback()
