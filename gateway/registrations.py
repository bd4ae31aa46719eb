"""Is this certificate the sender's?  (annex 30: 153)  Pure.

A sender's certificates are registered one by one, or by their holder, so that a renewed one is the sender's without
being registered again.  A registration has a beginning and an end, either of which may be open; registrations may
overlap.  What counts is the moment of receipt.  That a certificate is any good is asked before, in ``signing``.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.settings import Settings
from signing.evidence import Evidence
from signing.holder import holder_of

EARLIEST: Final = -62_135_596_800_000_000
LATEST: Final = 253_402_300_799_000_000
"""The first and the last second, in microseconds, that can be written as a date: the years 1 to 9999 of UTC."""


class EndedAlreadyError(ValueError):
    """A key or a registration ends no later than asked for; an end is not put off by ending again."""


@dataclass(frozen=True, slots=True)
class Period:
    """From when (inclusive) to when (exclusive), in microseconds since the epoch; None is open."""

    start: int | None = None
    end: int | None = None

    def __contains__(self, at: int) -> bool:
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)


ALWAYS = Period()


@dataclass(frozen=True, slots=True)
class Registration:
    """One registration: of the certificate with this SHA-256 (hex), or, with ``holder``, of all its holder has.

    ``holder`` is the keyed hash that :meth:`signing.holder.Holder.mark` makes.
    """

    fingerprint: str
    period: Period = ALWAYS
    holder: str | None = None


def by_holder(registrations: Iterable[Registration], at: int) -> bool:
    """Whether the key of the holders is needed to judge a certificate at that moment."""
    return any(registered.holder is not None and at in registered.period for registered in registrations)


def refusal(registrations: Collection[Registration], evidence: Evidence, at: int, key: bytes | None) -> str:
    """Why the signer's certificate is not the sender's at the moment of receipt; empty if it is.

    Args:
        registrations: the sender's
        evidence: a good signature
        at: microseconds since the epoch
        key: what holders are hashed with; None finds nobody by holder
    """
    holder = holder_of(evidence.certificate) if key is not None else None
    mark = holder.mark(key) if holder is not None and key is not None else None
    fitting = [
        registered
        for registered in registrations
        if registered.fingerprint == evidence.fingerprint or (mark is not None and registered.holder == mark)
    ]
    if not fitting:
        return "the signer's certificate is not registered for this sender"
    if not any(at in registered.period for registered in fitting):
        return "the signer's certificate is registered for this sender, but not for the time of receipt"
    return ""


def holder_key_file(settings: Settings) -> Path:
    """Where the key is that holders are hashed with: beside the host key, away from the journal that it protects."""
    return settings.sftp.host_key.with_name("holders.key")
