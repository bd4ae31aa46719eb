"""Whose signatures does the gateway accept, and how does an operator change that?

A folder with one entry for each accepted authority::

    authorities/<name>/authority.pem   the certificate of the authority that issues the senders' certificates
                       chain.pem       the authorities above it, up to and including the root; absent if it is the root
                       crls/*.crl      the revocation lists of all of them, DER or PEM
                       crl-issuers.pem who signs lists on behalf of one of them; absent if they all sign their own
                       ocsp/*.ors      OCSP responses about certificates that they issued, DER
                       authority.toml  the terms on which it is accepted (signing.trust.terms); absent if there are none

The folder is data: ``current`` sees a change at the next verification, and another program may fill ``crls`` and
``ocsp``. A change is checked in full before anything is written and becomes visible by one rename, so that neither a
power cut nor a verification at that moment meets half of it. Nothing is fetched and no signer judged here.
"""

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from config.errors import ConfigurationError
from signing.durable import sync_folder, write_new
from signing.evidence import TrustUnavailable
from signing.trust.authority import (
    AUTHORITY,
    CHAIN,
    CRLS,
    LIST_ISSUERS,
    TERMS,
    Authority,
    assemble,
    check_name,
    read_entry,
)
from signing.trust.revocation_store import name_of, store
from signing.trust.terms import Terms, write_terms

_State = tuple[str, int, int, int, int]  # of a file: path, size, when it and its entry last changed, inode
_LOOKS = 5  # at a folder that changes while it is read
_DEPTH = 2  # folders of entries, and in them those of lists and responses

__all__ = ["Authorities", "Authority", "add", "current", "load", "remove", "replace_crls", "store_revocation"]


class _ChangedMeanwhileError(Exception):
    """The folder isn't what it was when the reading began."""


@dataclass(frozen=True, slots=True)
class Authorities:
    """All accepted authorities; an empty one accepts nobody."""

    entries: tuple[Authority, ...] = ()

    def __iter__(self) -> Iterator[Authority]:
        return iter(self.entries)

    def find(self, name: str) -> Authority | None:
        """The authority of that name."""
        return next((entry for entry in self.entries if entry.name == name), None)


def load(folder: Path) -> Authorities:
    """Read every entry of the folder; an empty one is a list that accepts nobody.

    Raises:
        ConfigurationError: with every fault of every entry, also of its revocation lists
    """
    entries, faults, list_faults = _read(folder)
    if faults or list_faults:
        raise ConfigurationError([*faults, *list_faults])
    return Authorities(entries)


def current(folder: Path) -> Authorities:
    """The entries as they are on disk now, read again only when a name, size or date has changed.

    A revocation list that can't be used is left out: signers whose revocation it would tell have to wait, others don't.

    Raises:
        TrustUnavailable: if the folder or a certificate in it can't be used
    """
    for _ in range(_LOOKS):
        try:
            return _remembered(folder, _fingerprint(folder))
        except _ChangedMeanwhileError:
            continue
        except OSError as error:
            raise TrustUnavailable(str(folder), "the accepted authorities cannot be read") from error
    raise TrustUnavailable(str(folder), "the accepted authorities change all the time")


def add(  # noqa: PLR0913 -- one for each file of an entry
    folder: Path,
    name: str,
    certificate: Path,
    chain: Sequence[Path],
    crls: Sequence[Path],
    terms: Terms | None = None,
    *,
    list_issuers: Sequence[Path] = (),
) -> Authority:
    """Accept an authority.

    Args:
        folder: the folder of all authorities; made if it is absent
        name: lower-case letters, digits and hyphens
        certificate: the issuing authority's certificate, PEM or DER
        chain: files with the certificates above it, in any order, up to the root; none if it is the root
        crls: revocation lists of any of them, PEM or DER
        terms: for what and when it is accepted; None for everything
        list_issuers: files with the certificates of those who sign lists on behalf of one of them, PEM or DER

    Raises:
        ConfigurationError: with every fault, or if the name is taken
    """
    check_name(name)
    if (folder / name).exists():
        raise ConfigurationError([f"{name}: there is an authority of that name"])
    authority, faults = assemble(name, certificate, chain, crls, list_issuers=list_issuers)
    if faults:
        raise ConfigurationError(faults)
    authority = replace(authority, terms=terms or Terms())
    folder.mkdir(parents=True, exist_ok=True)
    prepared = folder / f".{name}.{secrets.token_hex(4)}"
    try:
        _write_entry(prepared, authority)
        _appear(prepared, folder / name)
    finally:
        shutil.rmtree(prepared, ignore_errors=True)
    return authority


def remove(folder: Path, name: str) -> None:
    """Accept an authority no longer.

    Raises:
        ConfigurationError: if there is none of that name
    """
    entry = _existing(folder, name)
    gone = folder / f".{name}.{secrets.token_hex(4)}"
    entry.rename(gone)
    sync_folder(folder)
    shutil.rmtree(gone)


def replace_crls(folder: Path, name: str, crls: Sequence[Path]) -> None:
    """Put these revocation lists in the place of the present ones; the new ones are there before the old ones go.

    Raises:
        ConfigurationError: with every fault of the new lists, or if there is no authority of that name
    """
    entry = _existing(folder, name)
    chain, list_issuers = ([path] if path.exists() else [] for path in (entry / CHAIN, entry / LIST_ISSUERS))
    authority, faults = assemble(name, entry / AUTHORITY, chain, crls, list_issuers=list_issuers)
    if faults:
        raise ConfigurationError(faults)
    (entry / CRLS).mkdir(exist_ok=True)
    kept = _write_crls(entry / CRLS, authority.crls)
    for path in (entry / CRLS).iterdir():
        if path.name not in kept:
            path.unlink()
    sync_folder(entry / CRLS)


def store_revocation(folder: Path, name: str, content: bytes) -> str:
    """Put a revocation list or OCSP response beside the others of an authority, in the place of those it replaces.

    A list replaces older ones of its issuer and scope, a response older ones about the same certificates. One that is
    there already is left alone.

    Args:
        content: DER, or a list in PEM

    Returns:
        the SHA-256 of its DER in hexadecimal

    Raises:
        ConfigurationError: if it doesn't belong there, or is older than what it would replace
    """
    entry = _existing(folder, name)
    authority, _ = read_entry(entry)
    try:
        return store(entry, authority, content)
    except ValueError as error:
        raise ConfigurationError([f"{name}: {error}"]) from error


@lru_cache(maxsize=1)  # what the folder was would keep its lists in memory
def _remembered(folder: Path, seen: frozenset[_State]) -> Authorities:
    entries, faults, list_faults = _read(folder)
    if (faults or list_faults) and _fingerprint(folder) != seen:
        raise _ChangedMeanwhileError
    if faults:
        raise TrustUnavailable(str(folder), "; ".join(faults))
    return Authorities(entries)


def _fingerprint(folder: Path) -> frozenset[_State]:
    """What tells whether anything has changed; links are followed, since what they lead to is read.

    Raises:
        OSError: if the folder can't be read
    """
    return frozenset(_states(os.fspath(folder), _DEPTH))


def _states(folder: str, depth: int) -> Iterator[_State]:
    with os.scandir(folder) as present:
        for each in present:
            if each.name.startswith("."):
                continue
            with suppress(FileNotFoundError):  # gone since it was listed
                state = each.stat()
                if not stat.S_ISDIR(state.st_mode):
                    yield each.path, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino
                else:
                    yield each.path, 0, 0, 0, state.st_ino
                    if depth:
                        yield from _states(each.path, depth - 1)


def _read(folder: Path) -> tuple[tuple[Authority, ...], list[str], list[str]]:
    """The entries, the faults that make the list unusable, and those of revocation lists alone."""
    if not folder.is_dir():
        return (), [f"{folder}: there is no such folder"], []
    entries: list[Authority] = []
    faults: list[str] = []
    list_faults: list[str] = []
    for entry in sorted(path for path in folder.iterdir() if not path.name.startswith(".")):
        try:
            authority, unusable = read_entry(entry)
        except ConfigurationError as error:
            faults.extend(error.faults)
        else:
            entries.append(authority)
            list_faults.extend(unusable)
    return tuple(entries), faults, list_faults


def _existing(folder: Path, name: str) -> Path:
    check_name(name)
    if not (folder / name).is_dir():
        raise ConfigurationError([f"{name}: there is no authority of that name"])
    return folder / name


def _write_entry(entry: Path, authority: Authority) -> None:
    (entry / CRLS).mkdir(parents=True)
    write_new(entry / AUTHORITY, _pem(authority.certificate))
    if authority.chain:
        write_new(entry / CHAIN, b"".join(_pem(certificate) for certificate in authority.chain))
    if authority.list_issuers:
        write_new(entry / LIST_ISSUERS, b"".join(_pem(certificate) for certificate in authority.list_issuers))
    if written := write_terms(authority.terms):
        write_new(entry / TERMS, written.encode())
    _write_crls(entry / CRLS, authority.crls)
    sync_folder(entry)


def _appear(prepared: Path, entry: Path) -> None:
    try:
        prepared.rename(entry)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        raise ConfigurationError([f"{entry.name}: there is an authority of that name"]) from error
    sync_folder(entry.parent)


def _write_crls(folder: Path, crls: Sequence[bytes]) -> set[str]:
    """Write each list under a name that its content gives, and return the names."""
    named = {name_of(crl, ".crl"): crl for crl in crls}
    for name, crl in named.items():
        if not (folder / name).exists():
            write_new(folder / name, crl)
    return set(named)


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
