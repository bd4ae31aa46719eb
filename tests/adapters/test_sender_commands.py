"""The commands of senders, mandates and routing on a real site, without a gateway that runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from gateway import cli
from gateway.register import enterprises
from gateway.register.enterprises import Kind
from gateway.register.history import changes
from gateway.site import make_site
from spool.journal import open_journal
from tests.enterprises_made import HELPDESK, Staff, granted, staffed

WHY: Final = ("--reason", "made for a test")
PROVIDER: Final = "0987654394"

Command = Callable[..., str]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The journal of a site with one employer and, as quality 2, a provider."""
    monkeypatch.setenv("GATEWAY_CONFIG", str(make_site(tmp_path / "site")))
    monkeypatch.chdir(tmp_path / "site")
    return tmp_path / "site"


@pytest.fixture
def staff(site: Path) -> Staff:
    """The people of the employer."""
    journal = open_journal(next(site.rglob("*.sqlite3")))
    with journal.write() as connection:
        made = staffed(connection)
        granted(enterprises.register_enterprise(connection, HELPDESK, PROVIDER, "Kantoor Verzonnen", reason="test"))
        act = enterprises.activate_quality
        granted(act(connection, HELPDESK, PROVIDER, Kind.PROVIDER_LEGAL, reason="test"))
    journal.close()
    return made


@pytest.fixture
def command(staff: Staff, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``gateway``; what it prints, or why it was refused."""

    def run(*words: str, status: int = 0) -> str:
        capsys.readouterr()
        done = cli.run(list(words))
        said = capsys.readouterr()
        assert status == done, said.err
        return said.err if status else said.out

    return run


def listed(command: Command, *words: str) -> list[dict[str, Any]]:
    """What a command lists."""
    rows: list[dict[str, Any]] = json.loads(command(*words, "--json"))
    return rows


def test_a_sender_registered_by_hand_may_be_given_a_quality(command: Command, site: Path) -> None:
    """One that is active and has no other number; every change of its rights stands in the history."""
    command("sender", "add", "123456", "--user", "payroll01", "--any-employer", "--channel", "mq", *WHY)
    command("sender", "add", "123456", "--user", "payroll01", "--quality", "1", "--own-employers", *WHY)
    taken = command("sender", "add", "222222", "--user", "payroll02", "--quality", "1", status=1)
    nobodys = command("sender", "add", "222222", "--user", "payroll02", "--quality", "999", status=1)
    [row] = listed(command, "sender", "list")
    journal = open_journal(next(site.rglob("*.sqlite3")))
    with journal.read() as connection:
        told = [
            (change.act, change.before, change.reason) for change in changes(connection, subjects=["sender:123456"])
        ]
    journal.close()

    assert ("quality 1 is sender 123456" in taken, "there is no active quality 999" in nobodys) == (True, True)
    assert (1, False) == (row["quality"], row["any_employer"])
    assert [
        ("sender.registered", {"any_employer": True, "quality": None}, WHY[1]),
        ("sender.registered", None, WHY[1]),
    ] == told
    assert {("mq", "R"), ("mq", "T"), ("mq", "S")} == {
        (each["channel"], each["environment"]) for each in listed(command, "sender", "channel", "list", "123456")
    }


def test_mandates_and_choices_are_given_listed_and_ended(command: Command, staff: Staff) -> None:
    """In the name of the GL, to the words of each command."""
    by_gl = ("--as", staff.gl)
    command("mandate", "notify", "1", "2", "--to", "2090-01-01", *by_gl, *WHY)
    command("routing", "choose", "1", "--recipient", "2", "--channel", "ebox", *by_gl, *WHY)
    before = listed(command, "routing", "explain", "1", "NOTI", "R", *by_gl)
    command("mandate", "end", "1", *by_gl, *WHY)
    after = listed(command, "routing", "explain", "1", "NOTI", "R", *by_gl)
    command("routing", "end", "1", *by_gl, *WHY)
    [mandate] = listed(command, "mandate", "list", "1", *by_gl)
    [choice] = listed(command, "routing", "list", "1", *by_gl)

    assert [2, 1] == [goes[0]["recipient"] for goes in (before, after)]
    assert [] == listed(command, "mandate", "list", "1", "--current", *by_gl)
    assert mandate["to"] < "2090"
    assert choice["to"] is not None


def test_what_is_anothers_is_answered_for_as_if_it_were_not_there(command: Command, staff: Staff) -> None:
    """In the same words, whatever is asked for."""
    command("sender", "channel", "open", "2", "sftp", "R", *WHY)
    command("mandate", "notify", "1", "2", *WHY)
    by_gl = ("--as", staff.gl)
    asked = [
        ("mandate", "list", "{}", *by_gl),
        ("mandate", "notify", "{}", "2", *by_gl, *WHY),
        ("routing", "list", "{}", *by_gl),
        ("routing", "choose", "{}", "--channel", "ebox", *by_gl, *WHY),
        ("sender", "channel", "open", "{}", "mq", "R", *by_gl, *WHY),
        ("sender", "channel", "close", "{}", "sftp", "R", *by_gl, *WHY),
    ]
    theirs = [command(*(word.format(2) for word in words), status=1) for words in asked]
    nobodys = [command(*(word.format(999) for word in words), status=1) for words in asked]
    senders = [command("sender", "channel", "list", number, *by_gl, status=1) for number in ("000001", "777777")]

    assert nobodys == [words.replace(" 2\n", " 999\n") for words in theirs]
    assert senders[1] == senders[0].replace("000001", "777777")
