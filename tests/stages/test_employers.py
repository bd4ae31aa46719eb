"""What follows when a sender names employers, and when may two mandates, or a warning, stand beside another?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.employers import MAX_NAMED, SendsAs, Standing, check_employers
from gateway.register.expiry import due
from gateway.register.mandates import Mandate, Means, clash, is_empty, overlap
from gateway.registrations import Period
from schemas.codes import Code
from schemas.identifiers import Kind
from schemas.inspection import Employer
from spool.expiries import Ending, What

_DAY = 86_400_000_000
_SOME = Employer(Kind.ONSS, "100006")
_OTHER = Employer(Kind.ENTERPRISE, "123456749")


@pytest.mark.parametrize(
    ("sends_as", "standing", "expected"),
    [
        (SendsAs.NOBODY, Standing.NEVER, [Code.SENDER_NOT_AUTHORISED]),
        (SendsAs.NOBODY, Standing.MANDATED, [Code.SENDER_NOT_AUTHORISED]),
        (SendsAs.NOBODY, Standing.ITSELF, [Code.SENDER_NOT_AUTHORISED]),
        (SendsAs.EMPLOYER, Standing.ITSELF, []),
        (SendsAs.EMPLOYER, Standing.NEVER, [Code.EMPLOYER_NOT_ALLOWED]),
        (SendsAs.EMPLOYER, Standing.LAPSED, [Code.EMPLOYER_NOT_ALLOWED]),
        (SendsAs.PROVIDER, Standing.MANDATED, []),
        (SendsAs.PROVIDER, Standing.LAPSED, [Code.MANDATE_MISSING]),
        (SendsAs.PROVIDER, Standing.NEVER, [Code.PROXY_UNKNOWN]),
    ],
)
def test_each_way_to_stand_to_an_employer_has_its_code(
    sends_as: SendsAs, standing: Standing, expected: list[Code]
) -> None:
    """Nobody speaks for anybody, an employer for itself, a provider for whose mandate it has."""
    assert expected == [finding.code for finding in check_employers(sends_as, {_SOME: standing})]


def test_the_finding_names_the_employer() -> None:
    """By the kind of its number and the number, as the declaration gave it."""
    found = check_employers(SendsAs.PROVIDER, {_SOME: Standing.LAPSED, _OTHER: Standing.NEVER})

    assert [
        "the employer of ONSS number 100006: the mandate did not hold at the time of receipt",
        "the employer of enterprise number 123456749: no mandate is known",
    ] == [finding.detail for finding in found]


def test_every_code_is_told_however_many_employers_are_refused() -> None:
    """So many are named; the others are counted."""
    many = {Employer(Kind.ONSS, str(number)): Standing.LAPSED for number in range(2000)}
    found = check_employers(SendsAs.PROVIDER, many | {_OTHER: Standing.NEVER})

    assert {Code.MANDATE_MISSING, Code.PROXY_UNKNOWN} == {finding.code for finding in found}
    assert MAX_NAMED + 1 == len(found)
    assert f"and {2001 - MAX_NAMED} more employers" == found[-1].detail


# --- periods and mandates

_MOMENTS = range(8)
_bounds = st.none() | st.sampled_from(_MOMENTS)
_periods = st.builds(Period, _bounds, _bounds)


@given(_periods, _periods)
def test_two_periods_overlap_if_one_moment_is_in_both(one: Period, other: Period) -> None:
    """Looked at moment by moment, with one before and one behind every bound."""
    common = any(at in one and at in other for at in range(-1, 9))

    assert common == overlap(one, other)


@given(_periods)
def test_a_period_is_empty_if_no_moment_is_in_it(period: Period) -> None:
    """That ends when it begins, or before."""
    assert is_empty(period) == (not any(at in period for at in range(-1, 9)))


@given(st.lists(st.tuples(st.sampled_from(Means), st.integers(2, 4), _periods), max_size=12))
def test_whatever_is_asked_for_there_is_one_of_each_means_at_a_time(wanted: list[tuple[Means, int, Period]]) -> None:
    """What leaves no clash behind is given: then no moment has two secretariats or two other providers."""
    given_: list[Mandate] = []
    for means, provider, period in wanted:
        if not is_empty(period) and clash(given_, means, period) is None:
            given_.append(Mandate(len(given_) + 1, 1, provider, means, period))

    for at in range(-1, 9):
        holding = [one.means for one in given_ if at in one.period]
        assert len(holding) == len(set(holding))


@given(st.lists(st.tuples(st.integers(2, 4), _periods), max_size=8), _periods)
def test_a_mandate_is_refused_only_for_one_that_counts_at_the_same_time(
    standing: list[tuple[int, Period]], period: Period
) -> None:
    """The one that is named stands in the way; without one nothing does."""
    known = [Mandate(number, 1, provider, Means.PROVIDER, when) for number, (provider, when) in enumerate(standing)]
    found = clash(known, Means.PROVIDER, period)

    assert clash(known, Means.SECRETARIAT, period) is None
    if found is None:
        assert not any(overlap(one.period, period) for one in known)
    else:
        assert overlap(found.period, period)


# --- warnings

_END = 1000 * _DAY


@pytest.mark.parametrize(
    ("days_before", "given_for", "expected"),
    [
        (61, None, None),
        (60, None, 60),
        (59, 60, None),
        (30, 60, 30),
        (29, 30, None),
        (7, 30, 7),
        (1, 7, None),
        (5, None, 7),
        (20, None, 30),
        (0, None, None),
        (-1, 60, None),
    ],
)
def test_a_sender_is_warned_once_for_each_mark(days_before: int, given_for: int | None, expected: int | None) -> None:
    """60, 30 and 7 days before; who comes late is warned by the nearest mark alone, and never of what has passed."""
    ending = Ending("123456", What.KEY, "payroll01 SHA256:x", _END)
    told = {} if given_for is None else {(ending.subject, _END): given_for}
    found = due([ending], told, _END - days_before * _DAY)

    assert found == ([] if expected is None else [(ending, expected)])


def test_an_end_that_moved_is_another_end() -> None:
    """What was told of the former says nothing of it."""
    ending = Ending("123456", What.MANDATE, "17", _END)

    assert [(ending, 7)] == due([ending], {(ending.subject, _END + 1): 7}, _END - _DAY)
