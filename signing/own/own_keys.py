"""Which of the gateway's keys signs now, and until when is each certificate good?

At most two: the present one, and the next, which takes over at a moment that is known beforehand, so that whoever
verifies answers can have its certificate by then. Both are opened at the start: a next key that can't be used is found
weeks before it is needed.

An expired certificate of our own doesn't stop the gateway: every submission is answered, and whoever verifies judges by
the signing time or by a timestamp. It is for the operator to hear of, in time and loudly.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from config.errors import ConfigurationError
from config.settings import KeyReference, Signing
from signing.own.private_key import describe
from signing.own.sign import Signer, read_certificate


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """The key that signs, and the one that signs from ``changes_at`` on, if there is one."""

    present: Signer
    following: Signer | None = None
    changes_at: datetime | None = None

    def at(self, moment: datetime) -> Signer:
        """The key that signs at ``moment``."""
        if self.following is None or self.changes_at is None or moment < self.changes_at:
            return self.present
        return self.following


@dataclass(frozen=True, slots=True)
class OwnCertificate:
    """A certificate of the gateway.

    ``setting`` is the key of the settings that names it, ``key`` where its private key is. It signs from ``begins``
    until ``ends``; None is open.
    """

    setting: str
    key: str
    certificate: x509.Certificate
    begins: datetime | None
    ends: datetime | None

    @property
    def subject(self) -> str:
        """Whose it is (RFC 4514)."""
        return self.certificate.subject.rfc4514_string()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hexadecimal."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def not_before(self) -> datetime:
        """Since when it is valid."""
        return self.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """Until when it is valid."""
        return self.certificate.not_valid_after_utc

    def is_replaced(self, at: datetime) -> bool:
        """Whether another has taken over."""
        return self.ends is not None and at >= self.ends

    def signs(self, at: datetime) -> bool:
        """Whether it is the one that signs."""
        return not self.is_replaced(at) and (self.begins is None or at >= self.begins)


def open_keys(settings: Signing) -> OwnKeys:
    """Take the keys of the settings into use.

    Raises:
        ConfigurationError: with every fault of both
    """
    opened: list[Signer] = []
    faults: list[str] = []
    for _, key, certificate in _pairs(settings):
        try:
            opened.append(Signer.open(key, certificate))
        except ConfigurationError as fault:
            faults.extend(fault.faults)
    if faults:
        raise ConfigurationError(faults)
    return OwnKeys(opened[0], opened[1] if len(opened) > 1 else None, settings.next_from)


def own_certificates(settings: Signing) -> tuple[OwnCertificate, ...]:
    """The certificates of the settings, the present one first; the keys are not touched.

    Raises:
        ConfigurationError: with every fault
    """
    found: list[OwnCertificate] = []
    faults: list[str] = []
    change = settings.next_from
    for (setting, key, path), (begins, ends) in zip(_pairs(settings), ((None, change), (change, None)), strict=False):
        try:
            found.append(OwnCertificate(setting, describe(key), read_certificate(path), begins, ends))
        except ConfigurationError as fault:
            faults.extend(fault.faults)
    if faults:
        raise ConfigurationError(faults)
    return tuple(found)


def expiries(certificates: Sequence[OwnCertificate], at: datetime) -> tuple[tuple[str, datetime], ...]:
    """Until when each certificate is valid that signs now or later, by the name of its setting."""
    return tuple((own.setting, own.not_after) for own in certificates if not own.is_replaced(at))


def remarks(certificates: Sequence[OwnCertificate], at: datetime) -> tuple[str, ...]:
    """What an operator must hear of the dates: a sentence for each certificate that signs while it isn't valid."""
    found = []
    for own in certificates:
        if own.is_replaced(at):
            continue
        first = at if own.begins is None else max(at, own.begins)
        if first > own.not_after:
            found.append(
                f"{own.setting}: the certificate expires on {own.not_after:%Y-%m-%d %H:%M} UTC and signs after it"
            )
        if first < own.not_before:
            found.append(
                f"{own.setting}: the certificate is valid from {own.not_before:%Y-%m-%d %H:%M} UTC, signs before it"
            )
        if own.ends is not None and first <= own.not_after < own.ends:
            found.append(f"{own.setting}: the certificate expires before the next one takes over")
    return tuple(found)


def _pairs(settings: Signing) -> list[tuple[str, KeyReference, Path]]:
    pairs = [("signing.certificate", settings.key, settings.certificate)]
    if settings.next_key is not None and settings.next_certificate is not None:
        pairs.append(("signing.next_certificate", settings.next_key, settings.next_certificate))
    return pairs
