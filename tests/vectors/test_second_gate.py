"""What OpenSSL's strict mode refuses beyond RFC 5280's path algorithm, and what of it is waived."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing.evidence import Fault, Reason
from signing.trust import strict_store
from tests.authority import now
from tests.cms_builder import ACCEPTED
from tests.hierarchy import DAY, SIGNING_CERTIFICATES, Member, certify, judge, sign_for


def path(issuing: Member, root: Member) -> list[Member]:
    """Root, issuing authority and a good signer."""
    return [root, issuing, sign_for(issuing)]


def gate(line: list[Member], days: int = 0) -> Fault | None:
    """The second gate alone."""
    leaf, *above = [member.certificate.public_bytes(Encoding.DER) for member in reversed(line)]
    return strict_store.check(leaf, above, now() + days * DAY)


def test_no_defect() -> None:
    """Valid: what the vectors below spoil is good."""
    root = certify("Root")
    assert gate(path(certify("Issuing", root), root)) is None


def test_an_authority_without_key_usage(tmp_path: Path) -> None:
    """Invalid: an authority must say that it signs certificates (4.2.1.3)."""
    root = certify("Root")
    line = path(certify("Issuing", root, usages=None), root)
    assert gate(line)
    assert Reason.NOT_ACCEPTED is judge(tmp_path, line)[0]


def test_a_signer_that_signs_certificates(tmp_path: Path) -> None:
    """Invalid: keyCertSign is for authorities alone (4.2.1.3)."""
    root = certify("Root")
    issuing = certify("Issuing", root)
    signer = certify("Signer", issuing, ca=None, usages=("non_repudiation", "key_cert_sign"), days=(-30, 300))
    assert gate([root, issuing, signer])
    assert Reason.NOT_ACCEPTED is judge(tmp_path, [root, issuing, signer])[0]


def test_a_critical_key_identifier(tmp_path: Path) -> None:
    """Invalid: it must not be critical (4.2.1.1)."""
    root = certify("Root")
    issuing = certify("Issuing", root)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuing.key.public_key())
    signer = sign_for(issuing, extensions=[(identifier, True)], identifiers=False)
    assert gate([root, issuing, signer])
    assert Reason.NOT_ACCEPTED is judge(tmp_path, [root, issuing, signer])[0]


@pytest.mark.parametrize("bare", ["root", "issuing", "signer"])
def test_missing_key_identifiers_are_waived(bare: str, tmp_path: Path) -> None:
    """Valid: the path is given, and need not be found by them (4.2.1.1 and 4.2.1.2)."""
    root = certify("Root", identifiers=bare != "root")
    issuing = certify("Issuing", root, identifiers=bare != "issuing")
    line = [root, issuing, sign_for(issuing, identifiers=bare != "signer")]
    assert gate(line) is None
    assert ACCEPTED == judge(tmp_path, line)[0]


def test_a_waived_finding_waives_no_other() -> None:
    """Invalid: without a key identifier, and expired."""
    root = certify("Root")
    issuing = certify("Issuing", root)
    line = [root, issuing, sign_for(issuing, identifiers=False)]
    assert gate(line) is None
    assert gate(line, days=400)


@pytest.mark.parametrize(
    ("bare", "silent"),
    [
        ({"signer"}, "issuing"),
        ({"signer"}, "root"),
        ({"signer", "issuing"}, "issuing"),
        ({"signer", "issuing", "root"}, "issuing"),
    ],
)
def test_a_waived_finding_hides_nothing_above_it(bare: set[str], silent: str) -> None:
    """Invalid: below an authority without key usage are certificates without key identifiers."""
    usages = {name: None if name == silent else SIGNING_CERTIFICATES for name in ("root", "issuing")}
    root = certify("Root", usages=usages["root"], identifiers="root" not in bare)
    issuing = certify("Issuing", root, usages=usages["issuing"], identifiers="issuing" not in bare)
    assert gate([root, issuing, sign_for(issuing, identifiers="signer" not in bare)])


@pytest.mark.parametrize(("days", "accepted"), [(-31, False), (0, True), (299, True), (301, False)])
def test_the_moment_is_the_one_that_is_judged(days: int, *, accepted: bool) -> None:
    """Not that of our clock."""
    root = certify("Root")
    assert accepted is (gate(path(certify("Issuing", root), root), days) is None)


def test_another_root_of_the_same_name() -> None:
    """Invalid: the signatures don't match."""
    issuing = certify("Issuing", certify("Root"))
    assert gate(path(issuing, certify("Root")))


@pytest.mark.parametrize("junk", [b"", b"junk", b"\x30\x03\x02\x01\x01"])
def test_what_it_cannot_read_is_refused(junk: bytes) -> None:
    """And nothing is raised."""
    root = certify("Root").certificate.public_bytes(Encoding.DER)
    assert strict_store.check(junk, [root], now())
