"""The content scanner: a real clamd, and doubles that cut and babble.  Found, clean, and everything else waits."""

import hashlib
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from config.scanner import Scanner as Rules
from gateway.clamd import ScannerUnavailable, TooLargeToScan
from gateway.scanning import ChangedInCustodyError, ContentScanner, Scanned, Subject, scan_facts
from schemas.codes import Code, Finding
from tests.clamd import FILE_MAX, MARKER, NAME, STREAM_MAX, Scanner, drained, scanner_that

CLEAN = b"<DIMONA><Form/></DIMONA>"
MARKED = b"<DIMONA><!-- " + MARKER + b" --></DIMONA>"
VERSION = b"ClamAV 1.4.6/27800/Sat Nov 21 09:30:00 2026\0"


class Clock:
    """Seconds that a test turns."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.seconds


async def shown(address: str, *subjects: Subject, **rules: Any) -> tuple[tuple[Finding, ...], list[Scanned]]:
    """What comes of showing these to the scanner there."""
    scanned: list[Scanned] = []
    found = await ContentScanner(Rules(address=address, **rules)).check("R", subjects, scanned)
    return found, scanned


async def test_clean_is_a_pass_with_evidence(clamd: Scanner, tmp_path: Path) -> None:
    """Of a file and of bytes: what was seen, by its SHA-256, and by which engine."""
    file = tmp_path / "FI"
    file.write_bytes(CLEAN)
    digest = hashlib.sha256(CLEAN).hexdigest()

    found, scanned = await shown(clamd.address, Subject("FI.A", file, digest), Subject("FI.B", b""))

    assert () == found
    [of_file, of_bytes] = scan_facts(scanned)["scans"]
    assert of_file.pop("engine").startswith("ClamAV ")
    assert {"file": "FI.A", "data": digest, "found": None} == of_file
    assert hashlib.sha256().hexdigest() == of_bytes["data"]


async def test_found_is_a_refusal_and_ends_the_check(clamd: Scanner) -> None:
    """The finding names signature and file; what comes after it is not scanned any more."""
    found, scanned = await shown(clamd.address, Subject("FI.A", MARKED), Subject("FI.B", CLEAN))

    assert (Finding(Code.CANCELLED, f"the content scanner found {NAME} in FI.A"),) == found
    assert [NAME] == [one.found for one in scanned]


@pytest.mark.parametrize("size", [FILE_MAX + 1, STREAM_MAX + 1, 20 * STREAM_MAX])
async def test_what_the_scanner_does_not_see_whole_is_no_pass(clamd: Scanner, size: int) -> None:
    """Whether it stops to scan or to listen; and it is not left alone for that."""
    scanner = ContentScanner(Rules(address=clamd.address))
    with pytest.raises(TooLargeToScan):
        await scanner.check("R", [Subject("FI.A", b"x" * size)], [])

    assert () == await scanner.check("R", [Subject("FI.B", CLEAN)], [])


async def test_what_is_larger_than_the_settings_say_is_not_sent() -> None:
    """The scanner is asked for its version and no more."""
    asked: list[bytes] = []

    def behave(command: bytes, connection: socket.socket) -> None:
        asked.append(command)
        connection.sendall(VERSION)

    with scanner_that(behave) as address, pytest.raises(TooLargeToScan, match=r"scanner\.max_bytes is 10"):
        await shown(address, Subject("FI.A", b"x" * 11), max_bytes=10)

    assert [b"zVERSION\0"] == asked


async def test_what_changed_in_custody_is_no_pass(clamd: Scanner, tmp_path: Path) -> None:
    """The bytes that were scanned have to be those that were received."""
    file = tmp_path / "FI"
    file.write_bytes(CLEAN)
    with pytest.raises(ChangedInCustodyError):
        await shown(clamd.address, Subject("FI.A", file, hashlib.sha256(MARKED).hexdigest()))


async def test_only_the_environments_of_the_settings_are_scanned(clamd: Scanner) -> None:
    """Of others nothing is said; nor without a scanner."""
    scanner = ContentScanner(Rules(address=clamd.address, environments=("T",)))
    scanned: list[Scanned] = []
    assert () == await scanner.check("R", [Subject("FI.A", MARKED)], scanned)
    assert () == await ContentScanner(Rules()).check("R", [Subject("FI.A", MARKED)], scanned)
    assert {"scans": None} == scan_facts(scanned)
    assert await scanner.check("T", [Subject("FI.A", MARKED)], scanned)


async def test_a_scanner_that_is_away_is_left_alone_for_a_while(tmp_path: Path) -> None:
    """Then it is asked again."""
    clock = Clock()
    scanner = ContentScanner(Rules(address=f"unix:{tmp_path}/none", rest_seconds=5.0), clock)
    subject = Subject("FI.A", CLEAN)
    with pytest.raises(ScannerUnavailable, match="No such file"):
        await scanner.check("R", [subject], [])
    with pytest.raises(ScannerUnavailable, match="a moment ago"):
        await scanner.check("R", [subject], [])
    clock.seconds = 5.0
    with pytest.raises(ScannerUnavailable, match="No such file"):
        await scanner.check("R", [subject], [])


async def test_a_frozen_scanner_costs_no_more_than_the_settings_say(clamd: Scanner) -> None:
    """It takes the connection and never answers."""
    with clamd.frozen(), pytest.raises(ScannerUnavailable, match="in time"):
        await shown(clamd.address, Subject("FI.A", CLEAN), seconds=0.2)

    assert () == (await shown(clamd.address, Subject("FI.A", CLEAN)))[0]


def _say(words: bytes, _: bytes, connection: socket.socket) -> None:
    connection.sendall(words)


def _saying(answer: bytes) -> Callable[[bytes, socket.socket], None]:
    """A scanner that gives its version, reads everything, and answers with this."""

    def behave(command: bytes, connection: socket.socket) -> None:
        if command == b"zVERSION\0":
            connection.sendall(VERSION)
        else:
            assert command == b"zINSTREAM\0"
            assert drained(connection) == CLEAN
            connection.sendall(answer)

    return behave


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0",
        b"stream: OK",
        b"stream: OK \0",
        b"OK\0",
        b"stream: NOT OK\0",
        b"FOUND\0",
        b"stream:  FOUND\0",
        b"stream: lstat() failed ERROR\0",
        b"stream: Can't allocate memory ERROR\0",
        b"UNKNOWN COMMAND\0",
        b"\xff\xfe\0",
        b"stream: " + b"x" * 5000 + b" FOUND\0",
    ],
)
async def test_a_babbling_scanner_has_said_nothing(answer: bytes) -> None:
    """Neither yes nor no: what is no answer is none, however near it comes."""
    with scanner_that(_saying(answer)) as address, pytest.raises(ScannerUnavailable):
        await shown(address, Subject("FI.A", CLEAN))


async def test_a_scanner_that_babbles_without_end_is_not_listened_to_for_ever() -> None:
    """Nor is it kept in memory."""

    def behave(_: bytes, connection: socket.socket) -> None:
        while True:
            connection.sendall(b"x" * 65536)

    with scanner_that(behave) as address, pytest.raises(ScannerUnavailable, match="more than an answer"):
        await shown(address, Subject("FI.A", CLEAN))


@pytest.mark.parametrize(
    "version", [b"", b"\0", b"SpamAssassin 4\0", b"ClamAV \x1b[2J\0", b"ClamAV " + b"9" * 200 + b"\0"]
)
async def test_a_scanner_without_a_version_is_none(version: bytes) -> None:
    """What a verdict says of who scanned goes into the evidence."""
    says = partial(_say, version)
    with scanner_that(says) as address, pytest.raises(ScannerUnavailable):
        await shown(address, Subject("FI.A", CLEAN))


async def test_a_scanner_that_cuts_the_connection_has_said_nothing() -> None:
    """In the middle of what it is sent."""

    def behave(command: bytes, connection: socket.socket) -> None:
        if command == b"zVERSION\0":
            connection.sendall(VERSION)
        else:
            connection.recv(1000)

    with scanner_that(behave) as address, pytest.raises(ScannerUnavailable):
        await shown(address, Subject("FI.A", b"x" * 5_000_000))


async def test_the_name_that_was_found_is_made_presentable() -> None:
    """Whatever the scanner, or who wrote its signatures, put into it; and of a hundred letters at most."""
    answer = b"stream: Bad <b>\x1b[2J\n" + b"y" * 300 + b" FOUND\0"
    with scanner_that(_saying(answer.replace(b"\n", b" "))) as address:
        [finding], [scanned] = await shown(address, Subject("FI.A", CLEAN))

    assert scanned.found is not None
    assert 100 == len(scanned.found)
    assert scanned.found.startswith("Bad__b___2J_yyy")
    assert scanned.found in finding.detail


async def test_the_version_with_published_signatures_is_kept_in_the_evidence() -> None:
    """Number and date of the database are part of what clamd says."""
    with scanner_that(_saying(b"stream: OK\0")) as address:
        _, [scanned] = await shown(address, Subject("FI.A", CLEAN))

    assert VERSION.decode().removesuffix("\0") == scanned.engine
