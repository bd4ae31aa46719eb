"""Does an accepted authority stand behind this signer, now, for signing?

``signing.chain`` says whether RFC 5280 accepts the path. Here is what we ask beyond it: the accepted authority itself
must be the signer's issuer, the certificate must be meant for signing, and the terms of the authority must be met
(``signing.terms``). Paths are built from configured certificates only; those that came with the message are not needed,
since a configured chain always reaches its root.

The same issuer may be accepted by several entries, on different terms or through different chains: one that is good is
enough.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache

from asn1crypto import crl as asn1_crl
from asn1crypto import x509 as asn1
from pyhanko_certvalidator.authority import AuthorityWithCert
from pyhanko_certvalidator.sig_validate import DEFAULT_SIGNATURE_VALIDATOR

from signing.authorities import Authorities
from signing.authority import Authority
from signing.chain import Material, find_path
from signing.evidence import Fault, Reason, TrustUnavailable
from signing.terms import Terms, Use

# A certificate that limits itself to other purposes, such as TLS servers or time stamps, signs no declaration.
_SIGNING_PURPOSES = frozenset(
    {
        "any_extended_key_usage",
        "client_auth",
        "email_protection",
        "microsoft_document_signing",
        "adobe_authentic_documents_trust",
        "1.3.6.1.5.5.7.3.36",  # document signing, RFC 9336
    }
)


def judge(certificate: bytes, authorities: Authorities, at: datetime, use: Use | None = None) -> str | Fault:
    """Which accepted authority vouches for a signer at a moment.

    Args:
        certificate: the signer's, as DER
        at: the moment, with its time zone
        use: for which environment and message type; None asks no authority about them

    Returns:
        the name of the authority

    Raises:
        TrustUnavailable: if revocation can't be decided for a certificate of the path
    """
    try:
        leaf = asn1.Certificate.load(certificate, strict=True)
        issuers = [authority for authority in authorities if _issued(authority, leaf)]
    except Exception:  # asn1crypto raises whatever hostile bytes lead it to
        return Fault(Reason.SYNTAX, "The signer's certificate cannot be read.")
    if not issuers:
        return Fault(Reason.NOT_ACCEPTED, "The signer's certificate was not issued by an accepted authority.")
    return _first_good(leaf, issuers, at, use or Use())


def _first_good(leaf: asn1.Certificate, issuers: Sequence[Authority], at: datetime, use: Use) -> str | Fault:
    faults: list[Fault] = []
    unknown: list[TrustUnavailable] = []
    for authority in issuers:
        try:
            fault = _fault_by(authority, leaf, at, use)
        except TrustUnavailable as error:
            unknown.append(error)
            continue
        if fault is None:
            return authority.name
        faults.append(fault)
    if unknown:
        raise unknown[0]
    return faults[0]


def _fault_by(authority: Authority, leaf: asn1.Certificate, at: datetime, use: Use) -> Fault | None:
    """What is wrong with a signer by one entry; what is refused anyway doesn't wait for a revocation list."""
    for fault in _misuse(leaf, authority.terms):
        return fault
    if refusal := authority.terms.refusal(at, use):
        return Fault(Reason.POLICY, refusal)
    path = find_path(leaf, _material(authority, at), at)
    if isinstance(path, Fault):
        return path
    if path.find_issuing_authority(leaf) != AuthorityWithCert(_certificate(authority.certificate)):
        return Fault(Reason.NOT_ACCEPTED, "The signer's certificate was not issued by an accepted authority.")
    return None


def _issued(authority: Authority, leaf: asn1.Certificate) -> bool:
    issuer = _certificate(authority.certificate)
    if issuer.subject.hashable != leaf.issuer.hashable:
        return False
    try:
        DEFAULT_SIGNATURE_VALIDATOR.validate_signature(
            leaf["signature_value"].native,
            leaf["tbs_certificate"].dump(),
            issuer.public_key,
            leaf["signature_algorithm"],
        )
    except Exception:  # a wrong key type, algorithm or signature each have an error of their own
        return False
    return True


def _misuse(leaf: asn1.Certificate, terms: Terms) -> Iterator[Fault]:
    """Why a certificate isn't meant for signing declarations."""
    try:
        usages = leaf.key_usage_value.native if leaf.key_usage_value else set()
        purposes = set(leaf.extended_key_usage_value.native) if leaf.extended_key_usage_value else None
        policies = {policy["policy_identifier"].dotted for policy in leaf.certificate_policies_value or ()}
    except Exception:  # asn1crypto reads extensions late
        yield Fault(Reason.SYNTAX, "The usage or policies of the signer's certificate cannot be read.")
        return
    if not usages & terms.key_usages:
        meant = " or ".join(sorted(terms.key_usages))
        yield Fault(Reason.KEY_USAGE, f"The key usage of the signer's certificate leaves out {meant}.")
    if purposes is not None and not purposes & _SIGNING_PURPOSES:
        yield Fault(Reason.KEY_USAGE, "The extended key usage of the signer's certificate leaves out signing.")
    if terms.policies and not policies & terms.policies:
        yield Fault(Reason.POLICY, "The signer's certificate has none of the policies that are required.")


def _material(authority: Authority, at: datetime) -> Material:
    above = (authority.certificate, *authority.chain)
    root, *below = reversed([_certificate(der) for der in above])
    age = authority.terms.crl_max_age
    crls = _lists(authority.crls)
    if age is not None:
        crls = tuple(crl for crl in crls if at - crl["tbs_cert_list"]["this_update"].native <= age)
    return Material(root, tuple(below), crls)


@lru_cache(maxsize=256)
def _certificate(der: bytes) -> asn1.Certificate:
    return asn1.Certificate.load(der, strict=True)


@lru_cache(maxsize=16)
def _lists(ders: tuple[bytes, ...]) -> tuple[asn1_crl.CertificateList, ...]:
    return tuple(asn1_crl.CertificateList.load(der, strict=True) for der in ders)
