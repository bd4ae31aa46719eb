"""What the door shows and allows: eight directories, and in each of them one kind of work."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import cast

import asyncssh
import pytest
from asyncssh import FXF_APPEND, FXF_CREAT, FXF_EXCL, FXF_READ, FXF_TRUNC, FXF_WRITE, SFTPLimits
from asyncssh.packet import SSHPacket, String
from hypothesis import given
from hypothesis import strategies as st

from channels.sftp.place import DIRECTORIES, locate
from schemas.filename import is_safe
from spool.intake import Intake, IntakeLimits
from spool.mailbox import MailboxRefusal
from tests.adapters.sftp_door import FI, FO, GO, House, open_house

EIGHT = {"EBOX", "IN", "INTEST", "INTEST-S", "OUT", "OUTTEST", "OUTTEST-S", "STATUS"}
NEW = FXF_WRITE | FXF_CREAT | FXF_TRUNC


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An open door."""
    async with open_house(tmp_path / "house") as opened:
        yield opened


@pytest.fixture
async def client(house: House) -> AsyncIterator[asyncssh.SFTPClient]:
    """A session of the usual user."""
    async with house.client() as opened:
        yield opened


async def put(client: asyncssh.SFTPClient, path: str, data: bytes = b"data") -> None:
    """Upload ``data``."""
    async with client.open(path, "wb") as file:
        await file.write(data)


async def refused(act: Awaitable[object]) -> tuple[int, str]:
    """The code and the words with which ``act`` is refused."""
    with pytest.raises(asyncssh.SFTPError) as caught:
        await act
    return caught.value.code, caught.value.reason


async def open_close(client: asyncssh.SFTPClient, path: str | bytes, flags: int) -> None:
    """Open a file in a certain way and close it again."""
    async with opened(client, path, flags):
        pass


def opened(
    client: asyncssh.SFTPClient, path: str | bytes, flags: int
) -> "AbstractAsyncContextManager[asyncssh.SFTPClientFile]":
    """A file for bytes."""
    return client.open(path, flags, encoding=None)


async def read(file: asyncssh.SFTPClientFile, size: int, offset: int) -> bytes:
    """Bytes of a file opened for bytes; asyncssh types them as text."""
    return cast("bytes", await file.read(size, offset))


async def limits_of(client: asyncssh.SFTPClient) -> SFTPLimits:
    """What the door answers to ``limits@openssh.com``."""
    return SFTPLimits.decode(cast("SSHPacket", await client._handler._make_request(b"limits@openssh.com")))


async def test_the_root_has_eight_directories(client: asyncssh.SFTPClient) -> None:
    """Nothing else is there, and each is a directory."""
    assert {str(name) for name in await client.listdir("/")} == EIGHT
    assert all([await client.isdir(name) for name in EIGHT])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", "/"),
        (".", "/"),
        ("..", "/"),
        ("/../../..", "/"),
        ("//IN//", "/IN"),
        ("IN/./../OUT", "/OUT"),
        (f"/IN/{FI}/../{GO}", f"/IN/{GO}"),
    ],
)
async def test_paths_are_resolved_by_looking_at_them(client: asyncssh.SFTPClient, written: str, meant: str) -> None:
    """``realpath`` gives the one way to write a place and never leaves the root."""
    assert await client.realpath(written) == meant


ESCAPES = [
    b"/etc/passwd",
    b"../../../../etc/passwd",
    b"/IN/../../../../etc/passwd",
    b"IN/..%2f..%2fetc/passwd",
    b"IN/sub/" + FI.encode(),
    b"IN/.uploads",
    b"IN/.uploads/x",
    b"IN/.temporary/x",
    b"IN/set-DIMN.123456.20261121.00001.R/" + FI.encode(),
    b"OUT/.removed",
    b"OUT/.removed/" + FO.encode(),
    b"in/" + FI.encode(),
    b"IN\x00/" + FI.encode(),
    b"IN/" + FI.encode() + b"\x00.txt",
    b"IN/a\nb",
    b"IN/\x1b[31mred",
    b"IN/\xff\xfe",
    "IN/déclaration".encode(),
    "IN/\uff0e\uff0e/x".encode(),
    b"IN/a\\..\\b",
    b"IN/a b",
    b"IN/-rf",
    b"IN/~root",
    b"IN/$HOME",
    b"IN/" + b"a" * 101,
    b"IN/" + b"a/" * 20_000,
    b"OUT/../OUT/../" + FO.encode(),
    b"654321/IN/" + FI.encode(),
    b"/IN/../123456/IN/" + FI.encode(),
]


@pytest.mark.parametrize("path", ESCAPES, ids=repr)
async def test_no_path_leads_outside(house: House, client: asyncssh.SFTPClient, path: bytes) -> None:
    """Whatever is asked for such a path is refused, and no file or directory comes of it."""
    await put(client, f"IN/{FI}")
    house.answer(FO)
    before = sorted(house.folder.rglob("*"))
    acts: list[Callable[[], Awaitable[object]]] = [
        lambda: client.stat(path),
        lambda: client.lstat(path),
        lambda: client.readdir(path),
        lambda: open_close(client, path, NEW),
        lambda: open_close(client, path, FXF_READ),
        lambda: client.remove(path),
        lambda: client.rename(f"IN/{FI}".encode(), path),
        lambda: client.posix_rename(f"IN/{FI}".encode(), path),
        lambda: client.posix_rename(path, b"IN/x"),
        lambda: client.setstat(path, asyncssh.SFTPAttrs(permissions=0o777)),
        lambda: client.mkdir(path),
        lambda: client.rmdir(path),
        lambda: client.symlink(b"/etc", path),
        lambda: client.readlink(path),
    ]
    for act in acts:
        code, words = await refused(act())
        assert code in (asyncssh.FX_NO_SUCH_FILE, asyncssh.FX_PERMISSION_DENIED, asyncssh.FX_FAILURE)
        assert str(house.folder) not in words
        assert "Uncaught" not in words
    assert sorted(house.folder.rglob("*")) == before


@pytest.mark.parametrize("path", ESCAPES, ids=repr)
def test_no_such_path_is_a_place(path: bytes) -> None:
    """They are refused before the spool is asked."""
    with pytest.raises(MailboxRefusal):
        locate(path)


async def test_a_name_that_looks_like_one_of_ours_is_just_a_name(house: House, client: asyncssh.SFTPClient) -> None:
    """A file called as the spool calls a folder lives beside it and disturbs nothing."""
    await put(client, f"IN/{FI}")
    name = house.intake.set_folder(house.inbox(), FI).name
    await put(client, f"IN/{name}", b"other")
    assert {str(entry.filename): entry.attrs.size for entry in await client.readdir("IN")} == {FI: 4, name: 5}


@given(st.binary(max_size=60) | st.lists(st.sampled_from([b"IN", b"OUT", b"..", b".", b"", b"x"])).map(b"/".join))
def test_a_path_is_a_known_place_or_refused(path: bytes) -> None:
    """Any bytes give a refusal or a place of eight directories and safe names, which is found again by its path."""
    try:
        place = locate(path)
    except MailboxRefusal:
        return
    assert place.directory in ("", *DIRECTORIES)
    assert not place.name or (place.directory and is_safe(place.name))
    assert locate(place.path) == place


@pytest.mark.parametrize("directory", ["IN", "INTEST", "INTEST-S"])
async def test_an_inbox_is_for_writing(house: House, client: asyncssh.SFTPClient, directory: str) -> None:
    """A file goes in, is listed with its size, and cannot be read back."""
    await put(client, f"{directory}/{FI}", b"12345")
    assert (await client.stat(f"{directory}/{FI}")).size == 5
    assert [(entry.filename, entry.attrs.size) for entry in await client.readdir(directory)] == [(FI, 5)]
    assert await refused(open_close(client, f"{directory}/{FI}", FXF_READ)) == (
        asyncssh.FX_PERMISSION_DENIED,
        f"files in {directory} cannot be read back",
    )
    await client.remove(f"{directory}/{FI}")
    assert house.left() == []


async def test_an_upload_cannot_be_read_through_its_handle(client: asyncssh.SFTPClient) -> None:
    """Opening for both gives writing only."""
    async with opened(client, f"IN/{FI}", NEW | FXF_READ) as file:
        await file.write(b"secret")
        assert (await refused(file.read(6, 0)))[0] == asyncssh.FX_PERMISSION_DENIED


@pytest.mark.parametrize("flags", [NEW, FXF_WRITE, FXF_APPEND, FXF_READ | FXF_WRITE, FXF_READ | FXF_CREAT])
@pytest.mark.parametrize("directory", ["OUT", "OUTTEST", "OUTTEST-S"])
async def test_an_outbox_is_not_for_writing(
    house: House, client: asyncssh.SFTPClient, directory: str, flags: int
) -> None:
    """No way of opening writes there, and no answer is changed or renamed."""
    house.answer(FO, directory=directory)
    for name in (FO, GO):
        assert (await refused(open_close(client, f"{directory}/{name}", flags)))[0] == asyncssh.FX_PERMISSION_DENIED
    for new in (f"{directory}/{GO}", f"IN/{GO}"):
        assert (await refused(client.rename(f"{directory}/{FO}", new)))[0] == asyncssh.FX_PERMISSION_DENIED
    async with client.open(f"{directory}/{FO}", "rb") as file:
        assert (await file.stat()).size == 6
        assert (await refused(file.write(b"x", 0)))[0] == asyncssh.FX_PERMISSION_DENIED
        assert (await refused(file.truncate(0)))[0] == asyncssh.FX_PERMISSION_DENIED
    assert [entry.size for entry in house.outbox.entries(house.inbox(directory))] == [6]


@pytest.mark.parametrize("flags", [NEW, FXF_WRITE, FXF_APPEND, FXF_READ | FXF_WRITE, FXF_READ | FXF_CREAT])
async def test_the_e_box_is_not_for_writing(house: House, client: asyncssh.SFTPClient, flags: int) -> None:
    """No way of opening writes there, and no message is changed, renamed or moved there."""
    house.postbox.files[FO] = b"letter"
    await put(client, f"IN/{FI}.tmp")
    for name in (FO, GO):
        code, words = await refused(open_close(client, f"EBOX/{name}", flags))
        assert (code, words[:27]) == (asyncssh.FX_PERMISSION_DENIED, "EBOX is for messages to you")
    for old, new in ((f"EBOX/{FO}", f"EBOX/{GO}"), (f"EBOX/{FO}", f"IN/{GO}"), (f"IN/{FI}.tmp", f"EBOX/{GO}")):
        assert (await refused(client.rename(old, new)))[0] == asyncssh.FX_PERMISSION_DENIED
    assert (await refused(client.mkdir("EBOX/x")))[0] == asyncssh.FX_PERMISSION_DENIED
    assert house.postbox.files == {FO: b"letter"}


async def test_a_message_in_the_e_box_is_listed_read_and_deleted(house: House, client: asyncssh.SFTPClient) -> None:
    """That it was read is told once it was read to its end; a file that was opened before can still be read."""
    house.postbox.files[FO] = b"0123456789"
    listed = {str(entry.filename): entry.attrs.size async for entry in client.scandir("EBOX")}
    async with client.open(f"EBOX/{FO}", "rb") as file:
        assert await read(file, 3, 4) == b"456"
    half = list(house.postbox.read)
    async with client.open(f"EBOX/{FO}", "rb") as file:
        await client.remove(f"EBOX/{FO}")
        assert await read(file, 100, 0) == b"0123456789"

    assert (listed[FO], half, house.postbox.read) == (10, [], [FO])
    assert (await refused(client.stat(f"EBOX/{FO}")))[0] == asyncssh.FX_NO_SUCH_FILE
    assert (await refused(client.remove(f"EBOX/{FO}")))[0] == asyncssh.FX_NO_SUCH_FILE
    assert (await refused(client.rmdir("EBOX")))[0] == asyncssh.FX_PERMISSION_DENIED


async def test_answers_are_read_in_any_order(house: House, client: asyncssh.SFTPClient) -> None:
    """Reading at an offset, past the end, and of a file deleted meanwhile."""
    house.answer(FO, data=b"0123456789")
    async with client.open(f"OUT/{FO}", "rb") as file:
        assert await read(file, 3, 4) == b"456"
        assert await read(file, 5, 2**63 + 5) == b""
        await client.remove(f"OUT/{FO}")
        assert await read(file, 100, 8) == b"89"
    assert (await refused(client.stat(f"OUT/{FO}")))[0] == asyncssh.FX_NO_SUCH_FILE


async def test_a_rename_stays_in_its_inbox(house: House, client: asyncssh.SFTPClient) -> None:
    """From one inbox to another, or onto a directory: refused."""
    await put(client, f"IN/{FI}.tmp")
    for new in (f"INTEST/{FI}", f"OUT/{FI}", "IN", "/"):
        assert (await refused(client.rename(f"IN/{FI}.tmp", new)))[0] == asyncssh.FX_PERMISSION_DENIED
    assert (house.waiting(), house.ledger.names) == ([f"{FI}.tmp"], [])


async def test_only_a_posix_rename_replaces(house: House, client: asyncssh.SFTPClient) -> None:
    """SFTP 3 refuses a name that is taken; OpenSSH's extension replaces it."""
    await put(client, f"IN/{FI}", b"old")
    await put(client, f"IN/{FI}.part", b"newer")
    assert await refused(client.rename(f"IN/{FI}.part", f"IN/{FI}")) == (
        asyncssh.FX_FAILURE,
        "a file of this name is already waiting",
    )
    await client.posix_rename(f"IN/{FI}.part", f"IN/{FI}")
    assert (await client.stat(f"IN/{FI}")).size == 5
    assert house.ledger.names == [FI, FI]


async def test_what_is_not_there_is_missing(client: asyncssh.SFTPClient) -> None:
    """Missing files are "no such file" for every act."""
    for act in (
        client.stat(f"IN/{FI}"),
        client.remove(f"IN/{FI}"),
        client.remove(f"OUT/{FO}"),
        client.rename(f"IN/{FI}", f"IN/{GO}"),
        client.setstat(f"IN/{FI}", asyncssh.SFTPAttrs(mtime=1, atime=1)),
        open_close(client, f"OUT/{FO}", FXF_READ),
        open_close(client, f"IN/{FI}", FXF_WRITE),
        client.readdir(f"IN/{FI}"),
        client.stat("STATUS/x.json"),
        open_close(client, "STATUS/x.json", FXF_READ),
        client.readdir("ELSEWHERE"),
    ):
        assert (await refused(act))[0] == asyncssh.FX_NO_SUCH_FILE


@pytest.mark.parametrize("flags", [FXF_WRITE, FXF_WRITE | FXF_CREAT, FXF_WRITE | FXF_APPEND, FXF_READ | FXF_WRITE])
async def test_what_waits_can_be_gone_on_with(house: House, client: asyncssh.SFTPClient, flags: int) -> None:
    """Without truncation bytes are added to the file that waits, which stays as it is until they are all there."""
    await put(client, f"IN/{FI}", b"half")
    path = house.intake.set_folder(house.inbox(), FI) / FI
    async with opened(client, f"IN/{FI}", flags) as file:
        assert (await file.stat()).size == 4
        await file.write(b" and half", 4)
        assert path.read_bytes() == b"half"
    assert path.read_bytes() == b"half and half"
    assert (await client.stat(f"IN/{FI}")).size == 13


@pytest.mark.parametrize("flags", [FXF_WRITE | FXF_CREAT, FXF_WRITE | FXF_CREAT | FXF_APPEND])
async def test_without_truncation_a_new_file_is_a_fresh_upload(
    house: House, client: asyncssh.SFTPClient, flags: int
) -> None:
    """Clients that always append can send a new file; where it is put in then doesn't depend on what they say."""
    async with opened(client, f"IN/{FI}", flags) as file:
        await file.write(b"one", 0)
        await file.write(b"two", 0 if flags & FXF_APPEND else 3)
    assert (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes() == b"onetwo"


async def test_an_exclusive_upload_replaces_nothing(client: asyncssh.SFTPClient) -> None:
    """The second exclusive create is refused; a plain one replaces."""
    exclusive = FXF_WRITE | FXF_CREAT | FXF_EXCL
    await open_close(client, f"IN/{FI}", exclusive)
    assert await refused(open_close(client, f"IN/{FI}", exclusive)) == (
        asyncssh.FX_FAILURE,
        "a file of this name is already waiting",
    )
    await put(client, f"IN/{FI}", b"again")
    assert (await client.stat(f"IN/{FI}")).size == 5


async def test_one_name_is_uploaded_once_at_a_time(house: House, client: asyncssh.SFTPClient) -> None:
    """A second upload of the name is refused until the first ends; the first is not harmed."""
    async with house.client() as second, opened(client, f"IN/{FI}", NEW) as file:
        code, words = await refused(open_close(second, f"IN/{FI}", NEW))
        assert code == asyncssh.FX_FAILURE
        assert words.startswith("this file is being uploaded by another connection")
        await file.write(b"first")
    assert (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes() == b"first"


async def test_rights_and_times_are_accepted_and_ignored(client: asyncssh.SFTPClient) -> None:
    """Clients set them after an upload and must not fail; the file stays as it was."""
    attributes = asyncssh.SFTPAttrs(permissions=0o4777, uid=0, gid=0, atime=1, mtime=1)
    async with opened(client, f"IN/{FI}", NEW) as file:
        await file.setstat(attributes)
        await file.write(b"data")
    await client.setstat(f"IN/{FI}", attributes)
    after = await client.stat(f"IN/{FI}")
    assert (after.permissions, after.size) == (0o100600, 4)
    assert after.mtime != 1


async def test_an_open_upload_can_be_made_shorter_only(house: House, client: asyncssh.SFTPClient) -> None:
    """Truncation on the handle works downwards; by path, or upwards, it is refused."""
    async with opened(client, f"IN/{FI}", NEW) as file:
        await file.write(b"0123456789")
        await file.truncate(4)
        assert (await file.stat()).size == 4
        assert (await refused(file.truncate(1 << 40)))[0] == asyncssh.FX_PERMISSION_DENIED
    assert (await refused(client.truncate(f"IN/{FI}", 0)))[0] == asyncssh.FX_PERMISSION_DENIED
    assert (house.intake.set_folder(house.inbox(), FI) / FI).read_bytes() == b"0123"


async def test_there_are_no_directories_and_links_to_make(client: asyncssh.SFTPClient) -> None:
    """Each is refused with words and without an effect."""
    for act in (
        client.mkdir("IN/sub"),
        client.mkdir("NEW"),
        client.rmdir("IN"),
        client.remove("IN"),
        client.symlink("/etc", "IN/link"),
        client.readlink("IN/link"),
        open_close(client, "IN", NEW),
    ):
        assert (await refused(act))[0] == asyncssh.FX_PERMISSION_DENIED
    assert {str(name) for name in await client.listdir("/")} == EIGHT


async def test_five_extensions_are_announced_and_no_other_works(client: asyncssh.SFTPClient) -> None:
    """fsync, posix-rename, limits, statvfs and fstatvfs; hard links are unknown."""
    handler = client._handler
    announced = {name for name in vars(handler) if name.startswith("_supports_") and getattr(handler, name) is True}
    assert announced == {
        "_supports_fsync",
        "_supports_posix_rename",
        "_supports_limits",
        "_supports_statvfs",
        "_supports_fstatvfs",
    }
    assert 3 == client.version
    limits = await limits_of(client)
    assert (limits.max_packet_len, limits.max_read_len, limits.max_write_len) == (262144, 261120, 261120)
    for request in (b"hardlink@openssh.com", b"copy-data", b"lsetstat@openssh.com"):
        assert (await refused(handler._make_request(request, String("/"))))[0] == asyncssh.FX_OP_UNSUPPORTED


async def test_fsync_of_an_upload(house: House, client: asyncssh.SFTPClient) -> None:
    """A client may ask for durability before it closes."""
    async with opened(client, f"IN/{FI}", NEW) as file:
        await file.write(b"data")
        await file.fsync()
    assert house.ledger.names == [FI]


async def test_a_file_that_grew_too_large_never_becomes_one(tmp_path: Path) -> None:
    """The write is refused with words, and so is the close: a part of the file would be something else."""
    intake = Intake(tmp_path / "incoming", IntakeLimits(file_bytes=1000, files=10, reserve=0))
    async with open_house(tmp_path / "house", intake=intake) as house, house.client() as client:
        file = await client.open(f"IN/{FI}", NEW, encoding=None)
        await file.write(b"x" * 1000, 0)
        code, words = await refused(file.write(b"y", 1000))
        assert (code, words) == (asyncssh.FX_FAILURE, "a file may have at most 1000 bytes (184)")
        assert (await refused(file.write(b"z", 0)))[1] == words
        assert (await refused(file.close()))[1] == words
        assert (house.left(), house.ledger.names) == ([], [])


async def test_a_full_directory_says_so(tmp_path: Path) -> None:
    """Beyond the limit of waiting sets a new one is refused with words."""
    intake = Intake(tmp_path / "incoming", IntakeLimits(file_bytes=1000, files=1, reserve=0))
    async with open_house(tmp_path / "house", intake=intake) as house, house.client() as client:
        await put(client, f"IN/{FI}")
        code, words = await refused(put(client, "IN/FI.DIMN.123456.20261121.00002.R.1.1"))
        assert code == asyncssh.FX_FAILURE
        assert "too many files" in words


async def test_a_connection_has_so_many_handles(tmp_path: Path) -> None:
    """Files and directories count together, over every channel of the connection; closing makes room."""
    async with open_house(tmp_path / "house", max_handles=3) as house, house.connect() as connection:
        first, second = await connection.start_sftp_client(), await connection.start_sftp_client()
        assert (await limits_of(first)).max_open_handles == 3
        files = [await first.open(f"IN/{number}", NEW, encoding=None) for number in range(2)]
        files.append(await second.open("IN/2", NEW, encoding=None))
        for act in (open_close(first, "IN/3", NEW), open_close(second, "IN/3", NEW), second.readdir("IN")):
            assert await refused(act) == (asyncssh.FX_FAILURE, "too many open files; close one first")
        await files[0].close()
        assert len(await second.readdir("IN")) == 3
        assert [path.name for path in house.intake.root.iterdir()] == ["123456"]


async def test_a_handle_is_closed_once(client: asyncssh.SFTPClient) -> None:
    """A closed handle, or one of another channel, is no handle."""
    file = await client.open(f"IN/{FI}", NEW, encoding=None)
    handle = file._handle or b""
    await file.close()
    for act in (
        client._handler.close(handle),
        client._handler.write(handle, 0, b"x"),
        client._handler.fstat(handle, 0),
    ):
        assert await refused(act) == (asyncssh.FX_FAILURE, "Invalid file handle")
