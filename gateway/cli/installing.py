"""How does a type of message get into the site's folder, and out of it?

A type is made whole in a hidden folder beside the others, checked there, and appears by one rename; one that is there
already changes places with it in one step. So neither a power cut nor a gateway that reads at that moment meets half
of it. What a type is, and which schemas are good, is decided in `schemas`.
"""

import ctypes
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Final

from config.errors import ConfigurationError
from schemas import catalogue, samples, structure, type_file
from schemas.message_type import MessageType
from schemas.published import Published
from spool.files import make_folder, sync_folder, write_durably

_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755
_AT_CWD: Final = -100
_EXCHANGE: Final = 2


def faults_of_type(kind: MessageType, folder: Path, day: date) -> Iterator[str]:
    """Everything that is wrong with a type, its schemas and the samples in its folder; ``day`` is that of samples."""
    found = [fault for path in kind.versions.values() for fault in structure.faults(path)]
    found = found or list(catalogue.faults_of(kind))
    yield from found or samples.faults(kind, folder, day)


@contextmanager
def assembled(published: Published, own: Path, day: date, *, beside: Path | None = None) -> Iterator[MessageType]:
    """The type as it would be, in a folder that is gone after the block unless `install` has moved it.

    Args:
        published: what is to be added
        own: the folder of the site's own types, which needn't exist
        day: to judge samples on
        beside: the folder to make it in, which `install` needs on the same disk; None when it is only looked at

    Raises:
        ConfigurationError: with everything that is wrong with it.
    """
    with tempfile.TemporaryDirectory(dir=beside, prefix=".adding.", ignore_cleanup_errors=True) as made:
        folder = Path(made) / "type"
        _write(folder, published, _present(published.kind, own))
        try:
            kind = type_file.read(folder / "type.toml")
            faults = tuple(faults_of_type(kind, folder, day))
        except ConfigurationError as refused:
            faults = refused.faults
        if faults:
            raise ConfigurationError([fault.replace(f"{folder}/", "") for fault in faults])
        yield kind


def install(kind: MessageType, own: Path) -> Path:
    """Put an assembled type where it counts; answers its folder.

    Raises:
        ConfigurationError: another type has that folder.
    """
    made = _folder_of(kind)
    present = _present(kind, own)
    target = _folder_of(present) if present else own / kind.root.lower()
    if present is None and target.exists():
        raise ConfigurationError([f"{target}: there is something else of that name"])
    made.chmod(_FOLDER_MODE)
    sync_folder(made)
    if present is None:
        made.rename(target)
    else:
        _exchange(made, target)
    sync_folder(target.parent)
    return target


def uninstall(purpose: str, root: str, own: Path) -> Path:
    """Take one of the site's own types away; answers the folder that it had.

    Raises:
        ConfigurationError: the site has no such type of its own.
    """
    kinds = catalogue.own(own) if own.is_dir() else ()
    kind = next((kind for kind in kinds if (kind.purpose, kind.root) == (purpose, root)), None)
    if kind is None:
        raise ConfigurationError([f"{purpose} {root}: the site has no type of its own with this purpose and root"])
    folder = _folder_of(kind)
    gone = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    folder.rename(gone)
    sync_folder(own)
    shutil.rmtree(gone)
    return folder


def prepare(own: Path) -> None:
    """Make the folder of the site's own types, if it isn't there."""
    make_folder(own, _FOLDER_MODE)


def _folder_of(kind: MessageType) -> Path:
    return next(iter(kind.versions.values())).parent


def _present(kind: MessageType, own: Path) -> MessageType | None:
    """The site's own type of the same purpose and root."""
    kinds = catalogue.own(own) if own.is_dir() else ()
    return next((other for other in kinds if (other.purpose, other.root) == (kind.purpose, kind.root)), None)


def _write(folder: Path, published: Published, present: MessageType | None) -> None:
    """All files of the type as it is, then those that come; the older versions stay."""
    source = _folder_of(published.kind)
    kind = published.kind
    contents: dict[str, bytes] = {}
    if present is not None:
        was = _folder_of(present)
        kept = (*was.glob("*.xsd"), *was.glob("samples/*.xml"))
        contents = {str(file.relative_to(was)): file.read_bytes() for file in kept}
        versions = {version: present.starts[version] for version in present.versions} | dict(kind.starts)
        kind = replace(kind, versions=dict.fromkeys(versions, source), starts=versions)
    contents |= {str(file.relative_to(source)): file.read_bytes() for file in published.files}
    contents["type.toml"] = type_file.write(kind).encode()
    for name, content in contents.items():
        make_folder((folder / name).parent, _FOLDER_MODE)
        write_durably(folder / name, content, _MODE)


def _exchange(one: Path, other: Path) -> None:
    """Let two folders change their names in one step: renameat2(2), which Python doesn't have."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.renameat2(_AT_CWD, os.fsencode(one), _AT_CWD, os.fsencode(other), _EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one), None, str(other))
