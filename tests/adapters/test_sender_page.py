"""The page for senders: every command line in it works, and its three languages say the same commands."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncssh
import pytest
from asyncssh import FXF_CREAT, FXF_WRITE

from config.settings import Settings
from spool.status import LISTED, ROWS
from tests.adapters.programs import fingerprint
from tests.adapters.sftp_door import FI, FO, FS, GO, USER, House, Program, open_house

PAGES = Path(__file__).parents[2] / "docs"
SECOND = FI.replace("00001", "00002")
DATA = b"<x/>" * 50_000


def blocks(page: str, language: str) -> list[str]:
    """The pieces of code in a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (PAGES / page).read_text(), re.DOTALL | re.MULTILINE)


SCRIPTS = blocks("senders.md", "sh")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An open door with an answer and status documents behind it."""
    async with open_house(tmp_path / "house") as opened:
        opened.answer(FO, data=DATA)
        opened.shelf.documents = {"today.json": b"{}\n", "history.csv": b"ticket\r\n"}
        yield opened


@pytest.fixture
async def desk(house: House, tmp_path: Path) -> Path:
    """A sender's own folder: its files, its key in two forms, and the host key it has compared."""
    folder = tmp_path / "desk"
    (folder / ".ssh").mkdir(parents=True)
    for name, data in {FI: DATA, SECOND: DATA, FS: b"signature", GO: b""}.items():
        (folder / name).write_bytes(data)
    key = folder / "id_ed25519"
    key.write_bytes(house.keyfile.read_bytes())
    key.chmod(0o600)
    (folder / "id_ed25519.pub").write_bytes(house.key.export_public_key())
    host = asyncssh.read_private_key(house.folder / "host_key").export_public_key().decode()
    known = f"[127.0.0.1]:{house.door.port} {host}"
    (folder / "known_hosts").write_text(known)
    (folder / ".ssh" / "known_hosts").write_text(known)
    made = await house.run("puttygen", str(key), "-O", "private", "-o", str(folder / "id_ed25519.ppk"))
    assert made.status == 0
    # OpenSSH looks for the home of the user in the list of users, not in HOME.
    wrappers = folder / "bin"
    wrappers.mkdir()
    for program in ("ssh", "sftp", "scp"):
        wrapper = wrappers / program
        wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/{program} -F "{folder}/config" "$@"\n')
        wrapper.chmod(0o755)
    (folder / "config").write_text(f"UserKnownHostsFile {folder}/known_hosts\nIdentitiesOnly yes\nLogLevel ERROR\n")
    return folder


async def run(house: House, desk: Path, *program: str, text: str) -> Program:
    """Run a piece of the page as it stands there, but for host, port, user and the host key PuTTY is shown."""
    port = str(house.door.port)
    there = text.replace("gateway.example", "127.0.0.1").replace("8022", port).replace("payroll01", USER)
    there = there.replace("psftp -batch", f"psftp -batch -hostkey {fingerprint(house)}")
    environment = os.environ | {"HOME": str(desk), "PATH": f"{desk}/bin:{os.environ['PATH']}"}
    process = await asyncio.create_subprocess_exec(
        *program, there, cwd=desk, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    return Program(process.returncode or 0, out.decode(), err.decode())


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.split()[0] + "-" + str(SCRIPTS.index(script)))
async def test_every_command_line_works(house: House, desk: Path, script: str) -> None:
    """As it stands, it ends with status 0, and what it says it does is done."""
    if "reput" in script:
        async with house.client() as client:
            file = await client.open(f"IN/{SECOND}", FXF_WRITE | FXF_CREAT, encoding=None)
            await file.write(DATA[:50_000])
            client.exit()
            await client.wait_closed()
    ended = await run(house, desk, "bash", "-euo", "pipefail", "-c", text=script)
    assert ended.status == 0, ended
    sent = [name for name in (FI, FS, GO, SECOND) if f" {name}" in script]
    assert house.ledger.names == sent
    for name in sent:
        assert (house.intake.set_folder(house.inbox(), name) / name).read_bytes() == (desk / name).read_bytes()
    fetched = {"OUT/*": FO, "today.json": "today.json", "history.csv": "history.csv", "mirror": f"answers/{FO}"}
    for word, name in fetched.items():
        assert word not in script or (desk / name).exists()


async def test_the_python_works(house: House, desk: Path) -> None:
    """It fetches every answer."""
    [program] = blocks("senders.md", "python")
    ended = await run(house, desk, sys.executable, "-W", "ignore", "-c", text=program)
    assert ended.status == 0, ended
    assert (desk / FO).read_bytes() == DATA
    assert house.shelf.told == [("fetched", house.inbox("OUT"), FO)]


@pytest.mark.parametrize("page", ["senders.fr.md", "senders.nl.md"])
@pytest.mark.parametrize("language", ["sh", "python"])
def test_every_language_has_the_same_commands(page: str, language: str) -> None:
    """Only the words differ."""
    assert blocks(page, language) == blocks("senders.md", language)


@pytest.mark.parametrize("page", ["senders.md", "senders.fr.md", "senders.nl.md"])
def test_the_limits_are_those_of_the_settings(page: str) -> None:
    """A number in the page that the gateway doesn't have is a lie."""
    settings = Settings()
    text = re.sub(r"(?<=\d)[.,\u202f\u00a0 ](?=\d{3}\b)", "", (PAGES / page).read_text())
    numbers = {
        int(number) for line in text.splitlines() if line.startswith("| ") for number in re.findall(r"\d+", line)
    }
    assert {
        settings.intake.max_file_bytes // 1024**2,
        settings.intake.max_waiting_bytes // 1024**3,
        settings.intake.max_waiting_files,
        settings.intake.max_parts,
        settings.sftp.max_listing,
        settings.sftp.max_handles,
        settings.sftp.max_sessions,
        settings.sftp.max_requests,
        settings.sftp.idle_seconds // 60,
        settings.intake.parts_grace_seconds // 60,
        settings.intake.start_file_hours,
        settings.answers.fetched_days,
        settings.answers.unfetched_days,
    } <= numbers
    assert f"{ROWS}" in text
    assert f"{LISTED}" in text
