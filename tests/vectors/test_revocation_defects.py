"""Revocation lists with one defect each: good, revoked or unknown, and what OpenSSL says (RFC 5280, 5 and 6.3)."""

from datetime import timedelta
from pathlib import Path

from asn1crypto import core
from cryptography import x509

from signing.evidence import Reason
from tests.authority import now
from tests.cms_builder import ACCEPTED, REFUSED
from tests.hierarchy import DAY, UNKNOWN, List, certify, entry, judge, sign_for
from tests.network import Network, reason, scope

UNHEARD_OF = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), core.Null().dump())
ADDRESS = x509.UniformResourceIdentifier("http://pki.example/list.crl")


def test_no_defect(tmp_path: Path) -> None:
    """Valid: what the vectors below spoil is good."""
    network = Network()
    assert (ACCEPTED, ACCEPTED) == network.judge(tmp_path, List(network.issuing))


def test_no_list(tmp_path: Path) -> None:
    """Unknown: nobody says anything about the signer (6.3.3)."""
    assert (UNKNOWN, REFUSED) == Network().judge(tmp_path)


def test_a_revoked_signer(tmp_path: Path) -> None:
    """Revoked: the signer's number is on the list (6.3.3 i)."""
    network = Network()
    assert (Reason.REVOKED, REFUSED) == network.judge(tmp_path, List(network.issuing, [entry(network.signer)]))


def test_another_revoked_signer(tmp_path: Path) -> None:
    """Good: somebody else's number is on it."""
    network = Network()
    other = sign_for(network.issuing)
    assert (ACCEPTED, ACCEPTED) == network.judge(tmp_path, List(network.issuing, [entry(other)]))


def test_a_list_of_another_issuer(tmp_path: Path) -> None:
    """Unknown: the root says nothing about the issuing authority's signers (6.3.3 b)."""
    network = Network()
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, List(network.root, [entry(network.signer)]))


def test_a_list_that_somebody_else_signed(tmp_path: Path) -> None:
    """Unknown: the name is the issuer's, the signature isn't (6.3.3 g)."""
    network = Network()
    forged = List(network.issuing, signed_by=certify("Issuing", network.root))
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, forged)


def test_a_list_that_the_root_signed_for_the_issuer(tmp_path: Path) -> None:
    """Unknown: being above isn't being the issuer (6.3.3 f)."""
    network = Network()
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, List(network.issuing, signed_by=network.root))


def test_a_list_that_the_signer_signed(tmp_path: Path) -> None:
    """Unknown: nobody clears himself."""
    network = Network()
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, List(network.issuing, signed_by=network.signer))


def test_a_forged_list_that_revokes(tmp_path: Path) -> None:
    """Good: a forged list revokes nobody while the true one is there."""
    network = Network()
    forged = List(network.issuing, [entry(network.signer)], signed_by=certify("Issuing", network.root))
    assert ACCEPTED == network.judge(tmp_path, forged, List(network.issuing))[0]


def test_an_issuer_that_may_not_sign_lists(tmp_path: Path) -> None:
    """Unknown: cRLSign is missing (6.3.3 f)."""
    network = Network()
    network.issuing = certify("Issuing", network.root, usages=("key_cert_sign",))
    network.signer = sign_for(network.issuing)
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, List(network.issuing))


def test_a_stale_list(tmp_path: Path) -> None:
    """Unknown: the next one should be here already (6.3.3 a)."""
    network = Network()
    stale = List(network.issuing, this_update=now() - 9 * DAY, next_update=now() - DAY)
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, stale)


def test_a_stale_list_of_the_root(tmp_path: Path) -> None:
    """Unknown: the issuing authority could be revoked today."""
    network = Network()
    stale = List(network.root, this_update=now() - 9 * DAY, next_update=now() - DAY)
    line = [network.root, network.issuing, network.signer]
    assert (UNKNOWN, REFUSED) == judge(tmp_path, line, [stale.dump(), List(network.issuing).dump()])


def test_a_revoked_issuing_authority(tmp_path: Path) -> None:
    """Revoked: with it go all its signers (6.1.3 a 3)."""
    network = Network()
    lists = [List(network.root, [entry(network.issuing)]).dump(), List(network.issuing).dump()]
    assert (Reason.REVOKED, REFUSED) == judge(tmp_path, [network.root, network.issuing, network.signer], lists)


def test_a_fresh_list_beside_a_stale_one(tmp_path: Path) -> None:
    """Good: one list that is good is enough."""
    network = Network()
    stale = List(network.issuing, this_update=now() - 9 * DAY, next_update=now() - DAY)
    assert ACCEPTED == network.judge(tmp_path, stale, List(network.issuing))[0]


def test_a_signer_revoked_on_the_fresh_list_only(tmp_path: Path) -> None:
    """Revoked: an older list that is still good takes nothing back (6.3.3)."""
    network = Network()
    older = List(network.issuing, this_update=now() - 2 * DAY)
    fresh = List(network.issuing, [entry(network.signer)])
    assert Reason.REVOKED is network.judge(tmp_path, older, fresh)[0]


def test_an_unheard_of_critical_extension_of_a_list(tmp_path: Path) -> None:
    """Unknown: the list may mean something else than it says (5.2)."""
    network = Network()
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, List(network.issuing, extensions=[(UNHEARD_OF, True)]))


def test_an_unheard_of_extension_of_a_list(tmp_path: Path) -> None:
    """Good: what needn't be understood (5.2)."""
    network = Network()
    assert (ACCEPTED, ACCEPTED) == network.judge(tmp_path, List(network.issuing, extensions=[(UNHEARD_OF, False)]))


def test_an_unheard_of_critical_extension_of_the_signers_line(tmp_path: Path) -> None:
    """Never good: the signer is on the list, whatever else the line says (5.3)."""
    network = Network()
    line = entry(network.signer, (UNHEARD_OF, True))
    ours, openssl = network.judge(tmp_path, List(network.issuing, [line]))
    assert ours in {UNKNOWN, Reason.REVOKED}
    assert REFUSED == openssl


def test_a_list_for_signers_alone(tmp_path: Path) -> None:
    """Good: the scope is the signer's (5.2.5)."""
    network = Network()
    users = List(network.issuing, extensions=[scope(only_contains_user_certs=True)])
    assert (ACCEPTED, ACCEPTED) == network.judge(tmp_path, users)


def test_a_list_for_authorities_alone(tmp_path: Path) -> None:
    """Unknown: signers are out of its scope (6.3.3 b 2 iii)."""
    network = Network()
    others = List(network.issuing, extensions=[scope(only_contains_ca_certs=True)])
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, others)


def test_a_list_for_attribute_certificates_alone(tmp_path: Path) -> None:
    """Unknown: it says nothing about certificates of keys (6.3.3 b 2 iv)."""
    network = Network()
    others = List(network.issuing, extensions=[scope(only_contains_attribute_certs=True)])
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, others)


def test_a_list_of_another_distribution_point(tmp_path: Path) -> None:
    """Unknown: the signer's certificate names no point, so this part of a list isn't his (6.3.3 b 2 i)."""
    network = Network()
    other = List(network.issuing, extensions=[scope(full_name=[ADDRESS])])
    assert UNKNOWN == network.judge(tmp_path, other)[0]


def test_a_list_for_some_reasons(tmp_path: Path) -> None:
    """Unknown: a list of key compromises alone clears nobody (6.3.3, reasons_mask)."""
    network = Network()
    some = List(network.issuing, extensions=[scope(only_some_reasons=frozenset({x509.ReasonFlags.key_compromise}))])
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, some)


def test_a_delta_without_its_base(tmp_path: Path) -> None:
    """Unknown: a delta alone clears nobody (5.2.4)."""
    network = Network()
    delta = List(network.issuing, extensions=[(x509.DeltaCRLIndicator(1), True), (x509.CRLNumber(2), False)])
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, delta)


def test_a_certificate_on_hold(tmp_path: Path) -> None:
    """Revoked: on hold is not to be used (5.3.1)."""
    network = Network()
    line = entry(network.signer, reason(x509.ReasonFlags.certificate_hold))
    assert (Reason.REVOKED, REFUSED) == network.judge(tmp_path, List(network.issuing, [line]))


def test_a_key_that_was_stolen(tmp_path: Path) -> None:
    """Revoked: key compromise (5.3.1)."""
    network = Network()
    line = entry(network.signer, reason(x509.ReasonFlags.key_compromise))
    assert (Reason.REVOKED, REFUSED) == network.judge(tmp_path, List(network.issuing, [line]))


def test_a_certificate_that_was_superseded(tmp_path: Path) -> None:
    """Revoked: harmless reasons revoke too (5.3.1)."""
    network = Network()
    line = entry(network.signer, reason(x509.ReasonFlags.superseded))
    assert (Reason.REVOKED, REFUSED) == network.judge(tmp_path, List(network.issuing, [line]))


def test_a_line_of_another_issuer(tmp_path: Path) -> None:
    """Never good by mistake: a line of an indirect list that belongs to another issuer (5.3.3)."""
    network = Network()
    whose = (x509.CertificateIssuer([x509.DirectoryName(network.root.certificate.subject)]), True)
    indirect = List(network.issuing, [entry(network.signer, whose)], extensions=[scope(indirect_crl=True)])
    assert network.judge(tmp_path, indirect)[0] in {UNKNOWN, ACCEPTED}


def test_a_list_of_tomorrow(tmp_path: Path) -> None:
    """Unknown: nobody knows today what will be revoked tomorrow (5.1.2.4)."""
    network = Network()
    early = List(network.issuing, this_update=now() + DAY, next_update=now() + timedelta(days=2))
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, early)
