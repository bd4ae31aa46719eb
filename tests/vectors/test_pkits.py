"""NIST's Public Key Interoperability Test Suite (PKITS 1.0.1, data of 2011) against our path validation.

Every end-entity certificate is judged from the authorities and lists of its own branch, as the suite's document lists
them, by ``signing.trust.chain`` and ``signing.trust.revocation``, as every signer is: the rules of RFC 5280 without our
own on keys and usage. A name with Valid or Invalid says its verdict; sections 4.8, 4.10 and 4.12, whose verdict depends
on the inputs, are in ``SUBTESTS``.
"""

import base64
import hashlib
import logging
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import cryptography_vectors
import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import crl as asn1_crl
from asn1crypto import pem
from asn1crypto import x509 as asn1
from pyhanko.sign.validation.generic_cms import validate_sig_integrity
from pyhanko_certvalidator import CertificateValidator, PKIXValidationParams
from pyhanko_certvalidator.errors import PathValidationError
from pyhanko_certvalidator.policy_decl import REQUIRE_REVINFO, CertRevTrustPolicy, DisallowWeakAlgorithmsPolicy

from signing.evidence import Fault
from signing.trust.chain import Material, context_for, find_path, finish
from signing.trust.freshness import Moment
from signing.trust.revocation import Unrevoked, check_path
from signing.trust.standing import Sources

DATA = Path(cryptography_vectors.__file__).parent / "x509" / "PKITS_data"
ANCHOR = "TrustAnchorRootCertificate"
OLD_ALGORITHMS = DisallowWeakAlgorithmsPolicy(  # type: ignore[no-untyped-call]  # the library annotates it in part
    weak_hash_algos=frozenset({"md2", "md5"}), rsa_key_size_threshold=1024, dsa_key_size_threshold=1024
)
MOMENT = Moment(datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC))
ANY, NONE, EXPLICIT, UNMAPPED, NOT_ANY = "", "-", "explicit", "unmapped", "not any"

# (policies accepted, an input, verdict); policies are the digits of NIST-test-policy-1 to 6, ANY for every one.
SUBTESTS: dict[str, tuple[tuple[str, str, bool], ...]] = {
    "ValidCertificatePathTest1": (
        (ANY, NONE, True),
        (ANY, EXPLICIT, True),
        ("1", EXPLICIT, True),
        ("2", EXPLICIT, False),
        ("12", EXPLICIT, True),
    ),
    "AllCertificatesNoPoliciesTest2": ((ANY, NONE, True), (ANY, EXPLICIT, False)),
    "DifferentPoliciesTest3": ((ANY, NONE, True), (ANY, EXPLICIT, False), ("12", EXPLICIT, False)),
    "DifferentPoliciesTest4": ((ANY, NONE, False),),
    "DifferentPoliciesTest5": ((ANY, NONE, False),),
    "OverlappingPoliciesTest6": ((ANY, NONE, True), ("1", NONE, True), ("2", NONE, False)),
    "DifferentPoliciesTest7": ((ANY, NONE, False),),
    "DifferentPoliciesTest8": ((ANY, NONE, False),),
    "DifferentPoliciesTest9": ((ANY, NONE, False),),
    "AllCertificatesSamePoliciesTest10": (("1", NONE, True), ("2", NONE, True), (ANY, NONE, True)),
    "AllCertificatesanyPolicyTest11": ((ANY, NONE, True), ("1", NONE, True)),
    "DifferentPoliciesTest12": ((ANY, NONE, False),),
    "AllCertificatesSamePoliciesTest13": (("1", NONE, True), ("2", NONE, True), ("3", NONE, True)),
    "AnyPolicyTest14": (("1", NONE, True), ("2", NONE, False)),
    "UserNoticeQualifierTest15": ((ANY, NONE, True),),
    "UserNoticeQualifierTest16": ((ANY, NONE, True),),
    "UserNoticeQualifierTest17": ((ANY, NONE, True),),
    "UserNoticeQualifierTest18": (("1", NONE, True), ("2", NONE, True)),
    "UserNoticeQualifierTest19": ((ANY, NONE, True),),
    "CPSPointerQualifierTest20": ((ANY, NONE, True),),
    "ValidPolicyMappingTest1": (("1", NONE, True), ("2", NONE, False), (ANY, UNMAPPED, False)),
    "InvalidPolicyMappingTest2": ((ANY, NONE, False), (ANY, UNMAPPED, False)),
    "ValidPolicyMappingTest3": (("1", NONE, False), ("2", NONE, True)),
    "ValidPolicyMappingTest5": (("1", NONE, True), ("6", NONE, False)),
    "ValidPolicyMappingTest6": (("1", NONE, True), ("6", NONE, False)),
    "ValidPolicyMappingTest12": (("1", NONE, True), ("2", NONE, True)),
    "inhibitAnyPolicyTest3": ((ANY, NONE, True), (ANY, NOT_ANY, False)),
}

# What we refuse though it is valid, and why; what we accept though it is not would be no shortcoming but a hole.
SHORTCOMINGS = {
    "ValidDSAParameterInheritanceTest5": "the library takes no DSA parameters from the authority above",
}


# Valid by the suite, refused by OpenSSL 3.0: the first for the same reason as by us, the second for its own.
SHORTCOMINGS_OF_OPENSSL = {"ValidDSAParameterInheritanceTest5", "ValidcRLIssuerTest30"}
CONDITIONS = {NONE: (), EXPLICIT: ("-explicit_policy",), UNMAPPED: ("-inhibit_map",), NOT_ANY: ("-inhibit_any",)}


@cache
def _certificates() -> dict[str, asn1.Certificate]:
    return {path.stem: asn1.Certificate.load(path.read_bytes()) for path in sorted((DATA / "certs").glob("*.crt"))}


@cache
def _authorities() -> dict[str, list[bytes]]:
    """By subject. As bytes: asn1crypto writes a certificate with unique identifiers otherwise than it read it."""
    found: dict[str, list[bytes]] = {}
    for path in sorted((DATA / "certs").glob("*.crt")):
        if not path.stem.endswith("EE") and path.stem != ANCHOR:
            der = path.read_bytes()
            found.setdefault(asn1.Certificate.load(der).subject.hashable, []).append(der)
    return found


@cache
def _lists() -> dict[bytes, str]:
    """Every list with the name of its issuer."""
    ders = [path.read_bytes() for path in sorted((DATA / "crls").glob("*.crl"))]
    return {der: asn1_crl.CertificateList.load(der).issuer.hashable for der in ders}


def _above(certificate: asn1.Certificate) -> set[str]:
    """Who issued a certificate, and who issues the lists it may be on."""
    names = {certificate.issuer.hashable}
    for point in certificate.crl_distribution_points_value or ():
        issuers = point["crl_issuer"] if point["crl_issuer"].native else ()
        names |= {name.chosen.hashable for name in issuers if name.name == "directory_name"}
    return names


def _branch(leaf: asn1.Certificate) -> tuple[Material, Sources]:
    """The authorities and lists that the suite gives for one certificate; short keys and SHA-1 are no fault."""
    wanted, reached, below = _above(leaf), set[str](), list[asn1.Certificate]()
    while missing := wanted - reached:
        name = missing.pop()
        reached.add(name)
        for der in _authorities().get(name, ()):
            below.append(asn1.Certificate.load(der))
            wanted |= _above(asn1.Certificate.load(der))
    lists = tuple(der for der, issuer in _lists().items() if issuer in reached)
    return Material(_certificates()[ANCHOR], tuple(below), OLD_ALGORITHMS), Sources(lists)


def _is_accepted(leaf: asn1.Certificate, policies: str = ANY, condition: str = NONE) -> bool:
    accepted = {f"2.16.840.1.101.3.2.1.48.{digit}" for digit in policies} or {"any_policy"}
    parameters = PKIXValidationParams(
        user_initial_policy_set=frozenset(accepted),
        initial_explicit_policy=condition == EXPLICIT,
        initial_policy_mapping_inhibit=condition == UNMAPPED,
        initial_any_policy_inhibit=condition == NOT_ANY,
    )
    material, sources = _branch(leaf)
    path = find_path(leaf, material, MOMENT.at, parameters)
    return not isinstance(path, Fault) and isinstance(check_path(path, material, sources, MOMENT), Unrevoked)


def _path_rows() -> Iterator[tuple[str, str, str, bool]]:
    for stem in _certificates():
        if stem.endswith("EE"):
            name = stem.removesuffix("EE")
            for row in SUBTESTS.get(name, ((ANY, NONE, name.startswith("Valid")),)):
                yield (name, *row)


def _mail_rows() -> Iterator[tuple[Path, bool]]:
    """By default inputs; the first row of a section that depends on them is the one without demands."""
    spelled = {name.lower(): rows for name, rows in SUBTESTS.items()}
    for path in sorted((DATA / "smime").glob("*.eml")):
        name = path.stem.removeprefix("Signed")
        rows = spelled.get(name.lower(), ((ANY, NONE, name.startswith("Valid")),))
        yield path, any(verdict for *_, verdict in rows) or name == "AllCertificatesSamePolicyTest1"


def _is_mail_good(path: Path) -> bool:
    """Whether the signature in a message is right and its signer's certificate accepted."""
    head, text = path.read_bytes().replace(b"\r\n", b"\n").split(b"\n\n", 1)
    boundary = b"\n--" + head.split(b'boundary="')[1].split(b'"')[0]
    _, content, signature, _ = (b"\n" + text).split(boundary)
    der = base64.b64decode(signature.split(b"\n\n", 1)[1])
    signed = asn1_cms.ContentInfo.load(der)["content"]
    [signer] = signed["signer_infos"]
    serial = signer["sid"].chosen["serial_number"].native
    issuer = signer["sid"].chosen["issuer"]
    [leaf] = {
        choice.chosen.dump(): choice.chosen
        for choice in signed["certificates"]
        if choice.chosen.serial_number == serial and choice.chosen.issuer == issuer
    }.values()
    digest = _digest(signer, content.removeprefix(b"\n"))
    intact, valid = validate_sig_integrity(signer, leaf, "data", digest)
    return intact and valid and _is_accepted(asn1.Certificate.load(leaf.dump()))


def _digest(signer: asn1_cms.SignerInfo, content: bytes) -> bytes:
    return hashlib.new(signer["digest_algorithm"]["algorithm"].native, content.replace(b"\n", b"\r\n")).digest()


@pytest.fixture(autouse=True)
def _quiet_library() -> Iterator[None]:
    """The library logs a traceback for every bad path."""
    logging.disable(logging.ERROR)
    yield
    logging.disable(logging.NOTSET)


def test_every_path_of_the_suite_has_its_verdict() -> None:
    """No bad path is accepted, and every good one is but for the named shortcomings."""
    rows = list(_path_rows())
    wrong = {
        f"{name} {policies} {condition}"
        for name, policies, condition, verdict in rows
        if verdict is not _is_accepted(_certificates()[f"{name}EE"], policies, condition)
    }
    assert len(rows) >= 246
    assert {f"{name} {ANY} {NONE}" for name in SHORTCOMINGS} == wrong


def test_every_signed_message_of_the_suite_has_its_verdict() -> None:
    """The same, for the suite's messages: signature and path together."""
    rows = list(_mail_rows())
    wrong = {path.stem for path, verdict in rows if verdict is not _is_mail_good(path)}
    assert len(rows) >= 213
    assert {f"Signed{name}" for name in SHORTCOMINGS} == wrong


def _openssl(folder: Path, name: str, policies: str, condition: str) -> bool:
    """Whether ``openssl verify`` accepts a path, with the policies and the input of a row."""
    material, sources = _branch(_certificates()[f"{name}EE"])
    names = {each.subject.hashable for each in material.below}
    below = [der for name in names for der in _authorities()[name]]
    root = (DATA / "certs" / f"{ANCHOR}.crt").read_bytes()
    leaf = (DATA / "certs" / f"{name}EE.crt").read_bytes()
    files = {"-CAfile": [root], "-untrusted": below, "-CRLfile": sources.lists, "leaf": [leaf]}
    for option, ders in files.items():
        kind = "X509 CRL" if option == "-CRLfile" else "CERTIFICATE"
        (folder / option).write_bytes(b"".join(pem.armor(kind, der) for der in ders))
    command = ["openssl", "verify", "-crl_check_all", "-extended_crl", "-use_deltas", "-policy_check"]
    command += ["-attime", f"{MOMENT.at.timestamp():.0f}", *CONDITIONS[condition]]
    for option in ("-CAfile", "-untrusted", "-CRLfile"):
        command += [option, str(folder / option)] if files[option] else []
    for digit in policies:
        command += ["-policy", f"2.16.840.1.101.3.2.1.48.{digit}", "-explicit_policy"]
    command += [] if policies else ["-policy", "2.5.29.32.0"]
    return not subprocess.run([*command, str(folder / "leaf")], check=False, capture_output=True).returncode


def test_openssl_reads_the_suite_as_we_do(tmp_path: Path) -> None:
    """Our table of verdicts, for the rows that depend on inputs too, is also OpenSSL's but for two."""
    wrong = {name for name, *row, verdict in _path_rows() if verdict is not _openssl(tmp_path, name, *row)}
    assert SHORTCOMINGS_OF_OPENSSL == wrong


@pytest.mark.parametrize("name", ["InvalidBadCRLSignatureTest4", "InvalidSeparateCertificateandCRLKeysTest21"])
def test_lists_of_others_do_not_vouch_for_a_bad_list(name: str) -> None:
    """Nor is a bad list accepted from the authorities and lists of the whole suite in one pool.

    The library takes a list on trust while it looks up its issuer; that it must not remember.
    """
    leaf = _certificates()[f"{name}EE"]
    below = tuple(asn1.Certificate.load(der) for ders in _authorities().values() for der in ders)
    material = Material(_certificates()[ANCHOR], below, OLD_ALGORITHMS)
    path = find_path(leaf, material, MOMENT.at)
    assert not isinstance(path, Fault)
    assert not isinstance(check_path(path, material, Sources(tuple(_lists())), MOMENT), Unrevoked)


@pytest.mark.parametrize("name", ["InvalidBadCRLSignatureTest4", "InvalidSeparateCertificateandCRLKeysTest21"])
def test_the_library_remembers_nobody_as_the_issuer_of_a_list(name: str) -> None:
    """Shown every list of the suite at once, past our own sieve, it still finds no reason to clear this signer."""
    leaf = _certificates()[f"{name}EE"]
    below = tuple(asn1.Certificate.load(der) for ders in _authorities().values() for der in ders)
    lists = [asn1_crl.CertificateList.load(der) for der in _lists()]
    policy = CertRevTrustPolicy(REQUIRE_REVINFO, retroactive_revinfo=True)
    material = Material(_certificates()[ANCHOR], below, OLD_ALGORITHMS)
    context = context_for(material, MOMENT.at, policy, lists)
    with pytest.raises(PathValidationError):
        finish(CertificateValidator(leaf, validation_context=context).async_validate_path())
