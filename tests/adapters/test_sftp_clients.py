"""The door with the clients that senders have: OpenSSH's sftp and scp, paramiko, asyncssh."""

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import paramiko
import pytest

from tests.adapters.sftp_door import FI, FO, FS, GO, SENDER, USER, House, open_house, write_key

EIGHT = ["EBOX", "IN", "INTEST", "INTEST-S", "OUT", "OUTTEST", "OUTTEST-S", "STATUS"]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An open door."""
    async with open_house(tmp_path / "house") as opened:
        yield opened


def three_files(folder: Path) -> list[Path]:
    """FI, FS and GO, ready to be sent."""
    contents = {FI: b"<x/>" * 50_000, FS: b"signature", GO: b""}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in contents]


async def test_openssh_sftp_uploads_a_set_that_arrives_in_order(house: House, tmp_path: Path) -> None:
    """Three puts give three arrivals, in order, of the sender's own inbox, with the very bytes."""
    files = three_files(tmp_path)
    ended = await house.sftp(*(f"put {path} IN/" for path in files), "ls IN")
    assert (ended.status, ended.err) == (0, "")
    assert house.ledger.arrivals == [(house.inbox(), USER, name) for name in (FI, FS, GO)]
    assert (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes() == files[0].read_bytes()
    assert ended.out.count("DIMN") >= 3


async def test_openssh_sftp_fetches_and_deletes_an_answer(house: House, tmp_path: Path) -> None:
    """An answer is listed, fetched whole and gone after rm."""
    house.answer(FO, data=b"a" * 300_000)
    ended = await house.sftp(f"get OUT/{FO} {tmp_path / 'got'}", f"rm OUT/{FO}", "ls OUT")
    assert (ended.status, ended.err) == (0, "")
    assert (tmp_path / "got").read_bytes() == b"a" * 300_000
    assert house.outbox.entries(house.inbox("OUT")) == []


async def test_openssh_sftp_lists_with_size_and_date(house: House) -> None:
    """``ls -l`` shows a line as a Unix listing does."""
    house.answer(FO, data=b"12345")
    ended = await house.sftp("ls -l OUT", "ls -l")
    assert " 5 " in ended.out
    assert 7 == ended.out.count("drwx------")


@pytest.mark.parametrize("suffix", [".part", ".filepart", ".tmp", ".PART"])
async def test_a_temporary_name_arrives_only_when_renamed(house: House, tmp_path: Path, suffix: str) -> None:
    """Nothing is reported for a temporary name; the rename reports the final one."""
    path = three_files(tmp_path)[0]
    ended = await house.sftp(f"put {path} INTEST/{FI}{suffix}")
    assert (ended.status, house.ledger.names) == (0, [])
    assert house.waiting("INTEST") == [FI + suffix]
    ended = await house.sftp(f"rename INTEST/{FI}{suffix} INTEST/{FI}")
    assert (ended.status, ended.err) == (0, "")
    assert house.ledger.arrivals == [(house.inbox("INTEST"), USER, FI)]
    assert house.waiting("INTEST") == [FI]


@pytest.mark.parametrize("options", [[], ["-p"]])
async def test_openssh_scp_in_sftp_mode_works(house: House, tmp_path: Path, options: list[str]) -> None:
    """``scp`` of OpenSSH 9 ends with exit status 0, up and down."""
    path = three_files(tmp_path)[0]
    house.answer(FO)
    scp = ["scp", *house.options(), *options, "-P", str(house.door.port)]
    up = await house.run(*scp, str(path), f"{USER}@127.0.0.1:IN/{FI}")
    assert (up.status, up.err) == (0, "")
    down = await house.run(*scp, f"{USER}@127.0.0.1:OUT/{FO}", str(tmp_path / "got"))
    assert (down.status, down.err) == (0, "")
    assert (house.ledger.names, (tmp_path / "got").read_bytes()) == ([FI], b"answer")


async def test_the_old_scp_protocol_is_refused(house: House, tmp_path: Path) -> None:
    """``scp -O`` asks for a command, and there are none."""
    path = three_files(tmp_path)[0]
    ended = await house.run(
        "scp", "-O", *house.options(), "-P", str(house.door.port), str(path), f"{USER}@127.0.0.1:IN/{FI}"
    )
    assert ended.status != 0
    assert house.ledger.names == []


async def test_paramiko_puts_and_confirms_by_stat(house: House, tmp_path: Path) -> None:
    """Its put asks for the size afterwards; the answer is right even if the file is in custody already."""
    path = three_files(tmp_path)[0]
    original = house.ledger.arrived

    async def taken(mailbox: object, username: str, name: str, since: float | None = None) -> None:
        await original(house.inbox(), username, name, since)
        await asyncio.to_thread(house.intake.remove, house.inbox(), name)

    house.ledger.arrived = taken  # type: ignore[method-assign] # custody, in short

    def talk() -> tuple[int | None, list[str], bytes]:
        transport = house.paramiko_transport()
        try:
            transport.auth_publickey(USER, house.paramiko_key())
            client = paramiko.SFTPClient.from_transport(transport)
            assert client is not None
            size = client.put(str(path), f"/IN/{FI}").st_size
            return size, sorted(client.listdir(".")), b""
        finally:
            transport.close()

    size, root, _ = await asyncio.to_thread(talk)
    assert (size, root) == (path.stat().st_size, EIGHT)
    assert house.ledger.names == [FI]
    assert house.waiting() == []


async def test_paramiko_tries_several_keys(house: House) -> None:
    """A paramiko client with two wrong keys and a right one gets in over one connection."""

    def talk() -> bool:
        transport = house.paramiko_transport()
        try:
            for number in (1, 2):
                path = house.folder / f"wrong{number}"
                write_key(path)
                with pytest.raises(paramiko.AuthenticationException):
                    transport.auth_publickey(USER, paramiko.Ed25519Key.from_private_key_file(str(path)))
            transport.auth_publickey(USER, house.paramiko_key())
            return transport.is_authenticated()
        finally:
            transport.close()

    assert await asyncio.to_thread(talk) is True


async def test_paramiko_downloads_with_many_requests_at_once(house: House) -> None:
    """Its prefetch asks for everything at once and gets the very bytes."""
    data = bytes(range(256)) * 20_000
    house.answer(FO, data=data)

    def talk() -> bytes:
        transport = house.paramiko_transport()
        try:
            transport.auth_publickey(USER, house.paramiko_key())
            client = paramiko.SFTPClient.from_transport(transport)
            assert client is not None
            got = io.BytesIO()
            client.getfo(f"OUT/{FO}", got)
            return got.getvalue()
        finally:
            transport.close()

    assert await asyncio.to_thread(talk) == data


async def test_asyncssh_round_trip(house: House, tmp_path: Path) -> None:
    """Ten megabytes go up in large blocks; an answer of the size comes down."""
    data = bytes(range(256)) * 40_000
    (tmp_path / "big").write_bytes(data)
    house.answer(FO, data=data)
    async with house.client() as client:
        await client.put(tmp_path / "big", f"IN/{FI}")
        await client.get(f"OUT/{FO}", tmp_path / "got")
        names = await client.listdir("/")
    assert sorted(str(name) for name in names) == EIGHT
    assert (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes() == data
    assert (tmp_path / "got").read_bytes() == data


async def test_ten_thousand_answers_are_listed(house: House) -> None:
    """A large directory is listed whole, by two clients of different make."""
    folder = house.outbox.folder(house.inbox("OUT"))
    folder.mkdir(parents=True)
    names = [f"FO.ACRF.999999.20261121.{number:05}.R" for number in range(10_000)]
    for name in names:
        (folder / name).touch()
    async with house.client() as client:
        listed = [str(entry.filename) for entry in await client.readdir("OUT")]
    assert sorted(listed) == names
    ended = await house.sftp("ls -1 OUT")
    assert 10_000 == ended.out.count("FO.ACRF")


async def test_every_connection_sees_its_own_sender_only(house: House) -> None:
    """Two senders with files of the same name see each their own."""
    other = asyncssh.generate_private_key("ssh-ed25519")
    house.accounts.add("beta", "654321", other)
    house.answer(FO, data=b"for alpha")
    house.answer(FO, data=b"for beta!", sender="654321")
    house.answer("FO.ACRF.999999.20261121.00002.R", sender=SENDER)
    async with house.client("beta", keys=[other]) as client:
        assert [str(name) for name in await client.listdir("OUT")] == [FO]
        await client.get(f"OUT/{FO}", house.folder / "got")
        assert (house.folder / "got").read_bytes() == b"for beta!"
        async with client.open(f"IN/{GO}", "wb"):
            pass
    assert house.ledger.arrivals == [(house.inbox(sender="654321"), "beta", GO)]
    assert house.waiting() == []
