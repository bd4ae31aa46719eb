"""Does OpenSSL's strict mode accept the path too?

The second gate, behind ``signing.trust.chain``: another engine, with X509_STRICT, over the very certificates of the
entry. It asks for what RFC 5280, 4 asks of certificates and its path algorithm leaves out: key usages that are there
and fit basic constraints, names that are not empty, algorithms that agree. Revocation is not looked at.

Waived: a missing key identifier, of subject or authority (4.2.1.1 and 4.2.1.2). They help to find a path among many;
here the path is given, so they protect nothing, while authorities in the field leave them out. OpenSSL asks for them
last in each certificate, from the signer's upwards, and stops there: so the path is judged without the strict extras,
and what is above that certificate once more with them. A root that is alone then is not asked, by OpenSSL's own choice.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from cryptography import x509
from OpenSSL import crypto

from signing.evidence import Fault, Reason

_NO_AUTHORITY_KEY_IDENTIFIER = 85  # X509_V_ERR_MISSING_AUTHORITY_KEY_IDENTIFIER
_NO_SUBJECT_KEY_IDENTIFIER = 86  # X509_V_ERR_MISSING_SUBJECT_KEY_IDENTIFIER
_WAIVED = (_NO_AUTHORITY_KEY_IDENTIFIER, _NO_SUBJECT_KEY_IDENTIFIER)
_FAULT = Fault(Reason.NOT_ACCEPTED, "The path of the signer's certificate does not stand up to a strict check.")


def check(leaf: bytes, above: Sequence[bytes], at: datetime) -> Fault | None:
    """What is wrong with a path, if anything.

    Args:
        leaf: the signer's certificate, DER
        above: the certificates above it in order, the root last, DER
        at: the moment to judge at, with its time zone
    """
    try:
        return _FAULT if _objects((leaf, *above), at) else None
    except MemoryError:  # the worker's limit is our own trouble
        raise
    except Exception:  # what it can't read at all raises whatever the bindings raise
        return _FAULT


def _objects(line: Sequence[bytes], at: datetime) -> bool:
    """Whether there is anything wrong that isn't waived, from the first certificate of a line to its root."""
    code, place = _verify(line, at, strict=True)
    if code not in _WAIVED:
        return code != 0
    above = line[place + 1 :]
    return _verify(line, at, strict=False)[0] != 0 or (bool(above) and _objects(above, at))


def _verify(line: Sequence[bytes], at: datetime, *, strict: bool) -> tuple[int, int]:
    """The code of OpenSSL's first objection and the place in the line that it is about; 0 for no objection."""
    store = crypto.X509Store()
    store.add_cert(_authority(line[-1]))
    store.set_time(at.astimezone(UTC))
    if strict:
        store.set_flags(crypto.X509StoreFlags.X509_STRICT)
    context = crypto.X509StoreContext(store, _load(line[0]), [_authority(der) for der in line[1:-1]])
    try:
        context.verify_certificate()
    except crypto.X509StoreContextError as error:
        return int(error.errors[0]), int(error.errors[1])
    return 0, 0


@lru_cache(maxsize=256)
def _authority(der: bytes) -> crypto.X509:
    return _load(der)


def _load(der: bytes) -> crypto.X509:
    return crypto.X509.from_cryptography(x509.load_der_x509_certificate(der))
