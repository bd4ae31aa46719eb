"""How is an OCSP responder asked about one certificate, and about whom is it that a response speaks?

RFC 6960. Whether a response is to be believed, by whose key it is signed and who delegated it, is judged for each
certificate by ``signing.trust.revocation``. Nothing is sent from here.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from signing.trust.freshness import Dates

MAX_BYTES = 64 * 1024
_MAX_CERTIFICATES = 8
_MAX_ANSWERS = 256


@dataclass(frozen=True, slots=True)
class Answer:
    """What a response says about one serial number, and when it was made."""

    serial: int
    issuer: tuple[str, bytes]
    dates: Dates


@dataclass(frozen=True, slots=True)
class Response:
    """A response that was read; ``digest`` is the SHA-256 of its DER in hexadecimal.

    ``certificates`` came with it: a responder to whom the authority delegated brings its own.
    """

    der: bytes
    digest: str
    answers: tuple[Answer, ...]
    certificates: tuple[x509.Certificate, ...]
    parsed: ocsp.OCSPResponse

    def about(self, serial: int) -> tuple[Answer, ...]:
        """Everything that is said about a serial number, whoever issued it."""
        return tuple(answer for answer in self.answers if answer.serial == serial)


def request(certificate: bytes, issuer: bytes) -> bytes:
    """The question whether a certificate is revoked, as DER.

    The certificate is named by SHA-1 digests of its issuer, because that is the one algorithm that every responder
    knows (RFC 5019, 2.1.1, has no other); nothing rests on its strength. There is no nonce: responders that sign in
    advance leave it out, and the dates of the answer are judged instead.

    Args:
        certificate: whom the question is about, DER
        issuer: its authority's certificate, DER
    """
    subject, authority = x509.load_der_x509_certificate(certificate), x509.load_der_x509_certificate(issuer)
    builder = ocsp.OCSPRequestBuilder().add_certificate(subject, authority, hashes.SHA1())  # noqa: S303 -- see above
    return builder.build().public_bytes(Encoding.DER)


@lru_cache(maxsize=4096)
def read_response(der: bytes) -> Response:
    """A response, remembered.

    Raises:
        ValueError: if it can't be read, is an error of the responder, or is larger than any honest one
    """
    if len(der) > MAX_BYTES:
        raise ValueError("the response is larger than 64 kB")
    try:
        parsed = ocsp.load_der_ocsp_response(der)
        if parsed.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise ValueError(f"the responder says {parsed.response_status.name.lower()}")  # noqa: TRY301 -- as below
        answers = tuple(_answer(single) for single in parsed.responses)
        certificates = tuple(parsed.certificates)
    except ValueError:
        raise
    except Exception as error:  # broken dates, names and certificates each have an error of their own
        raise ValueError("this is no OCSP response") from error
    if not answers or len(answers) > _MAX_ANSWERS or len(certificates) > _MAX_CERTIFICATES:
        raise ValueError("the response has too many answers or certificates, or no answer")
    return Response(der, hashlib.sha256(der).hexdigest(), answers, certificates, parsed)


def _answer(single: ocsp.OCSPSingleResponse) -> Answer:
    dates = Dates(single.this_update_utc, single.next_update_utc)
    issuer = (single.hash_algorithm.name, single.issuer_key_hash)
    return Answer(single.serial_number, issuer, dates)
