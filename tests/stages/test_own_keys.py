"""Which of the gateway's keys signs, where a key may be, and what an operator hears of the certificates."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from config.errors import ConfigurationError
from config.settings import Signing
from signing.own.own_keys import OwnCertificate, expiries, open_keys, own_certificates, remarks
from signing.own.private_key import describe, open_private_key
from tests.authority import Credential, Pki, now

DAY = timedelta(days=1)
CHANGE = now() + 30 * DAY


def overlap(present: Credential, following: Credential, change: datetime = CHANGE) -> Signing:
    """The settings of two keys."""
    return Signing(
        key=present.key,
        certificate=present.certificate,
        next_key=following.key,
        next_certificate=following.certificate,
        next_from=change,
    )


@pytest.fixture(scope="module")
def present(pki: Pki) -> Credential:
    """A key in use."""
    return pki.issue("Gateway 2026")


@pytest.fixture(scope="module")
def following(pki: Pki) -> Credential:
    """The key that takes over."""
    return pki.issue("Gateway 2027", key="rsa-2048")


def test_the_next_key_signs_from_its_moment_on(present: Credential, following: Credential) -> None:
    """Not a microsecond before, and with its own certificate."""
    keys = open_keys(overlap(present, following))
    before = keys.at(CHANGE - timedelta(microseconds=1)).sign(b"x", CHANGE)
    after = keys.at(CHANGE).sign(b"x", CHANGE)

    assert before.certificate == keys.present.certificate != after.certificate
    assert keys.following is not None
    assert after.certificate == keys.following.certificate


def test_one_key_signs_for_ever(present: Credential) -> None:
    """Without a next one nothing ever changes."""
    keys = open_keys(Signing(key=present.key, certificate=present.certificate))
    assert keys.at(now()) is keys.at(now() + 10000 * DAY)


def test_a_key_whose_certificate_has_expired_signs_on(pki: Pki) -> None:
    """Every submission is answered; the operator is told otherwise than by silence."""
    expired = pki.issue("Gateway", not_before=now() - 9 * DAY, not_after=now() - DAY)
    settings = Signing(key=expired.key, certificate=expired.certificate)
    assert open_keys(settings).at(now()).sign(b"x", now()).value
    assert 1 == len(remarks(own_certificates(settings), now()))


def test_both_keys_are_tried_at_the_start(present: Credential, following: Credential, tmp_path: Path) -> None:
    """The faults of both are told together, long before the next one is needed."""
    settings = overlap(
        Credential(tmp_path / "none", present.certificate), Credential(present.key, following.certificate)
    )
    with pytest.raises(ConfigurationError) as caught:
        open_keys(settings)
    assert caught.value.faults == (
        f"{tmp_path / 'none'}: No such file or directory",
        f"{following.certificate}: the certificate does not belong to {present.key}",
    )


def test_a_key_may_be_a_credential_of_systemd(
    present: Credential, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read from the folder that the service manager names."""
    (tmp_path / "gateway.key").write_bytes(present.key.read_bytes())
    (tmp_path / "gateway.key").chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert open_private_key("credential:gateway.key").sign(b"x")


@pytest.mark.parametrize("name", ["../key", "a/b", "..", ".", " ", "a\0b"])
def test_the_name_of_a_credential_is_no_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names one file in one folder."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigurationError, match="no name of a credential"):
        open_private_key(f"credential:{name}")


def test_a_credential_that_is_not_handed_out_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a service manager that has none of that name, and without a service manager."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigurationError, match=": No such file"):
        open_private_key("credential:gateway.key")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(ConfigurationError, match="systemd hands out no credentials here"):
        open_private_key("credential:gateway.key")


def test_a_pin_is_never_told() -> None:
    """Neither one that is in the settings by mistake, nor where the right one is."""
    assert "pkcs11:token=a;pin-value=..." == describe("pkcs11:token=a;pin-value=31415926?pin-source=file:/etc/pin")
    assert "credential:key" == describe("credential:key")


def certificates(pki: Pki, present: timedelta, following: timedelta | None = None) -> tuple[OwnCertificate, ...]:
    """The certificates of keys that end after these times; the next takes over at CHANGE."""
    first = pki.issue("Gateway", not_after=now() + present)
    if following is None:
        return own_certificates(Signing(key=first.key, certificate=first.certificate))
    second = pki.issue("Gateway", not_before=now() + DAY, not_after=now() + following)
    return own_certificates(overlap(first, second))


def test_ends_are_told_of_certificates_that_still_sign(pki: Pki) -> None:
    """The present one counts until the next has taken over."""
    own = certificates(pki, 40 * DAY, 400 * DAY)
    first, second = (("signing.certificate", own[0].not_after), ("signing.next_certificate", own[1].not_after))

    assert (first, second) == expiries(own, CHANGE - DAY)
    assert (second,) == expiries(own, CHANGE)
    assert [(True, False), (False, True)] == [tuple(one.signs(at) for one in own) for at in (now(), CHANGE)]


@pytest.mark.parametrize(
    ("present", "following", "after", "words"),
    [
        (40, 400, 0, []),
        (20, 400, 0, ["signing.certificate: the certificate expires before the next one takes over"]),
        (20, 400, 30, []),
        (40, 20, 0, ["signing.next_certificate: the certificate expires on"]),
        (40, 400, 500, ["signing.next_certificate: the certificate expires on"]),
        (40, None, 0, []),
        (40, None, 41, ["signing.certificate: the certificate expires on"]),
    ],
)
def test_a_certificate_that_signs_while_it_is_not_valid_is_told(
    present: int, following: int | None, after: int, words: list[str], pki: Pki
) -> None:
    """It stops nothing: every submission is answered."""
    own = certificates(pki, present * DAY, None if following is None else following * DAY)
    told = remarks(own, now() + after * DAY)
    assert words == [line[: len(word)] for line, word in zip(told, words, strict=True)]


def test_a_next_certificate_that_begins_too_late_is_told(pki: Pki) -> None:
    """It would sign before it is valid."""
    first, second = pki.issue("Gateway"), pki.issue("Gateway", not_before=CHANGE + DAY)
    [told] = remarks(own_certificates(overlap(first, second)), now())
    assert told.startswith("signing.next_certificate: the certificate is valid from ")


def test_certificates_that_cannot_be_read_are_told_together(present: Credential, tmp_path: Path) -> None:
    """Every fault at once."""
    missing = Credential(present.key, tmp_path / "none")
    with pytest.raises(ConfigurationError) as caught:
        own_certificates(overlap(missing, missing))
    assert 2 == len(caught.value.faults)
