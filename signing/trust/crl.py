"""What does a revocation list say, asked quickly?

A list is parsed, its signature verified and its lines indexed by serial number once in a process, and remembered by its
content; a line is found in microseconds afterwards, in a list of 200,000 lines as in one of ten.

Only a list that stands for itself is answered from here: signed by the issuer of the certificates it is about, with its
lines all its own and everything in its scope (RFC 5280, 5.2 and 6.3.3). Delta lists, indirect lists and lists of some
reasons are ``signing.trust.revocation``'s, which leaves them to a library.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Generic, TypeVar

from asn1crypto import x509 as asn1
from cryptography import x509

from signing.deadline import uncounted
from signing.trust.freshness import Dates

T = TypeVar("T", bound=x509.ExtensionType)
Read = TypeVar("Read")

# What we understand though it be critical; the scope is read, the others change nothing about who is revoked.
_UNDERSTOOD = (x509.IssuingDistributionPoint, x509.AuthorityKeyIdentifier, x509.CRLNumber)
_REMEMBERED_BYTES = 64 * 1024**2
_UNDERSTOOD_OF_LINES = (x509.CRLReason, x509.InvalidityDate)


@dataclass(frozen=True, slots=True)
class Line:
    """That a certificate is on a list: since when, and whether for good or on hold."""

    revoked_at: datetime
    for_good: bool


class UnreadableLineError(Exception):
    """A line must not be read without understanding more than we do."""


@dataclass(frozen=True)  # without slots, since what is worked out is kept in the instance
class RevocationList:
    """A list, with what is worked out about it kept beside it.

    ``digest`` is the SHA-256 of its DER in hexadecimal.
    """

    der: bytes
    crl: x509.CertificateRevocationList
    digest: str
    _signed_by: dict[bytes, bool] = field(default_factory=dict, repr=False)

    @cached_property
    def issuer(self) -> str:
        """Its issuer's name, in the form in which names are compared (RFC 5280, 7.1)."""
        return str(asn1.Name.load(self.crl.issuer.public_bytes()).hashable)

    @cached_property
    def dates(self) -> Dates:
        """When it was made and when the next one will be there."""
        return Dates(self.crl.last_update_utc, self.crl.next_update_utc)

    @cached_property
    def is_delta(self) -> bool:
        """Whether it says only what changed since another list; so does one whose extensions can't be read."""
        return self._extensions is None or _has(self._extensions, x509.DeltaCRLIndicator)

    @cached_property
    def number(self) -> int | None:
        """Its number among the lists of its issuer and scope (RFC 5280, 5.2.3)."""
        number = _value(self._extensions, x509.CRLNumber) if self._extensions is not None else None
        return number.crl_number if number else None

    def continues(self, other: "RevocationList") -> bool:
        """Whether this is a delta list with newer news than a complete one (RFC 5280, 5.2.4)."""
        if not self.is_delta or self.number is None or other.number is None:
            return self.is_delta
        return self.number > other.number

    def begins_at(self, other: "RevocationList") -> bool:
        """Whether nothing is missing between a complete list and this delta."""
        base = _value(self._extensions, x509.DeltaCRLIndicator) if self._extensions is not None else None
        return base is not None and other.number is not None and base.crl_number <= other.number

    def is_of_a_kind_with(self, other: "RevocationList") -> bool:
        """Whether both tell of the same: issuer, scope, and whether they are deltas."""
        return (self.issuer, self.scope, self.is_delta) == (other.issuer, other.scope, other.is_delta)

    @cached_property
    def has_deltas(self) -> bool:
        """Whether there may be newer news in a delta list (RFC 5280, 5.2.6)."""
        return self._extensions is None or _has(self._extensions, x509.FreshestCRL)

    @cached_property
    def scope(self) -> x509.IssuingDistributionPoint | None:
        """What the list is limited to; None for nothing."""
        return _value(self._extensions, x509.IssuingDistributionPoint) if self._extensions is not None else None

    @cached_property
    def is_indirect(self) -> bool:
        """Whether its lines may be about certificates of other issuers."""
        return self._extensions is None or bool(self.scope and self.scope.indirect_crl)

    def is_signed_by(self, issuer: x509.Certificate) -> bool:
        """Whether the issuer's key made the list; neither names nor key usage are looked at."""
        der = issuer.tbs_certificate_bytes
        if der not in self._signed_by:
            with uncounted():
                self._signed_by[der] = _is_signature_valid(self.crl, issuer)
        return self._signed_by[der]

    def stands_for(self, certificate: x509.Certificate) -> bool:
        """Whether the list by itself says everything about a certificate of its issuer."""
        extensions = self._extensions
        if extensions is None or self.is_delta:
            return False
        if any(each.critical and not isinstance(each.value, _UNDERSTOOD) for each in extensions):
            return False
        return _fits(self.scope, certificate)

    def find(self, serial: int) -> Line | None:
        """The line of a certificate, None if it isn't on the list.

        Raises:
            UnreadableLineError: if it is, with something critical that we don't understand
        """
        position = self._lines.get(serial)
        return None if position is None else _read(self.crl[position])

    @cached_property
    def _lines(self) -> Mapping[int, int]:
        with uncounted():
            return {entry.serial_number: position for position, entry in enumerate(self.crl)}

    @cached_property
    def _extensions(self) -> x509.Extensions | None:
        try:
            return self.crl.extensions
        except MemoryError:  # the worker's limit is our own trouble, and nothing to be remembered
            raise
        except Exception:  # extensions that break a rule each have an error of their own
            return None


class Memory(Generic[Read]):
    """The lists read last, bounded by the bytes of their DER; one is kept, however long it is.

    Args:
        read: makes of the DER what is kept
    """

    def __init__(self, budget: int, read: Callable[[bytes], Read]) -> None:
        self._budget = budget
        self._read = read
        self._lists: OrderedDict[bytes, Read] = OrderedDict()

    def read(self, der: bytes) -> Read:
        """What was made of a list now or before."""
        found = self._lists.get(der)
        if found is None:
            with uncounted():
                found = self._read(der)
            self._lists[der] = found
            self._forget_the_oldest()
        else:
            self._lists.move_to_end(der)
        return found

    def _forget_the_oldest(self) -> None:
        held = sum(map(len, self._lists))
        while held > self._budget and len(self._lists) > 1:
            oldest, _ = self._lists.popitem(last=False)
            held -= len(oldest)


def _read_list(der: bytes) -> RevocationList:
    return RevocationList(der, x509.load_der_x509_crl(der), hashlib.sha256(der).hexdigest())


_MEMORY = Memory(_REMEMBERED_BYTES, _read_list)


def read_list(der: bytes) -> RevocationList:
    """A list, with what earlier questions found out about it.

    Raises:
        ValueError: if it can't be read
    """
    return _MEMORY.read(der)


def newest(lists: Iterable[RevocationList]) -> list[RevocationList]:
    """Of each kind the one that was made last."""
    found: list[RevocationList] = []
    for each in sorted(lists, key=lambda each: each.dates.this_update, reverse=True):
        if not any(each.is_of_a_kind_with(newer) for newer in found):
            found.append(each)
    return found


@lru_cache(maxsize=512)
def read_certificate(der: bytes) -> x509.Certificate:
    """A certificate, remembered.

    Raises:
        ValueError: if it can't be read
    """
    return x509.load_der_x509_certificate(der)


def may_sign_lists(issuer: x509.Certificate) -> bool:
    """Whether the key usage of an authority allows it to sign lists (RFC 5280, 6.3.3 f)."""
    usage = _value(issuer.extensions, x509.KeyUsage)
    return usage is None or usage.crl_sign


def _points_of(certificate: x509.Certificate) -> list[x509.DistributionPoint]:
    """Where a certificate says that its lists are to be found (RFC 5280, 4.2.1.13)."""
    return list(_value(certificate.extensions, x509.CRLDistributionPoints) or ())


def _fits(scope: x509.IssuingDistributionPoint | None, certificate: x509.Certificate) -> bool:
    """Whether a scope takes in a certificate and all reasons to revoke it (RFC 5280, 6.3.3 b and d)."""
    points = _points_of(certificate)
    issuer = x509.DirectoryName(certificate.issuer)
    if any(name != issuer for point in points for name in point.crl_issuer or ()):
        return False
    if scope is None:
        return True
    if scope.indirect_crl or scope.only_some_reasons or scope.only_contains_attribute_certs or scope.relative_name:
        return False
    constraints = _value(certificate.extensions, x509.BasicConstraints)
    is_authority = constraints is not None and constraints.ca
    if scope.only_contains_user_certs if is_authority else scope.only_contains_ca_certs:
        return False
    named = {name for point in points if not point.reasons for name in point.full_name or ()}
    return not scope.full_name or not named.isdisjoint(scope.full_name)


def _read(entry: x509.RevokedCertificate) -> Line | None:
    try:
        extensions = entry.extensions
    except Exception as error:
        raise UnreadableLineError from error
    if any(each.critical and not isinstance(each.value, _UNDERSTOOD_OF_LINES) for each in extensions):
        raise UnreadableLineError
    reason = _value(extensions, x509.CRLReason)
    flag = reason.reason if reason else x509.ReasonFlags.unspecified
    if flag is x509.ReasonFlags.remove_from_crl:
        return None
    return Line(entry.revocation_date_utc, flag is not x509.ReasonFlags.certificate_hold)


def _is_signature_valid(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    try:
        return crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # other keys raise
    except MemoryError:
        raise
    except Exception:  # a wrong key type or algorithm each have an error of their own
        return False


def _has(extensions: x509.Extensions, kind: type[x509.ExtensionType]) -> bool:
    return any(isinstance(each.value, kind) for each in extensions)


def _value(extensions: x509.Extensions, kind: type[T]) -> T | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
