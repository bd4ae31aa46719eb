"""Documents made to exhaust the reader: each ends in a finding, soon and in little memory."""

import io
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import BinaryIO

import pytest

from schemas.validate import Limits, Validated, validate
from tests.stages.dimona import DAY, DECLARATION, END, FORM, ROOT, dimona

MB = 1_048_576
LIMITS = Limits(max_bytes=200 * MB, max_forms=1_000_000)
OPEN = f"{DECLARATION}{ROOT}".encode()
BEFORE_STATUS, AFTER_STATUS = FORM.encode().split(b"0</AttestationStatus>")
IN_STATUS = OPEN + BEFORE_STATUS
LAUGHS = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(9))
ATTRIBUTES = b" ".join(b'a%d="x"' % number for number in range(200_000))
XMLNS = b" ".join(b'xmlns:a%d="x"' % number for number in range(200_000))

BOMBS: dict[str, tuple[Callable[[], Iterable[bytes]], int]] = {
    "spaces in the root": (lambda: chain([OPEN], repeat(b" " * MB, 100)), 102),
    "spaces between forms": (lambda: chain([OPEN, FORM.encode()], repeat(b" " * MB, 100)), 102),
    "spaces behind the end": (lambda: chain([OPEN, FORM.encode(), END.encode()], repeat(b" " * MB, 100)), 102),
    "a start tag without end": (lambda: chain([OPEN[:-1]], repeat(b" " * MB, 100)), 102),
    "a comment without end": (lambda: chain([OPEN, b"<!--"], repeat(b">" * MB, 100)), 102),
    "a comment before the root": (lambda: chain([b"<!--"], repeat(b">" * MB, 100)), 102),
    "a CDATA section without end": (lambda: chain([IN_STATUS, b"<![CDATA["], repeat(b">" * MB, 100)), 102),
    "an instruction without end": (lambda: chain([OPEN, b"<?a "], repeat(b">" * MB, 100)), 102),
    "a name without end": (lambda: chain([OPEN, b"<"], repeat(b"a" * MB, 100)), 102),
    "an attribute without end": (lambda: chain([OPEN, b'<Form a="'], repeat(b"a" * MB, 100)), 102),
    "millions of comments": (lambda: chain([OPEN], repeat(b"<!---->" * 100_000, 100)), 102),
    "200,000 attributes": (lambda: [OPEN, b"<Form ", ATTRIBUTES, b">", *repeat(b"<a/>" * 100_000, 10)], 102),
    "200,000 namespaces": (lambda: [OPEN, b"<Form ", XMLNS, b">", *repeat(b"<a/>" * 100_000, 10)], 102),
    "a text of 10 MB": (lambda: [IN_STATUS, b"0" * 10 * MB, AFTER_STATUS, END.encode()], 102),
    "a text of 10 million references": (lambda: chain([IN_STATUS], repeat(b"&#32;" * 100_000, 100)), 102),
    "a text in 10 million sections": (lambda: chain([IN_STATUS], repeat(b"<![CDATA[ ]]>" * 100_000, 100)), 102),
    "a text between 10 million comments": (lambda: chain([IN_STATUS], repeat(b" <!---->" * 100_000, 100)), 102),
    "a million levels": (lambda: chain([OPEN], repeat(b"<Form>" * 100_000, 10)), 102),
    "a million empty forms": (lambda: chain([OPEN], repeat(b"<Form/>" * 100_000, 10)), 255),
    "a million unknown elements": (lambda: chain([OPEN, b"<Form>"], repeat(b"<a/>" * 100_000, 10)), 102),
    "a million references": (lambda: chain([OPEN, BEFORE_STATUS], repeat(b"<Reference/>" * 100_000, 10)), 102),
    "a hundred megabytes of NUL": (lambda: chain([OPEN], repeat(b"\0" * MB, 100)), 102),
    "billion laughs": (lambda: [f'<!DOCTYPE a [<!ENTITY l0 "ha">{LAUGHS}]>{ROOT}&l9;{END}'.encode()], 102),
    "quadratic blow-up": (
        lambda: [f'<!DOCTYPE a [<!ENTITY a "{"a" * 4000}">]>{ROOT}{"&a;" * 4000}{END}'.encode()],
        102,
    ),
}

READ_ON = {"a million unknown elements", "a million references", "a million levels"}


class Stream(io.RawIOBase):
    """A file that is made while it is read, and tells how much of it was."""

    def __init__(self, pieces: Callable[[], Iterable[bytes]]) -> None:
        self._make = pieces
        self._pieces = iter(pieces())
        self._piece = memoryview(b"")
        self.given = 0
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """To its beginning."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Begin anew; other places are not asked for."""
        if whence == 0 and offset == 0:
            self._pieces = iter(self._make())
            self._piece = memoryview(b"")
            self._at = 0
        return self._at

    def tell(self) -> int:
        """How far it was read."""
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what io.BufferedReader really hands over
        """Give what is left of the piece, or of the next one."""
        self._piece = self._piece or memoryview(next(self._pieces, b""))
        size = min(len(buffer), len(self._piece))
        buffer[:size] = self._piece[:size]
        self._piece = self._piece[size:]
        self.given += size
        self._at += size
        return size


def codes(stream: BinaryIO) -> list[int]:
    """The codes of the document in the stream; its forms are not kept."""
    verdict = validate(stream, [dimona()], LIMITS, lambda _: None, DAY)
    return [] if isinstance(verdict, Validated) else [int(finding.code) for finding in verdict.findings]


@pytest.mark.parametrize(("pieces", "expected"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused(pieces: Callable[[], Iterable[bytes]], expected: int) -> None:
    """By a finding, and not by whoever has to kill the process."""
    assert codes(io.BufferedReader(Stream(pieces))) == [expected]


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_is_read(name: str) -> None:
    """What breaks a bound ends the reading; what only breaks the schema is read on, to say where it does so."""
    stream = Stream(BOMBS[name][0])
    codes(io.BufferedReader(stream))
    whole = sum(map(len, BOMBS[name][0]())) if name in READ_ON else 0
    assert stream.given < (4 * whole if name in READ_ON else 8 * MB)


def forms(count: int) -> Iterator[bytes]:
    """A document of so many valid forms."""
    yield OPEN
    yield from repeat(FORM.encode(), count)
    yield END.encode()


def test_100_mb_of_forms_need_no_more_memory_than_one() -> None:
    """A process that may grow by 32 MB over what it has before the first byte reads them all."""
    program = (
        "import io, resource\n"
        "from tests.stages import test_validate_bounds as bounds\n"
        "assert bounds.codes(io.BufferedReader(bounds.Stream(lambda: bounds.forms(1)))) == []\n"
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + 32 * bounds.MB\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size, size))\n"
        "stream = bounds.Stream(lambda: bounds.forms(1 + 100 * bounds.MB // len(bounds.FORM)))\n"
        "assert bounds.codes(io.BufferedReader(stream)) == []\n"
        "print(stream.given >= 100 * bounds.MB)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
