"""What do the import of a register and the look-up of mandates cost, beside what the database alone needs?

    python -m benchmarks.register [--quick]

imports an approved social secretariat with 100,000 employers that are affiliated to it, imports the same files again,
and asks for a file that names 2,000 employers against 1,000,000 mandates; it exits with 1 if a limit is missed:

- the import: at most 40 times the bare statements that write the same rows, its lines of the history included
- the same again, which changes nothing: at most 40 times the bare statements that read each row by its key
- ten times as many employers: at most 1.5 times the memory
- the look-up: at most 2 times two bare statements for each employer, by index

Times are CPU seconds of one process, both sides in one run. ``--quick`` takes a fiftieth of it, with the
same limits.
"""

import argparse
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from gateway.employers import Standing
from gateway.register import speaking
from gateway.register.actor import Operator
from gateway.register.bulk.files import read_folder
from gateway.register.bulk.importing import Import
from gateway.register.bulk.staging import open_staging
from schemas.identifiers import Kind
from schemas.inspection import Employer
from spool.journal import Journal, open_journal
from spool.register_tables import enterprises, mandates, qualities

MAX_IMPORT: Final = 40.0
MAX_AGAIN: Final = 40.0
MAX_MEMORY: Final = 1.5
MAX_LOOK_UP: Final = 2.0

_EMPLOYERS: Final = 100_000
_MANDATES: Final = 1_000_000
_NAMED: Final = 2_000
_AT: Final = 1_767_225_600_000_000  # 2026-01-01 in microseconds
_FIRST: Final = 4_000_000
_A_HISTORY_LINE: Final = '{"employer": "", "provider": "", "means": "", "valid_from": 0, "valid_to": null}'
_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report; ``is_met`` says whether the limit holds."""

    text: str
    is_met: bool


def enterprise(number: int) -> str:
    """An invented enterprise number with good check digits."""
    first = _FIRST + number
    return f"{first:08}{97 - first % 97:02}"


def onss(number: int) -> str:
    """An invented ONSS number with good check digits."""
    first = 1000 + number
    return str(first * 100 + 96 - first * 100 % 97)


def write_files(folder: Path, employers: int) -> None:
    """Files with a secretariat (number 0) and the employers that are affiliated to it."""
    folder.mkdir()
    secretariat = f"{enterprise(0)}/social-secretariat/"
    references = [f"{enterprise(number)}/employer/{onss(number)}" for number in range(1, employers + 1)]
    rows = {
        "enterprises": ["number,name", *(f"{enterprise(number)},Invented {number}" for number in range(employers + 1))],
        "qualities": ["quality", secretariat, *references],
        "mandates": [
            "employer,provider,means,valid_from",
            *(f"{employer},{secretariat},secretariat,2026-01-01" for employer in references),
        ],
    }
    for kind, lines in rows.items():
        (folder / f"{kind}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def import_files(journal: Journal, folder: Path) -> int:
    """Import a folder; answers how many records changed the register."""
    with open_staging() as staging:
        importing = Import(journal, staging)
        importing.read(read_folder(folder), None)
        importing.examine()
        importing.carry_out(Operator("benchmark"), "benchmark", folder.name)
        return sum(counts.new + counts.changed for counts in importing.counts.values())


def peak(folder: str) -> int:
    """Import a folder into a journal of its own, and answer the most bytes of memory that this process ever held."""
    with tempfile.TemporaryDirectory() as site:
        import_files(open_journal(Path(site) / "journal.sqlite3", create=True), Path(folder))
    status = Path("/proc/self/status").read_text("ascii")
    held = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(held.split()[1]) * 1024


def measure(folder: Path, employers: int, given: int, named: int) -> list[Result]:
    """Everything, in this folder."""
    write_files(folder / "many", employers)
    write_files(folder / "few", employers // 10)
    journal = open_journal(folder / "journal.sqlite3", create=True)
    bare = open_journal(folder / "bare.sqlite3", create=True)
    try:
        results = [*_import(journal, bare, folder, employers), _memory(folder)]
        return [*results, _look_up(bare, folder / "bare.sqlite3", employers, given, named)]
    finally:
        journal.close()
        bare.close()


def _import(journal: Journal, bare: Journal, folder: Path, employers: int) -> Iterator[Result]:
    ours = _seconds(lambda: import_files(journal, folder / "many"))
    database = folder / "bare.sqlite3"
    theirs = _seconds(lambda: _insert(database, 0, employers, history=True))
    yield _compared("import", employers, ours, theirs, MAX_IMPORT)
    ours = _seconds(lambda: _nothing(import_files(journal, folder / "many")))
    theirs = _seconds(lambda: _select(database, employers))
    yield _compared("the same again", employers, ours, theirs, MAX_AGAIN)
    with bare.read() as connection:
        found = connection.execute(sa.select(sa.func.count()).select_from(mandates)).scalar()
    if found != employers:
        raise ValueError("the two sides did not do the same")


def _compared(what: str, employers: int, ours: float, theirs: float, limit: float) -> Result:
    ratio = ours / theirs
    rate = 3 * employers / ours
    text = f"{what}: {employers} employers with mandates {ours:.1f} s ({rate:.0f} records/s), "
    return Result(f"{text}bare {theirs:.2f} s: {ratio:.1f} times (limit {limit:.0f})", ratio <= limit)


def _nothing(changed: int) -> None:
    if changed:
        raise ValueError("the second import changed something")


def _insert(database: Path, start: int, employers: int, *, history: bool) -> None:
    """Write what an import writes, in one transaction."""
    numbers = range(start + 1, start + employers + 1)
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA synchronous=FULL")
        write, head = connection.executemany, [0] if start == 0 else []
        write(
            f"INSERT INTO {enterprises.name} VALUES (?, ?, 'active', ?)",  # noqa: S608 - names of ours
            [(enterprise(number), f"Invented {number}", _AT) for number in (*head, *numbers)],
        )
        write(
            f"INSERT INTO {qualities.name} VALUES (?, ?, ?, ?, 'active', ?)",  # noqa: S608
            [(1, enterprise(0), "social-secretariat", "", _AT) for _ in head]
            + [(number + 1, enterprise(number), "employer", onss(number), _AT) for number in numbers],
        )
        write(
            f"INSERT INTO {mandates.name} VALUES (?, ?, 1, 'secretariat', ?, NULL, 'operator:x', ?)",  # noqa: S608
            [(number, number + 1, _AT, _AT) for number in numbers],
        )
        for kind in ("enterprise", "quality", "mandate") if history else ():
            write(
                "INSERT INTO register_changes (at, actor, act, subject, reason, after) VALUES (?, ?, ?, ?, ?, ?)",
                [(_AT, "operator:x", "imported", f"{kind}:{number}", "", _A_HISTORY_LINE) for number in numbers],
            )
    connection.close()


def _select(database: Path, employers: int) -> None:
    """Read what an import compares with, a row at a time."""
    connection = sqlite3.connect(database)
    for number in range(1, employers + 1):
        connection.execute("SELECT name, state FROM enterprises WHERE number = ?", (enterprise(number),)).fetchone()
        of = (enterprise(number), "employer", onss(number))
        query = "SELECT number, state FROM qualities WHERE enterprise = ? AND kind = ? AND registration = ?"
        quality, _ = connection.execute(query, of).fetchone()
        connection.execute("SELECT valid_from, valid_to FROM mandates WHERE employer = ?", (quality,)).fetchall()
    connection.close()


def _memory(folder: Path) -> Result:
    few, many = _peak(folder / "few"), _peak(folder / "many")
    text = f"import: peak {many / 1e6:.0f} MB, of a tenth of the file {few / 1e6:.0f} MB: "
    return Result(f"{text}{many / few:.2f} times (limit {MAX_MEMORY})", many / few <= MAX_MEMORY)


def _peak(folder: Path) -> int:
    program = "import sys; from benchmarks.register import peak; print(peak(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", program, folder], capture_output=True, text=True, check=True)  # noqa: S603  # ourselves
    return int(done.stdout)


def _look_up(journal: Journal, database: Path, employers: int, given: int, named: int) -> Result:
    """The check of one file, against bare statements for each employer that it names."""
    _insert(database, employers, given - employers, history=False)
    step = given // named
    numbers = [number * step + 1 for number in range(named)]
    asked = [Employer(Kind.ONSS, onss(number)) for number in numbers]
    connection = sqlite3.connect(database)

    def bare() -> None:
        for number in numbers:
            query = "SELECT number FROM qualities WHERE registration = ? AND kind = 'employer'"
            [quality] = connection.execute(query, (onss(number),)).fetchone()
            query = "SELECT valid_from, valid_to FROM mandates WHERE provider = 1 AND employer = ?"
            connection.execute(query, (quality,)).fetchall()

    def look_up() -> None:
        with journal.read() as reading:
            found = speaking.mandated(reading, 1, asked, _AT)
        if set(found.values()) != {Standing.MANDATED} or len(found) != named:
            raise ValueError("somebody has no mandate")

    ours, theirs = (min(_seconds(work) for _ in range(_ROUNDS)) for work in (look_up, bare))
    connection.close()
    text = f"a file with {named} employers against {given} mandates: {ours * 1000:.1f} ms, "
    bare_words = f"two bare statements each {theirs * 1000:.1f} ms: {ours / theirs:.2f} times (limit {MAX_LOOK_UP})"
    return Result(text + bare_words, ours / theirs <= MAX_LOOK_UP)


def _seconds(work: Callable[[], object]) -> float:
    """The CPU seconds that something takes."""
    start = _used()
    work()
    return max(_used() - start, 1e-6)


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> int:
    """Measure, print, and answer the exit status."""
    parser = argparse.ArgumentParser(description="What the register costs.")
    parser.add_argument("--quick", action="store_true", help="a fiftieth of everything")
    share = 50 if parser.parse_args().quick else 1
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), _EMPLOYERS // share, _MANDATES // share, _NAMED // (10 if share > 1 else 1))
    for result in results:
        sys.stdout.write(f"{'ok  ' if result.is_met else 'MISS'} {result.text}\n")
    sys.stdout.write(f"     {time.monotonic() - start:.0f} s in all\n")
    return 0 if all(result.is_met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
