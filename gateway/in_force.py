"""With which settings does each process of the gateway run, and how did its last reload end?

Each process tells in a file of its own, ``processes/<id>.json`` of the spool: its settings, without secrets, of which
there is only a mark by which another one is told from the same; which authorities and types of message stood there
when it read them; and what became of the last reload.  Whoever may read the spool can compare that with the files.
What a process that died has left goes with its lock file.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from config.credential import is_reference
from config.settings import Settings
from signing.own.private_key import describe
from spool.processes import TOLD, Process, alive

_COST: Final = {"n": 2**13, "r": 8, "p": 1, "dklen": 16}

Flat = Mapping[str, Any]
"""Settings by ``section.key``, with values as JSON has them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reload ended: its ``number`` since the start, when (microseconds), and what was taken over, or why not."""

    number: int = 0
    at: int = 0
    faults: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InForce:
    """What a process runs with; ``seen`` are the dates of what it read last, by folder and name."""

    version: str
    began_at: int
    salt: str
    settings: Flat
    seen: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    last: Outcome = Outcome()


def flat(settings: Settings, salt: str) -> dict[str, Any]:
    """The settings, with marks made with ``salt`` in the place of secrets."""
    return {
        f"{section}.{key}": _plain(value, salt)
        for section, keys in settings
        if isinstance(keys, BaseModel)
        for key, value in keys
    }


def _plain(value: object, salt: str) -> Any:
    if isinstance(value, BaseModel):
        return {key: _plain(item, salt) for key, item in value}
    if isinstance(value, dict):
        return {str(key): _plain(item, salt) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, salt) for item in value]
    if (secret := _secret_in(value)) is not None:
        return {"secret": _mark(secret, salt)}
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return _shown(value)


def _secret_in(value: object) -> str | None:
    """What of a value must not be told: a secret that is no reference, or an address with a password in it."""
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        return None if is_reference(text) else text
    return None if getattr(value, "password", None) is None else str(value)


def _shown(value: object) -> Any:
    if isinstance(value, str) and value.startswith("pkcs11:"):
        return describe(value)  # which leaves out a PIN that stands there by mistake
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _mark(text: str, salt: str) -> str:
    """Costly to make, so that nobody finds a short secret by trying."""
    return hashlib.scrypt(text.encode(), salt=bytes.fromhex(salt), **_COST).hex()


def new_salt() -> str:
    """A salt for one process."""
    return secrets.token_hex(16)


def dates(folder: Path) -> dict[str, int]:
    """When each folder in ``folder`` was last changed, by its name (nanoseconds); nothing where it can't be read."""
    found: dict[str, int] = {}
    with suppress(OSError):
        for entry in sorted(folder.iterdir()):
            if entry.is_dir() and not entry.name.startswith("."):
                times = [entry.stat().st_mtime_ns, *(file.stat().st_mtime_ns for file in entry.iterdir())]
                found[entry.name] = max(times)
    return found


def tell(process: Process, told: InForce) -> None:
    """Let everybody who reads the spool know; it is cleared away with what else ``process`` has there."""
    path = _file(process)
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(json.dumps(asdict(told)), encoding="utf-8")
    temporary.chmod(0o640)
    temporary.replace(path)


def told(spool: Path) -> Iterator[tuple[Process, InForce | None]]:
    """Every process that lives, and what it runs with; None where that can't be read, or is of another release."""
    for process in alive(spool):
        yield process, _read(_file(process))


def _file(process: Process) -> Path:
    return process.address.with_name(process.id + TOLD)


def _read(path: Path) -> InForce | None:
    try:
        facts = json.loads(path.read_bytes())
        last = facts.pop("last")
        lists: dict[str, Any] = {key: tuple(it) if isinstance(it, list) else it for key, it in last.items()}
        return InForce(**facts, last=Outcome(**lists))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
