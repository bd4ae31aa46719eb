"""When a signer says to have signed: how it is written, and how far from the receipt it may lie."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asn1crypto import cms, core

from signing.evidence import Evidence, Format, Proven, Reason
from signing.policy import Policy
from signing.times import check_times
from tests import signers
from tests.authority import now
from tests.cms_builder import ACCEPTED, Bench, Draft, Verdict, attribute

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
POLICY = Policy(ahead=timedelta(minutes=5), before=timedelta(days=10))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """An accepted authority and a file to sign."""
    return Bench.open(tmp_path_factory.mktemp("bench"))


def claiming(bench: Bench, *values: Any) -> Draft:
    """A signature whose signing time has those values."""
    draft = bench.draft()
    draft.attributes.append(attribute("signing_time", *values))
    return draft


def utc(text: bytes) -> cms.Time:
    """A UTCTime with that text, whatever it is."""
    return cms.Time.load(bytes([0x17, len(text)]) + text)


def generalized(text: bytes) -> cms.Time:
    """A GeneralizedTime with that text, whatever it is."""
    return cms.Time.load(bytes([0x18, len(text)]) + text)


def signed_at(bench: Bench, draft: Draft) -> datetime | None:
    """Expect evidence and give the signing time in it."""
    evidence = bench.verify(draft.dump())
    assert isinstance(evidence, Evidence), evidence
    return evidence.signed_at


def test_no_signing_time(bench: Bench) -> None:
    """A signer needn't say when."""
    assert signed_at(bench, bench.draft()) is None


def test_openssl_says_when_it_signed(bench: Bench) -> None:
    """The evidence has the time that a real client put in."""
    before = now()
    evidence = bench.verify(signers.cms(bench.data, bench.pki.issue("OpenSSL")))
    assert isinstance(evidence, Evidence)
    assert evidence.signed_at is not None
    assert before <= evidence.signed_at <= now()


def test_a_utc_time(bench: Bench) -> None:
    """A UTCTime is read (RFC 5652, 11.3)."""
    assert signed_at(bench, claiming(bench, utc(b"250102030405Z"))) == datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_utc_time_of_the_last_century(bench: Bench) -> None:
    """Years from 50 on are 1950 and later (RFC 5652, 11.3)."""
    assert signed_at(bench, claiming(bench, utc(b"500102030405Z"))) == datetime(1950, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_generalized_time(bench: Bench) -> None:
    """A GeneralizedTime is read also where a UTCTime would do: clients write either."""
    draft = claiming(bench, generalized(b"20250102030405Z"))
    assert signed_at(bench, draft) == datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "time",
    [
        pytest.param(utc(b"2501020304Z"), id="no seconds"),
        pytest.param(utc(b"250102030405"), id="no zone"),
        pytest.param(utc(b"250102030405+0100"), id="offset"),
        pytest.param(utc(b"251302030405Z"), id="thirteenth month"),
        pytest.param(utc(b"250102030460Z"), id="sixtieth second"),
        pytest.param(utc(b""), id="empty"),
        pytest.param(utc(b"\xff" * 13), id="no text"),
        pytest.param(generalized(b"20250102030405.5Z"), id="fraction"),
        pytest.param(generalized(b"20250102030405"), id="generalized without zone"),
        pytest.param(generalized(b"00000102030405Z"), id="year nought"),
    ],
)
def test_a_time_that_is_not_written_in_der(time: cms.Time, bench: Bench) -> None:
    """Invalid: seconds, UTC and no fraction (RFC 5652, 11.3)."""
    assert bench.ours(claiming(bench, time).dump()) is Reason.SHAPE


def test_a_time_that_is_a_number(bench: Bench) -> None:
    """Invalid: an attribute of another kind is no time."""
    draft = bench.draft()
    number = cms.CMSAttribute.load(
        core.Sequence.load(
            b"\x30\x10" + core.ObjectIdentifier("1.2.840.113549.1.9.5").dump() + b"\x31\x03" + core.Integer(7).dump()
        ).dump()
    )
    draft.attributes.append(number)
    assert bench.ours(draft.dump()) is Reason.SHAPE


def test_two_signing_times_in_one_attribute(bench: Bench) -> None:
    """Invalid: which one counts is open (RFC 5652, 11.3)."""
    draft = claiming(bench, utc(b"250102030405Z"), utc(b"250102030406Z"))
    assert bench.ours(draft.dump()) is Reason.SHAPE


def test_two_signing_time_attributes(bench: Bench) -> None:
    """Invalid: so is it with two attributes (RFC 5652, 11.3)."""
    draft = claiming(bench, utc(b"250102030405Z"))
    draft.attributes.append(attribute("signing_time", utc(b"250102030406Z")))
    assert bench.ours(draft.dump()) is Reason.SHAPE


def test_a_signing_time_without_a_value(bench: Bench) -> None:
    """Invalid: an attribute has a value (RFC 5652, 5.3)."""
    spoilt = claiming(bench).dump()
    assert bench.ours(spoilt) is Reason.SHAPE


@pytest.mark.parametrize(
    ("claimed", "expected"),
    [
        pytest.param(timedelta(hours=1), Reason.TIME, id="an hour after the receipt"),
        pytest.param(timedelta(minutes=1), ACCEPTED, id="a clock a little fast"),
        pytest.param(timedelta(days=-9), ACCEPTED, id="some days before"),
        pytest.param(timedelta(days=-11), Reason.TIME, id="too long before"),
    ],
)
def test_the_port_holds_the_signing_time_against_the_receipt(
    claimed: timedelta, expected: Verdict, bench: Bench
) -> None:
    """What lies too far from the receipt is refused with its own reason."""
    draft = claiming(bench, cms.Time({"utc_time": core.UTCTime(now() + claimed)}))
    assert bench.ours(draft.dump(), POLICY) == expected


@pytest.mark.parametrize("limit", [timedelta(minutes=5), timedelta(0)])
def test_the_limits_themselves_are_in(limit: timedelta) -> None:
    """Exactly as far as the policy says is accepted, one microsecond more is not."""
    policy = Policy(ahead=limit, before=limit)
    tick = timedelta(microseconds=1)
    for moment, good in (
        (AT + limit, True),
        (AT - limit, True),
        (AT + limit + tick, False),
        (AT - limit - tick, False),
    ):
        assert (check_times(_proven(moment), None, AT, policy) is None) is good
        assert (check_times(_proven(None), moment, AT, policy) is None) is good


def test_without_a_limit_any_time_before_is_in() -> None:
    """A policy that names no limit accepts what was signed ages ago."""
    assert check_times(_proven(AT - timedelta(days=20_000)), None, AT, Policy(before=None)) is None


def test_no_times_break_no_limit() -> None:
    """A signature that tells no time can't tell a wrong one."""
    assert check_times(_proven(None), None, AT, Policy(ahead=timedelta(0), before=timedelta(0))) is None


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_ends_of_time_are_only_times(moment: datetime) -> None:
    """No time that can be written makes the arithmetic fail."""
    fault = check_times(_proven(moment), moment, AT, POLICY)
    assert fault is not None
    assert fault.reason is Reason.TIME


def _proven(moment: datetime | None) -> Proven:
    return Proven(Format.CMS, b"", "", signed_at=moment)
