"""Certificates in the shape of an identity card's: the subject's serialNumber is a national number, an invented one."""

import secrets
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from tests.authority import Credential, Pki, new_key, now, usage, write


def national_number(born: str, sequence: str) -> str:
    """A national number of a person born on ``born`` (YYMMDD, before 2000), with its check digits."""
    return f"{born}{sequence}{97 - int(born + sequence) % 97:02}"


def issue_eid(pki: Pki, name: str, *numbers: str) -> Credential:
    """A signature certificate of ``name`` with these serialNumbers in its subject, issued by ``pki``."""
    private = new_key("p-384")
    issuer = pki.issuing_credential
    subject = [x509.NameAttribute(NameOID.COUNTRY_NAME, "BE"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    subject += [x509.NameAttribute(NameOID.SERIAL_NUMBER, number) for number in numbers]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(issuer.read().subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=365))
        .add_extension(usage("non_repudiation"), critical=True)
        .sign(issuer.private(), hashes.SHA256())
    )
    return write(pki.folder, f"eid-{secrets.token_hex(6)}", private, certificate)
