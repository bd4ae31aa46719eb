"""Where does ``gateway logs`` get its lines from: files that are rotated meanwhile, a pipe, or systemd's journal?

Each source gives lines, and None whenever it has no more for now.  A file that was renamed and made anew is read to its
end and then from the new one's beginning; one that was cut is read from its beginning.  A line without end costs no
more than one that is cut off.
"""

import gzip
import os
import select
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import BufferedIOBase
from pathlib import Path
from typing import Final, Protocol

from gateway.cli.output import RefusedError
from gateway.log_lines import LONGEST

UNIT: Final = "batch-gateway*"
_CHUNK: Final = 65_536
_PATIENCE: Final = 0.25
"""Seconds until it is looked again whether there is more."""

_FEW: Final = "10"


class Source(Protocol):
    """Gives lines."""

    def lines(self) -> Iterator[str | None]:
        """Every line without its end; None when there are no more for now."""


class Lines:
    """Cuts what comes into lines."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_cut = False

    def add(self, data: bytes) -> Iterator[str]:
        """The lines that end in ``data``; of one that is too long, its beginning."""
        *whole, rest = (self._rest + data).split(b"\n")
        self._rest = b""
        for line in whole:
            if not self._is_cut:
                yield _text(line)
            self._is_cut = False
        if len(rest) > LONGEST:
            if not self._is_cut:
                yield _text(rest[: LONGEST + 1])
            self._is_cut = True
        elif not self._is_cut:
            self._rest = rest

    def end(self) -> Iterator[str]:
        """The line that has no end, if there is one; afterwards this is as new."""
        if self._rest and not self._is_cut:
            yield _text(self._rest)
        self._rest, self._is_cut = b"", False


def _text(line: bytes) -> str:
    # A log that was cut while it was written to begins with a hole.
    return line.lstrip(b"\0").decode("utf-8", "replace")


class FileSource:
    """A file, also one packed by gzip; with ``follow`` whatever stands at its path, for ever."""

    def __init__(self, path: Path, *, follow: bool = False) -> None:
        self._path = path
        self._follow = follow

    def lines(self) -> Iterator[str | None]:
        """See :class:`Source`; a file that isn't there yet is waited for when it is followed."""
        lines = Lines()
        while True:
            with self._opened() as file:
                while file is not None:
                    data = file.read(_CHUNK)
                    if data:
                        yield from lines.add(data)
                    elif not self._follow or self._is_another(file):
                        break
                    else:
                        yield None
            yield from lines.end()
            if not self._follow:
                return
            yield None

    @contextmanager
    def _opened(self) -> Iterator[BufferedIOBase | None]:
        try:
            file = self._path.open("rb")
        except FileNotFoundError:
            if not self._follow:
                raise
            yield None
            return
        with file:
            if self._path.suffix != ".gz":
                yield file
                return
            try:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield unpacked
            except (gzip.BadGzipFile, EOFError, zlib.error):
                raise RefusedError(f"{self._path}: this is not packed by gzip, or not whole") from None

    def _is_another(self, file: BufferedIOBase) -> bool:
        """Whether another file stands at the path by now, or this one was cut."""
        own = os.fstat(file.fileno())
        try:
            there = self._path.stat()
        except OSError:
            return False
        return (there.st_dev, there.st_ino) != (own.st_dev, own.st_ino) or own.st_size < file.tell()


class PipeSource:
    """What can be read from a descriptor, until its other end is closed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def lines(self) -> Iterator[str | None]:
        """See :class:`Source`."""
        lines = Lines()
        while True:
            ready, _, _ = select.select([self._descriptor], [], [], _PATIENCE)
            data = os.read(self._descriptor, _CHUNK) if ready else None
            if data is None:
                yield None
                continue
            if not data:
                break
            yield from lines.add(data)
        yield from lines.end()


class JournalSource:
    """What the gateway's units have said to systemd's journal."""

    def __init__(self, unit: str, since: datetime | None, *, follow: bool) -> None:
        self._command = ["journalctl", "--no-pager", "--output=cat", f"--unit={unit}"]
        if since is not None:
            self._command.append(f"--since=@{int(since.timestamp())}")
        if follow:
            self._command += ["--follow", "--no-tail"] if since is not None else ["--follow", f"--lines={_FEW}"]

    def lines(self) -> Iterator[str | None]:
        """See :class:`Source`.

        Raises:
            RefusedError: there is no such journal, or it may not be read.
        """
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell, and --unit= goes before what was typed
                self._command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
            )
        except FileNotFoundError:
            raise RefusedError("there is no journalctl here: name the files of the log, or - for a pipe") from None
        with process:
            try:
                if process.stdout is not None:
                    for line in PipeSource(process.stdout.fileno()).lines():
                        # Its own remarks: no entries, the machine was started.
                        if line is None or not (line.startswith("-- ") and line.endswith(" --")):
                            yield line
                status = process.wait()
            finally:
                process.kill()
        if status:
            raise RefusedError(f"journalctl ended with status {status}; --unit names another unit, FILE a file")


def together(sources: Sequence[Source]) -> Iterator[str | None]:
    """The lines of all, one source after the other; in turns as soon as the first has no more for now."""
    open_ones = [source.lines() for source in sources]
    while open_ones:
        for lines in tuple(open_ones):
            for line in lines:
                if line is None:
                    break
                yield line
            else:
                open_ones.remove(lines)
        if open_ones:
            yield None


def wait(output: int) -> bool:
    """Wait a moment; answers whether anybody reads ``output`` still."""
    poll = select.poll()
    poll.register(output, 0)
    return not any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(_PATIENCE * 1000))
