"""What nearly every client writes is judged quickly, and never otherwise than the long way."""

import random
from collections.abc import Callable

import pytest
from asn1crypto import cms as asn1
from asn1crypto import core
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options

from signing import cms, cmsplain
from signing.evidence import Fault, Proven
from signing.policy import Leniency, Policy
from tests import signers
from tests.cms_builder import Bench, attribute, certificate_of, element, longer, spliced
from tests.vectors.mutate import mutant

POLICY = Policy(leniencies=frozenset(Leniency))
KEYS = ("p-256", "p-384", "p-521", "rsa-2048")
Examine = Callable[[bytes], Proven | Fault]


def capabilities(*values: bytes) -> asn1.CMSAttribute:
    """The attribute of S/MIME capabilities, whatever they are."""
    name: bytes = core.ObjectIdentifier("1.2.840.113549.1.9.15").dump()
    return asn1.CMSAttribute.load(element(0x30, name + element(0x31, b"".join(values))))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A file and an authority."""
    return Bench.open(tmp_path_factory.mktemp("bench"))


@pytest.fixture
def the_long_way(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Judge a signature as if none were plain."""

    def examine(der: bytes) -> Proven | Fault:
        with monkeypatch.context() as patch:
            patch.setattr(cmsplain, "read", lambda _der, _policy: None)
            return cms.examine(bench.data, der, POLICY)

    return examine


@pytest.mark.parametrize("key", KEYS)
def test_what_clients_write_is_plain(bench: Bench, the_long_way: Examine, key: str) -> None:
    """With every kind of key; of OpenSSL and of cryptography, with and without the capabilities that both add."""
    signer = bench.pki.issue("An Invented Signer", key=key)
    written = [signers.cms(bench.data, signer), signers.cms(bench.data, signer, "-nosmimecap", "-md", "sha512")]
    written += [signers.pkcs7(bench.data, signer, PKCS7Options.Binary)]
    written += [signers.pkcs7(bench.data, signer, PKCS7Options.Binary, PKCS7Options.NoCapabilities)]
    written += [bench.draft("ed25519", "sha512").dump()]

    for der in written:
        read, proven = cmsplain.read(der, POLICY), cms.examine(bench.data, der, POLICY)
        assert read is not None
        assert isinstance(proven, Proven)
        assert proven == the_long_way(der)
        assert (read.certificate, read.signed_at) == (proven.certificate, proven.signed_at)


@pytest.mark.parametrize("digest", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("nothing", [None, core.Null()])
def test_every_digest_and_either_way_to_write_no_parameters(
    bench: Bench, the_long_way: Examine, digest: str, nothing: core.Null | None
) -> None:
    """The same algorithms as the long way takes."""
    draft = bench.draft(digest=digest)
    if nothing is not None:
        draft.mechanism["parameters"] = nothing
        draft.inside["digest_algorithm"] = {"algorithm": digest, "parameters": nothing}
    der = draft.dump()

    assert cmsplain.read(der, POLICY) is not None
    assert the_long_way(der) == cms.examine(bench.data, der, POLICY)


def test_lengths_of_every_kind(bench: Bench, the_long_way: Examine) -> None:
    """Where lengths take another byte, or end as an indefinite one does, what was signed is still the same."""
    base = len(bench.draft().signed_attributes())
    for size in {*range(90, 130), *range(220, 260), *range(350, 390)}:
        draft = bench.draft()
        filler = core.ObjectIdentifier("1.2.3").dump() + element(0x04, b"x" * (size - base))
        draft.attributes.append(capabilities(element(0x30, element(0x30, filler))))
        der = draft.dump()
        assert cmsplain.read(der, POLICY) is not None
        assert the_long_way(der) == cms.examine(bench.data, der, POLICY)


def test_a_mutant_is_judged_as_the_long_way_does(bench: Bench, the_long_way: Examine) -> None:
    """Nothing is found good that is refused there, and nothing else is found in it."""
    chance = random.Random(11)
    for key in ("p-256", "rsa-2048"):
        valid = signers.cms(bench.data, bench.pki.issue("An Invented Signer", key=key))
        for _ in range(1500):
            spoilt = mutant(valid, chance, is_der=True)
            if cmsplain.read(spoilt, POLICY) is not None:
                assert the_long_way(spoilt) == cms.examine(bench.data, spoilt, POLICY), spoilt.hex()


def test_every_byte_counts(bench: Bench) -> None:
    """Whatever is changed in a plain signature, it is not one any more; only its certificate is others' to judge."""
    draft = bench.draft()
    der, certificate = draft.dump(), certificate_of(draft.signer).dump()
    start = der.index(certificate)
    for place in {*range(len(der))} - {*range(start, start + len(certificate))}:
        for bit in (0x01, 0x80):
            assert cmsplain.read(der[:place] + bytes([der[place] ^ bit]) + der[place + 1 :], POLICY) is None
    for cut in range(len(der)):
        assert cmsplain.read(der[:cut], POLICY) is None
    assert all(cmsplain.read(longer(der, depth), POLICY) is None for depth in range(6))


def test_other_shapes_are_left_to_the_long_way(bench: Bench) -> None:
    """Good or not: signing certificates, SHA-1, RSA-PSS, keys' names, more certificates, unknown attributes."""
    signer = bench.pki.issue("An Invented Signer", key="rsa-2048")
    others = [
        signers.cms(bench.data, signer, "-cades"),
        signers.cms(bench.data, signer, "-md", "sha1"),
        signers.cms(bench.data, signer, "-keyopt", "rsa_padding_mode:pss"),
        signers.cms(bench.data, signer, "-certfile", str(bench.pki.issuing)),
        signers.cms(bench.data, signer, "-nodetach"),
        signers.cms(bench.data, signer, "-noattr"),
        signers.cms(bench.data, signer, "-nocerts"),
    ]
    unknown, twice, capable = bench.draft(), bench.draft(), bench.draft()
    unknown.attributes.append(attribute("1.2.3.4", core.Null()))
    twice.attributes.append(twice.attributes[0])
    capable.attributes.append(capabilities(b"\x05\x00", b"\x05\x00"))

    assert [None] * 10 == [
        cmsplain.read(der, POLICY) for der in (*others, *(each.dump() for each in (unknown, twice, capable)))
    ]


def test_depth_is_counted_from_the_outside(bench: Bench, the_long_way: Examine) -> None:
    """Capabilities that go as deep as a structure may by itself are too deep where they stand."""
    found = []
    for depth in range(36, 46):
        draft, nested = bench.draft(), b"\x05\x00"
        for _ in range(depth):
            nested = element(0x30, nested)
        draft.attributes.append(capabilities(nested))
        plain = cmsplain.read(draft.dump(), POLICY) is not None
        assert plain == isinstance(the_long_way(draft.dump()), Proven)
        found.append(plain)

    assert {True, False} == set(found)


def test_another_key_or_name_is_not_the_signers(bench: Bench) -> None:
    """What a certificate of the same name would vouch for is not asked of this one."""
    draft, other = bench.draft(), bench.draft()
    foreign = spliced(draft.dump(), certificate_of(draft.signer).dump(), certificate_of(other.signer).dump())
    draft.inside["sid"] = {
        "issuer_and_serial_number": {"issuer": certificate_of(draft.signer).issuer, "serial_number": 1}
    }

    assert cmsplain.read(foreign, POLICY) is None
    assert cmsplain.read(draft.dump(), POLICY) is None
    assert isinstance(cms.examine(bench.data, foreign, POLICY), Fault)


def test_a_key_that_is_not_tolerated_is_not_plain(bench: Bench) -> None:
    """What a policy tolerates is asked each time: the same bytes are good by one and not by another."""
    der = signers.cms(bench.data, bench.pki.issue("An Invented Signer", key="rsa-1024"))

    assert cmsplain.read(der, POLICY) is not None
    assert cmsplain.read(der, Policy(leniencies=frozenset())) is None
    assert cmsplain.read(der, POLICY) is not None
