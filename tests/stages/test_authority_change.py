"""What a new list of authorities would change for registered certificates, told before it is applied."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signing.evidence import Reason
from signing.trust import authorities
from signing.trust.authorities import Authorities
from signing.trust.change import AcceptedBy, Change, Refused, Unknown, difference
from tests.authority import Pki, now


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    """An authority."""
    return Pki.create(tmp_path / "pki")


@pytest.fixture
def accepted(pki: Pki, tmp_path: Path) -> Authorities:
    """A list on which it is."""
    pki.install(tmp_path / "authorities", "test")
    return authorities.load(tmp_path / "authorities")


def registered(*ders: bytes) -> dict[str, bytes]:
    """Certificates by fingerprint."""
    return {hashlib.sha256(der).hexdigest(): der for der in ders}


def signer(pki: Pki, not_after: timedelta = timedelta(days=9)) -> bytes:
    """A certificate as DER."""
    return pki.issue("Signer", not_after=now() + not_after).read().public_bytes(Encoding.DER)


def test_the_same_list_changes_nothing(pki: Pki, accepted: Authorities) -> None:
    """A row for each certificate all the same, in the order of fingerprints."""
    certificates = registered(*(signer(pki) for _ in range(3)))
    rows = difference(accepted, accepted, certificates, now())
    assert sorted(certificates) == [row.fingerprint for row in rows]
    assert not any(row.is_one for row in rows)
    assert "accepted by test" == str(rows[0].after)


def test_an_authority_that_goes(pki: Pki, accepted: Authorities) -> None:
    """Its signers would be refused."""
    [row] = difference(accepted, Authorities(), registered(signer(pki)), now())
    assert Change(row.fingerprint, AcceptedBy("test"), Refused(Reason.NOT_ACCEPTED)) == row
    assert row.is_one
    assert "not-accepted" == str(row.after)


def test_an_authority_that_comes(pki: Pki, accepted: Authorities) -> None:
    """Its signers would be accepted, those who are refused anyway still not."""
    rows = difference(Authorities(), accepted, registered(signer(pki), signer(pki, timedelta(hours=-1))), now())
    assert {AcceptedBy("test"), Refused(Reason.EXPIRED)} == {row.after for row in rows}


def test_an_authority_of_another_name(pki: Pki, accepted: Authorities) -> None:
    """The name by which a signer is accepted is part of the verdict."""
    renamed = Authorities(tuple(replace(entry, name="other") for entry in accepted))
    [row] = difference(accepted, renamed, registered(signer(pki)), now())
    assert (AcceptedBy("test"), AcceptedBy("other")) == (row.before, row.after)


def test_an_authority_without_lists(pki: Pki, accepted: Authorities) -> None:
    """Its signers would have to wait, for the issuer that is named."""
    silent = Authorities(tuple(replace(entry, crls=()) for entry in accepted))
    [row] = difference(accepted, silent, registered(signer(pki)), now())
    assert Unknown("CN=Test Root,C=BE") == row.after
    assert str(row.after).startswith("unknown")


def test_a_certificate_that_cannot_be_read(accepted: Authorities) -> None:
    """Refused under both, and nothing is raised."""
    [row] = difference(accepted, Authorities(), registered(b"junk"), now())
    assert Refused(Reason.SYNTAX) == row.before
