"""Does this detached CMS signature cover that file, when does the signer say to have signed, and is it timestamped?

``signing.cmsshape`` judges shape and algorithms, and ``signing.cmsplain`` first, which knows what nearly every client
writes. Here are the file's digests, the signing time (RFC 5652, 11.3) and the unsigned attributes: anybody can add
those afterwards, so only signature timestamps (CAdES-T, EN 319 122-1, 5.3) are let be, a few of them.

Who the signer is and whether anybody accepts it is ``signing.trust.path``'s question. Timestamps are handed on and
verified by ``signing.timestamp``; whether the times are plausible is ``signing.times``'.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from signing import algorithms, cmsplain, cmsshape, digests
from signing.cmsplain import Signature
from signing.cmsshape import DATA, Parts, is_present
from signing.der import encoding
from signing.evidence import Fault, Format, Proven, Reason, Stamp
from signing.policy import Leniency, Policy
from signing.timestamp import MAX_BYTES, MAX_STAMPS

_TIMESTAMP = "1.2.840.113549.1.9.16.2.14"
# DER, with seconds and in UTC: the only forms that RFC 5652, 11.3 allows.
_TIME = re.compile(rb"\d{14}Z")


class _MisshapenError(Exception):
    """An attribute isn't of our shape; the message says which."""


def examine(data: Path, der: bytes, policy: Policy) -> Proven | Fault:
    """Judge a detached signature over a file, without asking who signed.

    Args:
        data: the signed file, of any size
        der: a CMS ContentInfo
        policy: what is tolerated

    Raises:
        OSError: if the file can't be read
    """
    signature = cmsplain.read(der, policy) or _read(der, policy)
    if isinstance(signature, Fault):
        return signature
    found = digests.of_file(data, {"sha256", signature.digest})
    signed, sha256 = found[signature.digest], found["sha256"]
    leniencies = [Leniency.SHA1] if signature.digest == algorithms.SHA1 else []
    if not signature.covers(signed) and policy.allows(Leniency.TEXT_MODE):
        signed, sha256 = digests.of_canonical_text(data, signature.digest)
        leniencies.append(Leniency.TEXT_MODE)
    if not signature.covers(signed):
        return Fault(Reason.TAMPERED, "The file is not the one that was signed.")
    return Proven(
        format=Format.CMS,
        certificate=signature.certificate,
        sha256=sha256.hex(),
        leniencies=tuple(leniency.value for leniency in leniencies),
        signed_at=signature.signed_at,
        stamps=signature.stamps,
    )


def _read(der: bytes, policy: Policy) -> Signature | Fault:
    parts = cmsshape.read(der, DATA, policy)
    if isinstance(parts, Fault):
        return parts
    try:
        signed_at, stamps = _signed_at(parts), _stamps(parts.signer)
    except _MisshapenError as error:
        return Fault(Reason.SHAPE, str(error))
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # asn1crypto reads late and raises whatever the bytes lead it to
        return Fault(Reason.SHAPE, "The signing time or an unsigned attribute cannot be read.")
    if not parts.holds(DATA):
        return Fault(Reason.SIGNATURE, "The signature does not match the certificate that came with it.")
    return Signature(encoding(parts.certificate), parts.digest, parts.claimed, signed_at, stamps)


def _signed_at(parts: Parts) -> datetime | None:
    """The signing time, None if the signer doesn't say."""
    values = parts.values("signing_time")
    if values is None:
        return None
    if len(values) != 1:
        raise _MisshapenError("The signing time does not have one value.")
    time = values[0]
    text = time.chosen.contents
    if time.name == "utc_time":
        text = (b"19" if text[:2] >= b"50" else b"20") + text
    if not _TIME.fullmatch(text):
        raise _MisshapenError("The signing time is not written with seconds and in UTC.")
    return datetime.strptime(text.decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _stamps(signer: Any) -> tuple[Stamp, ...]:
    """The signature timestamps; they cover the signature's value."""
    attributes = signer["unsigned_attrs"]
    if not is_present(attributes):
        return ()
    if len(attributes) > MAX_STAMPS:
        raise _MisshapenError(f"There are more than {MAX_STAMPS} unsigned attributes.")
    if any(attribute["type"].dotted != _TIMESTAMP for attribute in attributes):
        raise _MisshapenError("There is an unsigned attribute other than a timestamp.")
    if any(cmsshape.hides(attribute) or len(attribute["values"]) != 1 for attribute in attributes):
        raise _MisshapenError("A timestamp attribute does not have one value.")
    tokens = [encoding(attribute["values"][0]) for attribute in attributes]
    if any(len(token) > MAX_BYTES for token in tokens):
        raise _MisshapenError(f"A timestamp is larger than {MAX_BYTES} bytes.")
    return tuple(Stamp(token, signer["signature"].native) for token in tokens)
