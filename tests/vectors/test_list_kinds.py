"""Delta lists, indirect lists and lists of a part, good or with one defect each (RFC 5280, 5.2 and 6.3.3)."""

from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509

from signing.evidence import Reason
from tests.authority import now
from tests.cms_builder import ACCEPTED, REFUSED
from tests.hierarchy import (
    DAY,
    NOT_CONFIGURABLE,
    UNKNOWN,
    Extension,
    Known,
    List,
    Member,
    Verdict,
    certify,
    entry,
    judge_by,
    sign_for,
)
from tests.network import Network, reason, scope

HERE = x509.UniformResourceIdentifier("http://pki.example/list.crl")
THERE = x509.UniformResourceIdentifier("http://pki.example/other.crl")
HOLD = x509.ReasonFlags.certificate_hold
STOLEN = frozenset({x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise})
OTHERWISE = frozenset(
    {
        x509.ReasonFlags.affiliation_changed,
        x509.ReasonFlags.superseded,
        x509.ReasonFlags.cessation_of_operation,
        x509.ReasonFlags.certificate_hold,
        x509.ReasonFlags.privilege_withdrawn,
        x509.ReasonFlags.aa_compromise,
    }
)


def point(*names: x509.GeneralName, issuer: Member | None = None) -> Extension:
    """Where a certificate's lists are, and who issues them."""
    who = [x509.DirectoryName(issuer.certificate.subject)] if issuer else None
    where = x509.DistributionPoint(full_name=names or None, relative_name=None, reasons=None, crl_issuer=who)
    return x509.CRLDistributionPoints([where]), False


def numbered(number: int) -> Extension:
    """A list's number."""
    return x509.CRLNumber(number), False


def freshest() -> Extension:
    """That there are deltas."""
    where = x509.DistributionPoint(full_name=[THERE], relative_name=None, reasons=None, crl_issuer=None)
    return x509.FreshestCRL([where]), False


def complete(network: Network, *lines: x509.RevokedCertificate, number: int = 5) -> List:
    """A list that has deltas."""
    return List(network.issuing, lines, this_update=now() - DAY, extensions=[numbered(number), freshest()])


def delta(network: Network, *lines: x509.RevokedCertificate, base: int = 5, number: int = 6) -> List:
    """What changed since."""
    return List(network.issuing, lines, extensions=[numbered(number), (x509.DeltaCRLIndicator(base), True)])


def test_a_delta_that_changes_nothing(tmp_path: Path) -> None:
    """Good: on neither list."""
    network = Network()
    assert (ACCEPTED, ACCEPTED) == network.judge(tmp_path, complete(network), delta(network))


def test_a_delta_that_revokes(tmp_path: Path) -> None:
    """Revoked: the delta is newer (5.2.4)."""
    network = Network()
    news = delta(network, entry(network.signer))
    assert (Reason.REVOKED, REFUSED) == network.judge(tmp_path, complete(network), news)


def test_a_delta_beside_a_list_that_revokes(tmp_path: Path) -> None:
    """Revoked: a delta that says nothing takes nothing back."""
    network = Network()
    assert (Reason.REVOKED, REFUSED) == network.judge(
        tmp_path, complete(network, entry(network.signer)), delta(network)
    )


def test_a_delta_that_lifts_a_hold(tmp_path: Path) -> None:
    """Good: removeFromCRL ends a hold (5.3.1)."""
    network = Network()
    held = entry(network.signer, reason(HOLD))
    lifted = entry(network.signer, reason(x509.ReasonFlags.remove_from_crl))
    assert (ACCEPTED, ACCEPTED) == network.judge(tmp_path, complete(network, held), delta(network, lifted))


def test_a_delta_that_puts_on_hold(tmp_path: Path) -> None:
    """Revoked: on hold since the complete list."""
    network = Network()
    held = entry(network.signer, reason(HOLD))
    assert (Reason.REVOKED, REFUSED) == network.judge(tmp_path, complete(network), delta(network, held))


def test_a_delta_that_leaves_a_gap(tmp_path: Path) -> None:
    """Unknown: what happened between the complete list and the delta's base is on neither (5.2.4)."""
    network = Network()
    assert UNKNOWN == network.judge(tmp_path, complete(network, number=3), delta(network))[0]


def test_a_delta_beside_two_complete_lists(tmp_path: Path) -> None:
    """Revoked and good: the delta follows on the newer one, and that there is an older one changes nothing."""
    network = Network()
    older = complete(network, number=3)
    older.this_update = now() - 2 * DAY
    (tmp_path / "good").mkdir()
    (tmp_path / "revoked").mkdir()
    assert ACCEPTED == network.judge(tmp_path / "good", older, complete(network), delta(network))[0]
    news = delta(network, entry(network.signer))
    assert Reason.REVOKED is network.judge(tmp_path / "revoked", older, complete(network), news)[0]


def test_a_delta_beside_a_newer_list_and_an_older_one_without_deltas(tmp_path: Path) -> None:
    """Revoked: an older list that knows of no deltas hides neither the newer list nor the delta behind it."""
    network = Network()
    older = List(network.issuing, this_update=now() - 2 * DAY, extensions=[numbered(3)])
    (tmp_path / "complete").mkdir()
    (tmp_path / "delta").mkdir()
    revoked = entry(network.signer)
    by_list = network.judge(tmp_path / "complete", older, complete(network, revoked), delta(network))
    by_delta = network.judge(tmp_path / "delta", older, complete(network), delta(network, revoked))
    assert (Reason.REVOKED, Reason.REVOKED) == (by_list[0], by_delta[0])


def test_a_delta_older_than_the_complete_list(tmp_path: Path) -> None:
    """Revoked: an old delta that lifted a hold lifts no later revocation."""
    network = Network()
    old = delta(network, entry(network.signer, reason(x509.ReasonFlags.remove_from_crl)))
    assert Reason.REVOKED is network.judge(tmp_path, complete(network, entry(network.signer), number=7), old)[0]


def test_a_delta_that_the_list_does_not_announce(tmp_path: Path) -> None:
    """Revoked and good: somebody put it there, so what it revokes is revoked; what it takes back isn't heard."""
    for folder in ("revoked", "lifted", "good"):
        (tmp_path / folder).mkdir()
    network = Network()
    line = entry(network.signer)
    lifted = entry(network.signer, reason(x509.ReasonFlags.remove_from_crl))

    def silent(*lines: x509.RevokedCertificate) -> List:
        return List(network.issuing, lines, this_update=now() - DAY, extensions=[numbered(5)])

    assert Reason.REVOKED is network.judge(tmp_path / "revoked", silent(), delta(network, line))[0]
    assert Reason.REVOKED is network.judge(tmp_path / "lifted", silent(line), delta(network, lifted))[0]
    assert ACCEPTED == network.judge(tmp_path / "good", silent(), delta(network))[0]


def test_a_delta_that_somebody_else_signed(tmp_path: Path) -> None:
    """Good: it isn't the issuer's, so the complete list stands alone, as where there is no delta."""
    network = Network()
    forged = delta(network, entry(network.signer))
    forged.signed_by = certify("Issuing", network.root)
    assert ACCEPTED == network.judge(tmp_path, complete(network), forged)[0]


def test_a_list_with_deltas_of_which_there_are_none(tmp_path: Path) -> None:
    """Good: whoever has no delta goes by the complete list (5.2.6)."""
    network = Network()
    assert ACCEPTED == network.judge(tmp_path, complete(network))[0]


def test_a_stale_delta(tmp_path: Path) -> None:
    """Good: a delta that no longer counts is as none, and the complete list still does."""
    network = Network()
    stale = delta(network)
    stale.this_update, stale.next_update = now() - 2 * DAY, now() - DAY
    assert ACCEPTED == network.judge(tmp_path, complete(network), stale)[0]


@dataclass
class Indirect:
    """A network in which somebody else lists the revoked certificates of the issuing authority."""

    root: Member = field(default_factory=lambda: certify("Root"))
    issuing: Member = field(init=False)
    lister: Member = field(init=False)
    signer: Member = field(init=False)

    def __post_init__(self) -> None:
        """Make those below the root."""
        self.issuing = certify("Issuing", self.root)
        self.lister = certify("Lister", self.root, ca=None, usages=("crl_sign",), days=(-30, 300))
        self.signer = sign_for(self.issuing, extensions=[point(HERE, issuer=self.lister)])

    def line(self, *whose: Extension) -> x509.RevokedCertificate:
        """The signer's line."""
        return entry(self.signer, *(whose or [self.issued_by(self.issuing)]))

    def issued_by(self, issuer: Member) -> Extension:
        """Whose certificate a line is about."""
        return x509.CertificateIssuer([x509.DirectoryName(issuer.certificate.subject)]), True

    def list(self, *lines: x509.RevokedCertificate, indirect: bool = True) -> List:
        """The lister's list."""
        return List(self.lister, lines, extensions=[scope(full_name=[HERE], indirect_crl=indirect)])

    def judge(
        self, folder: Path, crl: List, root: List | None = None, *, configured: bool = True
    ) -> tuple[Verdict, str]:
        """Both verdicts."""
        lists = [(root or List(self.root)).dump(), crl.dump()]
        known = Known(lists, list_issuers=[self.lister] if configured else ())
        return judge_by(folder, [self.root, self.issuing, self.signer], known)


def test_an_indirect_list(tmp_path: Path) -> None:
    """Good: the signer's certificate names who lists it, and it isn't listed (6.3.3 b 1)."""
    network = Indirect()
    assert (ACCEPTED, ACCEPTED) == network.judge(tmp_path, network.list())


def test_an_indirect_list_that_revokes(tmp_path: Path) -> None:
    """Revoked: the line names the signer's issuer (5.3.3)."""
    network = Indirect()
    assert (Reason.REVOKED, REFUSED) == network.judge(tmp_path, network.list(network.line()))


def test_an_indirect_list_with_another_issuers_line(tmp_path: Path) -> None:
    """Good: the number is the signer's, the issuer isn't (5.3.3)."""
    network = Indirect()
    line = network.line(network.issued_by(network.root))
    assert (ACCEPTED, ACCEPTED) == network.judge(tmp_path, network.list(line))


def test_an_indirect_list_whose_lines_follow_each_other(tmp_path: Path) -> None:
    """Revoked: a line without an issuer is about that of the line before it (5.3.3)."""
    network = Indirect()
    other = entry(sign_for(network.issuing), network.issued_by(network.issuing))
    crl = network.list(other, entry(network.signer))
    assert (Reason.REVOKED, REFUSED) == network.judge(tmp_path, crl)


def test_an_indirect_list_that_does_not_say_so(tmp_path: Path) -> None:
    """Unknown: without indirectCRL it is about the lister's own certificates (6.3.3 b 1)."""
    network = Indirect()
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, network.list(indirect=False))


def test_an_indirect_list_of_a_lister_that_is_not_configured(tmp_path: Path) -> None:
    """Unknown: that a certificate names its lister makes nobody trusted."""
    network = Indirect()
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, network.list(), configured=False)


def test_an_indirect_list_of_a_revoked_lister(tmp_path: Path) -> None:
    """Unknown: the lister's own certificate is on the root's list."""
    network = Indirect()
    assert UNKNOWN == network.judge(tmp_path, network.list(), List(network.root, [entry(network.lister)]))[0]


def test_an_indirect_list_of_an_expired_lister(tmp_path: Path) -> None:
    """Unknown: its path is judged as a signer's is (6.3.3 f)."""
    network = Indirect()
    network.lister = certify("Lister", network.root, ca=None, usages=("crl_sign",), days=(-30, -2))
    assert UNKNOWN == network.judge(tmp_path, network.list())[0]


def test_a_lister_that_may_not_sign_lists(tmp_path: Path) -> None:
    """Invalid: cRLSign is missing (6.3.3 f)."""
    network = Indirect()
    network.lister = certify("Lister", network.root, ca=None, usages=("digital_signature",))
    assert NOT_CONFIGURABLE == network.judge(tmp_path, network.list())[0]


def test_a_lister_of_another_network(tmp_path: Path) -> None:
    """Invalid: nobody of the entry issued its certificate."""
    network = Indirect()
    network.lister = certify("Lister", certify("Root"), ca=None, usages=("crl_sign",))
    assert NOT_CONFIGURABLE == network.judge(tmp_path, network.list())[0]


def test_a_certificate_that_names_another_lister(tmp_path: Path) -> None:
    """Unknown: the indirect list is somebody's whom the certificate doesn't name (6.3.3 b 1)."""
    network = Indirect()
    other = certify("Other", network.root, ca=None, usages=("crl_sign",))
    network.signer = sign_for(network.issuing, extensions=[point(HERE, issuer=other)])
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, network.list())


def test_a_certificate_that_names_its_own_issuer_as_the_lister(tmp_path: Path) -> None:
    """Valid: it should leave that out (4.2.1.13), and it changes nothing."""
    network = Network()
    network.signer = sign_for(network.issuing, extensions=[point(HERE, issuer=network.issuing)])
    (tmp_path / "good").mkdir()
    (tmp_path / "revoked").mkdir()
    assert (ACCEPTED, ACCEPTED) == network.judge(tmp_path / "good", List(network.issuing))
    revoked = List(network.issuing, [entry(network.signer)])
    assert (Reason.REVOKED, REFUSED) == network.judge(tmp_path / "revoked", revoked)


def test_an_issuers_own_list_for_a_certificate_that_names_a_lister(tmp_path: Path) -> None:
    """Never good: the certificate says that somebody else lists it."""
    network = Indirect()
    assert UNKNOWN == network.judge(tmp_path, List(network.issuing))[0]


def placed(*names: x509.GeneralName) -> Network:
    """A network whose signer's certificate names where its lists are."""
    network = Network()
    network.signer = sign_for(network.issuing, extensions=[point(*names)])
    return network


def test_the_list_of_a_distribution_point(tmp_path: Path) -> None:
    """Good: list and certificate name the same place (6.3.3 b 2 i)."""
    network = placed(HERE)
    assert (ACCEPTED, ACCEPTED) == network.judge(tmp_path, List(network.issuing, extensions=[scope(full_name=[HERE])]))


def test_the_list_of_a_distribution_point_that_revokes(tmp_path: Path) -> None:
    """Revoked: as on any other list."""
    network = placed(HERE)
    crl = List(network.issuing, [entry(network.signer)], extensions=[scope(full_name=[HERE])])
    assert (Reason.REVOKED, REFUSED) == network.judge(tmp_path, crl)


def test_the_list_of_one_of_several_names(tmp_path: Path) -> None:
    """Good: one common name is enough (6.3.3 b 2 i)."""
    network = placed(THERE, HERE)
    assert (ACCEPTED, ACCEPTED) == network.judge(tmp_path, List(network.issuing, extensions=[scope(full_name=[HERE])]))


def test_the_list_of_another_place(tmp_path: Path) -> None:
    """Unknown: another part of the issuer's certificates (6.3.3 b 2 i)."""
    network = placed(THERE)
    assert (UNKNOWN, REFUSED) == network.judge(tmp_path, List(network.issuing, extensions=[scope(full_name=[HERE])]))


def test_a_complete_list_beside_that_of_another_place(tmp_path: Path) -> None:
    """Good: the complete one answers for everything."""
    network = placed(THERE)
    part = List(network.issuing, extensions=[scope(full_name=[HERE])])
    assert ACCEPTED == network.judge(tmp_path, part, List(network.issuing))[0]


def by_reasons(network: Network, *lines: x509.RevokedCertificate) -> tuple[List, List]:
    """Two lists that share the reasons among them; the lines are on the second."""
    stolen = List(network.issuing, extensions=[scope(only_some_reasons=STOLEN)])
    return stolen, List(network.issuing, lines, extensions=[scope(only_some_reasons=OTHERWISE)])


def test_lists_that_together_have_all_reasons(tmp_path: Path) -> None:
    """Good: no reason is left open (6.3.3, reasons_mask)."""
    network = Network()
    assert ACCEPTED == network.judge(tmp_path, *by_reasons(network))[0]


def test_one_of_two_lists_by_reason_that_revokes(tmp_path: Path) -> None:
    """Revoked: one reason is enough."""
    network = Network()
    line = entry(network.signer, reason(x509.ReasonFlags.superseded))
    assert (Reason.REVOKED, REFUSED) == network.judge(tmp_path, *by_reasons(network, line))


def test_a_later_revocation_on_one_of_two_lists_by_reason(tmp_path: Path) -> None:
    """Unknown: that a key was stolen later leaves open what the missing list says of before."""
    network = Network()
    line = entry(network.signer, reason(x509.ReasonFlags.key_compromise), at=now() + DAY / 24)
    stolen = List(network.issuing, [line], extensions=[scope(only_some_reasons=STOLEN)])
    assert UNKNOWN == network.judge(tmp_path, stolen)[0]


def test_a_later_revocation_on_lists_that_together_have_all_reasons(tmp_path: Path) -> None:
    """Good: received before it, and nothing else is known."""
    network = Network()
    line = entry(network.signer, reason(x509.ReasonFlags.superseded), at=now() + DAY / 24)
    assert ACCEPTED == network.judge(tmp_path, *by_reasons(network, line))[0]


def test_a_revocation_that_a_newer_list_forgets(tmp_path: Path) -> None:
    """Revoked: nothing but a hold is ever taken back (5.3.1)."""
    network = Network()
    older = List(network.issuing, [entry(network.signer)], this_update=now() - DAY)
    assert Reason.REVOKED is network.judge(tmp_path, older, List(network.issuing))[0]


def test_a_hold_that_a_newer_list_forgets(tmp_path: Path) -> None:
    """Good: the hold is over (5.3.1)."""
    network = Network()
    older = List(network.issuing, [entry(network.signer, reason(HOLD))], this_update=now() - DAY)
    assert ACCEPTED == network.judge(tmp_path, older, List(network.issuing))[0]


def test_a_hold_that_is_new(tmp_path: Path) -> None:
    """Revoked: the older list didn't know yet."""
    network = Network()
    newer = List(network.issuing, [entry(network.signer, reason(HOLD))])
    assert Reason.REVOKED is network.judge(tmp_path, List(network.issuing, this_update=now() - DAY), newer)[0]
