"""The names of files, element by element: `schemas.filename`."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import filename
from schemas.codes import Code, Finding
from schemas.filename import (
    INBOUND,
    WITHOUT_PARTS,
    Environment,
    FileName,
    Prefix,
    check_date,
    is_safe,
    is_temporary,
    parse,
    set_key,
)

WELL_FORMED = [
    "FI.DIMN.123456.20261121.00001.R.1.1",
    "FS.DIMN.123456.20261121.00001.R.1.1",
    "GO.DIMN.123456.20261121.00001.R.1",
    "TD.DIMN.123456.20261121.00001.R.1",
    "FI.DMFA.006400.20261121.24AZG.T.4.3",
    "FI.DMFA.999999.20261121.00001.S.9.9",
    "FI.WECH.123456.20030801.00001.R",
    "FS.ZIMA.123456.20030801.00001.R",
    "GO.AOAT.000001.20090728.00901.R",
    "TD.AOAT.000001.20090728.00901.R",
    "FI.WECH.123456.20261121.00001.R.1.1",
    "FI.ACRF.006400.20070424.00001.R",
    "FO.ACRF.999999.20140628.00001.R",
    "FS.ACRF.999999.20140628.00001.R",
    "GO.ACRF.999999.20140628.00001.R",
    "CO.NOTI.999999.20140628.00001.R",
    "FO.DMNO.999999.20070425.00010.R.1.1",
    "FI.DIMN.123456.00010101.00001.R.1.1",
]

# Each fault of the good name FI.DIMN.123456.20261121.00001.R.2.1 and the like, with all the codes it must give.
FAULTY = [
    ("", [129]),
    ("FI", [131]),
    ("FS.DIMN", [132]),
    ("GO.DIMN.123456.20261121.00001", [107]),
    ("TD.DIMN.123456.20261121.00001", [107]),
    ("XX.DIMN.123456.20261121.00001.R.2.1", [129]),
    ("fi.DIMN.123456.20261121.00001.R.2.1", [129]),
    (".FI.DIMN.123456.20261121.00001.R.2.1", [129]),
    ("DIMN.123456.20261121.00001.R", [129]),
    ("FO.DIMN.123456.20261121.00001.R.2.1", [129]),
    ("CO.DIMN.123456.20261121.00001.R", [129]),
    ("FI.DIMN.123456.20261121.00001.R", [131]),
    ("FS.DIMN.123456.20261121.00001.R", [132]),
    ("GO.DIMN.123456.20261121.00001.R", [107]),
    ("FI.DIMN.123456.20261121.00001.R.2", [131]),
    ("FI.WECH.123456.20261121.00001.R.2", [131]),
    ("GO.DIMN.123456.20261121.00001.R.2.1", [107]),
    ("TD.DIMN.123456.20261121.00001.R.2.1", [107]),
    ("FI.DIMN.123456.20261121.00001.R.2.1.xml", [131]),
    ("FI.DIMN.123456.20261121.00001.R.2.1.a.b.c.d", [131]),
    ("FI.DIM.123456.20261121.00001.R.2.1", [131]),
    ("FS.dimn.123456.20261121.00001.R.2.1", [132]),
    ("GO.D1MN.123456.20261121.00001.R.2", [107]),
    ("TD..123456.20261121.00001.R.2", [107]),
    ("FI.DIMN.12345.20261121.00001.R.2.1", [131]),
    ("FI.DIMN.000000.20261121.00001.R.2.1", [131]),
    ("FS.DIMN.12345A.20261121.00001.R.2.1", [132]),
    ("GO.DIMN.١٢٣٤٥٦.20261121.00001.R.2", [107]),
    ("FI.DIMN.123456.2026112.00001.R.2.1", [109]),
    ("FI.DIMN.123456.202611211.00001.R.2.1", [109]),
    ("FI.DIMN.123456.20260230.00001.R.2.1", [110]),
    ("FI.DIMN.123456.00000101.00001.R.2.1", [110]),
    ("FI.DIMN.123456.2026-W47.00001.R.2.1", [110]),
    ("FI.DIMN.123456.2026112\uff11.00001.R.2.1", [110]),
    ("FI.DIMN.123456.20261121.0001.R.2.1", [112]),
    ("FI.DIMN.123456.20261121.000001.R.2.1", [112]),
    ("FI.DIMN.123456.20261121..R.2.1", [112]),
    ("FI.DIMN.123456.20261121.00000.R.2.1", [127]),
    ("FI.DIMN.123456.20261121.0000a.R.2.1", [367]),
    ("FI.DIMN.123456.20261121.000é.R.2.1", [112, 367]),
    ("FI.DIMN.123456.20261121.00001.X.2.1", [117]),
    ("FI.DIMN.123456.20261121.00001.r.2.1", [117]),
    ("FI.DIMN.123456.20261121.00001..2.1", [117]),
    ("FI.DIMN.123456.20261121.00001.R.12.1", [114]),
    ("FI.DIMN.123456.20261121.00001.R..1", [114]),
    ("GO.DIMN.123456.20261121.00001.R.", [114]),
    ("GO.DIMN.123456.20261121.00001.R.A", [115]),
    ("GO.DIMN.123456.20261121.00001.R.²", [115]),
    ("GO.DIMN.123456.20261121.00001.R.AB", [114, 115]),
    ("GO.DIMN.123456.20261121.00001.R.0", [116]),
    ("FI.DIMN.123456.20261121.00001.R.2.3", [123]),
    ("FI.DIMN.123456.20261121.00001.R.2.0", [123]),
    ("FI.DIMN.123456.20261121.00001.R.2.", [123]),
    ("FI.DIMN.123456.20261121.00001.R.2.01", [123]),
    ("FS.DIMN.123456.20261121.00001.R.2.3", [124]),
    ("FS.DIMN.123456.20261121.00001.R.2.x", [124]),
    ("FI.dimn.0.2026.a.X.10.10", [131, 131, 109, 112, 367, 117, 114, 123]),
    ("FI.DIMN.123456.20261121.00001.R.2.1\n", [123]),
]

digits = st.integers(1, 9)
file_names = st.builds(
    lambda prefix, purpose, sender, day, sequence, environment, parts, part: FileName(
        prefix,
        purpose,
        f"{sender:06}",
        day,
        sequence,
        environment,
        parts=max(parts, part),
        part=part if prefix in (Prefix.FI, Prefix.FS) else None,
    ),
    st.sampled_from(sorted(INBOUND)),
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=4, max_size=4),
    st.integers(1, 999_999),
    st.dates(),
    st.text("0123456789AZ", min_size=5, max_size=5).filter(lambda sequence: sequence != "00000"),
    st.sampled_from(Environment),
    digits,
    digits,
)
near_names = st.lists(
    st.sampled_from(
        ["FI", "FS", "GO", "FO", "DIMN", "WECH", "123456", "20261121", "00001", "R", "1", "0", "", "é", "\0"]
    ),
    max_size=10,
).map(".".join)
_ELEMENTS = (
    ["FI", "FS", "GO", "TD", "FO", "CO", "FX", "fi", "GOO"],
    ["DIMN", "WECH", "ACRF", "DIM", "DIMNA", "dimn", "D1MN", "DÏMN"],
    ["123456", "999999", "000000", "000001", "12345", "1234567", "12345A", "١٢٣٤٥٦"],
    ["20261121", "00010101", "00000101", "20260230", "20240229", "2026W471", "2026112", "2026112\uff11", "-0261121"],
    ["00001", "24AZG", "00000", "0001", "000001", "0000a", "0000\n"],
    ["R", "T", "S", "r", "X", ""],
    ["1", "2", "5", "9", "0", "10", "a", "", "1\n", "\uff11"],
    ["1", "2", "5", "9", "0", "10", "a", "", "1\n", "\uff11"],
)
# Each element mostly as it should be, so that many are good and many have the one fault that is looked for.
close_names = (
    st.integers(5, 8)
    .flatmap(
        lambda count: st.tuples(
            *(st.sampled_from(values[:2]) | st.sampled_from(values) for values in _ELEMENTS[:count])
        )
    )
    .map(".".join)
)
safe_names = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z._-]{0,99}", fullmatch=True).filter(is_safe)


def codes(name: str, max_parts: int = 9) -> list[int]:
    """The codes that the name is refused with, none when it is good."""
    parsed = parse(name, max_parts=max_parts)
    return [] if isinstance(parsed, FileName) else [int(finding.code) for finding in parsed]


@pytest.mark.parametrize("name", WELL_FORMED)
def test_a_well_formed_name_is_read_and_given_back(name: str) -> None:
    """With parts, in the older form without them, and outbound."""
    assert str(parse(name)) == name


def test_the_elements_of_a_name_are_read() -> None:
    """Each element comes out in its own type."""
    expected = FileName(
        Prefix.FS, "DMFA", "006400", date(2026, 11, 21), "24AZG", Environment.SIMULATION, parts=4, part=3
    )
    assert parse("FS.DMFA.006400.20261121.24AZG.S.4.3") == expected


@pytest.mark.parametrize(("name", "expected"), FAULTY)
def test_a_faulty_name_gives_the_codes_of_all_its_faults(name: str, expected: list[int]) -> None:
    """And only of those, in the order of the elements."""
    assert codes(name) == expected


def test_no_detail_quotes_the_name() -> None:
    """A name may hold control characters; a detail is printed."""
    name = "FI.dïmn\x1b.1\x1b.2\x1b.3\x1b.4\x1b.5\x1b.6\x1b"
    parsed = parse(name)
    assert isinstance(parsed, tuple)
    assert all("\x1b" not in finding.detail for finding in parsed)


@pytest.mark.parametrize(("parts", "expected"), [(3, []), (4, [128])])
def test_more_parts_than_the_setting_allows_are_refused(parts: int, expected: list[int]) -> None:
    """The maximum itself is allowed; the part number is judged against the number in the name."""
    assert codes(f"FI.DIMN.123456.20261121.00001.R.{parts}.{parts}", max_parts=3) == expected


@pytest.mark.parametrize("purpose", sorted(WITHOUT_PARTS))
def test_only_the_older_purposes_go_without_parts(purpose: str) -> None:
    """The same name with any other purpose lacks its number of parts."""
    assert codes(f"GO.{purpose}.123456.20261121.00001.R") == []
    assert codes("GO.DMFA.123456.20261121.00001.R") == [107]


@given(file_names)
def test_parse_undoes_str(name: FileName) -> None:
    """Any name that can be built from the grammar is read back as itself."""
    assert parse(str(name)) == name


@given(st.text() | near_names)
def test_any_string_is_a_name_or_has_a_fault(name: str) -> None:
    """Nothing raises, a refusal is never empty, and what is accepted is given back exactly."""
    parsed = parse(name)
    if isinstance(parsed, FileName):
        assert str(parsed) == name
    else:
        assert parsed


@given(close_names | near_names | file_names.map(str), st.integers(1, 9))
def test_a_name_is_good_just_when_none_of_its_elements_has_a_fault(name: str, max_parts: int) -> None:
    """The one look that a good name takes finds good what the look at each element does, and nothing else."""
    faults = tuple(filename._faults(name.split(".", 8), max_parts))
    parsed = parse(name, max_parts=max_parts)
    if faults:
        assert parsed == faults
    else:
        assert isinstance(parsed, FileName)
        assert str(parsed) == name


@given(file_names)
def test_a_well_formed_name_is_safe_and_not_temporary(name: FileName) -> None:
    """So a rule about disks never refuses what the grammar accepts."""
    assert is_safe(str(name))
    assert not is_temporary(str(name))


@given(file_names)
def test_the_key_of_a_good_name_is_its_stem(name: FileName) -> None:
    """Whether the gateway looks at the string or at the parsed name, the set is the same."""
    assert set_key(str(name)) == name.stem


@given(file_names, st.sampled_from(sorted(INBOUND)), st.sampled_from(["", ".1", ".1.1", ".2.2.xml"]))
def test_the_files_of_a_set_share_their_key(name: FileName, prefix: Prefix, tail: str) -> None:
    """Data, signature, start and cancel come together, with parts, without, and with a wrong tail."""
    assert set_key(f"{prefix}.{name.stem}{tail}") == set_key(str(name))


@pytest.mark.parametrize("stem", ["DIMN.123456.20261121.00000.R", "dimn.1.2.3.4", "DIMN.123456.2026.00001.R"])
def test_a_fault_in_the_name_does_not_part_a_set(stem: str) -> None:
    """The set still comes together, so that it gets one answer."""
    assert {set_key(f"FI.{stem}.1.1"), set_key(f"FS.{stem}.1.1"), set_key(f"GO.{stem}.1")} == {stem}


@given(safe_names, safe_names)
def test_a_name_without_a_prefix_has_a_key_of_its_own(name: str, other: str) -> None:
    """Two safe names share a key only when both have a prefix, or when they are the same."""
    if set_key(name) == set_key(other) and name != other:
        assert {name[:3], other[:3]} <= {f"{prefix}." for prefix in INBOUND}


@pytest.mark.parametrize("name", ["DIMN.123456.20261121.00001.R", "XX.DIMN.123456.20261121.00001.R", "FI", "FI."])
def test_a_stray_name_never_joins_a_set(name: str) -> None:
    """Not even one that looks like the stem of a set."""
    assert set_key(name) == f"={name}"


@given(st.text() | near_names)
def test_any_string_has_a_key(name: str) -> None:
    """The key is never empty, and the same each time."""
    assert set_key(name) == set_key(name) != ""


@given(st.text())
def test_a_safe_name_is_nothing_but_safe(name: str) -> None:
    """Safe means: plain ASCII, no way up or down, no hidden file, no option, and short."""
    if is_safe(name):
        assert name.isascii()
        assert name.isprintable()
        assert not set(name) & set("/\\: ")
        assert not name.startswith((".", "-"))
        assert ".." not in name
        assert 1 <= len(name) <= 100


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a..b", ".a", "-a", "_a", "a/b", "a\\b", "a\n", "a b", "é", "a\0", "a" * 101]
)
def test_an_unsafe_name_never_reaches_a_disk(name: str) -> None:
    """Each of these would mean something to a file system, a shell or a terminal, or is too long."""
    assert not is_safe(name)


def test_the_longest_safe_name_has_100_characters() -> None:
    """The bound itself is allowed."""
    assert is_safe("a" * 100)


@pytest.mark.parametrize("suffix", [".part", ".filepart", ".tmp", ".PART", ".FilePart", ".Tmp"])
def test_a_name_that_a_client_still_writes_under_is_temporary(suffix: str) -> None:
    """The endings that clients use, in any case."""
    assert is_temporary(f"FI.DIMN.123456.20261121.00001.R.1.1{suffix}")


@pytest.mark.parametrize("name", ["part", "FI.DIMN.123456.20261121.00001.R.1.1", "a.part.xml", "apart"])
def test_any_other_name_is_final(name: str) -> None:
    """The ending counts, with its dot."""
    assert not is_temporary(name)


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        (date(2026, 11, 22), (Code.DATE_FUTURE,)),
        (date(2026, 11, 21), ()),
        (date(2026, 11, 11), ()),
        (date(2026, 11, 10), (Code.DATE_TOO_OLD,)),
        (date.min, (Code.DATE_TOO_OLD,)),
        (date.max, (Code.DATE_FUTURE,)),
    ],
)
def test_the_date_is_from_today_back_to_the_greatest_age(created: date, expected: tuple[Code, ...]) -> None:
    """Both bounds are allowed."""
    findings: tuple[Finding, ...] = check_date(created, today=date(2026, 11, 21), max_age_days=10)
    assert tuple(finding.code for finding in findings) == expected


@pytest.mark.parametrize(
    ("letter", "inbox", "outbox"), [("R", "IN", "OUT"), ("T", "INTEST", "OUTTEST"), ("S", "INTEST-S", "OUTTEST-S")]
)
def test_an_environment_has_its_two_directories(letter: str, inbox: str, outbox: str) -> None:
    """Files come in by the one, answers go out by the other."""
    assert (Environment(letter).inbox, Environment(letter).outbox) == (inbox, outbox)
