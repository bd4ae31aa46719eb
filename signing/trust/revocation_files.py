"""Does this revocation list or OCSP response belong to an authority's entry, and which of those there does it replace?

Files come from operators, from other programs that fill the folder, and from fetching. Each is read whole and must be
signed, with more than SHA-1, by a certificate of the entry: a list by an authority or one of its list issuers, a
response by an authority or by a responder that the authority made one (RFC 6960, 4.2.2.2). Whether it counts at some
moment, and for whom, is ``signing.trust.revocation``'s question.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyhanko_certvalidator.sig_validate import DEFAULT_SIGNATURE_VALIDATOR

from signing.der import encoding
from signing.trust.crl import read_list
from signing.trust.ocsp import Response, read_response

MAX_LIST_BYTES = 128 * 1024**2
_WEAK_DIGESTS = frozenset({"md5", "sha1"})


def read_files(paths: Sequence[Path], check: Callable[[bytes], bytes]) -> tuple[tuple[bytes, ...], list[str]]:
    """The content of files as DER, and the faults of those that can't be used.

    Args:
        check: turns a file's content into DER, or raises ``ValueError``
    """
    usable: list[bytes] = []
    faults: list[str] = []
    for path in paths:
        try:
            if path.stat().st_size > MAX_LIST_BYTES:
                raise ValueError("the file is larger than 128 MB")  # noqa: TRY301 -- one place makes the sentence
            usable.append(check(path.read_bytes()))
        except OSError as error:
            faults.append(f"{path}: {error.strerror}")
        except ValueError as error:
            faults.append(f"{path}: {error}")
    return tuple(usable), faults


def check_list(content: bytes, signers: Sequence[x509.Certificate]) -> bytes:
    """A revocation list, PEM or DER, as DER.

    Args:
        signers: who may have signed it

    Raises:
        ValueError: if it is none, or none of them signed it
    """
    try:
        found = read_list(as_der(content))
        digest = found.crl.signature_hash_algorithm
        is_signed = any(issuer.subject == found.crl.issuer and found.is_signed_by(issuer) for issuer in signers)
        found.issuer, found.dates, found.scope, found.number  # noqa: B018 -- they must be readable
    except MemoryError:  # the worker's limit is our own trouble, and no fault of the list
        raise
    except Exception as error:
        raise ValueError("this is no revocation list") from error
    _refuse_weak(digest, "list")
    if not is_signed:
        raise ValueError("the list is not signed by an authority of this entry")
    return found.der


def check_response(content: bytes, line: Sequence[x509.Certificate]) -> bytes:
    """An OCSP response as DER.

    Args:
        line: the authorities of the entry

    Raises:
        ValueError: if it is none, or nobody signed it who may
    """
    return _checked_response(content, tuple(line))


@lru_cache(maxsize=4096)  # one new response makes the folder be read anew, with all that were there before
def _checked_response(content: bytes, line: tuple[x509.Certificate, ...]) -> bytes:
    response = read_response(content)
    try:
        digest = response.parsed.signature_hash_algorithm
    except Exception as error:  # algorithms that the parser doesn't know have an error of their own
        raise ValueError("the response is signed with an algorithm that is not known") from error
    _refuse_weak(digest, "response")
    responders = [*line, *(each for each in response.certificates if _is_responder(each, line))]
    if not any(_answered(content, each) for each in responders):
        raise ValueError("the response is not signed by an authority of this entry, nor by a responder of one")
    return content


def as_der(content: bytes) -> bytes:
    """The DER of a list that may be PEM.

    Raises:
        ValueError: if it is PEM, and broken
    """
    is_pem = content.lstrip().startswith(b"-----")
    return x509.load_pem_x509_crl(content).public_bytes(Encoding.DER) if is_pem else content


def is_list(content: bytes) -> bool:
    """Whether bytes look like a list; an OCSP response begins with an enumeration (RFC 6960, 4.2.1)."""
    if content.lstrip().startswith(b"-----"):
        return True
    try:
        asn1_ocsp.OCSPResponse.load(content, strict=True)["response_status"].native  # noqa: B018 -- read to see
    except (ValueError, TypeError, KeyError):
        return True
    return False


def is_about_the_same(new: Response, old: Response) -> bool:
    """Whether everything that the old response tells of is in the new one."""
    told = {(answer.issuer, answer.serial) for answer in new.answers}
    return all((answer.issuer, answer.serial) in told for answer in old.answers)


def _refuse_weak(digest: hashes.HashAlgorithm | None, what: str) -> None:
    if digest is not None and digest.name in _WEAK_DIGESTS:
        raise ValueError(f"the {what} is signed with {digest.name}")


def _is_responder(certificate: x509.Certificate, line: Sequence[x509.Certificate]) -> bool:
    try:
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        return ExtendedKeyUsageOID.OCSP_SIGNING in purposes and any(
            is_issued_by(certificate, issuer) for issuer in line
        )
    except Exception:  # a broken certificate makes the parser raise more than its own errors
        return False


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's name and key are those behind the certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # a wrong name, key type or signature each have an error of their own
        return False
    return True


def _answered(content: bytes, responder: x509.Certificate) -> bool:
    try:
        basic = asn1_ocsp.OCSPResponse.load(content, strict=True)["response_bytes"]["response"].parsed
        DEFAULT_SIGNATURE_VALIDATOR.validate_signature(
            basic["signature"].native,
            encoding(basic["tbs_response_data"]),
            asn1.Certificate.load(responder.public_bytes(Encoding.DER)).public_key,
            basic["signature_algorithm"],
        )
    except MemoryError:
        raise
    except Exception:  # a wrong key type, algorithm or signature each have an error of their own
        return False
    return True
