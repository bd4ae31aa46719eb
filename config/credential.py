"""Where is a secret that the settings only name?

``credential:NAME`` is a file that systemd hands to the gateway's unit (systemd.exec(5), ``LoadCredential=``), in the
folder that ``$CREDENTIALS_DIRECTORY`` names.  It is read when the secret is wanted, so that commands which want none
work where there are no credentials.
"""

import os
import re
import stat
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from config.errors import ConfigurationError

PREFIX: Final = "credential:"
NONE_HERE: Final = "systemd hands out no credentials here ($CREDENTIALS_DIRECTORY)"
"""What is said outside the gateway's unit, where that is no fault of the settings."""

_LARGEST: Final = 65_536


def is_reference(text: str) -> bool:
    """Whether a setting names a credential."""
    return text.startswith(PREFIX)


def credential_file(reference: str) -> Path:
    """The file of ``credential:NAME``.

    Raises:
        ConfigurationError: it is no name, or nobody hands out credentials here.
    """
    name = reference.removeprefix(PREFIX)
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if not re.fullmatch(r"[\w.@-]{1,255}", name, re.ASCII) or name in {".", ".."}:
        raise ConfigurationError([f"{reference}: this is no name of a credential"])
    if not folder:
        raise ConfigurationError([f"{reference}: {NONE_HERE}"])
    return Path(folder) / name


def read_secret(path: Path) -> tuple[bytes, list[str]]:
    """The content of a file that only its owner and its group may read, and a fault if others may.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        loose = path.stat().st_mode & stat.S_IROTH
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError([f"{path}: {error.strerror}"]) from error
    return content, [f"{path}: everybody may read this key"] if loose else []


def revealed(secret: SecretStr) -> str:
    """The secret that a setting is, or names: the one line of the credential's file.

    Raises:
        ConfigurationError: the credential cannot be read, or is no line.
    """
    text = secret.get_secret_value()
    if not is_reference(text):
        return text
    content, faults = read_secret(credential_file(text))
    line = content[:_LARGEST].removesuffix(b"\n").decode("utf-8", errors="replace")
    if not line or not line.isprintable():
        faults.append(f"{text}: this is no secret in one line")
    if faults:
        raise ConfigurationError(faults)
    return line
