"""What an import and an export have to bear: odd registers, odd files, and what must not be seen."""

import csv
import io
import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gateway.openings import Channel, Opening
from gateway.register import channels, choices, enterprises, inss, mandates, technical, withdrawal
from gateway.register.actor import Refusal
from gateway.register.bulk import exporting, files
from gateway.register.bulk.importing import Import
from gateway.register.bulk.kinds import Kind
from gateway.register.bulk.staging import open_staging
from gateway.register.choices import Route
from gateway.registrations import Period
from spool.journal import Journal
from tests.bulk_made import (
    ANNE,
    BAKERY,
    EMPLOYER,
    INSS,
    KEY,
    OTHER,
    PROVIDER,
    SECRETARIAT,
    WHO,
    exported,
    faults,
    imported,
    whole,
)

pytestmark = pytest.mark.every_database

_WHY = {"reason": "made for a test"}
_LATER = 1_900_000_000_000_000
_HOUR = 3_600_000_000


def number_of(journal: Journal, reference: str) -> int:
    """The register's own number of a quality."""
    enterprise, kind, registration = reference.split("/")
    with journal.read() as connection:
        known = enterprises.qualities_of(connection, enterprise)
    return next(one.number for one in known if (one.kind, one.registration) == (kind, registration))


def has_no_effect(journal: Journal) -> bool:
    """Whether what is exported changes nothing when it is imported."""
    before = exported(journal)
    counts = imported(journal, json.loads(before))
    return before == exported(journal) and not any(count.new or count.changed for count in counts.values())


def told(text: str, kind: Kind, form: str = "csv") -> str:
    """Everything that is said of a file that is read."""
    file = io.StringIO(text, newline="")
    found = files.read_csv(file, "x.csv", kind) if form == "csv" else files.read_json(file, "x.json")
    with open_staging() as staging:
        importing = Import(None, staging)  # type: ignore[arg-type]  # reading alone asks for no journal
        importing.read(found, partial(inss.mark, KEY))
    return " | ".join(fault.words for fault in importing.faults.told)


def test_an_export_of_a_closed_quality_has_no_effect_where_it_came_from(journal: Journal) -> None:
    """Its sender, its mandates and the choices for it stay as they were."""
    imported(journal, whole())
    with journal.write() as connection:
        withdrawal.close_quality(connection, WHO, number_of(journal, SECRETARIAT), **_WHY)

    assert has_no_effect(journal)


def test_what_never_counted_is_in_no_export(journal: Journal) -> None:
    """A mandate or channel that was taken back before it began, and then given for the same time after all."""
    imported(journal, whole())
    employer, provider = number_of(journal, EMPLOYER), number_of(journal, PROVIDER)
    period = Period(_LATER, None)
    opening = Opening(Channel.MQ, "R", period)
    with journal.write() as connection:
        for _ in range(2):
            given = mandates.notify_mandate(connection, WHO, employer, provider, period, **_WHY)
            assert not isinstance(given, Refusal)
            mandates.end_mandate(connection, WHO, given.number, _LATER - 1, **_WHY)
            channels.open_channel(connection, WHO, provider, opening, **_WHY)
            channels.close_channel(connection, WHO, provider, opening, _LATER - 1, **_WHY)
        mandates.notify_mandate(connection, WHO, employer, provider, period, **_WHY)
        channels.open_channel(connection, WHO, provider, opening, **_WHY)

    assert has_no_effect(journal)


def test_of_choices_for_one_moment_the_newest_is_exported(journal: Journal) -> None:
    """It is the one that counts."""
    imported(journal, whole())
    employer = number_of(journal, EMPLOYER)
    with journal.write() as connection:
        for channel in ("ebox", "ebox"):
            route = Route(employer, employer, "NOTI", "T", Channel(channel), Period(_LATER, None))
            assert not isinstance(choices.choose(connection, WHO, route, **_WHY), Refusal)

    assert has_no_effect(journal)


def test_a_quality_has_one_sender(journal: Journal) -> None:
    """As with single acts; whether the other is in the file or in the register."""
    document = whole()
    document["senders"].append({"number": "200002", "quality": SECRETARIAT})
    assert {(words) for _, words in faults(journal, document)} == {f"{SECRETARIAT} has another sender"}
    imported(journal, whole())

    [(_, words)] = faults(journal, {"senders": [{"number": "200002", "quality": SECRETARIAT}]})

    assert f"{SECRETARIAT} has another sender" == words


def test_a_sender_that_gets_its_quality_is_its_technical_users(journal: Journal) -> None:
    """Whether it was there before or comes with the quality."""
    document = whole()
    document["senders"].append({"number": "200002"})
    imported(journal, document)
    quality = number_of(journal, PROVIDER)
    with journal.write() as connection:
        technical.name(connection, WHO, quality, "sendpay01", **_WHY)

    imported(journal, {"senders": [{"number": "200002", "quality": PROVIDER}]})

    with journal.read() as connection:
        assert ["200002"] == [user.sender for user in technical.of_quality(connection, quality)]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        (f"annemie01,{BAKERY},Voorbeeld,Anne,{INSS}\n", "csv"),
        (f"username;{INSS}\nannemie01;x\n", "csv"),
        (json.dumps({"persons": [{"username": "annemie01", INSS: "Voorbeeld"}]}), "json"),
        (json.dumps({"persons": [ANNE | {"username": INSS}]}), "json"),
        (json.dumps({"persons": [ANNE | {"title": INSS, "state": INSS, "enterprise": INSS}]}), "json"),
    ],
    ids=["no head", "odd head", "odd name", "user name", "anywhere"],
)
def test_what_is_said_of_a_file_repeats_nothing_of_it(text: str, form: str) -> None:
    """A file without its first line has persons where the names of columns belong."""
    words = told(text, Kind.PERSONS, form)

    assert words
    assert INSS not in words
    assert "Voorbeeld" not in words


@pytest.mark.parametrize("number", ["9" * 5000, "-" + "1" * 5000, "1e999", "NaN"])
def test_a_number_of_any_length_is_told_and_nothing_worse(number: str) -> None:
    """Where a text has to be."""
    assert told(f'{{"enterprises": [{{"number": {number}, "name": "x"}}]}}', Kind.ENTERPRISES, "json")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0001-01-01"])
def test_a_moment_can_be_written_again(journal: Journal, moment: str) -> None:
    """Or it is refused: one that cannot be would be in the way of every export."""
    document = whole()
    document["mandates"][0]["valid_to" if moment.startswith("9") else "valid_from"] = moment
    with open_staging() as staging:
        importing = Import(journal, staging)
        importing.read(files.read_json(io.StringIO(json.dumps(document)), "x.json"), partial(inss.mark, KEY))
        importing.examine()
        if not importing.faults:
            importing.carry_out(WHO, "test", "x.json")

    assert has_no_effect(journal)


_FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "'=1+1", "''@x", "'s Hertogenbosch", "2-1", "a=b")


def test_no_name_is_a_formula_in_a_spreadsheet(journal: Journal, tmp_path: Path) -> None:
    """It gets a mark before it, which a spreadsheet doesn't show and an import takes away again."""
    document: dict[str, list[dict[str, Any]]] = {"enterprises": []}
    numbers = [BAKERY, OTHER]
    for name in _FORMULAS:
        document["enterprises"] = [{"number": number, "name": name} for number in numbers]
        imported(journal, document)
        with journal.read() as connection:
            exporting.export_folder(connection, tmp_path, [Kind.ENTERPRISES])
        with (tmp_path / "enterprises.csv").open(newline="") as file:
            cells = {row["name"] for row in csv.DictReader(file)}
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
        with (tmp_path / "enterprises.csv").open(newline="") as file, open_staging() as staging:
            importing = Import(journal, staging)
            importing.read(files.read_csv(file, "enterprises.csv", Kind.ENTERPRISES), None)
            importing.examine()
        assert not importing.changes_something


def test_a_record_over_very_many_lines_is_too_long() -> None:
    """A quotation mark that is not closed must not take the rest of the file into memory."""
    row = ",".join('"a\n' + "x" * 50_000 + '"' for _ in range(50))

    assert "too long" in told(f"number,name\n{row}\n", Kind.ENTERPRISES)


def test_what_is_exported_is_nobody_elses_to_read(journal: Journal, tmp_path: Path) -> None:
    """There are persons in it."""
    imported(journal, whole())
    with journal.read() as connection:
        exporting.export_folder(connection, tmp_path / "all", Kind)

    assert {0o640} == {path.stat().st_mode & 0o777 for path in (tmp_path / "all").iterdir()}
