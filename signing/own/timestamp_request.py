"""How is a timestamp asked for, and is what comes back the one that was asked for?

RFC 3161, clauses 2.4.1 and 2.4.2: SHA-256 of what is to be stamped, a nonce, and the authority's certificate wanted in
the token. The reply must grant it, for this nonce, and the token be one that we would take from a sender: its shape,
its signature, what it stamps (``signing.timestamp``).

Whether the authority is one that we accept is not asked: this stamp is to convince those who read our answers, and they
have a list of their own. An answer also must not wait for a revocation list that only our own verification needs.
"""

import hashlib
from datetime import UTC, datetime
from typing import Final

from asn1crypto import cms, core, tsp

from config.errors import TemporaryError
from signing.der import encoding
from signing.evidence import Fault, Reason, Stamp
from signing.timestamp import verify_stamp
from signing.trust.authorities import Authorities

MAX_REPLY: Final = 64 * 1024
QUERY_TYPE: Final = "application/timestamp-query"

_DIGEST: Final = "sha256"
_NOBODY: Final = Authorities()
_GRANTED: Final = ("granted", "granted_with_mods")


class TimestampUnavailable(TemporaryError):  # noqa: N818 -- says what is missing, as TrustUnavailable does
    """The timestamp authority gave no timestamp; it may the next time."""


class _Reply(core.Sequence):  # type: ignore[misc]  # asn1crypto has no types; its own class demands a token in a refusal
    _fields = [("status", tsp.PKIStatusInfo), ("token", cms.ContentInfo, {"optional": True})]  # noqa: RUF012 -- its form


def timestamp_request(value: bytes, nonce: int) -> bytes:
    """DER of a request to stamp ``value``.

    Args:
        value: what is stamped: the signature value of a SignerInfo
        nonce: a number nobody can foresee, 1 to 64 bits
    """
    imprint = {"hash_algorithm": {"algorithm": _DIGEST}, "hashed_message": hashlib.sha256(value).digest()}
    fields = {"version": "v1", "message_imprint": imprint, "nonce": nonce, "cert_req": True}
    encoded: bytes = tsp.TimeStampReq(fields).dump()
    return encoded


def read_reply(reply: bytes, value: bytes, nonce: int) -> bytes:
    """The token in a reply, as DER.

    Args:
        reply: the body of the authority's answer
        value: what was to be stamped
        nonce: that of the request

    Raises:
        TimestampUnavailable: it refuses, or this is no timestamp of ``value`` made for this request
    """
    try:
        fault, token = _read(reply, value, nonce)
    except Exception as error:  # a parser meets foreign bytes here, and raises what it likes
        raise TimestampUnavailable("the reply can't be read") from error
    if fault:
        raise TimestampUnavailable(fault)
    return token


def _read(reply: bytes, value: bytes, nonce: int) -> tuple[str, bytes]:
    parsed = _Reply.load(reply, strict=True)
    status = parsed["status"]["status"].native
    if status not in _GRANTED:
        reasons = ", ".join(sorted(parsed["status"]["fail_info"].native or ()))
        return f"the reply says {status}: {reasons or 'no reason'}", b""
    token = encoding(parsed["token"])
    judged = verify_stamp(Stamp(token, value), _NOBODY, datetime.now(UTC))
    if isinstance(judged, Fault) and judged.reason is Reason.TIMESTAMP:
        return judged.detail, b""
    stamp = parsed["token"]["content"]["encap_content_info"]["content"].parsed
    return "" if stamp["nonce"].native == nonce else "the token has the nonce of another request", token
