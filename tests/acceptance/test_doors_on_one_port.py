"""Two doors listen on one port: the limits of a user and of a sender are those of both together."""

import asyncio
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.authority import Credential, Pki
from tests.command_line import move_to_postgresql
from tests.gateway_process import SENDER, USER, GatewayProcess, Site, make_test_site, running
from tests.postgres import Cluster

SESSIONS = 4
BYTES = 400_000


@pytest.fixture
def moved(tmp_path: Path, pki: Pki, signer: Credential, cluster: Cluster) -> Site:
    """A site on PostgreSQL, with a port that several may listen on."""
    site = make_test_site(tmp_path, pki, signer)
    move_to_postgresql(site, cluster.empty_database())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        site.port = listener.getsockname()[1]
    site.configure("port = 0", f"port = {site.port}", section="sftp")
    site.configure("reuse_port = false", "reuse_port = true")
    site.configure("user_connections = 20", f"user_connections = {SESSIONS}")
    site.configure("max_waiting_bytes = 4294967296", f"max_waiting_bytes = {BYTES}", section="intake")
    return site


async def connections(site: Site, tries: int) -> list[asyncssh.SSHClientConnection]:
    """Those that came in of so many that tried at once."""
    keys = [str(site.work / "id_ed25519")]
    options: Any = {"username": USER, "client_keys": keys, "known_hosts": None, "config": None, "agent_path": None}
    begun = [asyncssh.connect("127.0.0.1", site.port, **options) for _ in range(tries)]
    found = await asyncio.gather(*begun, return_exceptions=True)
    refused = {str(one)[:34] for one in found if isinstance(one, BaseException)}
    assert refused == {"too many connections of this user;"}
    return [one for one in found if isinstance(one, asyncssh.SSHClientConnection)]


async def bring(connection: asyncssh.SSHClientConnection, number: int) -> int:
    """How many bytes a connection brings, in files of 10,000, before one is refused."""
    came = 0
    async with connection.start_sftp_client() as client:
        try:
            while True:
                async with client.open(f"IN/FI.DIMN.{SENDER}.20261121.{number}{came // 10_000:04}.R.1.1", "wb") as file:
                    await file.write(bytes(10_000))
                came += 10_000
        except asyncssh.SFTPError as refused:
            assert refused.reason.startswith(f"your IN directories may hold {BYTES} bytes together")
    return came


async def lives(connection: asyncssh.SSHClientConnection) -> bool:
    """Whether its door is still there."""
    try:
        async with connection.start_sftp_client():
            return True
    except (asyncssh.Error, OSError):
        return False


def test_what_one_user_and_one_sender_may_have_is_for_both_doors(moved: Site) -> None:
    """As many sessions and bytes as are set; when one door is killed, what its sessions had is free."""

    async def talk(doors: list[GatewayProcess]) -> None:
        inside = await connections(moved, 4 * SESSIONS)
        assert SESSIONS == len(inside)
        took = await asyncio.gather(*(bring(each, number) for number, each in enumerate(inside)))
        assert BYTES == sum(took)
        await asyncio.to_thread(doors[0].kill)
        left = [each for each in inside if await lives(each)]
        later = await connections(moved, 4 * SESSIONS)
        for each in (*inside, *later):
            each.close()
            await each.wait_closed()
        assert SESSIONS == len(left) + len(later)

    with ExitStack() as stack:
        doors = [stack.enter_context(running(moved, roles=["sftp"])) for _ in range(2)]
        asyncio.run(talk(doors))
