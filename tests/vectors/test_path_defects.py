"""Certificate paths with one defect each: our verdict, and that of ``openssl verify`` beside it (RFC 5280, 6)."""

from ipaddress import ip_network
from pathlib import Path

from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing.evidence import Reason
from tests.authority import new_key
from tests.cms_builder import ACCEPTED, REFUSED
from tests.hierarchy import NOT_CONFIGURABLE, Extension, Member, certify, judge, named, sign_for
from tests.signers import openssl

UNHEARD_OF = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), core.Null().dump())
POLICY = x509.ObjectIdentifier("1.2.3.4.5")


def line(*, issuing: Member | None = None, root: Member | None = None) -> list[Member]:
    """Root, issuing authority and signer; the authorities may be replaced."""
    top = root or certify("Root")
    middle = issuing or certify("Issuing", top)
    return [top, middle, sign_for(middle)]


def below(root: Member, *extensions: Extension) -> list[Member]:
    """A good authority and signer below a root, the signer with extensions."""
    middle = certify("Issuing", root)
    return [root, middle, sign_for(middle, extensions=extensions)]


def permitted(*names: x509.GeneralName) -> Extension:
    """Name constraints that permit these alone."""
    return x509.NameConstraints(permitted_subtrees=names, excluded_subtrees=None), True


def excluded(*names: x509.GeneralName) -> Extension:
    """Name constraints that exclude these."""
    return x509.NameConstraints(permitted_subtrees=None, excluded_subtrees=names), True


def test_no_defect(tmp_path: Path) -> None:
    """Valid: what the vectors below spoil is good."""
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, line())


def test_a_path_length_of_nothing(tmp_path: Path) -> None:
    """Valid: a length of zero leaves room for signers (4.2.1.9)."""
    root = certify("Root")
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, line(root=root, issuing=certify("Issuing", root, path_length=0)))


def test_a_root_with_a_path_length(tmp_path: Path) -> None:
    """Valid: a root of length one leaves room for the issuing authority (4.2.1.9)."""
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, line(root=certify("Root", path_length=1)))


def test_a_path_length_that_is_exceeded_below_the_root(tmp_path: Path) -> None:
    """Invalid: the root itself allows no authority below it (4.2.1.9)."""
    assert (Reason.NOT_ACCEPTED, REFUSED) == judge(tmp_path, line(root=certify("Root", path_length=0)))


def test_a_path_length_that_is_exceeded_in_the_middle(tmp_path: Path) -> None:
    """Invalid: an authority below one of length zero (4.2.1.9)."""
    root = certify("Root")
    middle = certify("Middle", root, path_length=0)
    issuing = certify("Issuing", middle)
    assert (Reason.NOT_ACCEPTED, REFUSED) == judge(tmp_path, [root, middle, issuing, sign_for(issuing)])


def test_an_authority_that_is_none(tmp_path: Path) -> None:
    """Invalid: basic constraints say that it is none (4.2.1.9)."""
    root = certify("Root")
    issuing = certify("Issuing", root, ca=False)
    assert (NOT_CONFIGURABLE, REFUSED) == judge(tmp_path, line(root=root, issuing=issuing))


def test_an_authority_that_does_not_say(tmp_path: Path) -> None:
    """Invalid: without basic constraints nobody is an authority (6.1.4 k)."""
    root = certify("Root")
    issuing = certify("Issuing", root, ca=None)
    assert (NOT_CONFIGURABLE, REFUSED) == judge(tmp_path, line(root=root, issuing=issuing))


def test_an_authority_that_may_not_sign_certificates(tmp_path: Path) -> None:
    """Invalid: keyCertSign is missing (6.1.4 n)."""
    root = certify("Root")
    issuing = certify("Issuing", root, usages=("crl_sign", "digital_signature"))
    assert (Reason.NOT_ACCEPTED, REFUSED) == judge(tmp_path, line(root=root, issuing=issuing))


def test_an_authority_in_the_middle_that_may_not_sign_certificates(tmp_path: Path) -> None:
    """Invalid: so it is above the issuer (6.1.4 n)."""
    root = certify("Root")
    middle = certify("Middle", root, usages=("crl_sign",))
    issuing = certify("Issuing", middle)
    assert (Reason.NOT_ACCEPTED, REFUSED) == judge(tmp_path, [root, middle, issuing, sign_for(issuing)])


def test_an_expired_root(tmp_path: Path) -> None:
    """Invalid: the anchor's own dates count too."""
    assert (Reason.EXPIRED, REFUSED) == judge(tmp_path, line(root=certify("Root", days=(-400, -1))))


def test_an_expired_issuing_authority(tmp_path: Path) -> None:
    """Invalid: every certificate of the path is valid at the moment (6.1.3 a 2)."""
    root = certify("Root")
    assert (Reason.EXPIRED, REFUSED) == judge(
        tmp_path, line(root=root, issuing=certify("Issuing", root, days=(-400, -1)))
    )


def test_an_issuing_authority_of_tomorrow(tmp_path: Path) -> None:
    """Invalid: not valid yet (6.1.3 a 2)."""
    root = certify("Root")
    issuing = certify("Issuing", root, days=(1, 400))
    assert (Reason.NOT_YET_VALID, REFUSED) == judge(tmp_path, line(root=root, issuing=issuing))


def test_an_unheard_of_critical_extension_of_the_authority(tmp_path: Path) -> None:
    """Invalid: what must be understood and isn't (4.2)."""
    root = certify("Root")
    issuing = certify("Issuing", root, extensions=[(UNHEARD_OF, True)])
    assert (Reason.NOT_ACCEPTED, REFUSED) == judge(tmp_path, line(root=root, issuing=issuing))


def test_an_unheard_of_extension_of_the_authority(tmp_path: Path) -> None:
    """Valid: what needn't be understood (4.2)."""
    root = certify("Root")
    issuing = certify("Issuing", root, extensions=[(UNHEARD_OF, False)])
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, line(root=root, issuing=issuing))


def test_an_authority_with_a_short_key(tmp_path: Path) -> None:
    """Invalid: RSA of 1024 bits anywhere in the path."""
    root = certify("Root")
    issuing = certify("Issuing", root, key="rsa-1024")
    assert (NOT_CONFIGURABLE, ACCEPTED) == judge(tmp_path, line(root=root, issuing=issuing))


def test_a_root_with_a_short_key(tmp_path: Path) -> None:
    """Invalid: also at its top."""
    assert (NOT_CONFIGURABLE, ACCEPTED) == judge(tmp_path, line(root=certify("Root", key="p-192")))


def test_a_permitted_name(tmp_path: Path) -> None:
    """Valid: the signer's name lies in the permitted subtree (4.2.1.10)."""
    root = certify("Root", extensions=[excluded(x509.DirectoryName(named("Somebody Else")))])
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, below(root))


def test_an_excluded_name(tmp_path: Path) -> None:
    """Invalid: the root excludes the signer's name (4.2.1.10)."""
    root = certify("Root", extensions=[excluded(x509.DirectoryName(named("Signer")))])
    assert (Reason.NOT_ACCEPTED, REFUSED) == judge(tmp_path, below(root))


def test_a_name_that_is_not_permitted(tmp_path: Path) -> None:
    """Invalid: the issuing authority may name others only (4.2.1.10)."""
    root = certify("Root")
    issuing = certify("Issuing", root, extensions=[permitted(x509.DirectoryName(named("Somebody Else")))])
    assert (Reason.NOT_ACCEPTED, REFUSED) == judge(tmp_path, line(root=root, issuing=issuing))


def test_an_address_that_is_not_permitted(tmp_path: Path) -> None:
    """Invalid: constraints of a kind that the library doesn't know refuse too (4.2.1.10)."""
    root = certify("Root", extensions=[permitted(x509.IPAddress(ip_network("10.0.0.0/8")))])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_network("192.0.2.1/32").network_address)])
    assert (Reason.NOT_ACCEPTED, REFUSED) == judge(tmp_path, below(root, (address, False)))


def test_an_excluded_mail_address(tmp_path: Path) -> None:
    """Invalid: the alternative name counts as well (4.2.1.10)."""
    root = certify("Root", extensions=[excluded(x509.RFC822Name("invented.example"))])
    address = x509.SubjectAlternativeName([x509.RFC822Name("signer@invented.example")])
    assert (Reason.NOT_ACCEPTED, REFUSED) == judge(tmp_path, below(root, (address, False)))


def test_a_required_policy_that_is_missing(tmp_path: Path) -> None:
    """Invalid: the authority requires a policy and the signer has none (4.2.1.11)."""
    root = certify("Root")
    constraint = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    issuing = certify("Issuing", root, extensions=[(constraint, True)])
    assert (Reason.NOT_ACCEPTED, REFUSED) == judge(tmp_path, line(root=root, issuing=issuing))


def test_a_required_policy(tmp_path: Path) -> None:
    """Valid: the same policy all the way down (4.2.1.4)."""
    policies: Extension = (x509.CertificatePolicies([x509.PolicyInformation(POLICY, None)]), False)
    constraint = x509.PolicyConstraints(require_explicit_policy=0, inhibit_policy_mapping=None)
    root = certify("Root")
    issuing = certify("Issuing", root, extensions=[(constraint, True), policies])
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, [root, issuing, sign_for(issuing, extensions=[policies])])


def test_a_signer_who_signed_himself(tmp_path: Path) -> None:
    """Invalid: nobody vouches for him, though his certificate names the authority."""
    top, middle, _ = line()
    stranger = certify("Issuing", usages=("non_repudiation",), ca=None)
    assert (Reason.NOT_ACCEPTED, REFUSED) == judge(tmp_path, [top, middle, stranger])


def test_an_issuer_of_the_same_name_and_another_key(tmp_path: Path) -> None:
    """Invalid: the name is the authority's, the signature isn't (6.1.3 a 1)."""
    top, middle, _ = line()
    impostor = certify("Issuing", top)
    assert (Reason.NOT_ACCEPTED, REFUSED) == judge(tmp_path, [top, middle, sign_for(impostor)])


def test_a_chain_that_does_not_hang_together(tmp_path: Path) -> None:
    """Invalid: the issuing authority hangs from another root of the same name (6.1.3 a 4)."""
    issuing = certify("Issuing", certify("Root"))
    assert (NOT_CONFIGURABLE, REFUSED) == judge(tmp_path, line(issuing=issuing))


def test_two_authorities_that_certify_each_other(tmp_path: Path) -> None:
    """Invalid: a circle has no root."""
    one = certify("One")
    two = certify("Two", one)
    again = certify("One", two, key=one.key)
    assert NOT_CONFIGURABLE == judge(tmp_path, [again, two, sign_for(two)])[0]


def self_signed_over_sha_1(folder: Path) -> Member:
    """A root as they were made until 2010."""
    key, written = new_key("rsa-2048"), folder / "old.pem"
    (folder / "old.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    extensions = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    command = ["req", "-x509", "-new", "-sha1", "-subj", "/CN=Root", "-days", "3000", *extensions]
    openssl(*command, "-key", folder / "old.key", "-out", written)
    return Member(key, x509.load_pem_x509_certificate(written.read_bytes()))


def test_a_root_that_signed_itself_over_sha_1(tmp_path: Path) -> None:
    """Valid: nothing rests on a root's signature of itself; the operator vouches for it."""
    root = self_signed_over_sha_1(tmp_path)
    issuing = certify("Issuing", root)
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, [root, issuing, sign_for(issuing)])


def test_a_root_whose_signature_over_sha_1_is_another_keys(tmp_path: Path) -> None:
    """Not configurable: it is no root, and nobody above it is there."""
    good = self_signed_over_sha_1(tmp_path).certificate
    der = good.public_bytes(Encoding.DER)
    bent = x509.load_der_x509_certificate(der[:-1] + bytes([der[-1] ^ 1]))
    root = Member(new_key("rsa-2048"), bent)
    assert NOT_CONFIGURABLE == judge(tmp_path, [root, sign_for(root)])[0]


def test_a_cross_certificate(tmp_path: Path) -> None:
    """Valid: an authority below another network's root is accepted with that root (6.1)."""
    own = certify("Own Root")
    foreign = certify("Foreign Root")
    crossed = certify("Own Root", foreign, key=own.key)
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, [foreign, crossed, sign_for(crossed)])


def test_an_authority_that_certifies_for_servers_only(tmp_path: Path) -> None:
    """Valid: the standard gives an authority's own extended usage no meaning for the path (4.2.1.12)."""
    root = certify("Root")
    purpose: Extension = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
    issuing = certify("Issuing", root, extensions=[purpose])
    assert (ACCEPTED, ACCEPTED) == judge(tmp_path, line(root=root, issuing=issuing))
