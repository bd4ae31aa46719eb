"""Certificates, lists and responses made to keep a verifier busy cost bounded work, and have their verdict."""

from ipaddress import ip_network
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing.evidence import Fault, Reason
from signing.trust import authorities
from signing.trust.path import judge as judge_certificate
from tests.authority import Pki, now
from tests.cms_builder import ACCEPTED
from tests.hierarchy import NOT_CONFIGURABLE, Extension, List, Member, certify, entry, judge, sign_for
from tests.network import Network

HUGE_SERIAL = (1 << 159) - 1


def chain(length: int, *extensions: Extension, **named: object) -> list[Member]:
    """A line of authorities with the same extensions, and a signer below."""
    line = [certify("Root")]
    for number in range(length - 1):
        line.append(certify(f"Authority {number}", line[-1], extensions=extensions, **named))  # type: ignore[arg-type]  # by name
    return [*line, sign_for(line[-1], extensions=extensions)]


def policies(count: int) -> Extension:
    """Many policies."""
    many = [x509.PolicyInformation(x509.ObjectIdentifier(f"1.2.3.{number}"), None) for number in range(count)]
    return x509.CertificatePolicies(many), False


def mappings(count: int) -> Extension:
    """Every policy is every other: on paper, their number is raised to the power of the path's length."""
    oids = [x509.ObjectIdentifier(f"1.2.3.{number}") for number in range(count)]
    pairs = [(one, other) for one in oids for other in oids]
    return x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.33"), _policy_mappings(pairs)), True


def _policy_mappings(pairs: list[tuple[x509.ObjectIdentifier, x509.ObjectIdentifier]]) -> bytes:
    mapped = [
        {"issuer_domain_policy": one.dotted_string, "subject_domain_policy": two.dotted_string} for one, two in pairs
    ]
    return bytes(asn1.PolicyMappings(mapped).dump())


def test_a_path_of_the_greatest_length(tmp_path: Path) -> None:
    """Valid: nine authorities are as many as an entry may have."""
    assert ACCEPTED == judge(tmp_path, chain(9))[0]


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    """Invalid: the work for a path grows with its length."""
    assert NOT_CONFIGURABLE == judge(tmp_path, chain(10))[0]


def test_an_authority_of_many_kilobytes(tmp_path: Path) -> None:
    """Invalid: so it does with the size of what is on it."""
    names = [x509.DNSName(f"host-{number}.invented.example") for number in range(1500)]
    constraints: Extension = (x509.NameConstraints(permitted_subtrees=names, excluded_subtrees=None), True)
    root = certify("Root")
    issuing = certify("Issuing", root, extensions=[constraints])
    assert NOT_CONFIGURABLE == judge(tmp_path, [root, issuing, sign_for(issuing)])[0]


def test_a_hundred_authorities_of_one_name(tmp_path: Path) -> None:
    """Valid: one line of them is kept, the rest is left out when the entry is made."""
    root = certify("Same")
    twins = [certify("Same", root) for _ in range(100)]
    issuing = certify("Issuing", twins[50])
    bundle, issuer = tmp_path / "bundle.pem", tmp_path / "issuing.pem"
    bundle.write_bytes(b"".join(each.certificate.public_bytes(Encoding.PEM) for each in (*twins, root)))
    issuer.write_bytes(issuing.certificate.public_bytes(Encoding.PEM))
    added = authorities.add(tmp_path / "on", "test", issuer, [bundle], [])
    assert 2 == len(added.chain)


def test_policies_that_all_map_to_each_other(tmp_path: Path) -> None:
    """Decided: the library keeps a graph, not a tree, of policies."""
    verdict, _ = judge(tmp_path, chain(6, policies(12), mappings(12)))
    assert verdict in {ACCEPTED, Reason.NOT_ACCEPTED}


def test_many_name_constraints_against_many_names(tmp_path: Path) -> None:
    """Decided: every name is held against every constraint, of both there is an end."""
    subtrees = [x509.IPAddress(ip_network(f"10.{number}.0.0/16")) for number in range(200)]
    constraints: Extension = (x509.NameConstraints(permitted_subtrees=None, excluded_subtrees=subtrees), True)
    root = certify("Root", extensions=[constraints])
    issuing = certify("Issuing", root)
    names = [x509.DNSName(f"host-{number}.example") for number in range(200)]
    signer = sign_for(issuing, extensions=[(x509.SubjectAlternativeName(names), False)])
    assert judge(tmp_path, [root, issuing, signer])[0] in {ACCEPTED, Reason.NOT_ACCEPTED}


def test_a_signer_certificate_that_is_too_large(tmp_path: Path) -> None:
    """Invalid: more than 8 kB is nobody's signature certificate."""
    pki = Pki.create(tmp_path / "pki")
    pki.install(tmp_path / "on", "test")
    names = [x509.DNSName(f"host-{number}.invented.example") for number in range(400)]
    large = pki.issue("Large", extensions=[x509.SubjectAlternativeName(names)])
    verdict = judge_certificate(large.read().public_bytes(Encoding.DER), authorities.load(tmp_path / "on"), now())
    assert isinstance(verdict, Fault)
    assert Reason.SHAPE is verdict.reason


def test_the_longest_serial_number(tmp_path: Path) -> None:
    """Valid and revoked alike: twenty octets are looked up as one is (4.1.2.2)."""
    pki = Pki.create(tmp_path / "pki")
    signer = pki.issue("Huge", serial=HUGE_SERIAL)
    der = signer.read().public_bytes(Encoding.DER)
    pki.install(tmp_path / "on", "test")
    assert not isinstance(judge_certificate(der, authorities.current(tmp_path / "on"), now()), Fault)
    pki.revoke(signer)
    pki.install(tmp_path / "on", "test")
    assert isinstance(judge_certificate(der, authorities.current(tmp_path / "on"), now()), Fault)


@pytest.mark.parametrize("cut", [0, 1, 10, 100, -1])
def test_a_certificate_that_is_cut_off(cut: int, tmp_path: Path) -> None:
    """Invalid: it can't be read, and nothing is raised."""
    pki = Pki.create(tmp_path / "pki")
    pki.install(tmp_path / "on", "test")
    whole = pki.issue("Whole").read().public_bytes(Encoding.DER)
    assert isinstance(judge_certificate(whole[:cut], authorities.load(tmp_path / "on"), now()), Fault)


def test_a_list_of_many_lines(tmp_path: Path) -> None:
    """Revoked and good: the last of five thousand lines is found, and who isn't on it isn't."""
    network = Network()
    others = [
        x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now()).build()
        for number in range(1, 5000)
    ]
    (tmp_path / "revoked").mkdir()
    (tmp_path / "good").mkdir()
    crl = List(network.issuing, [*others, entry(network.signer)])
    assert Reason.REVOKED is network.judge(tmp_path / "revoked", crl)[0]
    assert ACCEPTED == network.judge(tmp_path / "good", List(network.issuing, others))[0]
