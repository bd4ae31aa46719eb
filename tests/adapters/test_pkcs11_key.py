"""Signing with a key in a PKCS#11 token: SoftHSM, a token that goes away and comes back, a PIN that is refused."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config.errors import ConfigurationError, TemporaryError
from signing.own.pkcs11_uri import KeyUri, parse_uri
from signing.own.sign import Signer
from tests import signers
from tests.authority import Credential, Pki
from tests.softhsm import LIBRARY, PIN, TOKEN, SoftHsm, softhsm

__all__ = ["softhsm"]

ANSWER = b"<ACRF/>"
KEY = "object=answers"


@pytest.fixture
def own(pki: Pki, softhsm: SoftHsm) -> Credential:
    """The gateway's certificate, whose key is in the token."""
    credential = pki.issue("Gateway")
    softhsm.take_in(credential, "answers", 1)
    return credential


def sign(signer: Signer) -> bytes:
    """A signature over the answer."""
    return signer.sign(ANSWER, datetime.now(UTC)).cms()


def faults(key: str, certificate: Path) -> tuple[str, ...]:
    """Why a key can't be used."""
    with pytest.raises(ConfigurationError) as caught:
        Signer.open(key, certificate)
    return caught.value.faults


@pytest.mark.parametrize("kind", ["rsa-2048", "rsa-3072", "p-256", "p-384"])
def test_openssl_verifies_what_a_token_signs(kind: str, softhsm: SoftHsm, pki: Pki, tmp_path: Path) -> None:
    """RSA and NIST curves, found by label, by id, and by both."""
    credential = pki.issue("Gateway", key=kind)
    softhsm.take_in(credential, "answers", 7)
    softhsm.take_in(pki.issue("Other"), "others", 8)
    data = tmp_path / "FO.ACRF"
    data.write_bytes(ANSWER)

    for key in (KEY, "id=%07", f"{KEY};id=%07;type=private"):
        signer = Signer.open(softhsm.uri(key), credential.certificate)
        assert signers.accepts(data, sign(signer), pki.issuing, tmp_path)


def test_two_keys_of_one_token_sign_side_by_side(softhsm: SoftHsm, own: Credential, pki: Pki) -> None:
    """A token lets a process log in once; the present key and the next are there all the same."""
    following = pki.issue("Gateway", key="rsa-2048")
    softhsm.take_in(following, "next", 2)
    signing = [
        Signer.open(softhsm.uri(KEY), own.certificate),
        Signer.open(softhsm.uri("object=next"), following.certificate),
    ]

    assert all(sign(signer) for signer in signing * 2)


def test_many_threads_sign_with_one_key(softhsm: SoftHsm, own: Credential, pki: Pki, tmp_path: Path) -> None:
    """One session does one thing at a time, and nobody gets another's signature."""
    signer = Signer.open(softhsm.uri(KEY), own.certificate)
    answers = [tmp_path / str(number) for number in range(16)]
    for path in answers:
        path.write_bytes(path.name.encode())
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda path: signer.sign(path.read_bytes(), datetime.now(UTC)).cms(), answers))

    assert all(signers.accepts(path, der, pki.issuing, tmp_path) for path, der in zip(answers, made, strict=True))


def test_a_token_that_goes_away_is_trouble_of_our_own_and_used_again_when_it_is_back(
    softhsm: SoftHsm, own: Credential
) -> None:
    """Nothing is signed meanwhile; no restart is needed after."""
    signer = Signer.open(softhsm.uri(KEY), own.certificate)
    softhsm.remove()
    for _ in range(2):
        with pytest.raises(TemporaryError, match="pkcs11:token="):
            sign(signer)
    softhsm.put_back()

    assert sign(signer)


def test_a_session_that_ended_is_opened_again_without_anybody_noticing(
    softhsm: SoftHsm, own: Credential, pki: Pki, tmp_path: Path
) -> None:
    """As when another key had to start the library anew, or an HSM was restarted; each signs with its own key still."""
    following = pki.issue("Gateway")
    softhsm.take_in(following, "next", 2)
    first = Signer.open(softhsm.uri(KEY), own.certificate)
    second = Signer.open(softhsm.uri("object=next"), following.certificate)
    softhsm.remove()
    with pytest.raises(TemporaryError):
        sign(first)
    softhsm.put_back()
    data = tmp_path / "FO.ACRF"
    data.write_bytes(ANSWER)

    made = [sign(signer) for signer in (first, second, first, second, second, first)]

    assert all(signers.accepts(data, der, pki.issuing, tmp_path) for der in made)


def test_a_refused_pin_is_not_offered_again(softhsm: SoftHsm, own: Credential) -> None:
    """A token may lock itself at the third wrong one; the PIN has changed while the gateway runs."""
    signer = Signer.open(softhsm.uri(KEY), own.certificate)
    softhsm.remove()
    with pytest.raises(TemporaryError):
        sign(signer)
    softhsm.put_back()
    softhsm.change_pin(PIN, "31415926")
    with pytest.raises(TemporaryError, match="the token refuses the PIN"):
        sign(signer)
    for _ in range(2):
        with pytest.raises(TemporaryError, match="not offered again"):
            sign(signer)


def wrong_pin(hsm: SoftHsm) -> str:
    """A PIN that the token refuses."""
    hsm.pin.write_text("0000000")
    return hsm.uri(KEY)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (wrong_pin, "the token refuses the PIN"),
        (lambda hsm: hsm.uri("object=no-such-key"), "the token has no such private key"),
        (lambda hsm: hsm.uri("id=%ff"), "the token has no such private key"),
        (lambda hsm: hsm.uri(f"{KEY};id=%ff"), "the token has no such private key"),
        (lambda hsm: hsm.uri(KEY).replace("token=An", "token=No"), "there is no such token"),
        (lambda hsm: hsm.uri(f"serial=00;{KEY}"), "there is no such token"),
        (lambda hsm: hsm.uri(f"model=Invented;{KEY}"), "there is no such token"),
        (lambda hsm: hsm.uri(f"manufacturer=Invented;{KEY}"), "there is no such token"),
        (lambda hsm: hsm.uri(KEY).partition("&")[0], "or shows it only with a PIN"),
        (lambda hsm: hsm.uri(KEY).replace("libsofthsm2.so", "none.so"), "cannot open shared object file"),
    ],
)
def test_a_key_that_cannot_be_used_is_a_fault_with_words(
    make: Callable[[SoftHsm], str], words: str, softhsm: SoftHsm, own: Credential
) -> None:
    """One line, with the key's name and without the PIN or where it is."""
    uri = make(softhsm)
    [fault] = faults(uri, own.certificate)

    assert fault.startswith(f"{uri.partition('?')[0]}: ")
    assert words in fault
    assert "pin" not in fault.replace("PIN", "").lower()


def test_a_token_is_found_by_all_that_a_listing_says_of_it(softhsm: SoftHsm, own: Credential) -> None:
    """Model and manufacturer, as p11tool prints them."""
    named = softhsm.uri(f"model=SoftHSM%20v2;manufacturer=SoftHSM%20project;{KEY}")
    assert sign(Signer.open(named, own.certificate))


def test_two_keys_of_one_name_are_refused(softhsm: SoftHsm, own: Credential, pki: Pki) -> None:
    """Nobody can say which was meant."""
    softhsm.take_in(pki.issue("Other"), "answers", 2)
    assert faults(softhsm.uri(KEY), own.certificate)[0].endswith("more than one private key fits")


@pytest.mark.parametrize("kind", ["p-256", "p-384", "rsa-2048"])
def test_a_token_key_of_another_certificate_is_refused(kind: str, softhsm: SoftHsm, own: Credential, pki: Pki) -> None:
    """Whatever kind of key the certificate has."""
    other = pki.issue("Other", key=kind).certificate
    [fault] = faults(softhsm.uri(KEY), other)
    assert fault == f"{other}: the certificate does not belong to pkcs11:token={TOKEN.replace(' ', '%20')};{KEY}"


def test_the_pin_may_be_a_credential_of_systemd(
    softhsm: SoftHsm, own: Credential, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read from the folder that the service manager names."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(softhsm.folder))
    assert sign(Signer.open(softhsm.uri(KEY, pin="credential:pin"), own.certificate))


def test_a_pin_that_everybody_may_read_is_refused(softhsm: SoftHsm, own: Credential) -> None:
    """Such a PIN is no secret; neither is an empty file one."""
    softhsm.pin.write_text("")
    softhsm.pin.chmod(0o644)
    assert faults(softhsm.uri(KEY), own.certificate) == (
        f"{softhsm.pin}: everybody may read this key",
        f"{softhsm.pin}: this is no PIN in one line",
    )


def test_a_missing_package_is_told_with_its_remedy(own: Credential, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library for tokens is an extra that not every gateway needs."""
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    monkeypatch.delitem(sys.modules, "signing.own.pkcs11_key", raising=False)
    [fault] = faults(f"pkcs11:token=a;object=b?module-path={LIBRARY}", own.certificate)
    assert fault.endswith("the package python-pkcs11 is not installed; pip install 'batch-gateway[pkcs11]'")


def test_a_uri_is_read_as_rfc_7512_writes_it() -> None:
    """Percent signs, every way to name a file, an id of any bytes."""
    uri = "pkcs11:token=The%20Token%3B;object=%C3%A9;id=%00%FF?module-path=/usr/lib/p.so&pin-source=file:///etc/pin"
    assert parse_uri(uri) == KeyUri(
        "pkcs11:token=The%20Token%3B;object=%C3%A9;id=%00%FF",
        Path("/usr/lib/p.so"),
        {"token": "The Token;"},
        "é",
        b"\x00\xff",
        Path("/etc/pin"),
    )
    assert Path("/etc/pin") == parse_uri(uri.replace("///", "/")).pin
    assert Path("/etc/pin") == parse_uri(uri.replace("file://", "")).pin


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("token=a;object=b?module-path=/p&pin-value=31415926", "a PIN does not belong in the settings"),
        ("token=a;object=b;pin-value=31415926?module-path=/p", "a PIN does not belong in the settings"),
        ("token=a;object=b;pin-value=31;415926?module-path=/p", "there is no such attribute here"),
        ("token=a;object=b;PIN-VALUE=31415926?module-path=/p", "there is no attribute PIN-VALUE here"),
        ("token=a;object=b?module-path=/p&pin-value=31&415926", "there is no such attribute here"),
        ("token=a;object=b", "module-path must name the token's library"),
        ("token=a;object=b?module-path=p.so", "module-path must be an absolute path"),
        ("token=a;object=b?module-path=/p&pin-source=pin", "pin-source must be an absolute path"),
        ("token=a;object=b?module-path=/p&pin-source=http://x", "pin-source must be an absolute path"),
        ("object=b?module-path=/p", "token or serial must name the token"),
        ("token=a?module-path=/p", "object or id must name the key"),
        ("token=a;object=b;type=cert?module-path=/p", "type must be private"),
        ("token=a;object=b;slot-id=3?module-path=/p", "there is no attribute slot-id here"),
        ("token=a;object=b?module-path=/p&module-name=p", "there is no attribute module-name here"),
        ("token;object=b?module-path=/p", "there is no such attribute here"),
        ("token=a;object=b;object=c?module-path=/p", "object is there twice"),
        ("token=a;object=b%2?module-path=/p", "object has a character that must be written as %XX"),
        ("token=a;object=é?module-path=/p", "object has a character that must be written as %XX"),
        ("token=a;object=%FF?module-path=/p", "object is not UTF-8"),
    ],
)
def test_a_uri_that_is_not_understood_is_refused(uri: str, fault: str) -> None:
    """An attribute that was skipped could have meant another key; a PIN is never repeated."""
    with pytest.raises(ConfigurationError) as caught:
        parse_uri(f"pkcs11:{uri}")
    assert any(f": {fault}" in line for line in caught.value.faults)
    assert "15926" not in str(caught.value)
