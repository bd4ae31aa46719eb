"""What did a signature's verdict rely on, and where do its bytes stay?

The verdict names certificates, lists and responses by their SHA-256; the folder of the accepted authorities replaces
them by newer ones. So their bytes go into the archive of :mod:`spool.relied`, by the process that relied on them, from
the very entries it used, before it tells what it found.
"""

import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from signing.evidence import Evidence, Fault
from signing.trust.authorities import Authorities
from spool.relied import DamagedError, EvidenceNotKeptError, Kind, Relied


def keep(archive: Path, evidence: Evidence | Fault, authorities: Authorities) -> None:
    """Keep what ``evidence``, or a refusal, relied on; it is on the disk when this returns.

    Args:
        archive: the folder of :class:`spool.relied.Relied`
        authorities: those that it was judged with

    Raises:
        EvidenceNotKeptError: it cannot be kept now.
    """
    kept = _opened(archive)
    for der in evidence.chain:
        kept.keep(Kind.CHAIN, der)
    lacking = {digest for digest in evidence.revocation if not kept.has(Kind.REVOCATION, digest)}
    if not lacking:
        return
    for der in _revocation_data(authorities):
        if hashlib.sha256(der).hexdigest() in lacking:
            lacking.discard(kept.keep(Kind.REVOCATION, der))
    if lacking:
        raise EvidenceNotKeptError("what was relied on is not among the accepted authorities' lists")


def find(kept: Relied, authorities: Authorities, kind: Kind, digest: str) -> bytes | str:
    """The bytes with that SHA-256 (hex), from the archive or, of verdicts before there was one, from the authorities'.

    Answers why there are none, in words, instead.
    """
    try:
        found = kept.load(kind, digest)
    except DamagedError:
        return "the gateway's copy is damaged"
    except OSError as fault:
        return f"the gateway's copy cannot be read: {fault.strerror}"
    if found is None:
        found = relied_on(authorities).get(digest)
    return "the gateway does not keep it any more" if found is None else found


def relied_on(authorities: Authorities) -> dict[str, bytes]:
    """The certificates, revocation lists and responses of the accepted authorities, by their SHA-256 (hex)."""
    found = {hashlib.sha256(der).hexdigest(): der for der in _revocation_data(authorities)}
    for entry in authorities:
        for der in (entry.certificate, *entry.chain, *entry.list_issuers):
            found[hashlib.sha256(der).hexdigest()] = der
    return found


def _revocation_data(authorities: Authorities) -> Iterator[bytes]:
    for entry in authorities:
        yield from (*entry.crls, *entry.responses)


@cache
def _opened(archive: Path) -> Relied:
    return Relied(archive)
