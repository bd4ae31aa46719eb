"""CMS signatures whose digests, algorithms, keys or values are wrong, with OpenSSL's verdict beside ours."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from asn1crypto import algos
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from signing.certificate import check_signer
from signing.evidence import Fault, Reason
from tests.authority import new_key, now
from tests.cms_builder import ACCEPTED, CONTENT, REFUSED, Bench, Draft, attribute, padded, raw_rsa, sign

SHA256_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """An accepted authority and a file to sign."""
    return Bench.open(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    """One RSA key for all vectors that need one."""
    key = new_key("rsa-2048")
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def with_block(bench: Bench, key: rsa.RSAPrivateKey, before: bytes, **block: Any) -> Draft:
    """A draft whose padding is written by hand; ``before`` stands before the digest of the attributes."""
    draft = bench.draft(key)
    info = before + hashlib.sha256(draft.signed_attributes()).digest()
    draft.inside = {"signature": raw_rsa(key, padded(info, 256, **block))}
    return draft


def with_point(bench: Bench, r: int, s: int) -> Draft:
    """An ECDSA draft with numbers of our own."""
    draft = bench.draft()
    draft.inside = {"signature": encode_dss_signature(r, s)}
    return draft


def signed_with(bench: Bench, digest: str, algorithm: hashes.HashAlgorithm) -> Draft:
    """A draft on P-256 whose digest isn't on our list, signed truly."""
    draft = bench.draft(digest=digest)
    key = draft.signer.private()
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    draft.inside = {"signature": key.sign(draft.signed_attributes(), ec.ECDSA(algorithm))}
    return draft


def test_sha_224(bench: Bench) -> None:
    """Invalid: shorter than our list, though of the SHA-2 family (RFC 5754, 2.1)."""
    assert (Reason.ALGORITHM, ACCEPTED) == bench.judge(signed_with(bench, "sha224", hashes.SHA224()))


def test_sha3_256(bench: Bench) -> None:
    """Invalid: a good digest that isn't on our list (RFC 8702)."""
    assert (Reason.ALGORITHM, ACCEPTED) == bench.judge(signed_with(bench, "sha3_256", hashes.SHA3_256()))


def test_sha_512_cut_to_256(bench: Bench) -> None:
    """Invalid: SHA-512/256 has the length of SHA-256 and isn't it (FIPS 180-4)."""
    draft = bench.draft()
    draft.drop("message_digest")
    draft.attributes.append(attribute("message_digest", hashlib.new("sha512_256", CONTENT).digest()))
    assert (Reason.TAMPERED, REFUSED) == bench.judge(draft)


def test_a_digest_of_another_family_called_sha_256(bench: Bench) -> None:
    """Invalid: the digest is named in one place and taken in another (RFC 5652, 11.2)."""
    draft = bench.draft()
    draft.drop("message_digest")
    draft.attributes.append(attribute("message_digest", hashlib.sha3_256(CONTENT).digest()))
    assert (Reason.TAMPERED, REFUSED) == bench.judge(draft)


def test_a_digest_that_nobody_named(bench: Bench) -> None:
    """Invalid: an object identifier without a name is no digest of our list."""
    draft = bench.draft()
    draft.inside = {"digest_algorithm": {"algorithm": "1.2.3.4"}}
    assert (Reason.ALGORITHM, REFUSED) == bench.judge(draft)


def test_no_signature_algorithm_but_a_mac(bench: Bench) -> None:
    """Invalid: a MAC proves nothing about a signer; OpenSSL goes by the key."""
    draft = bench.draft()
    draft.inside = {"signature_algorithm": {"algorithm": "1.2.840.113549.2.9"}}
    assert (Reason.ALGORITHM, ACCEPTED) == bench.judge(draft)


def test_rsa_without_a_digest_of_its_own(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Valid: rsaEncryption takes the digest of the signer (RFC 5754, 3.2)."""
    draft = bench.draft(rsa_key)
    draft.mechanism = {"algorithm": "rsassa_pkcs1v15"}
    assert (ACCEPTED, ACCEPTED) == bench.judge(draft)


def test_an_ecdsa_algorithm_for_an_rsa_key(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: the algorithm needs another kind of key (RFC 5754, 3.3)."""
    draft = bench.draft(rsa_key)
    draft.mechanism = {"algorithm": "sha256_ecdsa"}
    assert Reason.ALGORITHM is bench.ours(draft.dump())


def test_dsa_for_an_rsa_key(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: DSA is not on our list at all."""
    draft = bench.draft(rsa_key)
    draft.mechanism = {"algorithm": "sha256_dsa"}
    assert Reason.ALGORITHM is bench.ours(draft.dump())


def with_pss(bench: Bench, key: rsa.RSAPrivateKey, salt: int, **parameters: Any) -> Draft:
    """A PSS draft; ``parameters`` take the place of the right ones."""
    draft = bench.draft(key)
    sha256 = {"algorithm": "sha256"}
    right = {
        "hash_algorithm": sha256,
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": sha256},
        "salt_length": salt,
    }
    draft.mechanism = {"algorithm": "rsassa_pss", "parameters": algos.RSASSAPSSParams(right | parameters)}
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt)
    draft.inside = {"signature": key.sign(draft.signed_attributes(), pss, hashes.SHA256())}
    return draft


def test_pss(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Valid: the same digest in all three places (RFC 4056, 3)."""
    assert (ACCEPTED, ACCEPTED) == bench.judge(with_pss(bench, rsa_key, 32))


def test_pss_without_salt(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Valid: a salt of no bytes is allowed (RFC 8017, 9.1)."""
    assert (ACCEPTED, ACCEPTED) == bench.judge(with_pss(bench, rsa_key, 0))


def test_pss_with_another_salt_than_announced(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: the length of the salt is part of the algorithm (RFC 8017, 9.1.2)."""
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(with_pss(bench, rsa_key, 32, salt_length=20))


def test_pss_with_a_salt_longer_than_the_key(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: no block has room for it (RFC 8017, 9.1.2)."""
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(with_pss(bench, rsa_key, 32, salt_length=70000))


def test_pss_with_a_negative_salt(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: in some libraries a negative length means "any" (RFC 8017, A.2.3)."""
    for length in (-1, -2, -3):
        assert (Reason.SIGNATURE, REFUSED) == bench.judge(with_pss(bench, rsa_key, 32, salt_length=length))


def test_pss_with_another_trailer(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: there is one trailer field (RFC 4055, 3.1)."""
    draft = with_pss(bench, rsa_key, 32, trailer_field=2)
    assert (Reason.ALGORITHM, REFUSED) == bench.judge(draft)


def test_pss_by_its_defaults(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: absent parameters mean SHA-1 (RFC 4055, 3.1)."""
    draft = with_pss(bench, rsa_key, 20)
    draft.mechanism = {"algorithm": "rsassa_pss", "parameters": algos.RSASSAPSSParams.load(b"0\x00")}
    assert (Reason.ALGORITHM, REFUSED) == bench.judge(draft)


def test_pss_called_pkcs_1(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: the padding is the one that is announced (RFC 5754, 3.2)."""
    draft = with_pss(bench, rsa_key, 32)
    draft.mechanism = {"algorithm": "sha256_rsa"}
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(draft)


def test_a_hand_made_pkcs_1_block(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Valid: what the vectors below spoil is the right block (RFC 8017, 9.2)."""
    assert (ACCEPTED, ACCEPTED) == bench.judge(with_block(bench, rsa_key, SHA256_INFO))


def test_bytes_behind_the_digest_in_the_block(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: Bleichenbacher's forgery leaves room at the end (RFC 8017, 8.2.2)."""
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(with_block(bench, rsa_key, SHA256_INFO, tail=bytes(100)))


def test_a_digest_without_its_algorithm_in_the_block(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: the block names its digest (RFC 8017, 9.2)."""
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(with_block(bench, rsa_key, b""))


def test_another_algorithm_in_the_block(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: SHA-512/256 in the block and SHA-256 outside (RFC 8017, 9.2)."""
    other = SHA256_INFO.replace(bytes.fromhex("0304020105"), bytes.fromhex("0304020605"))
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(with_block(bench, rsa_key, other))


def test_a_block_for_encryption(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: block type 2 is that of encryption (RFC 8017, 7.2.1)."""
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(with_block(bench, rsa_key, SHA256_INFO, kind=2))


def test_ber_in_the_block(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: the digest's algorithm is DER (RFC 8017, 9.2)."""
    longer = bytes.fromhex("308132") + SHA256_INFO[2:-2] + bytes.fromhex("048120")
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(with_block(bench, rsa_key, longer))


def test_an_rsa_value_with_a_zero_before(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: the value is as long as the modulus (RFC 8017, 8.2.2)."""
    draft = bench.draft(rsa_key)
    draft.inside = {"signature": b"\x00" + sign(rsa_key, draft.signed_attributes(), "sha256")}
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(draft)


def test_an_rsa_value_beyond_the_modulus(bench: Bench, rsa_key: rsa.RSAPrivateKey) -> None:
    """Invalid: the same number modulo n, but not below it (RFC 8017, 5.2.2)."""
    draft = bench.draft(rsa_key)
    value = int.from_bytes(sign(rsa_key, draft.signed_attributes(), "sha256"), "big")
    draft.inside = {"signature": (value + rsa_key.public_key().public_numbers().n).to_bytes(257, "big")}
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(draft)


def test_no_signature_value(bench: Bench) -> None:
    """Invalid: an empty value signs nothing."""
    draft = bench.draft()
    draft.inside = {"signature": b""}
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(draft)


def test_ecdsa_with_zeros(bench: Bench) -> None:
    """Invalid: r and s lie between 1 and n-1 (FIPS 186-5, 6.4.2)."""
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(with_point(bench, 0, 0))


def test_ecdsa_with_the_order_of_the_curve(bench: Bench) -> None:
    """Invalid: n is zero modulo n (FIPS 186-5, 6.4.2)."""
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(with_point(bench, P256_ORDER, P256_ORDER))


def test_ecdsa_with_negative_numbers(bench: Bench) -> None:
    """Invalid: no number is below 1 (FIPS 186-5, 6.4.2)."""
    draft = bench.draft()
    draft.inside = {"signature": bytes.fromhex("30060201ff0201ff")}
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(draft)


def test_ecdsa_with_s_beyond_the_order(bench: Bench) -> None:
    """Invalid: s + n is s modulo n, and a second spelling of it (FIPS 186-5, 6.4.2)."""
    draft = bench.draft()
    r, s = decode_dss_signature(sign(draft.signer.private(), draft.signed_attributes(), "sha256"))
    draft.inside = {"signature": encode_dss_signature(r, s + P256_ORDER)}
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(draft)


def test_ecdsa_with_the_other_s(bench: Bench) -> None:
    """Valid: n - s is as good as s; a signature's bytes identify nothing (FIPS 186-5, 6.4)."""
    draft = bench.draft()
    r, s = decode_dss_signature(sign(draft.signer.private(), draft.signed_attributes(), "sha256"))
    draft.inside = {"signature": encode_dss_signature(r, P256_ORDER - s)}
    assert (ACCEPTED, ACCEPTED) == bench.judge(draft)


def test_ecdsa_without_der(bench: Bench) -> None:
    """Invalid: r and s side by side are IEEE P1363's form, not CMS's (RFC 5753, 7.2)."""
    draft = bench.draft()
    r, s = decode_dss_signature(sign(draft.signer.private(), draft.signed_attributes(), "sha256"))
    draft.inside = {"signature": r.to_bytes(32, "big") + s.to_bytes(32, "big")}
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(draft)


def test_bytes_behind_an_ecdsa_value(bench: Bench) -> None:
    """Invalid: the value is one DER structure (RFC 5480, A)."""
    draft = bench.draft()
    draft.inside = {"signature": sign(draft.signer.private(), draft.signed_attributes(), "sha256") + b"\x00"}
    assert (Reason.SIGNATURE, REFUSED) == bench.judge(draft)


def test_ed25519_with_sha_256(bench: Bench) -> None:
    """Invalid: Ed25519 goes with SHA-512 (RFC 8419, 3.1)."""
    assert Reason.ALGORITHM is bench.ours(bench.draft("ed25519", "sha256").dump())


def test_ed25519_with_s_beyond_the_order(bench: Bench) -> None:
    """Invalid: S lies below the order (RFC 8032, 5.1.7)."""
    draft = bench.draft("ed25519", "sha512")
    value = sign(draft.signer.private(), draft.signed_attributes(), "sha512")
    order = 2**252 + 27742317777372353535851937790883648493
    beyond = int.from_bytes(value[32:], "little") + order
    draft.inside = {"signature": value[:32] + beyond.to_bytes(32, "little")}
    assert Reason.SIGNATURE is bench.ours(draft.dump())


def test_a_curve_of_bitcoin(bench: Bench) -> None:
    """Invalid: secp256k1 is not on our list; OpenSSL knows it."""
    assert (Reason.KEY, ACCEPTED) == bench.judge(bench.draft(ec.generate_private_key(ec.SECP256K1())))


def test_a_brainpool_curve(bench: Bench) -> None:
    """Invalid: nor is brainpoolP256r1 (RFC 5639)."""
    assert (Reason.KEY, ACCEPTED) == bench.judge(bench.draft(ec.generate_private_key(ec.BrainpoolP256R1())))


# Every way to write a y of a point whose order divides eight; the sign of x is the last bit (RFC 8032, 5.1.2).
_FIELD = 2**255 - 19
_OF_ORDER_EIGHT = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = (0, 1, _FIELD - 1, _FIELD, _FIELD + 1, _OF_ORDER_EIGHT, _FIELD - _OF_ORDER_EIGHT)


@pytest.mark.parametrize("sign", [0, 1 << 255], ids=["plus", "minus"])
@pytest.mark.parametrize("y", _SMALL_ORDER, ids=["0", "1", "p-1", "p", "p+1", "eight", "p-eight"])
def test_an_ed25519_key_of_small_order(y: int, sign: int, bench: Bench) -> None:
    """Invalid: its certificate is good, but for some of these anybody's signature holds (RFC 8032, 5.1)."""
    key = ed25519.Ed25519PublicKey.from_public_bytes((y | sign).to_bytes(32, "little"))
    issuer = bench.pki.issuing_credential
    builder = x509.CertificateBuilder().subject_name(issuer.read().subject).issuer_name(issuer.read().subject)
    builder = builder.not_valid_before(now()).not_valid_after(now() + timedelta(days=1)).serial_number(7)
    certificate = builder.public_key(key).sign(issuer.private(), hashes.SHA256())
    checked = check_signer(certificate.public_bytes(Encoding.DER))
    assert isinstance(checked, Fault)
    assert checked.reason is Reason.KEY


def test_what_a_key_of_small_order_would_let_pass() -> None:
    """One signature by nobody holds for any content, for a verifier that doesn't look at the key."""
    neutral = (1).to_bytes(32, "little")
    key = ed25519.Ed25519PublicKey.from_public_bytes(neutral)
    for content in (b"this", b"that"):
        key.verify(neutral + bytes(32), content)
