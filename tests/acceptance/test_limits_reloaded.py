"""The limits of intake change under a gateway at work, and a client that is connected stays so."""

import asyncio
from typing import Any

import asyncssh

from tests.command_line import done, typed
from tests.gateway_process import USER, GatewayProcess, Site, running

STEM = "DIMN.123456.20261121.0000{}.R"


async def put(client: asyncssh.SFTPClient, name: str, data: bytes) -> str:
    """Upload; answers the words of the refusal, if there is one."""
    try:
        async with client.open(f"IN/{name}", "wb") as file:
            await file.write(data)
    except asyncssh.SFTPError as refused:
        return refused.reason
    return ""


def connected(site: Site) -> Any:
    """A connection of the sender's."""
    keys = [str(site.work / "id_ed25519")]
    return asyncssh.connect(
        "127.0.0.1", site.port, username=USER, client_keys=keys, known_hosts=None, config=None, agent_path=None
    )


def test_limits_of_intake_are_taken_over_and_nobody_is_sent_away(site: Site, gateway: GatewayProcess) -> None:
    """Said beforehand, taken over by the command, and felt on the connection that is open."""
    one, two = (site.write_set(STEM.format(number)) for number in (1, 2))
    content = {name: (site.work / name).read_bytes() for name in (*one, *two)}
    size = len(content[one[0]])

    async def talk() -> None:
        async with connected(site) as connection, connection.start_sftp_client() as client:
            site.configure("max_file_bytes = 36700160", f"max_file_bytes = {size - 1}", section="intake")
            await asyncio.to_thread(what_would_change_is_said, site, size)
            said = await asyncio.to_thread(done, site, "reload")
            assert "taken over intake.max_file_bytes" in said
            assert f"a file may have at most {size - 1} bytes (184)" == await put(client, one[0], content[one[0]])
            site.configure(f"max_file_bytes = {size - 1}", f"max_file_bytes = {size}", section="intake")
            site.configure("max_waiting_files = 20000", "max_waiting_files = 3", section="intake")
            await asyncio.to_thread(done, site, "reload")
            assert ["", "", ""] == [await put(client, name, content[name]) for name in one]
            more = [f"FI.{STEM.format(number)}.1.1" for number in (3, 4)]
            verdict = await asyncio.to_thread(gateway.judged)
            assert "accepted" == verdict["verdict"]
            assert ["", ""] == [await put(client, name, content[name]) for name in two[:2]]
            assert ["", "too many files"] == [(await put(client, name, b""))[:14] for name in more]
            assert len(content[two[0]]) == await client.getsize(f"IN/{two[0]}")

    asyncio.run(talk())
    assert 1 == sum(line["event"] == "sftp.login.accepted" for line in gateway.seen)


def test_what_a_door_has_let_in_is_not_judged_by_another_limit(site: Site) -> None:
    """Neither by the one that the judge began with, nor by one that is smaller by the end of an upload."""
    one, two = (site.write_set(STEM.format(number)) for number in (1, 2))
    content = {name: (site.work / name).read_bytes() for name in (*one, *two)}
    sizes = [len(content[names[0]]) for names in (one, two)]
    small, large = min(sizes) - 1, max(sizes)

    async def talk(gateway: GatewayProcess) -> None:
        async with connected(site) as connection, connection.start_sftp_client() as client:
            assert "(184)" in await put(client, one[0], content[one[0]])
            site.configure(f"max_file_bytes = {small}", f"max_file_bytes = {large}", section="intake")
            await asyncio.to_thread(done, site, "reload")
            assert ["", "", ""] == [await put(client, name, content[name]) for name in one]
            assert "accepted" == (await asyncio.to_thread(gateway.judged))["verdict"]
            async with client.open(f"IN/{two[0]}", "wb") as file:
                await file.write(content[two[0]][:1])
                site.configure(f"max_file_bytes = {large}", f"max_file_bytes = {small}", section="intake")
                await asyncio.to_thread(done, site, "reload")
                await file.write(content[two[0]][1:])
            assert ["", ""] == [await put(client, name, content[name]) for name in two[1:]]
            assert "accepted" == (await asyncio.to_thread(gateway.judged))["verdict"]

    site.configure("max_file_bytes = 36700160", f"max_file_bytes = {small}", section="intake")
    with running(site) as gateway:
        asyncio.run(talk(gateway))


def what_would_change_is_said(site: Site, size: int) -> None:
    """By when it counts: sizes after a reload, what the judge and the purge agree on after a restart."""
    site.configure("max_age_days = 366", "max_age_days = 300", section="intake")
    said = typed(site, "reload", "--dry-run")
    lines = [line.strip() for line in said.output.splitlines()]
    assert 1 == said.exit_code
    assert {
        f"after a reload: intake.max_file_bytes: 36700160 becomes {size - 1}",
        "after a restart: intake.max_age_days: 366 becomes 300",
    } <= set(lines)
