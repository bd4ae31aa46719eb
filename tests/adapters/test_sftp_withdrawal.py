"""Who is in and may no longer be is sent away while connected; what is reloaded, and who stays."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from sqlalchemy.engine import Connection
from structlog.testing import capture_logs

from channels.ports import Account, Authentication
from channels.sftp.admission import AdmissionLimits
from config.errors import ConfigurationError, TemporaryError
from gateway import accounts, parties
from gateway.parties import key_fingerprint
from spool.journal import Journal, now
from tests.adapters import sftp_door
from tests.adapters.gatehouse import PASSWORD, Register, key_line, open_gatehouse
from tests.adapters.sftp_door import FI, SENDER, House, open_house, write_key

USER, OTHER = "keyholder01", "keyholder02"


@pytest.fixture
async def gatehouse(tmp_path: Path, journal: Journal) -> AsyncIterator[tuple[House, Register]]:
    """A door and two users of one key and one of a password."""
    async with open_gatehouse(tmp_path / "house", journal) as (house, register):
        register.add(USER, Authentication.KEY, house.key)
        register.add(OTHER, Authentication.KEY, house.key)
        register.add("wordholder01", Authentication.PASSWORD, password=PASSWORD)
        yield house, register


def _end_key(connection: Connection) -> None:
    [key] = accounts.keys_of(connection, USER)
    accounts.end_key(connection, USER, key.fingerprint, now())


WITHDRAWALS: list[tuple[str, Callable[[Connection], object]]] = [
    ("blocked", lambda connection: accounts.set_active(connection, USER, active=False)),
    ("key withdrawn", _end_key),
    (
        "more has to be proved now",
        lambda connection: accounts.set_authentication(connection, USER, Authentication.BOTH),
    ),
]


@pytest.mark.parametrize(("reason", "withdraw"), WITHDRAWALS, ids=[reason for reason, _ in WITHDRAWALS])
async def test_what_is_withdrawn_ends_open_connections(
    gatehouse: tuple[House, Register], reason: str, withdraw: Callable[[Connection], object]
) -> None:
    """With words; an upload that was under way is treated as cut; others go on working."""
    house, register = gatehouse
    async with house.connect(OTHER) as neighbour, neighbour.start_sftp_client() as unharmed:
        connection = await house.connect(USER)
        client = await connection.start_sftp_client()
        file = await client.open(f"/IN/{FI}", "w")
        await file.write("half of it")
        with capture_logs() as logs:
            with register.journal.write() as change:
                withdraw(change)
            await connection.wait_closed()
        assert reason in [entry["reason"] for entry in logs if entry["event"] == "sftp.login.ended"]
        assert not await house.lets_in(USER)
        assert "IN" in await unharmed.listdir("/")
    assert [] == house.ledger.names


Change = Callable[[Connection], None]
SENDER_CHANGES: list[tuple[Change, Change]] = [
    (
        lambda connection: parties.set_active(connection, SENDER, active=False),
        lambda connection: parties.set_active(connection, SENDER, active=True),
    ),
    (
        lambda connection: accounts.set_sources(connection, SENDER, ["192.0.2.0/24"]),
        lambda connection: accounts.set_sources(connection, SENDER, []),
    ),
]


async def test_what_holds_for_a_sender_holds_for_all_its_users(gatehouse: tuple[House, Register]) -> None:
    """Blocking it, or holding it to other addresses, ends every connection of its users."""
    house, register = gatehouse
    for change, back in SENDER_CHANGES:
        opened = [await house.connect(USER), await house.connect(OTHER)]
        opened.append(await house.connect("wordholder01", client_keys=None, password=PASSWORD))
        with register.journal.write() as connection:
            change(connection)
        await asyncio.gather(*(each.wait_closed() for each in opened))
        with register.journal.write() as connection:
            back(connection)
        assert await house.lets_in(USER)


async def test_another_key_and_another_password_end_nothing(gatehouse: tuple[House, Register]) -> None:
    """A second key, the end of a key that was not used, a password that expires: the connection goes on."""
    house, register = gatehouse
    second = asyncssh.generate_private_key("ssh-ed25519")
    async with (
        house.client(USER) as client,
        house.client("wordholder01", client_keys=None, password=PASSWORD) as by_password,
    ):
        with register.journal.write() as connection:
            accounts.add_key(connection, USER, key_line(second))
            accounts.end_key(connection, USER, key_fingerprint(key_line(second)), now())
            accounts.expire_password(connection, "wordholder01")
        asked = _rechecks(house)
        await asked(2)
        assert "IN" in await client.listdir("/")
        assert "IN" in await by_password.listdir("/")


def _rechecks(house: House) -> Callable[[int], Any]:
    """Wait until the door has looked round so many times."""
    happened = asyncio.Semaphore(0)
    before = house.door._recheck

    async def noting() -> None:
        await before()
        happened.release()

    house.door._recheck = noting  # type: ignore[method-assign]  # a door tells nobody of it

    async def wait(times: int) -> None:
        for _ in range(times):
            await happened.acquire()

    return wait


class Forgetful(sftp_door.Register):
    """Accounts that cannot be asked who is still standing."""

    async def standing(self, usernames: object) -> dict[str, Account]:
        """Raises."""
        raise TemporaryError("the journal is away")


async def test_our_own_trouble_sends_nobody_away(tmp_path: Path) -> None:
    """The door goes on asking, and says so."""
    forgetful = Forgetful()
    async with open_house(tmp_path / "house", accounts=forgetful, recheck_interval=0.01) as house:
        forgetful.add("beta", SENDER, house.key)
        with capture_logs() as logs:
            async with house.client("beta") as client:
                while "sftp.recheck.failed" not in [entry["event"] for entry in logs]:
                    assert "IN" in await client.listdir("/")


# --- reload


async def test_host_keys_and_limits_are_reloaded_without_sending_anybody_away(tmp_path: Path) -> None:
    """New connections see the new key and the new limits; those there are go on."""
    async with open_house(tmp_path / "house") as house, house.client() as client:
        before = await asyncssh.get_server_host_key("127.0.0.1", house.door.port)
        new = write_key(tmp_path / "new")
        limits = AdmissionLimits(user_sessions=1)
        house.door.reload(replace(house.door.settings, host_keys=(tmp_path / "new",), admission=limits))
        after = await asyncssh.get_server_host_key("127.0.0.1", house.door.port)
        assert before is not None
        assert after is not None
        assert before.public_data != after.public_data == new.public_data
        with pytest.raises(asyncssh.DisconnectError, match="too many connections of this user"):
            await house.connect()
        assert "IN" in await client.listdir("/")


async def test_host_keys_that_cannot_be_used_change_nothing(tmp_path: Path) -> None:
    """Neither the keys nor the limits beside them."""
    async with open_house(tmp_path / "house") as house:
        settings = house.door.settings
        with pytest.raises(ConfigurationError):
            house.door.reload(replace(settings, host_keys=(tmp_path / "absent",), max_tries=1))
        assert settings is house.door.settings
        assert await house.lets_in()


# --- what others say of the door


@pytest.mark.parametrize("host_keys", [("ssh-ed25519",), ("ssh-rsa",), ("ssh-ed25519", "ssh-rsa")])
async def test_ssh_audit_finds_nothing_to_fail(tmp_path: Path, host_keys: tuple[str, ...]) -> None:
    """With every kind of host key; strict key exchange is on, and SHA-1 is nowhere."""
    paths = []
    for algorithm in host_keys:
        paths.append(tmp_path / algorithm)
        write_key(paths[-1], algorithm, **({"key_size": 3072} if algorithm == "ssh-rsa" else {}))
    async with open_house(tmp_path / "house", host_keys=paths) as house:
        port = str(house.door.port)
        ended = await house.run(sys.executable, "-m", "ssh_audit.ssh_audit", "--json", "-p", port, "127.0.0.1")
    report = json.loads(ended.out)
    kinds = ("kex", "key", "enc", "mac")
    failures = {
        entry["algorithm"]: entry["notes"]["fail"]
        for kind in kinds
        for entry in report[kind]
        if entry["notes"].get("fail")
    }
    assert {} == failures
    offered = [entry["algorithm"] for kind in kinds for entry in report[kind]]
    assert "kex-strict-s-v00@openssh.com" in offered
    assert not [name for name in offered if "sha1" in name or name in {"ssh-rsa", "ssh-dss"}]
    assert [] == report["cves"]
