"""Does this timestamp prove when a signature existed?

RFC 3161 tokens, the same for CAdES-T and XAdES-T: a CMS signature by a timestamp authority over a TSTInfo, which holds
a digest and a time. Shape, algorithms and mathematics as for any CMS signature (``signing.cmsshape``), without any
leniency; the authority's certificate must be in the token and named by a signed attribute (RFC 3161, 2.4.2; RFC 5816).
Whether it is an accepted timestamp authority's is ``signing.trust.path``'s question, at the moment of receipt.

Dates and digests alone: what a time means for a signature is ``signing.times``'.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from asn1crypto import tsp

from signing import algorithms, cmsshape
from signing.cmsshape import TST_INFO, Parts
from signing.der import encoding, is_der
from signing.evidence import Fault, Reason, Stamp
from signing.policy import Policy
from signing.trust import path
from signing.trust.authorities import Authorities
from signing.trust.terms import Use

MAX_BYTES = 1 << 16
MAX_STAMPS = 4  # that a signature may carry

_STRICT = Policy(leniencies=frozenset())
# RFC 3161, 2.4.2: UTC with seconds; a fraction has no trailing zeros.
_GEN_TIME = re.compile(rb"(\d{14})(?:\.(\d{0,8}[1-9]))?Z")


def verify_stamp(
    stamp: Stamp,
    authorities: Authorities,
    at: datetime,
    use: Use | None = None,
    *,
    later_revocation_counts: bool = False,
) -> datetime | Fault:
    """The time that a timestamp proves, in UTC.

    Args:
        stamp: the token and the bytes that it must be about
        authorities: the accepted ones; those that issue timestamps count
        at: the moment at which the timestamp authority's certificate must be good, with its time zone
        use: for which environment and message type; None asks no authority about them
        later_revocation_counts: whether an authority is refused whose certificate was revoked after that moment

    Returns:
        the time, or a fault: TIMESTAMP if the token proves nothing to anybody, else the reason why no accepted
        authority vouches for whoever issued it

    Raises:
        TrustUnavailable: if revocation can't be decided now
    """
    read = _read(stamp)
    if isinstance(read, Fault):
        return read
    parts, gen_time = read
    stamping = replace(use or Use(), timestamps=True)
    der = encoding(parts.certificate)
    accepted = path.judge(der, authorities, at, stamping, later_revocation_counts=later_revocation_counts)
    return accepted if isinstance(accepted, Fault) else gen_time


def _read(stamp: Stamp) -> tuple[Parts, datetime] | Fault:
    """The signature of a token that is good but for the path, and its time."""
    if len(stamp.token) > MAX_BYTES:
        return Fault(Reason.TIMESTAMP, f"The timestamp is larger than {MAX_BYTES} bytes.")
    parts = cmsshape.read(stamp.token, TST_INFO, _STRICT)
    if isinstance(parts, Fault):
        return Fault(Reason.TIMESTAMP, f"The timestamp is refused. {parts.detail}")
    try:
        for detail in _wrong(parts, stamp.stamped):
            return Fault(Reason.TIMESTAMP, f"The timestamp is refused. {detail}")
        return parts, _gen_time(_info(parts))
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # asn1crypto reads late and raises whatever the bytes lead it to
        return Fault(Reason.TIMESTAMP, "The timestamp cannot be read.")


def _wrong(parts: Parts, stamped: bytes) -> Iterator[str]:
    """Everything that is wrong with a token of good shape."""
    if parts.values("signing_certificate") is None and parts.values("signing_certificate_v2") is None:
        yield "It does not say by which certificate it was signed."
    content = parts.content.contents
    if not parts.holds(TST_INFO) or not parts.covers(hashlib.new(parts.digest, content).digest()):
        yield "Its signature does not match."
    if not is_der(content):
        yield "Its content is not one DER structure to the last byte."
    info = _info(parts)
    if info["version"].native != "v1":
        yield "Its content is not a TSTInfo of version 1."
    if any(extension["critical"].native for extension in info["extensions"] or ()):
        yield "It has a critical extension, and none is known."
    yield from _imprinted(info["message_imprint"], stamped)


def _imprinted(imprint: Any, stamped: bytes) -> Iterator[str]:
    """Everything that is wrong with the digest that was timestamped."""
    digest = imprint["hash_algorithm"]["algorithm"].native
    if digest not in algorithms.STRONG or not algorithms.has_no_parameters(imprint["hash_algorithm"]):
        yield "Its digest algorithm is not accepted."
    if imprint["hashed_message"].native != hashlib.new(digest, stamped).digest():
        yield "It was issued for something else."


def _info(parts: Parts) -> tsp.TSTInfo:
    return tsp.TSTInfo.load(parts.content.contents, strict=True)


def _gen_time(info: tsp.TSTInfo) -> datetime:
    """The time to the microsecond.

    Raises:
        ValueError: if it is none, or not in the form that DER asks for
    """
    found = _GEN_TIME.fullmatch(info["gen_time"].contents)
    if found is None:
        raise ValueError
    whole = datetime.strptime(found[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return whole.replace(microsecond=int((found[2] or b"").ljust(6, b"0")[:6]))
