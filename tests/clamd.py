"""A private clamd for the tests: its own socket, folder and signature, and doubles named after what is wrong with them.

The scanner is the Debian package's, started without its service and without its database.  A machine without the
package fails the tests that need it: a skipped promise would look kept.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

MARKER = b"MARKED-FOR-THE-SCANNER"
"""What the one signature is for; it can stand in a comment of XML."""

NAME = "Test.Invented.Marker.UNOFFICIAL"
"""What clamd calls it."""

STREAM_MAX, FILE_MAX = 300_000, 200_000
"""The most bytes that the scanner takes, and that it looks at."""

_SECONDS = 30.0


class Scanner:
    """One clamd that a test can stop, freeze and start again."""

    def __init__(self, folder: Path) -> None:
        """Write its configuration and its database; ``start`` starts it."""
        self.folder = folder
        self.socket = folder / "s"
        self._process: subprocess.Popen[bytes] | None = None
        database = folder / "db"
        database.mkdir()
        database.joinpath("own.ndb").write_text(f"Test.Invented.Marker:0:*:{MARKER.hex()}\n")
        lines = {
            "Foreground": "yes",
            "LocalSocket": self.socket,
            "DatabaseDirectory": database,
            "TemporaryDirectory": folder,
            "LogFile": folder / "log",
            "User": getpass.getuser(),
            "StreamMaxLength": STREAM_MAX,
            "MaxFileSize": FILE_MAX,
            "MaxScanSize": FILE_MAX,
            "AlertExceedsMax": "yes",
        }
        folder.joinpath("clamd.conf").write_text("".join(f"{key} {value}\n" for key, value in lines.items()))

    @property
    def address(self) -> str:
        """What the settings say."""
        return f"unix:{self.socket}"

    def start(self) -> None:
        """Start it, and return once it answers."""
        program = shutil.which("clamd", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            pytest.fail("this test needs the package clamav-daemon: run scripts/prepare test")
        with self.folder.joinpath("out").open("wb") as out:
            self._process = subprocess.Popen(
                [program, "--config-file", str(self.folder / "clamd.conf")],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _SECONDS
        while not self._answers():
            assert self._process.poll() is None, self.folder.joinpath("out").read_text()
            assert time.monotonic() < deadline, "clamd does not answer"
            time.sleep(0.02)  # it tells nobody that it listens

    def stop(self) -> None:
        """Stop it; harmless twice."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            self._process.wait(_SECONDS)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It takes connections for the time of the block, and does nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SECONDS)
            try:
                connection.connect(str(self.socket))
                connection.sendall(b"zPING\0")
                return connection.recv(10) == b"PONG\0"
            except OSError:
                return False


@contextmanager
def installed_scanner() -> Iterator[Scanner]:
    """A scanner that is not started yet, in a folder whose path is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="clamd", dir="/tmp"))  # pytest's own paths are too long
    scanner = Scanner(folder)
    try:
        yield scanner
    finally:
        scanner.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def clamd() -> Iterator[Scanner]:
    """The session's scanner, running; who stops it starts it again."""
    with installed_scanner() as scanner:
        scanner.start()
        yield scanner


@contextmanager
def scanner_that(behaves: Callable[[bytes, socket.socket], None]) -> Iterator[str]:
    """A double on a port of the loopback; answers its address.

    Each connection is read up to its command's end, then ``behaves`` gets the command and the connection.
    """
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=converse, args=(connection,), daemon=True).start()

    def converse(connection: socket.socket) -> None:
        with connection:
            command = bytearray()
            while not command.endswith(b"\0"):
                command += connection.recv(1)
            with suppress(OSError):  # who asked may have gone
                behaves(bytes(command), connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"tcp:127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(_SECONDS)


def drained(connection: socket.socket) -> bytes:
    """The content of a stream, read to its end."""
    content = bytearray()
    with connection.makefile("rb") as file:
        while size := int.from_bytes(file.read(4), "big"):
            content += file.read(size)
    return bytes(content)
