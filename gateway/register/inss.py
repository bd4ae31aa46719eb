"""How is a person found by the INSS without the INSS being kept?

By a keyed hash, which can be compared but not read; without the key, which lies beside the host key and not in the
journal, it cannot be found by trying every number either.  The same key marks persons of the register and persons named
in declarations.  Why no encryption: ``docs/decisions/0014-an-inss-is-hashed.md``.
"""

import hmac
import re
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from config.errors import ConfigurationError
from config.settings import Settings
from schemas import identifiers
from signing.holder import create_key
from spool.register_tables import disclosures, persons

_KEY_BYTES: Final = 32
_DIGITS: Final = 11
_WRITTEN: Final = re.compile(r"(?<![0-9])[0-9](?:[ ._-]?[0-9]){10}(?![0-9])")


def mark(key: bytes, inss: str) -> str:
    """The keyed hash of an INSS: HMAC with SHA-256, hexadecimal.

    Args:
        key: that of :func:`read_key`.
        inss: its digits; zeros may be missing before them.
    """
    return hmac.digest(key, inss.zfill(_DIGITS).encode(), "sha256").hex()


def normal(inss: str) -> str | None:
    """The eleven digits of an INSS as a person may type it (``79.11.03-995.31``), or None if it is none."""
    digits = inss.strip().translate(str.maketrans("", "", " ._-"))
    good = len(digits) == _DIGITS and digits.isdecimal() and digits.isascii()
    return digits if good and not identifiers.check(identifiers.Kind.INSS, digits) else None


def veiled(text: str) -> str:
    """A text with words in the place of every INSS in it, for what is kept in clear."""
    return _WRITTEN.sub(lambda found: found[0] if normal(found[0]) is None else "(an INSS)", text)


def key_file(settings: Settings) -> Path:
    """Where the key is: beside the host key, away from the journal that it protects."""
    return settings.sftp.host_key.with_name("inss.key")


def read_key(path: Path) -> bytes:
    """The key that INSSs are hashed with.

    Raises:
        ConfigurationError: there is none, or it cannot be used.
    """
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as fault:
        raise ConfigurationError([f"{path}: the key of the INSSs: {fault.strerror}"]) from fault
    except ValueError:
        key = b""
    if len(key) != _KEY_BYTES:
        raise ConfigurationError([f"{path}: this is no key of INSSs"])
    return key


def make_key(path: Path) -> None:
    """Make the key, if there is none."""
    try:
        create_key(path)
    except FileExistsError:
        return


def key_of(connection: Connection, path: Path) -> bytes:
    """The key, which is made with the first use; never while anything was hashed with one that is missed.

    Raises:
        ConfigurationError: it is missed, or cannot be used.
    """
    if not path.exists() and not _has_marks(connection):
        make_key(path)
    return read_key(path)


def _has_marks(connection: Connection) -> bool:
    marked = sa.select(persons.c.username).where(persons.c.inss_mark.is_not(None)).limit(1)
    disclosed = sa.select(disclosures.c.number).limit(1)
    return any(connection.execute(query).first() is not None for query in (marked, disclosed))
