"""The register from files and into files, on a real journal: `gateway.register.bulk`."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from sqlalchemy.engine import Connection

from gateway import parties
from gateway.cli import gateway
from gateway.employers import Standing
from gateway.register import history, inss, speaking
from gateway.register.bulk.importing import MOST_FAULTS, ChangedMeanwhileError
from gateway.register.bulk.kinds import LAYOUTS, Kind
from gateway.site import make_site, open_site
from schemas import identifiers
from schemas.inspection import Employer
from spool.journal import Journal, JournalError
from spool.register_tables import persons, register_changes, roles
from spool.tables import technical_users
from tests.bulk_made import (
    ANNE,
    BAKERY,
    EMPLOYER,
    INSS,
    KEY,
    OFFICE,
    OTHER,
    PROVIDER,
    SECRETARIAT,
    WHO,
    Document,
    exported,
    faults,
    imported,
    opened,
    whole,
)

_FROM = "2026-01-01T00:00:00+00:00"


def lines_of(connection: Connection) -> int:
    """How long the history is."""
    return connection.execute(sa.select(sa.func.count()).select_from(register_changes)).scalar_one()


def test_an_import_is_done_once(journal: Journal) -> None:
    """The same again changes nothing, nor does what is exported; each record is a line of the history."""
    document = whole()
    total = sum(map(len, document.values()))

    assert total == sum(counts.new for counts in imported(journal, document).values())
    before = exported(journal)
    assert total == sum(counts.same for counts in imported(journal, whole()).values())
    assert total == sum(counts.same for counts in imported(journal, json.loads(before)).values())

    assert before == exported(journal)
    with journal.read() as connection:
        assert total + 1 == lines_of(connection)
        newest = next(history.changes(connection, limit=1))
    assert ("register.imported", "import:x.json", "operator:import") == (newest.act, newest.subject, newest.actor)


def test_what_is_imported_counts(journal: Journal) -> None:
    """The mandate for a file, the sender in its environments, as if each had been registered by hand."""
    imported(journal, whole())
    with journal.read() as connection:
        sender = parties.find_sender(connection, "200001")
        assert sender is not None
        assert sender.quality is not None
        asked = Employer(identifiers.Kind.ONSS, "100006")
        found = speaking.mandated(connection, sender.quality, [asked], 1_790_000_000_000_000)

    assert ("RT", ("DIMN", "DMFA"), False) == (sender.environments, sender.purposes, sender.any_employer)
    assert Standing.MANDATED is found[asked]


def test_of_an_inss_the_mark_is_kept(journal: Journal) -> None:
    """Nothing else of it in the register or in the history; where a file doesn't say it again, it stays."""
    document = whole()
    imported(journal, document)
    document["persons"][0] |= {"inss": "", "title": "Dr"}
    assert 1 == imported(journal, document)[Kind.PERSONS].changed

    with journal.read() as connection:
        marks = connection.execute(sa.select(persons.c.username, persons.c.inss_mark).order_by("username")).all()
        told = [str(row) for row in connection.execute(sa.select(register_changes))]
    mark = inss.mark(KEY, INSS)
    assert [("annemie01", mark), ("benoit0001", None)] == [tuple(row) for row in marks]
    assert not any(INSS in row or mark in row for row in told)
    assert INSS not in exported(journal)


def test_a_column_that_is_left_out_stays_as_it_is(journal: Journal) -> None:
    """What a file doesn't name is not its business; of what it names the history says from what to what."""
    imported(journal, whole())
    sender = {"number": "200001", "language": "nl"}

    assert 1 == imported(journal, {"senders": [sender]})[Kind.SENDERS].changed

    with journal.read() as connection:
        known = parties.find_sender(connection, "200001")
        change = next(history.changes(connection, subjects=["sender:200001"], limit=1))
    assert known is not None
    assert (("DIMN", "DMFA"), "nl") == (known.purposes, known.language)
    assert ({"language": "fr"}, {"language": "nl"}) == (change.before, change.after)


def test_another_role_takes_the_place_of_the_one_before(journal: Journal) -> None:
    """Who was what stays in the register; a new RAE has to be named together with what becomes of the old one."""
    imported(journal, whole())
    change = {"roles": [{"username": "benoit0001", "place": EMPLOYER, "role": "co-gl", "applications": ["DIMN"]}]}

    assert 1 == imported(journal, change)[Kind.ROLES].changed

    with journal.read() as connection:
        of = sa.select(roles.c.role, roles.c.ended_at.is_(None)).where(roles.c.username == "benoit0001")
        assert [("user", False), ("co-gl", True)] == [tuple(row) for row in connection.execute(of.order_by("number"))]
    assert 0 == sum(count.new + count.changed for count in imported(journal, change).values())
    change["roles"].append({"username": "benoit0001", "place": BAKERY, "role": "rae"})
    assert [(2, f"{BAKERY} has another rae")] == faults(journal, change)
    change["roles"].append({"username": "annemie01", "place": BAKERY, "role": "co-rae"})
    assert 2 == sum(count.new + count.changed for count in imported(journal, change).values())


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            {"roles": [{"username": "annemie01", "place": EMPLOYER, "role": "gl", "applications": ["DMFA"]}]},
            "the access of benoit0001 would be wider",
        ),
        ({"roles": [{"username": "annemie01", "place": EMPLOYER, "role": "user"}]}, f"quality {EMPLOYER} would have"),
        (
            {"roles": [{"username": "annemie01", "place": BAKERY, "role": "co-rae"}]},
            f"enterprise {BAKERY} would have",
        ),
        ({"qualities": [{"quality": EMPLOYER, "state": "closed"}]}, "to close a quality has consequences"),
        ({"qualities": [{"quality": EMPLOYER, "state": "known"}]}, "a quality that was activated is not announced"),
        ({"persons": [ANNE | {"state": "lost"}]}, "a loss has consequences"),
        ({"persons": [ANNE | {"enterprise": OFFICE}]}, "a person stays with the enterprise"),
        ({"senders": [{"number": "200001", "quality": PROVIDER}]}, "a sender stays with its quality"),
        ({"enterprises": [{"number": BAKERY, "name": "Bakers"}]}, ""),
        ({"persons": [ANNE | {"state": "blocked"}]}, ""),
    ],
)
def test_what_is_there_bounds_what_may_change(journal: Journal, document: Document, words: str) -> None:
    """Also those whom the file doesn't name: nobody is left with more than a GL, or without one."""
    imported(journal, whole())
    if not words:
        imported(journal, document)
        return
    found = faults(journal, document)

    assert 1 == found[0][0]
    assert any(told.startswith(words) for _, told in found), found


def test_an_end_is_brought_forward_and_not_put_off(journal: Journal) -> None:
    """As with single acts; another mandate begins where the one before ends."""
    imported(journal, whole())
    mandate = whole()["mandates"][0] | {"valid_to": "2026-06-01"}
    follower = mandate | {"valid_from": "2026-06-01", "valid_to": ""}

    assert [(2, "the employer has another mandate by these means for a part of that time")] == faults(
        journal, {"mandates": [mandate, follower | {"valid_from": "2026-05-31"}]}
    )
    counts = imported(journal, {"mandates": [mandate, follower]})[Kind.MANDATES]
    assert (1, 1) == (counts.new, counts.changed)
    for end in ("2026-07-01", ""):
        found = faults(journal, {"mandates": [mandate | {"valid_to": end}]})
        assert (1, "an end is not put off: begin a new one") in found


def _without(kind: str, number: int = 0) -> Document:
    document = whole()
    del document[kind][number]
    return document


def _with(kind: str, *records: dict[str, Any]) -> Document:
    document = whole()
    document[kind] += records
    return document


def _other(kind: str, number: int, **values: Any) -> Document:
    document = whole()
    document[kind][number] |= values
    return document


_MANDATE = whole()["mandates"][0]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (_without("enterprises"), f"there is no enterprise {BAKERY}"),
        (_without("qualities"), f"there is no quality {EMPLOYER}"),
        (_without("persons"), "there is no person annemie01"),
        (_without("senders"), "there is no sender 200001"),
        (_without("roles"), ""),
        (_without("roles", 1), f"quality {EMPLOYER} would have no GL"),
        (_without("roles", 2), "a new person needs a role"),
        (_without("channels"), f"{SECRETARIAT} has no channel sftp open there then"),
        (_without("mandates"), f"{SECRETARIAT} has no mandate of the employer then"),
        (_other("qualities", 1, state="closed"), f"quality {SECRETARIAT} is closed"),
        (_other("choices", 0, channel="ebox"), ""),
        (_other("choices", 0, recipient=EMPLOYER, channel="ebox"), ""),
        (_other("choices", 0, valid_from="2025-12-31"), f"{SECRETARIAT} has no mandate of the employer then"),
        (_other("roles", 2, applications=["WECH"]), "the access of benoit0001 would be wider"),
        (_other("roles", 2, place=PROVIDER), "benoit0001 is a person of another enterprise"),
        (_other("roles", 2, role="gl"), f"{EMPLOYER} has another gl"),
        (_other("roles", 2, role="co-rae"), "a co-rae is named for an enterprise"),
        (_other("roles", 0, applications=["DIMN"]), "an RAE and a Co-RAE have no applications"),
        (_other("persons", 1, inss=INSS), "this person has another user name in the enterprise"),
        (_other("persons", 1, inss="88070412306"), "inss: is no INSS"),
        (_other("persons", 1, last_name=""), "a last name has 1 to 100 characters"),
        (_other("persons", 1, username="techuser01"), "the user name is that of a technical user"),
        (_other("mandates", 0, means="provider"), f"{SECRETARIAT} is of a kind that has no mandate by provider"),
        (_other("mandates", 0, employer=PROVIDER), "only an employer gives a mandate"),
        (_other("mandates", 0, valid_to="2025-12-31"), "it ends before it begins"),
        (_with("qualities", {"quality": f"{OTHER}/employer/100006"}), "another enterprise carries the number"),
        (_with("qualities", {"quality": f"{OTHER}/employer/100006", "state": "closed"}), ""),
        (
            _with("channels", {"sender": "200001", "channel": "mq", "environment": "T", "valid_from": "2026-05-01"}),
            "the channel is open there for a part of that time already",
        ),
        (
            _with("mandates", _MANDATE | {"provider": PROVIDER}),
            f"{PROVIDER} is of a kind that has no mandate by secretariat",
        ),
        (_with("mandates", _MANDATE | {"provider": PROVIDER, "means": "provider"}), ""),
        (_with("mandates", _MANDATE), "says the same again as line"),
    ],
)
def test_what_does_not_go_together_is_refused(journal: Journal, document: Document, words: str) -> None:
    """Every rule of the single acts; with a single fault nothing at all is changed."""
    with journal.write() as connection:
        connection.execute(sa.insert(technical_users).values(username="techuser01", created_at=0))
    if not words:
        imported(journal, document)
        return
    found = faults(journal, document)

    assert any(told.startswith(words) for _, told in found), found
    with journal.read() as connection:
        assert 0 == lines_of(connection)


def test_every_fault_is_told_with_its_line(journal: Journal) -> None:
    """Those of reading and those of examining together, in order; of very many only so many, and their number."""
    document: Document = {"enterprises": [{"number": "1", "name": "x"}, {"number": BAKERY, "name": ""}]}
    document["qualities"] = [{"quality": SECRETARIAT}]
    assert [1, 2, 3] == [line for line, _ in faults(journal, document)]

    with opened(journal, {"enterprises": [{"number": "1", "name": "x"}] * (MOST_FAULTS + 5)}) as importing:
        assert (MOST_FAULTS, MOST_FAULTS + 5) == (len(importing.faults.told), importing.faults.total)


class _FailingAfter(Journal):
    """A journal that can be written some times and then no more."""

    def __init__(self, journal: Journal, times: int) -> None:
        super().__init__(journal._engine)
        self._times = times

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction, while there are any."""
        self._times -= 1
        if self._times < 0:
            raise JournalError("the journal cannot be written")
        with super().write() as connection:
            yield connection


@pytest.mark.parametrize("times", range(8))
def test_an_import_that_ended_early_is_finished_by_the_next(journal: Journal, times: int) -> None:
    """What is there by then is right by itself; the rest follows, and nothing is there twice."""
    with opened(_FailingAfter(journal, times), whole()) as importing, pytest.raises(JournalError):
        importing.carry_out(WHO, "test", "x.json")

    imported(journal, whole())

    assert 0 == sum(count.new + count.changed for count in imported(journal, whole()).values())
    with journal.read() as connection:
        assert sum(map(len, whole().values())) + 1 == lines_of(connection)


def test_what_changed_meanwhile_is_found_out(journal: Journal) -> None:
    """Between examining and writing others go on working; a rule is not broken for that."""
    document = whole()
    with opened(journal, document) as importing:
        other = whole()
        other["roles"][0]["username"] = "benoit0001"
        imported(journal, other)
        with pytest.raises(ChangedMeanwhileError):
            importing.carry_out(WHO, "test", "x.json")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The settings of an empty site."""
    return make_site(tmp_path / "site")


def party(site: Path, *words: str, piped: str | None = None) -> Result:
    """What ``gateway party`` answers."""
    return CliRunner(env={"GATEWAY_CONFIG": str(site)}).invoke(gateway, ["party", *words], input=piped)


def test_a_dry_run_shows_what_would_change(site: Path, tmp_path: Path) -> None:
    """With exit status 1 if something would, and nothing is changed; after the import there is nothing to show."""
    path = tmp_path / "all.json"
    path.write_text(json.dumps(whole()))

    first = party(site, "import", str(path), "--reason", "start", "--dry-run")
    done = party(site, "import", str(path), "--reason", "start")
    again = party(site, "import", str(path), "--reason", "start", "--dry-run", "--json")

    assert (1, 0, 0) == (first.exit_code, done.exit_code, again.exit_code), done.output
    assert f"+ mandates {EMPLOYER} {SECRETARIAT} secretariat 2026-" in first.stdout
    assert {"new": 0, "changed": 0, "same": 3} == json.loads(again.stdout)["enterprises"]
    changed = party(
        site, "import", "-", "--kind", "enterprises", "--reason", "x", "--dry-run", piped=f"number,name\n{OTHER},Z\n"
    )
    assert f"~ enterprises {OTHER}  name: Other -> Z" in changed.stdout


def test_what_is_exported_is_imported_elsewhere(site: Path, tmp_path: Path) -> None:
    """A folder of CSV files into another site, and back again without effect."""
    (tmp_path / "all.json").write_text(json.dumps(whole()))
    assert 0 == party(site, "import", str(tmp_path / "all.json"), "--reason", "start").exit_code
    other = make_site(tmp_path / "other")

    assert 0 == party(site, "export", str(tmp_path / "csv")).exit_code
    moved = party(other, "import", str(tmp_path / "csv"), "--reason", "moved")
    back = party(other, "export", "-", "--format", "json")
    again = party(site, "import", "-", "--format", "json", "--reason", "back", piped=back.stdout)

    assert (0, 0, 0) == (moved.exit_code, back.exit_code, again.exit_code), moved.output + again.output
    assert json.loads(back.stdout) == json.loads(party(site, "export", "-", "--format", "json").stdout)
    one = party(site, "export", "-", "--kind", "mandates")
    assert [
        "employer,provider,means,valid_from,valid_to",
        f"{EMPLOYER},{SECRETARIAT},secretariat,{_FROM},",
    ] == one.stdout.splitlines()


def test_faults_are_told_by_file_and_line(site: Path, tmp_path: Path) -> None:
    """On the error output, or as JSON; and nothing is changed."""
    (tmp_path / "mandates.csv").write_text(
        f"employer,provider,means,valid_from\n{EMPLOYER},{SECRETARIAT},secretariat,2026-01-01\n"
    )

    told = party(site, "import", str(tmp_path / "mandates.csv"), "--reason", "x")
    listed = party(site, "import", str(tmp_path), "--reason", "x", "--json")

    assert (1, 1) == (told.exit_code, listed.exit_code)
    assert f"mandates.csv:2: there is no quality {EMPLOYER}" in told.stderr
    assert {"file": "mandates.csv", "line": 2, "fault": f"there is no quality {EMPLOYER}"} in json.loads(listed.stdout)
    _, journal = open_site(site)
    with journal.read() as connection:
        assert 0 == lines_of(connection)
    journal.close()


def test_the_handbook_is_right(journal: Journal) -> None:
    """Its table has the columns that there are, keys in bold, and its example is imported as it stands."""
    page = (Path(__file__).parents[2] / "docs" / "bulk.md").read_text()
    rows = dict(re.findall(r"^\| ([a-z]+) \| (.+) \|$", page, re.MULTILINE))
    for kind in Kind:
        named = re.findall(r"(\*\*)?([a-z_]+)(?:\*\*)?", re.sub(r" \([^)]*\)", "", rows[kind]))
        assert list(LAYOUTS[kind].names) == [name for _, name in named]
        assert set(LAYOUTS[kind].key) == {name for bold, name in named if bold}

    [example] = re.findall(r"```json\n(.+?)```", page, re.DOTALL)

    assert all(counts.new for counts in imported(journal, json.loads(example)).values())
