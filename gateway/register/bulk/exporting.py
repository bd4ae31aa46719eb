"""What is in the register, as files that an import takes?

All of a kind, or of every kind, as it is at one moment; INSSs are not in it, for they are not kept.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from sqlalchemy.engine import Connection

from gateway.register.bulk import files, stored
from gateway.register.bulk.kinds import Facts, Kind


def export_folder(connection: Connection, folder: Path, kinds: Iterable[Kind]) -> dict[Kind, int]:
    """Write a CSV file for each kind into a folder; answers how many records each has."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    counts = {}
    for kind in kinds:
        with (folder / f"{kind}.csv").open("w", encoding="utf-8", newline="") as file:
            counts[kind] = files.write_csv(file, kind, _facts(connection, kind))
    return counts


def export_csv(connection: Connection, file: IO[str], kind: Kind) -> None:
    """Write one kind as CSV."""
    files.write_csv(file, kind, _facts(connection, kind))


def export_json(connection: Connection, file: IO[str], kinds: Iterable[Kind]) -> None:
    """Write a JSON document."""
    files.write_json(file, ((kind, _facts(connection, kind)) for kind in kinds))


def _facts(connection: Connection, kind: Kind) -> Iterator[Facts]:
    return (record.facts for record in stored.every(connection, kind))
