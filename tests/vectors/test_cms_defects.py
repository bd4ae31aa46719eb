"""Defects that a signer signed along with the rest: each named, with our verdict and OpenSSL's beside it."""

import hashlib

import pytest
from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1
from cryptography.x509 import ObjectIdentifier, SubjectKeyIdentifier, UnrecognizedExtension
from pyhanko.sign.general import as_signing_certificate, as_signing_certificate_v2

from signing.evidence import Reason
from tests.cms_builder import (
    ACCEPTED,
    CONTENT,
    REFUSED,
    Bench,
    Draft,
    attribute,
    certificate_of,
    content_info,
    element,
    longer,
    sign,
    spliced,
    unsorted,
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """An accepted authority and a file to sign."""
    return Bench.open(tmp_path_factory.mktemp("bench"))


def test_no_defect(bench: Bench) -> None:
    """Valid: what the vectors below spoil is good (RFC 5652, 5)."""
    assert (ACCEPTED, ACCEPTED) == bench.judge(bench.draft())


def test_content_that_is_enveloped_data(bench: Bench) -> None:
    """Invalid: only signedData signs (RFC 5652, 4)."""
    enveloped = cms.EnvelopedData(
        {
            "version": "v0",
            "recipient_infos": [],
            "encrypted_content_info": {
                "content_type": "data",
                "content_encryption_algorithm": {"algorithm": "aes256_cbc", "parameters": bytes(16)},
            },
        }
    )
    assert (Reason.SHAPE, REFUSED) == bench.judge(content_info("enveloped_data", enveloped))


def test_content_that_is_digested_data(bench: Bench) -> None:
    """Invalid: a digest is no signature (RFC 5652, 7)."""
    digested = cms.DigestedData(
        {
            "version": "v0",
            "digest_algorithm": {"algorithm": "sha256"},
            "encap_content_info": {"content_type": "data"},
            "digest": hashlib.sha256(CONTENT).digest(),
        }
    )
    assert (Reason.SHAPE, REFUSED) == bench.judge(content_info("digested_data", digested))


def test_a_bare_signed_data_without_its_frame(bench: Bench) -> None:
    """Invalid: SignedData stands inside a ContentInfo (RFC 5652, 3)."""
    bare = cms.ContentInfo.load(bench.draft().dump())["content"].dump(force=True)
    assert (Reason.SYNTAX, REFUSED) == bench.judge(bare)


def test_the_attributes_as_content(bench: Bench) -> None:
    """Invalid: without signed attributes, the attributes of one signature pass as the content of another."""
    draft = bench.draft()
    draft.inside = {"signed_attrs": None, "signature": sign(draft.signer.private(), CONTENT, "sha256")}
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft)


def test_an_empty_set_of_signed_attributes(bench: Bench) -> None:
    """Invalid: the set has at least the two mandatory attributes (RFC 5652, 5.3 and 11)."""
    draft = bench.draft()
    draft.attributes = []
    assert (Reason.SHAPE, REFUSED) == bench.judge(draft)


def test_content_signed_in_place_of_the_attributes(bench: Bench) -> None:
    """Invalid: with attributes present the signature covers them, not the content (RFC 5652, 5.4)."""
    draft = bench.draft()
    draft.inside = {"signature": sign(draft.signer.private(), CONTENT, "sha256")}
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(draft)


def test_attributes_signed_under_their_implicit_tag(bench: Bench) -> None:
    """Invalid: what is signed has the tag of a SET, not [0] (RFC 5652, 5.4)."""
    draft = bench.draft()
    tagged = b"\xa0" + draft.signed_attributes()[1:]
    draft.inside = {"signature": sign(draft.signer.private(), tagged, "sha256")}
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(draft)


def test_a_content_type_attribute_that_contradicts(bench: Bench) -> None:
    """Invalid: the attribute equals the type of the content (RFC 5652, 11.1); OpenSSL doesn't look."""
    draft = bench.draft()
    draft.drop("content_type")
    draft.attributes.append(attribute("content_type", "signed_data"))
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft)


def test_a_mandatory_attribute_left_unsigned(bench: Bench) -> None:
    """Invalid: the message digest must be signed (RFC 5652, 11.2)."""
    draft = bench.draft()
    [digest] = [each for each in draft.attributes if each["type"].native == "message_digest"]
    draft.drop("message_digest")
    draft.inside = {"unsigned_attrs": [digest]}
    assert (Reason.SHAPE, REFUSED) == bench.judge(draft)


def test_an_attribute_without_a_value(bench: Bench) -> None:
    """Invalid: a mandatory attribute has exactly one value (RFC 5652, 11.2)."""
    draft = bench.draft()
    draft.drop("message_digest")
    draft.attributes.append(attribute("message_digest"))
    assert (Reason.SHAPE, REFUSED) == bench.judge(draft)


def test_a_message_digest_that_is_no_octet_string(bench: Bench) -> None:
    """Invalid: the digest is an OCTET STRING (RFC 5652, 11.2)."""
    draft = bench.draft()
    good = core.OctetString(hashlib.sha256(CONTENT).digest()).dump()
    spoilt = spliced(draft.dump(), good, core.UTF8String("x" * 32).dump())
    assert (Reason.SYNTAX, REFUSED) == bench.judge(spoilt)


def test_an_unknown_signed_attribute(bench: Bench) -> None:
    """Valid: signed attributes that nobody knows are ignored (RFC 5652, 11)."""
    draft = bench.draft()
    draft.attributes.append(attribute("1.2.3.4.5", core.Any(core.UTF8String("anything"))))
    assert (ACCEPTED, ACCEPTED) == bench.judge(draft)


def test_attributes_out_of_order(bench: Bench) -> None:
    """Invalid: what came is not what was signed, which is the set in DER's order (RFC 5652, 5.4)."""
    draft = bench.draft()
    der, attributes = draft.dump(), draft.signed_attributes()
    backwards = unsorted(list(reversed(list(cms.CMSAttributes.load(attributes)))))
    spoilt = der.replace(b"\xa0" + attributes[1:], backwards)
    assert spoilt != der
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(spoilt)


def test_a_countersignature(bench: Bench) -> None:
    """Invalid: unsigned attributes can be added by anybody, so only timestamps are let be."""
    draft = bench.draft()
    counter = cms.SignerInfo.load(bench.draft().signer_info().dump())
    draft.inside = {"unsigned_attrs": [attribute("counter_signature", counter)]}
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft)


def test_an_empty_attached_content(bench: Bench) -> None:
    """Invalid: content of no bytes is still content of its own."""
    draft = bench.draft()
    draft.outside = {"encap_content_info": {"content_type": "data", "content": b""}}
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft)


def test_the_right_content_attached(bench: Bench) -> None:
    """Invalid: even the same content may not be there twice."""
    draft = bench.draft()
    draft.outside = {"encap_content_info": {"content_type": "data", "content": CONTENT}}
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft)


def test_a_signature_in_a_signature(bench: Bench) -> None:
    """Invalid: the signed content is data, not another signedData."""
    draft = bench.draft()
    draft.outside = {"encap_content_info": {"content_type": "signed_data"}}
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft)


def test_an_unknown_content_type(bench: Bench) -> None:
    """Invalid: annex 25 asks for data."""
    draft = bench.draft()
    draft.outside = {"encap_content_info": {"content_type": "1.2.3.4"}}
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft)


def test_a_revocation_list_that_came_along(bench: Bench) -> None:
    """Valid: software for long-term signatures brings lists along; they are not read (RFC 5652, 10.2.1)."""
    draft = bench.draft()
    brought = cms.RevocationInfoChoices([asn1_list(bench)])
    draft.outside = {"crls": brought}
    assert (ACCEPTED, ACCEPTED) == bench.judge(draft)


def asn1_list(bench: Bench) -> cms.CertificateList:
    """The issuing authority's list."""
    return cms.CertificateList.load(bench.pki.crls[1].read_bytes())


def test_another_certificate_named_as_the_signing_one(bench: Bench) -> None:
    """Invalid: the signer signed that he uses another certificate (RFC 5035, 5)."""
    draft = bench.draft()
    other = certificate_of(bench.pki.issue("Another"))
    draft.attributes.append(attribute("signing_certificate_v2", as_signing_certificate_v2(other)))
    assert (Reason.SIGNATURE, ACCEPTED) == bench.judge(draft)


def test_another_certificate_named_in_the_old_way(bench: Bench) -> None:
    """Invalid: also by its SHA-1 (RFC 2634, 5.4)."""
    draft = bench.draft()
    other = certificate_of(bench.pki.issue("Another"))
    draft.attributes.append(attribute("signing_certificate", as_signing_certificate(other)))
    assert (Reason.SIGNATURE, ACCEPTED) == bench.judge(draft)


def test_the_right_certificate_named(bench: Bench) -> None:
    """Valid: CAdES-B says which certificate is used (RFC 5035, 5)."""
    draft = bench.draft()
    named = as_signing_certificate_v2(certificate_of(draft.signer))
    draft.attributes.append(attribute("signing_certificate_v2", named))
    assert (ACCEPTED, ACCEPTED) == bench.judge(draft)


def test_algorithm_protection_with_another_digest(bench: Bench) -> None:
    """Invalid: the protected digest differs from the one in use (RFC 6211, 2)."""
    draft = bench.draft()
    protection = {"digest_algorithm": {"algorithm": "sha512"}, "signature_algorithm": draft.mechanism}
    draft.attributes.append(attribute("cms_algorithm_protection", cms.CMSAlgorithmProtection(protection)))
    assert (Reason.SIGNATURE, ACCEPTED) == bench.judge(draft)


def test_algorithm_protection_with_another_signature(bench: Bench) -> None:
    """Invalid: the protected signature algorithm differs from the one in use (RFC 6211, 2)."""
    draft = bench.draft()
    protection = {"digest_algorithm": {"algorithm": "sha256"}, "signature_algorithm": {"algorithm": "sha512_ecdsa"}}
    draft.attributes.append(attribute("cms_algorithm_protection", cms.CMSAlgorithmProtection(protection)))
    assert (Reason.SIGNATURE, ACCEPTED) == bench.judge(draft)


def test_algorithm_protection_without_a_signature_algorithm(bench: Bench) -> None:
    """Invalid: in a signature the signature algorithm must be protected (RFC 6211, 2)."""
    draft = bench.draft()
    protection = cms.CMSAlgorithmProtection({"digest_algorithm": {"algorithm": "sha256"}})
    draft.attributes.append(attribute("cms_algorithm_protection", protection))
    assert (Reason.SIGNATURE, ACCEPTED) == bench.judge(draft)


def test_the_signers_certificate_twice(bench: Bench) -> None:
    """Invalid: it must be there exactly once."""
    draft = bench.draft()
    draft.certificates *= 2
    assert (Reason.NO_CERTIFICATE, ACCEPTED) == bench.judge(draft)


def test_two_certificates_of_one_number(bench: Bench) -> None:
    """Invalid: which one is meant would be the verifier's choice (RFC 5280, 4.1.2.2)."""
    draft = bench.draft()
    twin = bench.pki.issue("Twin", serial=draft.signer.read().serial_number)
    draft.certificates.append(certificate_of(twin))
    assert Reason.NO_CERTIFICATE is bench.ours(draft.dump())  # OpenSSL takes whichever comes first


def test_a_key_identifier_of_nobody(bench: Bench) -> None:
    """Invalid: the identifier matches no certificate (RFC 5652, 5.3)."""
    draft = bench.draft()
    draft.inside = {"version": "v3", "sid": {"subject_key_identifier": bytes(20)}}
    assert (Reason.NO_CERTIFICATE, REFUSED) == bench.judge(draft)


def test_a_key_identifier_of_a_certificate_without_one(bench: Bench) -> None:
    """Invalid: an empty identifier doesn't match a certificate that has none."""
    draft = bench.draft()
    draft.inside = {"version": "v3", "sid": {"subject_key_identifier": b""}}
    assert (Reason.NO_CERTIFICATE, REFUSED) == bench.judge(draft)


def test_the_issuer_of_somebody_else(bench: Bench) -> None:
    """Invalid: the number alone names nobody (RFC 5652, 10.2.4)."""
    draft = bench.draft()
    certificate = certificate_of(draft.signer)
    named = {"issuer": certificate.subject, "serial_number": certificate.serial_number}
    draft.inside = {"sid": {"issuer_and_serial_number": named}}
    assert (Reason.NO_CERTIFICATE, REFUSED) == bench.judge(draft)


def test_the_issuers_name_in_another_case(bench: Bench) -> None:
    """Valid: names are compared without regard to case (RFC 5280, 7.1)."""
    draft = bench.draft()
    certificate = certificate_of(draft.signer)
    name = asn1.Name.build({"country_name": "be", "common_name": "TEST ISSUING"})
    named = {"issuer": name, "serial_number": certificate.serial_number}
    draft.inside = {"sid": {"issuer_and_serial_number": named}}
    assert (ACCEPTED, ACCEPTED) == bench.judge(draft)


def test_an_attribute_certificate(bench: Bench) -> None:
    """Invalid: only plain certificates come along (RFC 5652, 10.2.2)."""
    draft = bench.draft()
    draft.certificates.append(
        cms.CertificateChoices("other", {"other_cert_format": "1.2.3", "other_cert": core.Null()})
    )
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_bytes_behind_the_signed_data(bench: Bench) -> None:
    """Invalid: the frame holds one structure; OpenSSL looks, asn1crypto doesn't (RFC 5652, 3)."""
    assert (Reason.SYNTAX, REFUSED) == bench.judge(longer(bench.draft().dump(), 1))


def test_a_field_too_many(bench: Bench) -> None:
    """Invalid: SignedData ends with its signers (RFC 5652, 5.1)."""
    assert (Reason.SYNTAX, REFUSED) == bench.judge(longer(bench.draft().dump(), 2))


def test_a_field_too_many_in_the_signer(bench: Bench) -> None:
    """Invalid: a signer ends with the unsigned attributes (RFC 5652, 5.3)."""
    assert (Reason.SYNTAX, REFUSED) == bench.judge(longer(bench.draft().dump(), 4))


def test_no_digest_algorithms_announced(bench: Bench) -> None:
    """Valid: the announcement only helps readers in one pass; what counts stands with the signer (RFC 5652, 5.1)."""
    draft = bench.draft()
    draft.outside = {"digest_algorithms": []}
    assert (ACCEPTED, REFUSED) == bench.judge(draft)


def test_a_digest_that_was_not_announced(bench: Bench) -> None:
    """Invalid: an announcement that is made must be true (RFC 5652, 5.1)."""
    draft = bench.draft()
    draft.outside = {"digest_algorithms": [{"algorithm": "sha512"}]}
    assert (Reason.ALGORITHM, REFUSED) == bench.judge(draft)


def test_more_digests_announced_than_needed(bench: Bench) -> None:
    """Valid: the signer's is among them (RFC 5652, 5.1)."""
    draft = bench.draft()
    draft.outside = {"digest_algorithms": [{"algorithm": "sha256"}, {"algorithm": "sha512"}]}
    assert (ACCEPTED, ACCEPTED) == bench.judge(draft)


def test_a_crowd_of_announced_digests(bench: Bench) -> None:
    """Invalid: there are not that many digest algorithms."""
    draft = bench.draft()
    draft.outside = {"digest_algorithms": [{"algorithm": "sha256"}] * 9}
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft)


def test_a_crowd_of_signed_attributes(bench: Bench) -> None:
    """Invalid: each would be read, and no client writes that many."""
    draft = bench.draft()
    draft.attributes += [attribute(f"1.2.3.4.{number}", core.Any(core.Null())) for number in range(31)]
    assert (Reason.SHAPE, ACCEPTED) == bench.judge(draft)


def test_an_object_identifier_of_immense_size(bench: Bench) -> None:
    """Invalid: reading a number of 700 kB would take more than a minute."""
    draft = bench.draft()
    good = draft.dump()
    immense = element(0x30, element(0x06, b"\xff" * 700_000 + b"\x01") + element(0x31, b"\x05\x00"))
    attributes = draft.signed_attributes()
    longer_set = element(0xA0, attributes[2:] + immense)
    assert Reason.SYNTAX is bench.ours(spliced(good, b"\xa0" + attributes[1:], longer_set))


def test_a_digest_algorithm_with_parameters(bench: Bench) -> None:
    """Invalid: SHA-2 has none but NULL (RFC 5754, 2)."""
    draft = bench.draft()
    draft.outside = {"digest_algorithms": []}
    good = algos.DigestAlgorithm({"algorithm": "sha256"})
    spoilt = spliced(draft.dump(), good.dump(), element(0x30, good["algorithm"].dump() + b"\x02\x01\x01"))
    assert Reason.SYNTAX is bench.ours(spoilt)


def test_a_signature_algorithm_with_parameters(bench: Bench) -> None:
    """Invalid: nor has RSA without PSS (RFC 5754, 3.2)."""
    draft = bench.draft("rsa-2048")
    draft.certificates, good = [], algos.SignedDigestAlgorithm({"algorithm": "sha256_rsa"})
    whole = cms.ContentInfo.load(draft.dump())["content"]["signer_infos"][0].dump()
    spoilt = spliced(whole, good.dump(), element(0x30, good["algorithm"].dump() + b"\x02\x01\x01"))
    draft = Draft(draft.signer)
    draft.mechanism = {"algorithm": "sha256_rsa"}
    draft.outside = {"signer_infos": [cms.SignerInfo.load(spoilt)]}
    assert Reason.SYNTAX is bench.ours(draft.dump())


def test_parameters_that_are_null(bench: Bench) -> None:
    """Valid: some clients write NULL even where it should be absent (RFC 5754, 2)."""
    draft = bench.draft()
    draft.inside = {"digest_algorithm": {"algorithm": "sha256", "parameters": core.Any(core.Null())}}
    assert (ACCEPTED, ACCEPTED) == bench.judge(draft)


def test_versions_that_do_not_fit(bench: Bench) -> None:
    """Valid: the versions follow from fields that are judged themselves (RFC 5652, 5.1 and 5.3)."""
    draft = bench.draft()
    draft.outside, draft.inside = {"version": "v4"}, {"version": "v3"}
    assert (ACCEPTED, ACCEPTED) == bench.judge(draft)


def test_the_versions_of_old_clients(bench: Bench) -> None:
    """Valid: version 1 throughout, though the signer is named by its key (RFC 5652, 5.3 would have 3)."""
    signer = bench.pki.issue("Old", extensions=[SubjectKeyIdentifier(b"an invented key id")])
    draft = Draft(signer)
    draft.outside = {"version": "v1"}
    draft.inside = {"version": "v1", "sid": {"subject_key_identifier": b"an invented key id"}}
    assert (ACCEPTED, ACCEPTED) == bench.judge(draft)


@pytest.mark.parametrize("version", [0, 2, 6, -1, 1 << 64])
def test_an_unknown_version(version: int, bench: Bench) -> None:
    """Invalid: RFC 5652 knows 1, 3, 4 and 5; another could mean fields that nobody here knows (5.1)."""
    draft = bench.draft()
    draft.outside = {"version": cms.CMSVersion(version)}
    assert Reason.SHAPE is bench.ours(draft.dump())


@pytest.mark.parametrize("version", [0, 2, 4, 5])
def test_an_unknown_version_of_the_signer(version: int, bench: Bench) -> None:
    """Invalid: a signer's part has 1 or 3 (RFC 5652, 5.3)."""
    draft = bench.draft()
    draft.inside = {"version": cms.CMSVersion(version)}
    assert Reason.SHAPE is bench.ours(draft.dump())


def test_a_signed_file_that_lost_its_crs(bench: Bench) -> None:
    """Invalid: text mode makes CRLF of LF, never LF of CRLF (RFC 8551, 3.1.1)."""
    assert (Reason.TAMPERED, REFUSED) == bench.judge(Draft(bench.draft().signer, CONTENT.replace(b"\r\n", b"\n")))


def test_a_mime_header_that_was_signed_too(bench: Bench) -> None:
    """Invalid: what ``openssl smime -text`` signs isn't the file (RFC 8551, 3.1)."""
    draft = Draft(bench.draft().signer, b"Content-Type: text/plain\r\n\r\n" + CONTENT)
    assert (Reason.TAMPERED, REFUSED) == bench.judge(draft)


def test_a_byte_order_mark_that_was_not_signed(bench: Bench) -> None:
    """Invalid: three bytes that no reader shows are still three bytes."""
    assert (Reason.TAMPERED, REFUSED) == bench.judge(Draft(bench.draft().signer, b"\xef\xbb\xbf" + CONTENT))


def test_a_digest_of_the_digest(bench: Bench) -> None:
    """Invalid: some libraries digest twice; the attribute holds the digest of the content (RFC 5652, 5.4)."""
    draft = Draft(bench.draft().signer, hashlib.sha256(CONTENT).digest())
    assert (Reason.TAMPERED, REFUSED) == bench.judge(draft)


def test_certificates_out_of_order_at_a_length_that_ends_in_80(bench: Bench) -> None:
    """Accepted: no certificate is signed for its place; a parser that takes the length for indefinite sorts them."""
    draft, size = bench.draft(), 1
    signer = certificate_of(draft.signer).dump()
    for _ in range(40):  # the length of an ECDSA signature varies
        filler = UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), bytes(size))
        other = certificate_of(bench.pki.issue("Another", extensions=[filler])).dump()
        if (len(signer) + len(other)) % 256 == 0x80:
            break
        size += (0x80 - len(signer) - len(other)) % 256
        size = size if size < 1000 else size - 256
    draft.certificates = [asn1.Certificate.load(each) for each in (signer, other)]
    ordered, unordered = (b"".join(sorted((signer, other), reverse=each)) for each in (False, True))
    unsorted = spliced(draft.dump(), element(0xA0, ordered), element(0xA0, unordered))
    assert len(ordered) % 256 == 0x80
    assert (ACCEPTED, ACCEPTED) == bench.judge(unsorted)
