"""How files of records are read and written, and what is wrong with one that isn't right: `gateway.register.bulk`."""

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.register.bulk.files import BadFile, Record, read_csv, read_folder, read_json, write_csv, write_json
from gateway.register.bulk.kinds import LAYOUTS, Facts, Kind, read_record

_EMPLOYER = "0400000185/employer/100006"
_SECRETARIAT = "0400000086/social-secretariat/"


def csv_of(text: str, kind: Kind = Kind.ENTERPRISES) -> list[Record | BadFile]:
    """What is read of a CSV file."""
    return list(read_csv(io.StringIO(text, newline=""), "x.csv", kind))


def json_of(text: str) -> list[Record | BadFile]:
    """What is read of a JSON document."""
    return list(read_json(io.StringIO(text), "x.json"))


def test_every_record_knows_where_it_begins() -> None:
    """Also behind one that goes over several lines, and whatever separates the columns."""
    records = csv_of('number;name\n1;"a\nb"\n2;c\n')

    assert [(2, {"number": "1", "name": "a\nb"}), (4, {"number": "2", "name": "c"})] == [
        (record.line, record.values) for record in records if isinstance(record, Record)
    ]
    records = json_of('{"enterprises": [\n {"number": "1"},\n\n {"number": "2"}],\n"mandates": [{}]}')
    assert [(Kind.ENTERPRISES, 2), (Kind.ENTERPRISES, 4), (Kind.MANDATES, 5)] == [
        (record.kind, record.line) for record in records if isinstance(record, Record)
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("number,nickname\n1,x\n", 1, "column 2 is none of number, name"),
        ("number,number\n1,x\n", 1, "twice"),
        ("number,name\n1,x\n1\n2,y\n", 3, "has 1 values, not 2"),
        ('number,name\n1,"x\n', 2, "is no CSV"),
        ("number,name\n1," + "x" * 70_000 + "\n", 2, "too long"),
    ],
)
def test_a_bad_csv_file_says_where(text: str, line: int, words: str) -> None:
    """What can be read before and behind is read all the same, so that everything is told at once."""
    [bad] = [found for found in csv_of(text) if isinstance(found, BadFile)]

    assert line == bad.line
    assert words in bad.words


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "{ is missing"),
        ("[]", 1, "{ is missing"),
        ('{"parties": []}', 1, "nothing called so"),
        ('{"mandates": [\n[]]}', 2, "must be an object"),
        ('{"mandates": [\n{"means": }]}', 2, "is no JSON"),
        ('{"mandates": [\n{} {}]}', 2, ", is missing"),
        ('{"mandates": [{}]}\n{}', 2, "stands behind"),
        ('{"mandates": [' + "[" * 100_000, 1, "too deep"),
        ('{"mandates": [{"means": "' + "x" * 2_000_000 + '"}]}', 1, "is no JSON"),
    ],
)
def test_a_bad_document_says_where(text: str, line: int, words: str) -> None:
    """Reading ends there; a record is at most so long."""
    bad = json_of(text)[-1]

    assert isinstance(bad, BadFile)
    assert line == bad.line
    assert words in bad.words


def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    """Whatever wrote it."""
    (tmp_path / "enterprises.csv").write_bytes("number,name\n1,\u00e9\n".encode("latin-1"))
    assert any(isinstance(found, BadFile) and "UTF-8" in found.words for found in read_folder(tmp_path))
    (tmp_path / "enterprises.csv").unlink()
    [found] = read_folder(tmp_path)
    assert isinstance(found, BadFile)


@pytest.mark.parametrize(
    ("kind", "values", "fault"),
    [
        (Kind.ENTERPRISES, {"number": "0400000186", "name": "x"}, "number: is no enterprise number"),
        (Kind.ENTERPRISES, {"number": "0400000185"}, "name: is missing"),
        (Kind.ENTERPRISES, {"number": "0400000185", "name": "\ud800"}, "name: must have no control characters"),
        (Kind.ENTERPRISES, {"number": 400000185, "name": "x"}, "number: must be a text"),
        (Kind.ENTERPRISES, {"number": "0400000185", "name": "x", "state": "x"}, "has 1 values with names"),
        (Kind.QUALITIES, {"quality": "0400000185/employer"}, "quality: must be enterprise/kind/registration"),
        (
            Kind.QUALITIES,
            {"quality": "0400000185/employer/1"},
            "quality: carries no number that a quality employer has",
        ),
        (
            Kind.QUALITIES,
            {"quality": "0400000185/hospital/1"},
            "quality: carries no number that a quality hospital has",
        ),
        (Kind.ROLES, {"username": "anna", "place": "0400000185", "role": "rae"}, "username: must have 8 to 30"),
        (Kind.ROLES, {"username": "annemie01", "place": "0400000185", "role": "boss"}, "role: must be one of"),
        (Kind.SENDERS, {"number": "999999"}, "number: must be six digits"),
        (Kind.SENDERS, {"number": "123456", "any_employer": "yes"}, "any_employer: must be true or false"),
        (Kind.SENDERS, {"number": "123456", "purposes": ["dimona"]}, "purposes: must be purpose codes"),
        (Kind.CHANNELS, {"sender": "123456", "channel": "ftp", "environment": "R"}, "channel: must be one of"),
        (
            Kind.CHANNELS,
            {"sender": "123456", "channel": "mq", "environment": "R", "valid_from": "2026-12-01T08:00:00"},
            "valid_from: a moment must have a zone",
        ),
        (
            Kind.MANDATES,
            {"employer": _EMPLOYER, "provider": _SECRETARIAT, "means": "secretariat", "valid_from": ""},
            "valid_from: must be said",
        ),
    ],
)
def test_what_is_wrong_with_a_record_by_itself(kind: Kind, values: dict[str, Any], fault: str) -> None:
    """Each fault names its column."""
    _, faults = read_record(kind, values)

    assert 1 == len(faults)
    assert faults[0].startswith(fault)


_MOMENTS = st.none() | st.integers(0, 4_000_000_000_000_000)
_TEXTS = st.text(st.characters(codec="utf-8"), max_size=20).filter(lambda text: text.isprintable()).map(str.strip)
_RECORDS = st.one_of(
    st.tuples(
        st.just(Kind.MANDATES),
        st.fixed_dictionaries(
            {
                "employer": st.just(_EMPLOYER),
                "provider": st.just(_SECRETARIAT),
                "means": st.sampled_from(["secretariat", "provider"]),
                "valid_from": st.integers(0, 4_000_000_000_000_000),
                "valid_to": _MOMENTS,
            }
        ),
    ),
    st.tuples(
        st.just(Kind.PERSONS),
        st.fixed_dictionaries(
            {
                "username": st.just("annemie01"),
                "enterprise": st.just("0400000185"),
                "last_name": _TEXTS,
                "first_name": _TEXTS,
                "title": _TEXTS,
                "language": st.sampled_from(["fr", "nl", "de", "en"]),
                "emails": st.lists(st.sampled_from(["a@example.org", "b@example.org"]), unique=True),
                "state": st.sampled_from(["active", "blocked"]),
            }
        ),
    ),
    st.tuples(
        st.just(Kind.SENDERS),
        st.fixed_dictionaries(
            {
                "number": st.just("123456"),
                "quality": st.none() | st.just(_SECRETARIAT),
                "any_employer": st.booleans(),
                "signature": st.just("detached"),
                "purposes": st.sampled_from([["*"], ["DIMN", "DMFA"]]),
                "formats": st.just([]),
                "leniencies": st.just([]),
                "language": st.just("nl"),
                "state": st.just("active"),
            }
        ),
    ),
)


@given(_RECORDS)
def test_what_is_written_is_read_as_it_was(said: tuple[Kind, Facts]) -> None:
    """In both forms, to the microsecond, whatever a name looks like; but for what a file never holds."""
    kind, facts = said
    table, document = io.StringIO(newline=""), io.StringIO()
    write_csv(table, kind, [facts])
    write_json(document, [(kind, [facts])])

    [from_table] = csv_of(table.getvalue(), kind)
    [from_document] = json_of(document.getvalue())

    assert isinstance(from_table, Record)
    assert isinstance(from_document, Record)
    assert (facts, []) == read_record(kind, from_table.values) == read_record(kind, from_document.values)


def test_an_inss_is_read_and_never_written() -> None:
    """Also if it were among the facts."""
    file = io.StringIO()
    names = dict.fromkeys(LAYOUTS[Kind.PERSONS].names, "")
    write_json(file, [(Kind.PERSONS, [names | {"inss": "88070412305"}])])

    assert "inss" not in file.getvalue()
    assert "inss" in LAYOUTS[Kind.PERSONS].names
