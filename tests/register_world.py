"""A small register: an employer with everybody it may have, its provider, and a stranger; and the interface to it."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.administration import Operations
from config.settings import Settings
from gateway.openings import Channel, Opening
from gateway.operations import tokens
from gateway.operations.app import open_operations
from gateway.operations.hosting import HostingLimits
from gateway.register import channels, choices, enterprises, mandates, roles, technical
from gateway.register.actor import Operator, Refusal
from gateway.register.choices import Route
from gateway.register.enterprises import Kind
from gateway.register.persons import Candidate
from gateway.registrations import ALWAYS, Period
from spool.database import Begins, begin
from spool.journal import Journal, now

T = TypeVar("T")

OPERATOR: Final = Operator("world")
BECAUSE: Final = "to have a world"
_DAY: Final = 86_400_000_000


def enterprise_number(base: int) -> str:
    """An enterprise number that nobody has, from its first eight digits."""
    return f"{base:08}{97 - base % 97:02}"


def onss_number(base: int) -> str:
    """An ONSS number that nobody has, from its first seven digits."""
    return f"{base:07}{96 - base * 100 % 97:02}"


EMPLOYER: Final = enterprise_number(8_990_101)
PROVIDER: Final = enterprise_number(8_990_202)
STRANGER: Final = enterprise_number(8_990_303)
NOBODY: Final = enterprise_number(8_990_404)


@dataclass(frozen=True, slots=True)
class World:
    """What there is, by its numbers; ``tokens`` by user names, the operator's by ``operator``."""

    employer: int
    provider: int
    stranger: int
    sender: str
    mandate: int
    choice: int
    tokens: dict[str, str] = field(default_factory=dict)

    def shown(self, who: str) -> dict[str, str]:
        """The header by which ``who`` shows a token."""
        return {"Authorization": f"Bearer {self.tokens[who]}"}


class ForgetfulJournal(Journal):
    """Keeps nothing: every transaction is undone at its end, so that each request finds the same world."""

    @classmethod
    def like(cls, journal: Journal) -> "ForgetfulJournal":
        """One on the same database."""
        return cls(journal._engine)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is rolled back."""
        with self._engine.connect() as connection, connection.begin() as transaction:
            begin(connection, Begins.WRITING)
            yield connection
            transaction.rollback()


def done(result: T | Refusal) -> T:
    """What an act answered; a world is made without refusals."""
    assert not isinstance(result, Refusal), result
    return result


def make_world(journal: Journal) -> World:
    """Fill an empty journal; everybody's names say whose they are."""
    with journal.write() as connection:
        employer = _enterprise(connection, EMPLOYER, Kind.EMPLOYER, onss_number(1_234_501), "alpha")
        provider = _enterprise(connection, PROVIDER, Kind.FULL_SERVICE_SECRETARIAT, "", "betas")
        stranger = _enterprise(connection, STRANGER, Kind.EMPLOYER, onss_number(1_234_502), "gamma")
        done(roles.add_co_rae(connection, OPERATOR, EMPLOYER, _person("alphacorae"), reason=BECAUSE))
        done(roles.add_co_gl(connection, OPERATOR, employer, _person("alphacogl"), reason=BECAUSE))
        done(roles.add_user(connection, OPERATOR, employer, _person("alphauser"), ["DMFA"], reason=BECAUSE))
        done(technical.name(connection, OPERATOR, employer, "alphatech", reason=BECAUSE))
        sender = done(channels.open_channel(connection, OPERATOR, employer, _OPENING, reason=BECAUSE))
        mandate = done(mandates.notify_mandate(connection, OPERATOR, employer, provider, ALWAYS, reason=BECAUSE))
        route = Route(employer, employer, "*", "R", Channel.SFTP, ALWAYS)
        choice = done(choices.choose(connection, OPERATOR, route, reason=BECAUSE))
        world = World(employer, provider, stranger, sender, mandate.number, choice.number)
        for username in ("alpharae", "alphacorae", "alphagl1", "alphacogl", "alphauser", "betasrae", "gammarae"):
            world.tokens[username] = give_token(connection, username)
        world.tokens["operator"] = give_token(connection, None)
    return world


_OPENING: Final = Opening(Channel.SFTP, "R", Period(None, None))


def give_token(connection: Connection, username: str | None, days: float = 1) -> str:
    """A token of a person, or of an operator."""
    valid_to = now() + round(days * _DAY)
    return done(tokens.give(connection, OPERATOR, username, username or "portal", valid_to, reason=BECAUSE))


def _person(username: str) -> Candidate:
    return Candidate(username, f"{username[:5].title()}mark", "Someone")


def _enterprise(connection: Connection, number: str, kind: Kind, registration: str, name: str) -> int:
    done(enterprises.register_enterprise(connection, OPERATOR, number, f"{name}mark", reason=BECAUSE))
    act = enterprises.activate_quality
    quality = done(act(connection, OPERATOR, number, kind, registration, reason=BECAUSE)).number
    done(roles.name_rae(connection, OPERATOR, number, _person(f"{name}rae"), reason=BECAUSE))
    done(roles.name_gl(connection, OPERATOR, quality, _person(f"{name}gl1"), reason=BECAUSE))
    return quality


def settings_in(folder: Path, operations: Operations) -> Settings:
    """The settings that the interface looks at, with every file in ``folder``."""
    settings = Settings(operations=operations)
    sftp = settings.sftp.model_copy(update={"host_key": folder / "host.key"})
    return settings.model_copy(update={"sftp": sftp})


@contextmanager
def served(settings: Settings, journal: Journal, limits: HostingLimits | None = None) -> Iterator[int]:
    """The interface, in a loop and a thread of its own; answers its port."""
    ended = asyncio.Event()
    opened: list[tuple[asyncio.AbstractEventLoop, int]] = []
    ready = threading.Event()

    async def serve() -> None:
        async with open_operations(settings, journal, limits) as port:
            assert port is not None
            opened.append((asyncio.get_running_loop(), port))
            ready.set()
            await ended.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait()
    try:
        [(loop, port)] = opened
        try:
            yield port
        finally:
            loop.call_soon_threadsafe(ended.set)
    finally:
        thread.join()


def count(journal: Journal, table: sa.Table) -> int:
    """How many rows a table has."""
    with journal.read() as connection:
        found: int = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    return found
