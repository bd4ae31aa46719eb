"""A fetched list or response takes the place of what it replaces, and of nothing else."""

import contextlib
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as pyca_ocsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import ConfigurationError
from signing.evidence import TrustUnavailable
from signing.trust import authorities, ocsp
from signing.trust.path import Accepted, judge
from tests import signers
from tests.authority import Credential, Pki, now
from tests.hierarchy import Member
from tests.vectors.test_ocsp_defects import Response

HOUR = timedelta(hours=1)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """An authority with lists that are an hour old."""
    return Pki.create(tmp_path / "pki")


@pytest.fixture
def folder(pki: Pki, tmp_path: Path) -> Path:
    """A folder in which it is accepted, with its lists."""
    pki.install(tmp_path / "authorities", "test")
    return tmp_path / "authorities"


def member(credential: Credential) -> Member:
    """Somebody whose key and certificate are files."""
    return Member(credential.private(), credential.read())


def response(pki: Pki, about: Credential, *, hours: int = 1) -> bytes:
    """A good response of the issuing authority."""
    made = now() - hours * HOUR
    return Response(member(about), member(pki.issuing_credential), this_update=made).dump()


def test_a_newer_list_replaces_the_older_of_its_issuer(pki: Pki, folder: Path) -> None:
    """The root's list stays; the digest names what was stored."""
    root, old = (path.read_bytes() for path in pki.crls)
    pki.write_crls(this_update=now())
    new = pki.crls[1].read_bytes()
    digest = authorities.store_revocation(folder, "test", new)
    [entry] = authorities.current(folder)
    assert {root, new} == set(entry.crls)
    assert old != new
    found = judge(
        member(pki.issue("Signer")).certificate.public_bytes(Encoding.DER), authorities.current(folder), now()
    )
    assert isinstance(found, Accepted)
    assert digest in found.revocation


def test_a_list_in_pem_is_stored_as_der(pki: Pki, folder: Path) -> None:
    """Under the same digest."""
    pki.write_crls(this_update=now())
    crl = x509.load_der_x509_crl(pki.crls[1].read_bytes())
    first = authorities.store_revocation(folder, "test", crl.public_bytes(Encoding.PEM))
    assert first == authorities.store_revocation(folder, "test", crl.public_bytes(Encoding.DER))


def test_a_list_that_is_there_already_is_left_alone(pki: Pki, folder: Path) -> None:
    """Fetching the same twice changes no file, so that no decision is forgotten."""
    before = authorities.current(folder)
    authorities.store_revocation(folder, "test", pki.crls[0].read_bytes())
    assert before is authorities.current(folder)


def test_an_older_list_is_refused(pki: Pki, folder: Path) -> None:
    """Nobody takes a revocation back by sending yesterday's list."""
    before = authorities.current(folder)
    pki.write_crls(this_update=now() - 5 * HOUR)
    with pytest.raises(ConfigurationError, match="older"):
        authorities.store_revocation(folder, "test", pki.crls[1].read_bytes())
    assert before is authorities.current(folder)


@pytest.mark.parametrize("content", [b"", b"junk", b"<html>Not found</html>", b"-----BEGIN X509 CRL-----\n"])
def test_what_is_no_list_is_refused(content: bytes, folder: Path) -> None:
    """Whatever a server sent instead."""
    with pytest.raises(ConfigurationError, match="no revocation list"):
        authorities.store_revocation(folder, "test", content)


def test_another_authoritys_list_is_refused(folder: Path, tmp_path: Path) -> None:
    """It doesn't belong there."""
    stranger = Pki.create(tmp_path / "stranger")
    with pytest.raises(ConfigurationError, match="not signed by an authority of this entry"):
        authorities.store_revocation(folder, "test", stranger.crls[1].read_bytes())


def test_an_unknown_authority_is_refused(pki: Pki, folder: Path) -> None:
    """There is no such entry."""
    with pytest.raises(ConfigurationError, match="no authority of that name"):
        authorities.store_revocation(folder, "other", pki.crls[1].read_bytes())


def test_a_response_ends_the_wait(pki: Pki, folder: Path) -> None:
    """Without a list of the issuing authority, its response about the signer decides."""
    authorities.replace_crls(folder, "test", [pki.crls[0]])
    signer = pki.issue("Signer")
    der = signer.read().public_bytes(Encoding.DER)
    with pytest.raises(TrustUnavailable) as caught:
        judge(der, authorities.current(folder), now())
    assert ("test", der) == (caught.value.authority, caught.value.certificate)
    digest = authorities.store_revocation(folder, "test", response(pki, signer))
    found = judge(der, authorities.current(folder), now())
    assert isinstance(found, Accepted)
    assert digest in found.revocation


def test_a_response_older_than_the_terms_allow_says_nothing(pki: Pki, folder: Path) -> None:
    """It is good for a day by its own word, for half an hour by ours."""
    signer = pki.issue("Signer")
    pki.write_crls(this_update=now())
    authorities.replace_crls(folder, "test", [pki.crls[0]])
    authorities.store_revocation(folder, "test", response(pki, signer))
    (folder / "test" / "authority.toml").write_text("revocation_max_age_hours = 0.5\n")
    with pytest.raises(TrustUnavailable) as caught:
        judge(signer.read().public_bytes(Encoding.DER), authorities.current(folder), now())
    assert "CN=Test Issuing,C=BE" == caught.value.issuer


def test_a_newer_response_replaces_the_older_about_the_same(pki: Pki, folder: Path) -> None:
    """Responses about others stay, and an older one is refused."""
    first, second = pki.issue("First"), pki.issue("Second")
    other, old, new = response(pki, second), response(pki, first, hours=2), response(pki, first)
    for content in (other, old, new):
        authorities.store_revocation(folder, "test", content)
    [entry] = authorities.current(folder)
    assert {other, new} == set(entry.responses)
    with pytest.raises(ConfigurationError, match="older"):
        authorities.store_revocation(folder, "test", old)


def test_responses_that_are_long_over_go(pki: Pki, folder: Path) -> None:
    """A folder of responses doesn't grow with the certificates of years."""

    def about(days: int) -> bytes:
        made, ends = now() - timedelta(days=days), now() - timedelta(days=days - 1)
        signer, issuing = member(pki.issue("Signer")), member(pki.issuing_credential)
        return Response(signer, issuing, this_update=made, next_update=ends).dump()

    old, recent, new = about(40), about(20), about(0)
    for content in (old, recent):
        authorities.store_revocation(folder, "test", content)
    [entry] = authorities.current(folder)
    assert {old, recent} == set(entry.responses)
    authorities.store_revocation(folder, "test", new)
    [entry] = authorities.current(folder)
    assert {recent, new} == set(entry.responses)


def test_a_response_by_a_stranger_is_refused(pki: Pki, folder: Path, tmp_path: Path) -> None:
    """It doesn't belong there either."""
    stranger = Pki.create(tmp_path / "stranger")
    with pytest.raises(ConfigurationError, match="not signed by an authority of this entry"):
        authorities.store_revocation(folder, "test", response(stranger, stranger.issue("Signer")))


def test_a_responders_error_is_told(folder: Path) -> None:
    """In the responder's own word."""
    later = pyca_ocsp.OCSPResponseBuilder.build_unsuccessful(pyca_ocsp.OCSPResponseStatus.TRY_LATER)
    with pytest.raises(ConfigurationError, match="try_later"):
        authorities.store_revocation(folder, "test", later.public_bytes(Encoding.DER))


def test_a_huge_response_is_refused(pki: Pki, folder: Path) -> None:
    """Before anything is made of it."""
    huge = response(pki, pki.issue("Signer")) + bytes(ocsp.MAX_BYTES)
    with pytest.raises(ConfigurationError):
        authorities.store_revocation(folder, "test", huge)


def test_openssl_answers_our_question(pki: Pki, tmp_path: Path) -> None:
    """A responder made of OpenSSL knows the certificate that a request is about."""
    signer = pki.issue("Signer", serial=4711)
    der = [each.read().public_bytes(Encoding.DER) for each in (signer, pki.issuing_credential)]
    (tmp_path / "question").write_bytes(ocsp.request(*der))
    expiry = f"{now() + timedelta(days=30):%y%m%d%H%M%SZ}"
    (tmp_path / "index").write_text(f"V\t{expiry}\t\t{4711:X}\tunknown\t/CN=Signer\n")
    signers.openssl(
        "ocsp", "-index", tmp_path / "index", "-CA", pki.issuing, "-rsigner", pki.issuing, "-rkey",
        pki.issuing_credential.key, "-reqin", tmp_path / "question", "-respout", tmp_path / "answer", "-ndays", "1",
    )  # fmt: skip
    pki.install(tmp_path / "on", "test")
    authorities.replace_crls(tmp_path / "on", "test", [pki.crls[0]])
    authorities.store_revocation(tmp_path / "on", "test", (tmp_path / "answer").read_bytes())
    assert isinstance(judge(der[0], authorities.current(tmp_path / "on"), now()), Accepted)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(min_value=0), value=st.integers(0, 255), is_response=st.booleans())
def test_spoilt_bytes_are_refused_and_harm_nothing(
    place: int, value: int, pki: Pki, folder: Path, *, is_response: bool
) -> None:
    """One byte of a list or response is another: it is stored or refused, and a signer still has a verdict."""
    content = bytearray(response(pki, pki.issuing_credential) if is_response else pki.crls[1].read_bytes())
    content[place % len(content)] = value
    with contextlib.suppress(ConfigurationError):
        authorities.store_revocation(folder, "test", bytes(content))
    (folder / "test" / "ocsp").mkdir(exist_ok=True)
    (folder / "test" / "ocsp" / "spoilt.ors").write_bytes(content)
    (folder / "test" / "crls" / "spoilt.crl").write_bytes(content)
    signer = pki.issue("Signer").read().public_bytes(Encoding.DER)
    assert isinstance(judge(signer, authorities.current(folder), now()), Accepted)
