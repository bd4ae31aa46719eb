"""Which key in which token does a ``pkcs11:`` URI name?

RFC 7512, as far as it names one private key: the token by its label, serial number, manufacturer or model, the key by
its label or id, the module by its path, the PIN by where it is written down. A PIN in the URI itself is refused:
settings are read by more people than a secret may be. What is not understood is refused too, lest another key than the
one meant signs.

Only the URI is read here; whether there is such a token is :mod:`signing.own.pkcs11_key`'s to find out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.errors import ConfigurationError

_SCHEME: Final = "pkcs11:"
_TOKEN: Final = frozenset({"token", "serial", "manufacturer", "model"})
_KEY: Final = frozenset({"object", "id", "type"})
_QUERY: Final = frozenset({"module-path", "pin-source"})
# RFC 7512, 2.3: letters and digits of ASCII, a few signs, and everything else as %XX.
_VALUE: Final = re.compile(r"(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9\-._~:\[\]@!$'()*+,=&/?|])*")


@dataclass(frozen=True, slots=True)
class KeyUri:
    """What the URI says.

    ``token`` holds what is demanded of the token (``token``, ``serial``, ``manufacturer``, ``model``); ``label`` and
    ``id`` name the key, either may be None; ``pin`` says where the PIN is: a file, ``credential:NAME`` or None.
    ``name`` is the URI without its query, for messages.
    """

    name: str
    module: Path
    token: Mapping[str, str]
    label: str | None
    id: bytes | None
    pin: Path | str | None


def parse_uri(uri: str) -> KeyUri:
    """Read the URI of a private key.

    Raises:
        ConfigurationError: with every fault found; none of them quotes a value
    """
    text, _, query = uri.partition("?")
    name = name_of(uri)
    faults: list[str] = []
    path = _attributes(text.removeprefix(_SCHEME), ";", _TOKEN | _KEY, faults)
    options = _attributes(query, "&", _QUERY, faults)
    faults += _missing(path, options)
    module = _file(options.get("module-path", b"/"), "module-path", faults)
    pin = _pin(options.get("pin-source"), faults)
    token = {key: _text(value, key, faults) for key, value in path.items() if key in _TOKEN}
    label = _text(path["object"], "object", faults) if "object" in path else None
    if faults:
        raise ConfigurationError([f"{name}: {fault}" for fault in faults])
    return KeyUri(name, module, token, label, path.get("id"), pin)


def name_of(uri: str) -> str:
    """What names the token and the key in ``uri``, good or bad; for messages, which never tell a PIN."""
    return re.sub("pin-value=.*", "pin-value=...", uri.partition("?")[0], flags=re.DOTALL | re.IGNORECASE)


def _attributes(text: str, separator: str, known: frozenset[str], faults: list[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for attribute in filter(None, text.split(separator)):
        key, equals, value = attribute.partition("=")
        if key == "pin-value":
            faults.append("a PIN does not belong in the settings; name a file or a credential by pin-source")
        elif key not in known or not equals:
            # What has no = may be the rest of a PIN with a separator in it.
            named = f"attribute {key}" if equals else "such attribute"
            faults.append(f"there is no {named} here; known are {', '.join(sorted(known))}")
        elif key in found:
            faults.append(f"{key} is there twice")
        elif not _VALUE.fullmatch(value):
            faults.append(f"{key} has a character that must be written as %XX")
        else:
            found[key] = _decoded(value)
    return found


def _missing(path: Mapping[str, bytes], options: Mapping[str, bytes]) -> list[str]:
    faults = []
    if not path.keys() & {"token", "serial"}:
        faults.append("token or serial must name the token")
    if not path.keys() & {"object", "id"}:
        faults.append("object or id must name the key")
    if path.get("type", b"private") != b"private":
        faults.append("type must be private")
    if "module-path" not in options:
        faults.append("module-path must name the token's library")
    return faults


def _pin(source: bytes | None, faults: list[str]) -> Path | str | None:
    if source is None:
        return None
    text = _text(source, "pin-source", faults)
    if text.startswith("credential:"):
        return text
    # file:/etc/pin, file:///etc/pin (RFC 8089), or the path alone
    return _file(re.sub("^file:(//(?=/))?", "", text).encode(), "pin-source", faults)


def _file(value: bytes, key: str, faults: list[str]) -> Path:
    text = _text(value, key, faults)
    if not text.startswith("/") or "\0" in text:
        faults.append(f"{key} must be an absolute path")
    return Path(text)


def _text(value: bytes, key: str, faults: list[str]) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        faults.append(f"{key} is not UTF-8")
        return ""


def _decoded(value: str) -> bytes:
    return re.sub(rb"%(..)", lambda found: bytes.fromhex(found[1].decode()), value.encode())
