"""A throw-away public key infrastructure for tests: a root, an issuing authority, their lists, and signers.

Everything is a file, as an operator and a sender would have it.
"""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signing.trust import authorities
from signing.trust.terms import check_terms

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_CURVES = {"p-192": ec.SECP192R1(), "p-256": ec.SECP256R1(), "p-384": ec.SECP384R1(), "p-521": ec.SECP521R1()}
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
_PURPOSES = {
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "time_stamping": ExtendedKeyUsageOID.TIME_STAMPING,
}


def now() -> datetime:
    """The present second."""
    return datetime.now(UTC).replace(microsecond=0)


def new_key(kind: str) -> PrivateKey:
    """A private key: ``rsa-2048`` (any size), ``p-256``, ``p-384``, ``p-521``, ``p-192``, ``ed25519``."""
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind])
    return rsa.generate_private_key(public_exponent=65537, key_size=int(kind.removeprefix("rsa-")))


@dataclass(frozen=True, slots=True)
class Credential:
    """A signer's key and certificate, both PEM files."""

    key: Path
    certificate: Path

    def read(self) -> x509.Certificate:
        """The certificate."""
        return x509.load_pem_x509_certificate(self.certificate.read_bytes())

    def private(self) -> PrivateKey:
        """The private key."""
        key = load_pem_private_key(self.key.read_bytes(), password=None)
        assert isinstance(key, PrivateKey)
        return key


@dataclass(slots=True)
class Pki:
    """A root and an issuing authority below it; ``root``, ``issuing`` and ``crls`` are their public files."""

    folder: Path
    root_credential: Credential
    issuing_credential: Credential
    _revoked: dict[str, list[tuple[int, datetime]]] = field(default_factory=lambda: {"root": [], "issuing": []})

    @classmethod
    def create(cls, folder: Path, name: str = "Test", key: str = "p-256") -> "Pki":
        """Make both authorities with keys of one kind and write fresh lists."""
        folder.mkdir(parents=True, exist_ok=True)
        private = new_key(key)
        root = write(folder, "root", private, _authority(f"{name} Root", f"{name} Root", private, private, days=3000))
        below = new_key(key)
        issuing = write(
            folder, "issuing", below, _authority(f"{name} Issuing", f"{name} Root", below, private, days=3650)
        )
        pki = cls(folder, root, issuing)
        pki.write_crls()
        return pki

    @property
    def root(self) -> Path:
        """The root's certificate, PEM."""
        return self.root_credential.certificate

    @property
    def issuing(self) -> Path:
        """The issuing authority's certificate, PEM."""
        return self.issuing_credential.certificate

    @property
    def crls(self) -> tuple[Path, Path]:
        """The lists of the root and of the issuing authority, DER."""
        return self.folder / "root.crl", self.folder / "issuing.crl"

    def issue(
        self,
        common_name: str,
        *,
        key: str | PrivateKey = "p-256",
        key_usage: str | Sequence[str] | None = "non_repudiation",
        purposes: Iterable[str] = (),
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        serial: int | None = None,
        extensions: Iterable[x509.ExtensionType] = (),
        critical: bool = False,
        by_root: bool = False,
    ) -> Credential:
        """Make a signer's certificate in the shape of a Belgian eID's: no SAN, no SKI, no basic constraints."""
        private = new_key(key) if isinstance(key, str) else key
        issuer = self.root_credential if by_root else self.issuing_credential
        builder = _builder(common_name, issuer.read().subject, private, serial)
        builder = builder.not_valid_before(not_before or now() - timedelta(days=1))
        builder = builder.not_valid_after(not_after or now() + timedelta(days=365))
        builder = builder.add_extension(identifier_of(issuer.private()), critical=False)
        if key_usage is not None:
            builder = builder.add_extension(usage(key_usage), critical=True)
        if chosen := [_PURPOSES[purpose] for purpose in purposes]:
            builder = builder.add_extension(x509.ExtendedKeyUsage(chosen), critical=False)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=critical)
        certificate = builder.sign(issuer.private(), hashes.SHA256())
        return write(self.folder, f"signer-{secrets.token_hex(6)}", private, certificate)

    def revoke(self, credential: Credential, at: datetime | None = None) -> None:
        """Put a signer, or the issuing authority, on its issuer's list."""
        certificate = credential.read()
        issuer = "issuing" if certificate.issuer == self.issuing_credential.read().subject else "root"
        self._revoked[issuer].append((certificate.serial_number, at or now() - timedelta(hours=2)))
        self.write_crls()

    def write_crls(self, *, this_update: datetime | None = None, next_update: datetime | None = None) -> None:
        """Write both lists; without dates they are an hour old and good for a week."""
        for name, authority in (("root", self.root_credential), ("issuing", self.issuing_credential)):
            builder = x509.CertificateRevocationListBuilder().issuer_name(authority.read().subject)
            builder = builder.last_update(this_update or now() - timedelta(hours=1))
            builder = builder.next_update(next_update or now() + timedelta(days=7))
            for serial, at in self._revoked[name]:
                entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
                builder = builder.add_revoked_certificate(entry)
            crl = builder.sign(authority.private(), hashes.SHA256())
            (self.folder / f"{name}.crl").write_bytes(crl.public_bytes(Encoding.DER))

    def install(self, folder: Path, name: str, *environments: str) -> None:
        """Make the issuing authority accepted in a folder of authorities, or bring its lists there up to date."""
        if (folder / name).exists():
            authorities.replace_crls(folder, name, self.crls)
        else:
            terms = check_terms({"environments": environments}) if environments else None
            authorities.add(folder, name, self.issuing, [self.root], self.crls, terms)


def usage(names: str | Sequence[str]) -> x509.KeyUsage:
    """A key usage of the names that X.509 and pyHanko use."""
    chosen = {names} if isinstance(names, str) else set(names)
    chosen = {"content_commitment" if name == "non_repudiation" else name for name in chosen}
    return x509.KeyUsage(**{name: name in chosen for name in _USAGES})


def _authority(name: str, issuer: str, key: PrivateKey, issuer_key: PrivateKey, *, days: int) -> x509.Certificate:
    builder = _builder(name, _name(issuer), key, None)
    builder = builder.not_valid_before(now() - timedelta(days=400)).not_valid_after(now() + timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(usage(("key_cert_sign", "crl_sign")), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    builder = builder.add_extension(identifier_of(issuer_key), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def identifier_of(issuer: PrivateKey) -> x509.AuthorityKeyIdentifier:
    """What a certificate says of its issuer's key (RFC 5280, 4.2.1.1)."""
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())


def _builder(name: str, issuer: x509.Name, key: PrivateKey, serial: int | None) -> x509.CertificateBuilder:
    number = x509.random_serial_number() if serial is None else serial
    builder = x509.CertificateBuilder().subject_name(_name(name)).issuer_name(issuer)
    return builder.public_key(key.public_key()).serial_number(number)


def _name(common_name: str) -> x509.Name:
    country = x509.NameAttribute(NameOID.COUNTRY_NAME, "BE")
    return x509.Name([country, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def write(folder: Path, stem: str, key: PrivateKey, certificate: x509.Certificate) -> Credential:
    """Write a key and its certificate down as PEM files."""
    credential = Credential(folder / f"{stem}.key", folder / f"{stem}.pem")
    credential.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    credential.key.chmod(0o600)
    credential.certificate.write_bytes(certificate.public_bytes(Encoding.PEM))
    return credential
