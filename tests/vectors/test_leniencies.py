"""What is refused unless it is tolerated by name: refused without the name, accepted and recorded with it."""

import base64
from itertools import chain, combinations

import pytest
from asn1crypto import cms

from signing.certificate import check_signer
from signing.evidence import Evidence, Fault, Format, Reason
from signing.policy import Leniency, Policy
from signing.verify import verify_detached, verify_enveloped
from tests import signers
from tests.authority import now
from tests.cms_builder import CONTENT, Bench

ALL = frozenset(Leniency)
LF_CONTENT = CONTENT.replace(b"\r\n", b"\n")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """An accepted authority and a file to sign."""
    return Bench.open(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def wanting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, bytes]:
    """A signature that needs every leniency at once, and its bench."""
    bench = Bench.open(tmp_path_factory.mktemp("wanting"))
    der = signers.smime(bench.data, bench.pki.issue("Old", key="rsa-1024"), "-md", "sha1")
    bench.data.write_bytes(LF_CONTENT)
    return bench, b"-----BEGIN PKCS7-----\n" + base64.encodebytes(der) + b"-----END PKCS7-----\n"


def allowing(*leniencies: Leniency) -> Policy:
    """A policy with just these."""
    return Policy(leniencies=frozenset(leniencies))


@pytest.mark.parametrize("key", ["rsa-2048", "p-256"])
def test_sha_1(key: str, bench: Bench) -> None:
    """SHA-1 with RSA and ECDSA, as OpenSSL makes it."""
    der = signers.cms(bench.data, bench.pki.issue("Old", key=key), "-md", "sha1")
    assert bench.ours(der, Policy(leniencies=ALL - {Leniency.SHA1})) is Reason.ALGORITHM
    evidence = bench.verify(der, allowing(Leniency.SHA1))
    assert isinstance(evidence, Evidence)
    assert evidence.leniencies == ("sha1",)


def test_sha_1_by_the_name_of_the_pair(bench: Bench) -> None:
    """Some clients name the pair (sha1WithRSAEncryption) where others name RSA alone."""
    draft = bench.draft("rsa-2048", "sha1")
    assert draft.mechanism == {"algorithm": "sha1_rsa"}
    evidence = bench.verify(draft.dump(), allowing(Leniency.SHA1))
    assert isinstance(evidence, Evidence)
    assert evidence.leniencies == ("sha1",)


def test_a_forged_signature_over_sha_1(bench: Bench) -> None:
    """What is tolerated must still be right."""
    draft = bench.draft("rsa-2048", "sha1")
    draft.inside = {"signature": bytes(256)}
    assert bench.ours(draft.dump(), Policy(leniencies=ALL)) is Reason.SIGNATURE


def test_another_file_under_sha_1(bench: Bench) -> None:
    """So must the file be."""
    draft = bench.draft("rsa-2048", "sha1")
    draft.content = b"other"
    other = signers.cms(bench.pki.root, bench.pki.issue("Old"), "-md", "sha1")
    assert bench.ours(other, Policy(leniencies=ALL)) is Reason.TAMPERED


def test_pss_with_sha_1(bench: Bench) -> None:
    """Never: whoever can do PSS can do SHA-256."""
    options = ("-md", "sha1", "-keyopt", "rsa_padding_mode:pss")
    der = signers.cms(bench.data, bench.pki.issue("New", key="rsa-2048"), *options)
    assert bench.ours(der, Policy(leniencies=ALL)) is Reason.ALGORITHM


@pytest.mark.parametrize("digest", ["md5", "sha224"])
def test_other_digests(digest: str, bench: Bench) -> None:
    """Never: MD5 is broken, and SHA-224 is on no list."""
    der = signers.cms(bench.data, bench.pki.issue("Old", key="rsa-2048"), "-md", digest)
    assert bench.ours(der, Policy(leniencies=ALL)) is Reason.ALGORITHM


@pytest.mark.parametrize("bits", [1024, 1536, 2047])
def test_a_short_rsa_key(bits: int, bench: Bench) -> None:
    """RSA of 1024 to 2047 bits."""
    der = signers.cms(bench.data, bench.pki.issue("Short", key=f"rsa-{bits}"))
    assert bench.ours(der, Policy(leniencies=ALL - {Leniency.RSA_1024})) is Reason.KEY
    evidence = bench.verify(der, allowing(Leniency.RSA_1024))
    assert isinstance(evidence, Evidence)
    assert evidence.leniencies == ("rsa-1024",)


def test_a_short_curve(bench: Bench) -> None:
    """Never: P-192 is on no list."""
    der = signers.cms(bench.data, bench.pki.issue("Curve", key="p-192"))
    assert bench.ours(der, Policy(leniencies=ALL)) is Reason.KEY


def test_a_short_key_inside_a_document(bench: Bench) -> None:
    """The same leniency counts for XML signatures."""
    document = bench.folder / "short.xml"
    document.write_bytes(signers.enveloped(b"<a><b/></a>", bench.pki.issue("Short", key="rsa-1024")))
    refused = verify_enveloped(document, authorities=bench.accepted, at=now())
    assert isinstance(refused, Fault)
    assert refused.reason is Reason.KEY
    policy = allowing(Leniency.RSA_1024)
    tolerated = verify_enveloped(document, authorities=bench.accepted, at=now(), policy=policy)
    assert isinstance(tolerated, Evidence)
    assert tolerated.leniencies == ("rsa-1024",)


def test_a_leniency_that_was_not_needed_is_not_recorded(bench: Bench) -> None:
    """The evidence names what a signature needed, not what it might have needed."""
    evidence = bench.verify(bench.draft("rsa-2048").dump(), Policy(leniencies=ALL))
    assert isinstance(evidence, Evidence)
    assert evidence.leniencies == ()


@pytest.mark.parametrize("some", list(chain.from_iterable(combinations(Leniency, size) for size in range(4))))
def test_every_leniency_stands_for_itself(some: tuple[Leniency, ...], wanting: tuple[Bench, bytes]) -> None:
    """No three of the four let pass what needs all of them."""
    bench, signature = wanting
    policy = allowing(*some)
    verdict = verify_detached(bench.data, signature, authorities=bench.accepted, at=now(), policy=policy)
    assert isinstance(verdict, Fault)


def test_all_that_was_needed_is_recorded(wanting: tuple[Bench, bytes]) -> None:
    """All four together let it pass, and the evidence names all four."""
    bench, signature = wanting
    policy = Policy(leniencies=ALL)
    evidence = verify_detached(bench.data, signature, authorities=bench.accepted, at=now(), policy=policy)
    assert isinstance(evidence, Evidence)
    assert frozenset(evidence.leniencies) == ALL


def test_the_gateways_own_certificates_have_no_leniency(bench: Bench) -> None:
    """Without a policy a certificate is judged strictly."""
    der = signers.cms(bench.data, bench.pki.issue("Short", key="rsa-1024"))
    [certificate] = cms.ContentInfo.load(der)["content"]["certificates"]
    checked = check_signer(certificate.chosen.dump())
    assert isinstance(checked, Fault)
    assert checked.reason is Reason.KEY


def test_a_format_that_is_not_accepted(bench: Bench) -> None:
    """A sender may be bound to CMS or to XML; a good signature of the other kind is refused for its format."""
    der = bench.draft().dump()
    document = bench.folder / "enveloped.xml"
    document.write_bytes(signers.enveloped(b"<a><b/></a>", bench.pki.issue("XML")))
    beside = signers.detached(CONTENT, bench.data.name, bench.pki.issue("XML"))
    cms_only = Policy(formats=frozenset({Format.CMS}))
    xml_only = Policy(formats=frozenset({Format.XML, Format.XADES}))
    xades_only = Policy(formats=frozenset({Format.XADES}))
    assert bench.ours(der, cms_only) == "accepted"
    assert bench.ours(der, xml_only) is Reason.FORMAT
    for policy in (cms_only, xades_only):
        verdicts = (
            verify_enveloped(document, authorities=bench.accepted, at=now(), policy=policy),
            verify_detached(bench.data, beside, authorities=bench.accepted, at=now(), policy=policy),
        )
        assert [isinstance(each, Fault) and each.reason for each in verdicts] == [Reason.FORMAT, Reason.FORMAT]
    assert isinstance(verify_enveloped(document, authorities=bench.accepted, at=now(), policy=xml_only), Evidence)
