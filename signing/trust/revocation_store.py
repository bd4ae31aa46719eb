"""How does a new revocation list or OCSP response take its place in an authority's entry?

It is checked, written under a name that its content gives, and only then do those go that it replaces: a reader never
finds less than before. Nothing goes back: one that is older than what it would replace is refused.

Responses are about few certificates each, so those that ended a month before a new one was made go as well: nothing
waits that long for an answer.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from signing.durable import sync_folder, write_new
from signing.trust.authority import CRLS, RESPONSES, Authority
from signing.trust.crl import RevocationList, read_certificate, read_list
from signing.trust.freshness import last_moment
from signing.trust.ocsp import Response, read_response
from signing.trust.revocation_files import as_der, check_list, check_response, is_about_the_same, is_list

_LONG_OVER = timedelta(days=30)

T = TypeVar("T", RevocationList, Response)


def store(entry: Path, authority: Authority, content: bytes) -> str:
    """Put a list or response in its place.

    Args:
        entry: the authority's folder
        content: DER, or a list in PEM

    Returns:
        the SHA-256 of its DER in hexadecimal

    Raises:
        ValueError: if it doesn't belong there, or is older than what it would replace
    """
    line = [read_certificate(der) for der in (authority.certificate, *authority.chain)]
    if is_list(content):
        signers = [*line, *map(read_certificate, authority.list_issuers)]
        return _store_list(entry / CRLS, read_list(check_list(content, signers)))
    return _store_response(entry / RESPONSES, read_response(check_response(content, line)))


def name_of(der: bytes, suffix: str) -> str:
    """The name of a list's or response's file."""
    return hashlib.sha256(der).hexdigest()[:32] + suffix


def _store_list(folder: Path, new: RevocationList) -> str:
    present = _present(folder, "*.crl", lambda content: read_list(as_der(content)))
    before = {path: old for path, old in present.items() if old.is_of_a_kind_with(new)}
    _place(folder, ".crl", new, before, lambda each: each.dates.this_update)
    return new.digest


def _store_response(folder: Path, new: Response) -> str:
    present = _present(folder, "*.ors", read_response)
    before = {path: old for path, old in present.items() if is_about_the_same(new, old)}
    _place(folder, ".ors", new, before, _made)
    for path, old in present.items():
        if _made(new) - _end(old) > _LONG_OVER:
            path.unlink(missing_ok=True)
    return new.digest


def _place(folder: Path, suffix: str, new: T, before: dict[Path, T], made: Callable[[T], datetime]) -> None:
    if any(made(old) > made(new) for old in before.values()):
        raise ValueError("it is older than the one that it would replace")
    folder.mkdir(exist_ok=True)
    kept = [path for path, old in before.items() if old.digest == new.digest]
    if not kept and not (folder / name_of(new.der, suffix)).exists():
        write_new(folder / name_of(new.der, suffix), new.der)
    for path, old in before.items():
        if old.digest != new.digest:
            path.unlink(missing_ok=True)
    sync_folder(folder)


def _present(folder: Path, pattern: str, read: Callable[[bytes], T]) -> dict[Path, T]:
    """What can be read in a folder; the rest is no reason to refuse something better."""
    found: dict[Path, T] = {}
    for path in sorted(folder.glob(pattern)):
        with suppress(OSError, ValueError):
            found[path] = read(path.read_bytes())
    return found


def _end(response: Response) -> datetime:
    return max(last_moment(answer.dates, None) for answer in response.answers)


def _made(response: Response) -> datetime:
    return min(answer.dates.this_update for answer in response.answers)
