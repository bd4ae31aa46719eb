"""FS in every layout that real clients write, and the clients themselves."""

import asyncio
import base64
import hashlib
import textwrap
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7Options
from cryptography.x509 import SubjectKeyIdentifier
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyhanko.sign.signers.pdf_cms import SimpleSigner

from signing import digests
from signing.digests import of_canonical_text
from signing.evidence import Evidence, Fault, Format, Reason
from signing.layout import MAX_BYTES
from signing.policy import Leniency, Policy
from signing.trust.authorities import Authorities
from signing.verify import DEFAULT, verify_detached
from tests import signers
from tests.authority import Credential, Pki, new_key, now

Client = Callable[[Path, Credential], bytes]

CRLF_FILE = b'<?xml version="1.0" encoding="UTF-8"?>\r\n<Forms>\r\n <Form/>\r\n</Forms>\r\n'
LF_FILE = CRLF_FILE.replace(b"\r\n", b"\n")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """An authority on P-256."""
    return Pki.create(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A file with CRLF line ends, as the network's clients write it."""
    path = tmp_path / "FI.DIMN.123456.20261121.00001.R.1.1"
    path.write_bytes(CRLF_FILE)
    return path


def leniencies(data: Path, signature: bytes, accepted: Authorities, policy: Policy = DEFAULT) -> tuple[str, ...]:
    """Verify, expect evidence, and give what was tolerated."""
    evidence = verify_detached(data, signature, authorities=accepted, at=now(), policy=policy)
    assert isinstance(evidence, Evidence), evidence
    return evidence.leniencies


def lines(der: bytes, columns: int, end: str) -> bytes:
    """Base64 in columns, each with that line end."""
    return "".join(f"{line}{end}" for line in textwrap.wrap(base64.b64encode(der).decode(), columns)).encode()


@pytest.mark.parametrize(
    ("columns", "end"), [(100_000, ""), (100_000, "\n"), (64, "\r\n"), (76, "\r"), (64, "\n"), (76, " \t\r\n")]
)
def test_any_columns_and_line_ends_are_read(
    columns: int, end: str, data: Path, pki: Pki, accepted: Authorities
) -> None:
    """One line, 64 columns with CRLF, 76 with a bare CR: the layout doesn't matter and is no leniency."""
    signature = lines(signers.cms(data, pki.issue("Layout")), columns, end)
    assert leniencies(data, signature, accepted) == ()


@pytest.mark.parametrize("label", ["PKCS7", "CMS"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_pem_armour_is_a_named_leniency(label: str, end: str, data: Path, pki: Pki, accepted: Authorities) -> None:
    """A client that forgot to strip the PEM lines is understood where that is tolerated, and it shows."""
    body = lines(signers.cms(data, pki.issue("Armour")), 64, end)
    armoured = f"-----BEGIN {label}-----{end}".encode() + body + f"-----END {label}-----{end}".encode()
    tolerant = Policy(leniencies=frozenset({Leniency.PEM_ARMOUR}))
    assert leniencies(data, armoured, accepted, tolerant) == ("pem-armour",)
    refused = verify_detached(data, armoured, authorities=accepted, at=now())
    assert isinstance(refused, Fault)
    assert (refused.reason, "PEM" in refused.detail) == (Reason.SYNTAX, True)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        b"\r\n",
        b"====",
        b"not base64!",
        b"TQ",
        b"-----BEGIN PKCS7-----\nTQ==\n-----END CMS-----",
        b"-----BEGIN PKCS7-----\nTQ==\n",
        b"-----BEGIN CERTIFICATE-----\nTQ==\n-----END CERTIFICATE-----",
        "TQ\u00e9==".encode(),
    ],
)
def test_what_is_not_base64_is_a_fault_of_syntax(signature: bytes, data: Path, accepted: Authorities) -> None:
    """Nothing but the alphabet, its padding and white space is skipped or guessed."""
    verdict = verify_detached(data, signature, authorities=accepted, at=now())
    assert isinstance(verdict, Fault)
    assert verdict.reason is Reason.SYNTAX


def test_der_without_base64_is_refused(data: Path, pki: Pki, accepted: Authorities) -> None:
    """FS is text: the bare binary is not."""
    verdict = verify_detached(data, signers.cms(data, pki.issue("Binary")), authorities=accepted, at=now())
    assert isinstance(verdict, Fault)
    assert verdict.reason is Reason.SYNTAX


def test_a_signature_of_more_than_a_mebibyte_is_refused(data: Path, accepted: Authorities) -> None:
    """The bound is checked before anything is decoded."""
    verdict = verify_detached(data, b"A" * (MAX_BYTES + 1), authorities=accepted, at=now())
    assert verdict == Fault(Reason.SHAPE, "The signature is larger than one mebibyte.")


@pytest.mark.parametrize("key", ["p-256", "p-384", "p-521", "rsa-2048"])
@pytest.mark.parametrize("options", [(), ("-cades",), ("-md", "sha384"), ("-md", "sha512")])
def test_openssl_cms_is_read(
    key: str, options: tuple[str, ...], data: Path, pki: Pki, accepted: Authorities, tmp_path: Path
) -> None:
    """OpenSSL signs with every key and digest on our list, accepts its work, and so do we."""
    der = signers.cms(data, pki.issue("OpenSSL", key=key), *options)
    assert signers.accepts(data, der, pki.issuing, tmp_path)
    assert leniencies(data, signers.one_line(der), accepted) == ()


def test_rsa_pss_is_read(data: Path, pki: Pki, accepted: Authorities) -> None:
    """PSS with one digest throughout is on the list."""
    signer = pki.issue("Probabilistic", key="rsa-2048")
    der = signers.cms(data, signer, "-keyopt", "rsa_padding_mode:pss")
    assert leniencies(data, signers.one_line(der), accepted) == ()


def test_a_signer_named_by_its_key_is_read(data: Path, pki: Pki, accepted: Authorities) -> None:
    """The signer may be named by the identifier of its key in place of issuer and serial number."""
    key = new_key("p-256")
    signer = pki.issue("By Key", key=key, extensions=[SubjectKeyIdentifier.from_public_key(key.public_key())])
    assert leniencies(data, signers.one_line(signers.cms(data, signer, "-keyid")), accepted) == ()


def test_ed25519_is_read(data: Path, pki: Pki, accepted: Authorities) -> None:
    """Ed25519 by pyHanko's signer; the command of OpenSSL 3.0 can't."""
    credential = pki.issue("Edwards", key="ed25519")
    signer = SimpleSigner.load(  # type: ignore[no-untyped-call]  # pyHanko leaves it untyped
        str(credential.key), str(credential.certificate)
    )
    assert isinstance(signer, SimpleSigner)
    content_info = asyncio.run(signer.async_sign_general_data(CRLF_FILE, "sha512", use_cades=True))
    assert leniencies(data, signers.one_line(content_info.dump()), accepted) == ()


def test_evidence_says_who_signed_what(data: Path, pki: Pki, accepted: Authorities) -> None:
    """Evidence carries the certificate, its fingerprint, the authority's name and the file's digest."""
    signer = pki.issue("Evidence")
    der = signer.read().public_bytes(Encoding.DER)
    evidence = verify_detached(data, signers.one_line(signers.cms(data, signer)), authorities=accepted, at=now())
    assert isinstance(evidence, Evidence)
    assert (evidence.format, evidence.certificate) == (Format.CMS, der)
    assert (evidence.fingerprint, evidence.authority) == (hashlib.sha256(der).hexdigest(), "test")
    assert evidence.sha256 == hashlib.sha256(CRLF_FILE).hexdigest()
    assert (evidence.leniencies, evidence.content) == ((), None)
    assert (evidence.stamped_at, evidence.ignored_stamps) == (None, 0)


def test_evidence_names_what_it_rests_on(data: Path, pki: Pki, accepted: Authorities) -> None:
    """It carries the chain up to the root, and the digests of the revocation lists that were relied on."""
    signature = signers.one_line(signers.cms(data, pki.issue("Evidence")))
    evidence = verify_detached(data, signature, authorities=accepted, at=now())
    assert isinstance(evidence, Evidence)
    above = (pki.issuing_credential, pki.root_credential)
    assert evidence.chain == tuple(each.read().public_bytes(Encoding.DER) for each in above)
    assert set(evidence.revocation) == {hashlib.sha256(crl.read_bytes()).hexdigest() for crl in pki.crls}


def test_cryptographys_builder_is_read(data: Path, pki: Pki, accepted: Authorities) -> None:
    """The builder's binary signature covers the bytes as they are."""
    der = signers.pkcs7(data, pki.issue("Builder"), PKCS7Options.Binary)
    assert leniencies(data, signers.one_line(der), accepted) == ()


@pytest.mark.parametrize("client", [signers.smime, signers.pkcs7])
def test_text_mode_over_crlf_needs_no_leniency(client: Client, data: Path, pki: Pki, accepted: Authorities) -> None:
    """A text-mode client that writes CRLF signs the very bytes."""
    assert leniencies(data, signers.one_line(client(data, pki.issue("Text"))), accepted) == ()


@pytest.mark.parametrize("client", [signers.smime, signers.pkcs7])
def test_text_mode_over_lf_is_a_named_leniency(client: Client, data: Path, pki: Pki, accepted: Authorities) -> None:
    """A text-mode client that writes LF signed the file with CRLF; a second look finds that, and says so."""
    data.write_bytes(LF_FILE)
    assert leniencies(data, signers.one_line(client(data, pki.issue("Text"))), accepted) == ("text-mode",)


@pytest.mark.parametrize("client", [signers.smime, signers.pkcs7])
def test_text_mode_can_be_switched_off(client: Client, data: Path, pki: Pki, accepted: Authorities) -> None:
    """Without the leniency an LF file signed as CRLF is another file."""
    data.write_bytes(LF_FILE)
    signature = signers.one_line(client(data, pki.issue("Text")))
    verdict = verify_detached(data, signature, authorities=accepted, at=now(), policy=Policy(leniencies=frozenset()))
    assert verdict == Fault(Reason.TAMPERED, "The file is not the one that was signed.")


def test_a_large_text_mode_file_is_read_in_pieces(data: Path, pki: Pki, accepted: Authorities) -> None:
    """Line ends that fall on the border of two pieces are still one line end."""
    border = b"x" * ((1 << 20) - 1)
    data.write_bytes(border + b"\r\n" + border + b"\n" + b"y\r")
    crlf = data.with_name("crlf")
    crlf.write_bytes(border + b"\r\n" + border + b"\r\n" + b"y\r")
    signature = signers.one_line(signers.cms(crlf, pki.issue("Large")))
    assert leniencies(data, signature, accepted) == ("text-mode",)


@given(pieces=st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\n\n"]), max_size=12))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_canonical_text_is_idempotent_and_keeps_crlf(pieces: list[bytes], tmp_path: Path) -> None:
    """Any mixture of line ends becomes CRLF where an LF was, and CRLF text stays as it is."""
    path = tmp_path / "text"
    path.write_bytes(b"".join(pieces))
    expected = b"".join(pieces).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    as_text = hashlib.sha256(expected).digest()
    assert of_canonical_text(path, "sha256") == (as_text, hashlib.sha256(b"".join(pieces)).digest())
    path.write_bytes(expected)
    assert of_canonical_text(path, "sha256") == (as_text, as_text)


def test_a_file_that_changes_between_two_readings(
    data: Path, pki: Pki, accepted: Authorities, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the evidence says of the file is about the bytes that the signature covers, not about those before them."""
    signature = signers.one_line(signers.cms(data, pki.issue("Text")))
    data.write_bytes(b"<another/>")
    read = digests.of_file

    def changed_afterwards(path: Path, algorithms: Collection[str]) -> Mapping[str, bytes]:
        found = read(path, algorithms)
        path.write_bytes(LF_FILE)
        return found

    monkeypatch.setattr(digests, "of_file", changed_afterwards)
    evidence = verify_detached(data, signature, authorities=accepted, at=now())
    assert isinstance(evidence, Evidence)
    assert evidence.sha256 == hashlib.sha256(LF_FILE).hexdigest()
