"""Who holds a certificate."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from config.errors import ConfigurationError
from signing.holder import Holder, create_key, holder_of, read_key
from tests.authority import Credential, Pki
from tests.eid import issue_eid, national_number

_NUMBER = national_number("850412", "997")
_KEY = bytes(range(32))


def der(credential: Credential) -> bytes:
    """The certificate of a credential."""
    return credential.read().public_bytes(Encoding.DER)


def test_a_renewed_certificate_has_the_same_holder(pki: Pki) -> None:
    """Another key, another serial number of the certificate, another spelling of the name: the same person."""
    first, renewed = holder_of(der(issue_eid(pki, "An", _NUMBER))), holder_of(der(issue_eid(pki, "Anna", _NUMBER)))

    assert first is not None
    assert renewed is not None
    assert (_NUMBER, "CN=Test Issuing,C=BE") == (first.serial_number, first.issuer)
    assert first.mark(_KEY) == renewed.mark(_KEY)


def test_another_issuer_person_or_key_makes_another_mark(pki: Pki, tmp_path: Path) -> None:
    """Each of the three counts, so that no authority can hand out the numbers of another's holders."""
    elsewhere = Pki.create(tmp_path / "elsewhere", "Other")
    ders = [
        der(issue_eid(pki, "An", _NUMBER)),
        der(issue_eid(pki, "An", national_number("850412", "995"))),
        der(issue_eid(elsewhere, "An", _NUMBER)),
    ]
    marks = {holder.mark(key) for item in ders if (holder := holder_of(item)) for key in (_KEY, _KEY[::-1])}

    assert 6 == len(marks)


def test_issuer_and_number_do_not_run_into_each_other() -> None:
    """The end of one cannot be the beginning of the other."""
    assert Holder("", "12", b"CN=a").mark(_KEY) != Holder("", "2", b"CN=a1").mark(_KEY)


@pytest.mark.parametrize("numbers", [(), (_NUMBER, "1")])
def test_without_exactly_one_number_there_is_no_holder(pki: Pki, numbers: tuple[str, ...]) -> None:
    """Nobody is registered by a guess which of two numbers is meant."""
    assert holder_of(der(issue_eid(pki, "An", *numbers))) is None


def test_a_number_that_is_no_text_has_no_holder(pki: Pki) -> None:
    """Bytes that its string type does not allow are no number."""
    certificate = der(issue_eid(pki, "An", "x" * 11))

    assert holder_of(certificate) is not None
    assert holder_of(certificate.replace(b"x" * 11, b"\xff" * 11)) is None


@given(st.binary(max_size=300))
def test_bytes_that_are_no_certificate_have_no_holder(content: bytes) -> None:
    """Whatever the bytes, the answer is a value."""
    assert holder_of(content) is None


@pytest.fixture(scope="module")
def card(pki: Pki) -> bytes:
    """The certificate of one card."""
    return der(issue_eid(pki, "An", _NUMBER))


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_damaged_certificate_has_a_holder_or_none(card: bytes, place: int, change: int) -> None:
    """One byte changed anywhere: nothing but these two answers."""
    damaged = bytearray(card)
    damaged[place % len(damaged)] ^= change

    assert isinstance(holder_of(bytes(damaged)), Holder | None)


def test_a_holder_is_never_written_out_by_accident(pki: Pki) -> None:
    """What a log or an error would print of a holder leaves the number out."""
    assert _NUMBER not in repr(holder_of(der(issue_eid(pki, "An", _NUMBER))))


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    """Two keys are never the same, and a second one never replaces the first."""
    paths = [tmp_path / "keys" / name for name in ("a", "b")]
    for path in paths:
        create_key(path)
    keys = [read_key(path) for path in paths]
    with pytest.raises(FileExistsError):
        create_key(paths[0])

    assert [0o600, 0o600] == [path.stat().st_mode & 0o777 for path in paths]
    assert keys[0] == read_key(paths[0]) != keys[1]
    assert 32 == len(keys[0])


@pytest.mark.parametrize("content", [None, b"", b"00", b"no key", b"\xff"])
def test_a_key_that_cannot_be_used_is_a_configuration_fault(tmp_path: Path, content: bytes | None) -> None:
    """Absent, empty, too short, not hexadecimal."""
    path = tmp_path / "holders.key"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigurationError) as caught:
        read_key(path)

    assert str(path) in caught.value.faults[0]
