"""What is in the register, as files that an import takes?

All of a kind, or of every kind, as it is at one moment; INSSs are not in it, for they are not kept.
"""

import os
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
        with open_private(folder / f"{kind}.csv") as file:
            counts[kind] = files.write_csv(file, kind, _facts(connection, kind))
    return counts


def open_private(path: Path) -> IO[str]:
    """A new file, or a known one emptied, for what not everybody on the machine may read."""
    return open(path, "w", encoding="utf-8", newline="", opener=_only_ours)


def _only_ours(path: str, flags: int) -> int:
    return os.open(path, flags, 0o640)


def export_csv(connection: Connection, file: IO[str], kind: Kind) -> None:
    """Write one kind as CSV."""
    files.write_csv(file, kind, _facts(connection, kind))


def export_json(connection: Connection, file: IO[str], kinds: Iterable[Kind]) -> None:
    """Write a JSON document."""
    files.write_json(file, ((kind, _facts(connection, kind)) for kind in kinds))


def _facts(connection: Connection, kind: Kind) -> Iterator[Facts]:
    return (record.facts for record in stored.every(connection, kind))
