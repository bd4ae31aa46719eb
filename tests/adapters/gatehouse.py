"""A real door before real accounts in a real journal, and OpenSSH's client with somebody who types."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncssh
import sqlalchemy as sa

from channels.ports import Authentication
from gateway import accounts, parties
from gateway.defender import LockRules
from gateway.gatekeeper import Gatekeeper, LoginPolicy
from gateway.parties import Sender, SignatureProfile
from gateway.password_rules import RULES
from gateway.passwords import Hashing, HashingLimits
from spool.journal import Journal, now
from spool.tables import events
from tests.adapters.sftp_door import SENDER, House, Program, open_house
from tests.askpass import Typist

PASSWORD: Final = "correct-horse-7-battery"
NEW_PASSWORD: Final = "another-horse-8-staple"
DAY: Final = 86_400_000_000
CHEAP: Final = HashingLimits(memory_kib=1024, passes=1)


def policy(**locks: Any) -> LoginPolicy:
    """The usual rules; those of locks may be given."""
    return LoginPolicy(rules=RULES["default"], locks=LockRules(**locks), password_days=180, history=5)


def add_sender(journal: Journal, number: str = SENDER) -> None:
    """Register a sender."""
    with journal.write() as connection:
        parties.add_sender(connection, Sender(number, SignatureProfile.DETACHED, "RTS", ("*",), active=True))


def key_line(key: asyncssh.SSHKey) -> str:
    """The public half of ``key`` as an OpenSSH line."""
    return " ".join(key.export_public_key().decode().split()[:2])


@dataclass
class Register:
    """Users in a journal, and a gatekeeper over them."""

    journal: Journal
    hashing: Hashing
    gatekeeper: Gatekeeper
    given: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        username: str,
        way: Authentication,
        *keys: asyncssh.SSHKey,
        password: str | None = None,
        given: str | None = None,
    ) -> None:
        """Register a user; ``password`` is one it has chosen, ``given`` a first one that it still has to change."""
        with self.journal.write() as connection:
            parties.add_user(connection, SENDER, username, [key_line(key) for key in keys])
            accounts.set_authentication(connection, username, way)
            if password is not None:
                accounts.change_password(connection, username, self.hashing.hash(password))
            if given is not None:
                accounts.give_password(connection, username, self.hashing.hash(given), now() + DAY)

    def noted(self, name: str) -> list[dict[str, Any]]:
        """The facts of every event of this name."""
        with self.journal.read() as connection:
            query = sa.select(events.c.facts).where(events.c.name == name).order_by(events.c.number)
            return list(connection.execute(query).scalars())


@asynccontextmanager
async def open_register(journal: Journal, limits: HashingLimits = CHEAP, **locks: Any) -> AsyncIterator[Register]:
    """A gatekeeper over one sender in ``journal``."""
    add_sender(journal)
    hashing = Hashing(limits)
    gatekeeper = Gatekeeper(journal, hashing, policy(**locks))
    try:
        yield Register(journal, hashing, gatekeeper)
    finally:
        gatekeeper.close()


@asynccontextmanager
async def open_gatehouse(
    folder: Path, journal: Journal, *, locks: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[tuple[House, Register]]:
    """A door before that gatekeeper."""
    async with open_register(journal, **locks or {}) as register:
        settings.setdefault("recheck_interval", 0.05)
        async with open_house(folder, accounts=register.gatekeeper, **settings) as house:
            yield house, register


async def typed(house: House, username: str, answers: Sequence[str], *, key: bool = False) -> Program:
    """Run OpenSSH's sftp as ``username``, typing ``answers`` one after another whatever is asked; then list the root.

    The questions stand at the end of ``err``, each on a line that begins with ``asked:``.
    """
    typist = Typist(house.folder)
    ended = await house.run(
        *("sftp", "-F", "/dev/null", "-i", str(house.keyfile), "-o", "IdentitiesOnly=yes"),
        *("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={house.folder / 'known_hosts'}"),
        *("-o", f"PreferredAuthentications={'publickey,password' if key else 'password'}"),
        *("-o", "NumberOfPasswordPrompts=1", "-P", str(house.door.port), f"{username}@127.0.0.1"),
        typed="ls\n",
        environment=typist.prepare(answers),
    )
    asked = "".join(f"asked: {question}\n" for question in typist.questions)
    return Program(ended.status, ended.out, ended.err + asked)
