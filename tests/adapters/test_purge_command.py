"""`gateway purge` and `gateway legal-hold` on a site: looked at first, with a reason, audited."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from config.settings import read_settings
from gateway.cli import run
from gateway.site import make_site
from signing.own.own_keys import open_keys
from spool import closing, custody, purges, submissions
from spool.journal import now, open_journal
from spool.register_tables import register_changes
from spool.tables import events
from spool.tables import submissions as rows
from tests.purge_made import FI, SENDER, Archive

LONG_AGO = 401 * purges.DAY


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site."""
    folder = tmp_path_factory.mktemp("command") / "site"
    make_site(folder)
    path = folder / "gateway.toml"
    path.write_text(path.read_text("utf-8").replace("without_archive = false", "without_archive = true"), "utf-8")
    return folder


@pytest.fixture
async def site(made: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """The site with two more submissions that were done long ago."""
    settings = read_settings(made / "gateway.toml")
    opened = Archive(open_journal(settings.journal.place), settings, open_keys(settings.signing))
    with opened.journal.read() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(rows)).scalar_one()
    with monkeypatch.context() as patch:
        for module in (custody, submissions, closing):
            patch.setattr(module, "now", lambda: now() - LONG_AGO)
        opened.settle(count + 1)
        opened.settle(count + 2, "DMFA")
    return await opened.seal()


@pytest.fixture
def gateway(made: Path) -> Callable[..., int]:
    """The command line on that site."""
    return lambda *words: run([*words, "--config", str(made / "gateway.toml")])


def test_a_dry_run_then_the_purge(
    site: Archive, gateway: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """What was said goes; who asked and why stands in the chain and in the history."""
    assert 0 == gateway("purge", "--dry-run", "--json")
    day = site.folder(site.tickets[0]).parent.name
    facts = {"kind": "payload", "day": day, "tickets": 1, "items": 3, "bytes": len(FI) + 4}
    assert [facts | {"type": "DIMN"}, facts | {"type": "DMFA"}] == json.loads(capsys.readouterr().out)
    assert all(site.folder(ticket).exists() for ticket in site.tickets)

    assert 2 == gateway("purge")
    assert "--dry-run" in capsys.readouterr().err
    assert 0 == gateway("purge", "--reason", "the quarter is over", "--json")
    assert {"kind": "payload", "tickets": 2, "bytes": 2 * len(FI) + 8} in json.loads(capsys.readouterr().out)
    assert not any(site.folder(ticket).exists() for ticket in site.tickets)
    with site.journal.read() as connection:
        [asked] = connection.execute(sa.select(events.c.facts).where(events.c.name == "purge.asked")).scalars()
        [kept] = connection.execute(
            sa.select(register_changes.c.reason).where(register_changes.c.act == "purge.asked")
        ).scalars()
    assert "the quarter is over" == asked["reason"] == kept

    assert 0 == gateway("purge", "--dry-run")
    assert "Nothing would go." in capsys.readouterr().out


def test_nothing_goes_without_an_archive_unless_somebody_says_so(
    site: Archive, made: Path, gateway: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """In the settings, or for this once; which of it stands in the chain, and a dry run asks for neither."""
    path = made / "gateway.toml"
    before = path.read_text("utf-8")
    path.write_text(before.replace("without_archive = true", "without_archive = false"), "utf-8")
    try:
        assert 0 == gateway("purge", "--dry-run")
        assert 2 == gateway("purge", "--reason", "a test")
        assert "--without-archive" in capsys.readouterr().err
        assert all(site.folder(ticket).exists() for ticket in site.tickets)
        assert 0 == gateway("purge", "--without-archive", "--reason", "a test")
    finally:
        path.write_text(before, "utf-8")
    assert not any(site.folder(ticket).exists() for ticket in site.tickets)
    with site.journal.read() as connection:
        asked = connection.execute(sa.select(events.c.facts).where(events.c.name == "purge.asked")).scalars().all()
    assert [False] == [facts["archived"] for facts in asked[-1:]]


def test_an_archive_that_is_named_is_not_left_out_in_silence(
    site: Archive, made: Path, gateway: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Who wants none has to say so in the settings; looking without it is refused too."""
    path = made / "gateway.toml"
    before = path.read_text("utf-8")
    path.write_text(before.replace("without_archive = true", f'archive = "{made}/proofs"'), "utf-8")
    try:
        for words in (["--reason", "a test"], ["--dry-run"]):
            assert 2 == gateway("purge", "--without-archive", *words)
            assert "[retention] names an archive" in capsys.readouterr().err
    finally:
        path.write_text(before, "utf-8")
    assert all(site.folder(ticket).exists() for ticket in site.tickets)


def test_what_is_odd_is_named_and_the_status_says_so(
    site: Archive, gateway: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """By ticket and reason, on stderr."""
    ticket, other = site.tickets
    for path in site.folder(ticket).iterdir():
        path.unlink()
    assert 1 == gateway("purge", "--reason", "a test")
    assert f"odd: {ticket}, payload: its folder has not the files that came" in capsys.readouterr().err
    assert not site.folder(other).exists()


def test_a_legal_hold_keeps_and_is_lifted(
    site: Archive, gateway: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """With a reason each; twice is one hold; unknown things are refused."""
    ticket, other = site.tickets
    for _ in range(2):
        assert 0 == gateway("legal-hold", "place", ticket, "--reason", "the court asks")
    assert 1 == gateway("legal-hold", "place", "NOSUCHTICKET0", "--reason", "x")
    assert 1 == gateway("legal-hold", "place", "--sender", SENDER, "--reason", "x")
    assert 2 == gateway("legal-hold", "place", "--reason", "x")
    assert 2 == gateway("legal-hold", "place", ticket, "--until", "2020-01-01", "--reason", "x")
    capsys.readouterr()
    assert 0 == gateway("legal-hold", "list", "--json")
    [held] = json.loads(capsys.readouterr().out)
    assert (ticket, "the court asks") == (held["ticket"], held["reason"])

    gateway("purge", "--reason", "a test")
    assert [True, False] == [site.folder(each).exists() for each in (ticket, other)]
    assert 0 == gateway("legal-hold", "lift", str(held["hold"]), "--reason", "the case is closed")
    assert 1 == gateway("legal-hold", "lift", str(held["hold"]), "--reason", "again")
    with site.journal.read() as connection:
        told = [event.name for event in submissions.timeline(connection, ticket)]
    assert ["legal_hold.placed", "legal_hold.lifted"] == told[-2:]


def test_a_legal_hold_can_last_so_long(
    site: Archive, gateway: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """`--until 2h` is two hours from now; a length that leads nowhere is refused."""
    ticket, _ = site.tickets
    assert 0 == gateway("legal-hold", "place", ticket, "--until", "2h", "--reason", "x")
    assert 2 == gateway("legal-hold", "place", ticket, "--until", "999999w", "--reason", "x")
    capsys.readouterr()
    gateway("legal-hold", "list", "--json")
    [held] = json.loads(capsys.readouterr().out)

    lasts = datetime.fromisoformat(held["until"]) - datetime.fromisoformat(held["since"])
    assert timedelta(hours=2) == timedelta(minutes=round(lasts / timedelta(minutes=1)))
