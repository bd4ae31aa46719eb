"""How fast is a declaration judged, beside xmllint on the same schema, and in how much memory?

    python -m benchmarks.validation [--quick]

measures on quarterly declarations of 10 KB, 1 MB, 50 MB and 300 MB, both sides of each comparison in turns within one
run, and exits with 1 if a limit is missed:

- well-formed and valid (``schemas.judgement``): at least the speed of ``xmllint --stream --schema``
- all of ``schemas.validate``, with rules, identifiers, digest and declarations given out: at least 0.6 of it
- a process that validates the largest file never holds more than 100 MB
- two processes do at least 1.8 times the work of one in the same time

Speeds are of CPU seconds; the last is of wall clock, and of its best turn, as others may use the machine. ``--quick``
leaves out 300 MB and takes fewer turns, with the same limits. xmllint is that of Debian's libxml2-utils.
"""

import argparse
import multiprocessing
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from schemas import catalogue
from schemas.judgement import Judgement
from schemas.message_type import MessageType
from schemas.validate import Limits, Validated, validate

MIN_JUDGEMENT = 1.0
MIN_VALIDATION = 0.6
MAX_PEAK = 100_000_000  # bytes
MIN_TWO_WORKERS = 1.8

_SIZES: Final = {"10 KB": 10_000, "1 MB": 1_000_000, "50 MB": 50_000_000, "300 MB": 300_000_000}
_A_TURN: Final = 20_000_000  # as many bytes are read in a turn, of a smaller file again and again
_PERSONS: Final = 5  # in a declaration, which then has about 10 KB
_VERSION: Final = "20231"
_PIECE_BYTES: Final = 65536
_DAY: Final = date(2026, 11, 21)
_LIMITS: Final = Limits(max_bytes=1_000_000_000, max_forms=1_000_000)


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report; ``is_met`` says whether the limit holds."""

    text: str
    is_met: bool


def dmfa() -> MessageType:
    """The shipped type that the documents are of."""
    return next(kind for kind in catalogue.load().of_purpose("DMFA") if kind.root == "DmfAOriginal")


def document(size: int) -> Iterator[bytes]:
    """A valid document of about so many bytes, form by form; every person has a number of their own."""
    sample = dmfa().versions[_VERSION].parent / "samples" / "valid_small.xml"
    head, form, end = _around(sample.read_text("utf-8"), "Form")
    before, person, after = _around(form, "NaturalPerson")
    before = before.replace(">000000000342000<", f">{_PERSONS * 342_000:015}<")
    yield head.encode()
    written = len(head)
    for number in range(size):
        persons = "".join(_numbered(person, number * _PERSONS + place, place + 1) for place in range(_PERSONS))
        piece = f"{before}{persons}{after}".encode()
        yield piece
        written += len(piece)
        if written + len(piece) > size:
            break
    yield end.encode()


def measure(folder: Path, sizes: list[str], turns: int) -> list[Result]:
    """Everything, with the documents in this folder."""
    results: list[Result] = []
    for name in sizes:
        file = folder / f"{_SIZES[name]}.xml"
        with file.open("wb") as written:
            written.writelines(document(_SIZES[name]))
        results += _speed(name, file, turns)
    largest = folder / f"{_SIZES[sizes[-1]]}.xml"
    return [*results, _memory(sizes[-1], largest), _workers(folder / f"{_SIZES['50 MB']}.xml", turns)]


def _around(text: str, element: str) -> tuple[str, str, str]:
    """What stands before the first element of this name, the element with the space in front of it, and the rest."""
    start = text[: text.index(f"<{element}>")].rstrip()
    end = text.index(f"</{element}>") + len(f"</{element}>")
    return start, text[len(start) : end], text[end:]


def _numbered(person: str, number: int, place: int) -> str:
    """A person with this number in its declaration, and an INSS of its own."""
    first = (50 + number % 50) * 10_000_000 + (number // 50 % 12 + 1) * 100_000 + number // 600
    inss = f"{first:09}{97 - first % 97:02}"
    return person.replace(">0000001<", f">{place:07}<").replace(">88070412305<", f">{inss}<")


def _speed(name: str, file: Path, turns: int) -> list[Result]:
    """Judgement, validation and xmllint in turns."""
    kind = dmfa()
    size = file.stat().st_size
    times = max(1, _A_TURN // size)
    fewer = min(turns, 3) if size > _A_TURN else turns

    def judge() -> None:
        for _ in range(times):
            _judge(file, kind.versions[_VERSION])

    def check() -> None:
        for _ in range(times):
            _validate(file, kind)

    def compare() -> None:
        _xmllint(kind.versions[_VERSION], [file] * times)

    judged, checked, compared = (size * times / 1e6 / seconds for seconds in _in_turns([judge, check, compare], fewer))
    beside = f"xmllint {compared:.1f} MB/s; "
    ours, all_of_it = judged / compared, checked / compared
    return [
        Result(
            f"{name}: schema {judged:.1f} MB/s, {beside}{ours:.2f} of it (limit {MIN_JUDGEMENT})", ours >= MIN_JUDGEMENT
        ),
        Result(
            f"{name}: everything {checked:.1f} MB/s, {beside}{all_of_it:.2f} of it (limit {MIN_VALIDATION})",
            all_of_it >= MIN_VALIDATION,
        ),
    ]


def _in_turns(works: list[Callable[[], None]], turns: int) -> list[float]:
    """The medians of the CPU seconds that each takes, its child processes' included; the first turn warms up."""
    taken: list[list[float]] = [[] for _ in works]
    for turn in range(turns + 1):
        for work, seconds in zip(works, taken, strict=True):
            start = _cpu_seconds()
            work()
            if turn or turns == 1:
                seconds.append(_cpu_seconds() - start)
    return [statistics.median(seconds) for seconds in taken]


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _judge(file: Path, schema: Path) -> None:
    judgement = Judgement(schema, "UTF-8")
    with file.open("rb") as content:
        while piece := content.read(_PIECE_BYTES):
            judgement.feed(piece)
    if judgement.close() is not None or judgement.rule_broken:
        raise ValueError("a valid document was refused")


def _validate(file: Path, kind: MessageType) -> int:
    with file.open("rb") as content:
        verdict = validate(content, [kind], _LIMITS, lambda _: None, _DAY)
    if not isinstance(verdict, Validated):
        raise TypeError(f"a valid document was refused: {verdict.findings}")
    return verdict.forms


def _xmllint(schema: Path, files: list[Path]) -> None:
    command = [shutil.which("xmllint") or "", "--stream", "--noout", "--schema", str(schema), *map(str, files)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)  # noqa: S603  # a program of the system's


def _memory(name: str, file: Path) -> Result:
    """The peak of a process of its own, as the kernel knows it."""
    program = "import sys; from benchmarks.validation import peak; print(peak(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True, check=True)  # noqa: S603  # ourselves
    held = int(done.stdout)
    return Result(f"{name}: peak {held / 1e6:.1f} MB (limit {MAX_PEAK / 1e6:.0f} MB)", held <= MAX_PEAK)


def peak(file: str) -> int:
    """Validate a file, and answer the most bytes of memory that this process ever held."""
    _validate(Path(file), dmfa())
    status = Path("/proc/self/status").read_text("ascii")
    held = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(held.split()[1]) * 1024


def _workers(file: Path, turns: int) -> Result:
    """How much more two processes do than one; each validates the file once to warm up."""
    kind = dmfa()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        seconds: dict[int, list[float]] = {1: [], 2: []}
        for turn in range(turns + 1):
            for count, taken in seconds.items():
                start = time.perf_counter()
                pool.starmap(_validate, [(file, kind)] * count, chunksize=1)
                if turn:
                    taken.append(time.perf_counter() - start)
    size = file.stat().st_size / 1e6
    one, two = size / min(seconds[1]), 2 * size / min(seconds[2])
    text = f"one worker {one:.1f} MB/s, two {two:.1f} MB/s: {two / one:.2f} times (limit {MIN_TWO_WORKERS})"
    return Result(text, two / one >= MIN_TWO_WORKERS)


def main() -> int:
    """Measure, print, and answer the exit status."""
    parser = argparse.ArgumentParser(description="Speed and memory of validation.")
    parser.add_argument("--quick", action="store_true", help="nothing larger than 50 MB, fewer turns")
    quick = parser.parse_args().quick
    if shutil.which("xmllint") is None:
        parser.error("there is no xmllint to compare with: apt-get install libxml2-utils")
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), [*_SIZES][: 3 if quick else 4], 2 if quick else 4)
    for result in results:
        sys.stdout.write(f"{'ok  ' if result.is_met else 'MISS'} {result.text}\n")
    return 0 if all(result.is_met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
