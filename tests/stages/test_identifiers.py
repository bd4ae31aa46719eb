"""The numbers of persons, employers, enterprises, places, periods and quarters, by the arithmetic of each."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.be import bis, nn, vat

from schemas.identifiers import ZONES, Kind, check

GOOD = {
    Kind.INSS: [
        *("85031221468", "99123149955", "01090531734"),  # born before 2000, and since
        *("85431221457", "79221710930", "05461224842", "00000100166"),  # BIS numbers, and a birth nobody knows
    ],
    Kind.ENTERPRISE: ["0987654394", "987654394", "1999999943", "0200000043", "0200004397", "0200004201"],
    Kind.ONSS: ["100006", "000100006", "199999934", "123456749", "076543281", "76543281"],
    Kind.PROVISIONAL_ONSS: ["5000000120", "5999999989", "5123456773"],
    Kind.PPL: ["99999926", "01060027", "1060027", "01234526", "00009797", "101"],
    Kind.ESTABLISHMENT: ["2000000141", "2999900093", "8000000000", "9999999917", "9999999920"],
    Kind.DIMONA_PERIOD: ["600027876089", "601234567813", "000000000101", "000000009797", "000000009700"],
    Kind.QUARTER: ["20031", "20264", "99994"],
}  # fmt: skip
CHECK_DIGITS = "the check digits don't fit the digits before them"
FORM = {
    Kind.INSS: "it must have eleven digits",
    Kind.ENTERPRISE: "it must have ten digits beginning with 0 or 1, or nine",
    Kind.ONSS: "it must have nine digits or fewer",
    Kind.PROVISIONAL_ONSS: "it must have ten digits, of which the first is 5",
    Kind.PPL: "it must have eight digits or fewer",
    Kind.ESTABLISHMENT: "it must have ten digits beginning with 2 or 8, or be 9999999917 or 9999999920",
    Kind.DIMONA_PERIOD: "it must have twelve digits or fewer, and not be 0",
    Kind.QUARTER: "it must be a year and a digit from 1 to 4",
}
MONTH = "the third and fourth digits are no month, nor one plus 20 or 40"
BAD = {
    Kind.INSS: {
        CHECK_DIGITS: ["85031221469", "00000000000", "01090531702"],
        MONTH: ["85131221441", "85331221484", "85531221430"],
        FORM[Kind.INSS]: ["8503122146", "850312214680", "85.03.12-214.68", "00", ""],
    },
    Kind.ENTERPRISE: {
        CHECK_DIGITS: ["0987654395", "1999999944", "0200004300", "0200004298", "0200004199"],
        FORM[Kind.ENTERPRISE]: ["2000000141", "98765439", "BE0987654394", "0987.654.394", "00", "00987654394"],
    },
    Kind.ONSS: {
        CHECK_DIGITS: ["100007", "123456748", "141137377", "145647968", "156065072"],
        "it lies outside 100006 to 199999934": ["96", "100005", "199999935", "200000029", "00"],
        FORM[Kind.ONSS]: ["0123456749", "1234567-49", "+100006"],
    },
    Kind.PROVISIONAL_ONSS: {
        CHECK_DIGITS: ["5000000121", "5999999988"],
        "it lies outside 5000000120 to 5999999989": ["5000000023", "5999999990"],
        FORM[Kind.PROVISIONAL_ONSS]: ["4999999989", "500000012", "50000001200", "0"],
    },
    Kind.PPL: {
        CHECK_DIGITS: ["00000197", "99999927", "00009700", "1"],
        FORM[Kind.PPL]: ["001060027", "0106-0027", ""],
    },
    Kind.ESTABLISHMENT: {
        CHECK_DIGITS: ["2000000142", "2999900000"],
        FORM[Kind.ESTABLISHMENT]: ["3000000141", "200000014", "20000001410", "9999999921", "2.000.000.141"],
    },
    Kind.DIMONA_PERIOD: {
        CHECK_DIGITS: ["600027876090", "1"],
        FORM[Kind.DIMONA_PERIOD]: ["6000278760890", "60002787608A", "-600027876089", "0", "000000000000", ""],
    },
    Kind.QUARTER: {
        "declarations by quarter begin with the first of 2003": ["20024", "00001"],
        FORM[Kind.QUARTER]: ["20260", "20265", "2026", "202611", "2026-1", "0"],
    },
}  # fmt: skip
ACCEPTED = [(kind, number) for kind, numbers in GOOD.items() for number in numbers]
REFUSED = [
    (kind, number, rule) for kind, rules in BAD.items() for rule, numbers in rules.items() for number in numbers
]  # fmt: skip
NOT_NUMBERS = ["٨٥٠٣١٢٢١٤٦٨", "8503122146８", "8 5031221468", "85031221468\x00", "1e9", "0x0", "9" * 1_000_000]  # noqa: RUF001 (digits of other scripts)


@pytest.mark.parametrize(("kind", "number"), ACCEPTED)
def test_a_number_that_could_have_been_given_out_breaks_no_rule(kind: Kind, number: str) -> None:
    """At both bounds, filled up with zeros or not, for persons born before and since 2000, with and without BIS."""
    assert check(kind, number) == ""


@pytest.mark.parametrize(("kind", "number", "rule"), REFUSED)
def test_a_number_that_could_not_have_been_given_out_is_told_why(kind: Kind, number: str, rule: str) -> None:
    """One over each bound, one off each check digit, one digit too few or too many, and every other way of writing."""
    assert check(kind, number) == rule


@pytest.mark.parametrize("kind", list(Kind))
def test_zero_means_none_where_a_message_may_say_so(kind: Kind) -> None:
    """For persons, employers, enterprises and places; a period, a quarter and a provisional number always exist."""
    always = {Kind.PROVISIONAL_ONSS, Kind.DIMONA_PERIOD, Kind.QUARTER}
    assert (check(kind, "0") == "") is (kind not in always)


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("value", NOT_NUMBERS, ids=ascii)
def test_what_is_no_number_is_refused_for_its_form(kind: Kind, value: str) -> None:
    """Digits of other scripts, digits with anything between them, a million of them: a sentence, nothing raised."""
    assert check(kind, value) == FORM[kind]


@pytest.mark.parametrize(("kind", "number"), ACCEPTED)
def test_white_space_around_a_number_does_not_count(kind: Kind, number: str) -> None:
    """As in the schema, where a number may stand on a line of its own."""
    assert check(kind, f"\r\n\t {number} ") == ""


@settings(deadline=None)
@given(st.sampled_from(Kind), st.text(max_size=20))
def test_any_text_gets_a_sentence_without_the_text(kind: Kind, value: str) -> None:
    """Whatever stands in the element, nothing is raised, and no personal number gets into the sentence."""
    assert check(kind, value) in {"", CHECK_DIGITS, FORM[kind], *BAD[kind]}


def _enterprise(first: int) -> str:
    return f"{first:08d}{97 - first % 97:02d}"


def _onss(first: int) -> str:
    return f"{first:07d}{96 - first * 100 % 97:02d}"


def _ppl(first: int) -> str:
    return f"{first:06d}{first % 97 or 97:02d}"


def _inss(year: int, month: int, rest: int) -> str:
    first = f"{year:02d}{month:02d}{rest:05d}"
    return f"{first}{97 - int(first) % 97:02d}"


MADE = st.one_of(
    st.tuples(st.just(Kind.ENTERPRISE), st.integers(1, 19_999_999).map(_enterprise)),
    st.tuples(st.just(Kind.ONSS), st.integers(1000, 1_999_999).map(_onss)),
    st.tuples(st.just(Kind.PROVISIONAL_ONSS), st.integers(50_000_001, 59_999_999).map(
        lambda first: f"{first}{96 - first * 100 % 97:02d}"
    )),
    st.tuples(st.just(Kind.PPL), st.integers(1, 999_999).map(_ppl)),
    st.tuples(st.just(Kind.ESTABLISHMENT), st.integers(20_000_000, 29_999_999).map(_enterprise)),
    st.tuples(st.just(Kind.DIMONA_PERIOD), st.integers(1, 9_999_999_999).map(
        lambda first: f"{first:010d}{first % 97:02d}"
    )),
    st.tuples(st.just(Kind.INSS), st.builds(_inss, st.integers(30, 99), st.integers(1, 12), st.integers(0, 31_999))),
)  # fmt: skip


@settings(deadline=None)
@given(MADE, st.data())
def test_one_wrong_digit_never_passes(made: tuple[Kind, str], data: st.DataObject) -> None:
    """97 is a prime that divides no power of ten: every made number is good, and none with one digit changed is.

    Not promised, and left out: the first digits of a person's number, which may move the birth past 2000, and of an
    establishment's, which may turn it into one without check digits.
    """
    kind, number = made
    assert check(kind, number) == ""
    place = data.draw(st.integers({Kind.INSS: 2, Kind.ESTABLISHMENT: 1}.get(kind, 0), len(number) - 1))
    digit = data.draw(st.sampled_from(sorted(set("0123456789") - {number[place]})))
    assert check(kind, number[:place] + digit + number[place + 1 :]) != ""


@settings(deadline=None)
@given(st.integers(0, 99), st.sampled_from([*range(13), *range(20, 33), *range(40, 53)]), st.integers(0, 99_999))
def test_a_person_is_judged_as_the_library_of_numbers_does(year: int, month: int, rest: int) -> None:
    """National and BIS numbers, in both centuries, and each off by one."""
    for century in ("", "2"):
        first = f"{year:02d}{month:02d}{rest:05d}"
        number = f"{first}{97 - int(century + first) % 97:02d}"
        off = f"{first}{(int(number[9:]) + 1) % 100:02d}"
        assert (check(Kind.INSS, number) == "") is (nn.is_valid(number) or bis.is_valid(number))
        assert (check(Kind.INSS, off) == "") is (nn.is_valid(off) or bis.is_valid(off))


@settings(deadline=None)
@given(st.integers(1, 19_999_999))
def test_every_good_enterprise_number_is_good_for_the_library_too(first: int) -> None:
    """Ours is the narrower judgement: the library lets 00, 98 and 99 pass as check digits."""
    number = _enterprise(first)
    assert check(Kind.ENTERPRISE, number) == ""
    assert vat.is_valid(number)


def test_each_zone_holds_one_kind_of_number() -> None:
    """Five digits each, and none in two kinds."""
    zones = [zone for kind in Kind for zone in ZONES[kind]]
    assert len(zones) == len(set(zones))
    assert all(len(zone) == 5 and zone.isdecimal() for zone in zones)
