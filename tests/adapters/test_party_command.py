"""``gateway party``: what an access manager and an operator type, what they read, and what they don't get to see."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result

from gateway.cli import gateway
from gateway.register import inss
from gateway.site import make_site
from spool.journal import open_journal
from spool.register_tables import persons
from tests.eid import national_number
from tests.enterprises_made import ENTERPRISES, ONSS_NUMBERS

_INSS: Final = national_number("791103", "995")
_WHY: Final = ("--reason", "form of today")
_NEW: Final = ("--last-name", "Verzonnen", "--first-name", "Annemie")
_CHOSEN: Final = "Kaas-en-brood-24-smaakt"

Typed = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A new site."""
    make_site(tmp_path / "site")
    return tmp_path / "site"


@pytest.fixture
def typed(folder: Path) -> Typed:
    """A command of ``gateway party``, and what is typed at its prompts."""

    def command(*words: str, typing: str | None = None) -> Result:
        runner = CliRunner(env={"GATEWAY_CONFIG": str(folder / "gateway.toml")})
        return runner.invoke(gateway, ["party", *words], input=typing)

    return command


@pytest.fixture
def done(typed: Typed) -> Callable[..., str]:
    """The same, for what has to succeed."""

    def command(*words: str, typing: str | None = None) -> str:
        result = typed(*words, typing=typing)
        assert 0 == result.exit_code, result.output
        return result.stdout

    return command


@pytest.fixture
def bakery(done: Callable[..., str]) -> Callable[..., str]:
    """An enterprise with an RAE and an active quality, 1, with a GL."""
    done("enterprise", "add", ENTERPRISES[0], "Bakkerij Verzonnen", *_WHY)
    done("rae", ENTERPRISES[0], "theonerae1", *_NEW, *_WHY)
    done("quality", "announce", ENTERPRISES[0], "employer", ONSS_NUMBERS[0], *_WHY)
    done("quality", "activate", ENTERPRISES[0], "employer", ONSS_NUMBERS[0], *_WHY, "--as", "theonerae1")
    done("gl", "1", "theonegl1", *_NEW, *_WHY, "--as", "theonerae1")
    return done


def test_people_are_entered_and_seen(bakery: Callable[..., str]) -> None:
    """Each by the person above; the details are listed for people and for programs."""
    as_gl = ("--as", "theonegl1")
    bakery("co-gl", "add", "1", "thecogl01", *_NEW, *_WHY, *as_gl)
    bakery("co-rae", "add", ENTERPRISES[0], "thecorae1", *_NEW, *_WHY, "--as", "theonerae1")
    bakery("user", "add", "1", "theuser01", *_NEW, *_WHY, *as_gl, "--application", "DIMN", "--email", "a@example.org")
    bakery("user", "applications", "1", "theuser01", "DIMN", "DMFA", *_WHY, *as_gl)
    bakery("technical", "name", "1", "payroll01", *_WHY, *as_gl)
    shown = json.loads(bakery("enterprise", "show", ENTERPRISES[0], "--json", "--as", "theonerae1"))
    table = bakery("enterprise", "show", ENTERPRISES[0])
    own = json.loads(bakery("person", "show", "theuser01", "--json", "--as", "theuser01"))
    found = json.loads(bakery("search", "--quality", "1", "--application", "DMFA", "--json", *as_gl))

    roles = {item["user"]: (item["role"], item["given_by"], item["applications"]) for item in shown["roles"]}
    assert ("user", "theonegl1", ["DIMN", "DMFA"]) == roles["theuser01"]
    assert {"theonerae1", "thecorae1", "theonegl1", "thecogl01", "theuser01"} == set(roles)
    assert [("payroll01", None, "active")] == [(i["user"], i["sender"], i["state"]) for i in shown["technical_users"]]
    assert "payroll01" in table
    assert ["user of quality 1 (DIMN, DMFA)"] == own[0]["roles"]
    assert ["thecogl01", "theonegl1", "theuser01"] == [item["user"] for item in found]


def test_a_refusal_says_why_and_leaves_nothing(bakery: Callable[..., str], typed: Typed) -> None:
    """Exit status 1 and one sentence; a stranger is told the same as of what isn't there."""
    before = bakery("history", ENTERPRISES[0], "--json")
    refused = {
        "only the RAE manages Co-RAEs": ("co-rae", "add", ENTERPRISES[0], "nextone01", *_NEW, "--as", "theonegl1"),
        "there is no quality 99": ("user", "delete", "99", "theonegl1", "--as", "theonegl1"),
        "there is no person nobody01 in enterprise": ("co-gl", "add", "1", "nobody01", "--as", "theonegl1"),
        "a new RAE is named through the contact centre": ("rae", ENTERPRISES[0], "theonegl1", "--as", "theonerae1"),
        f"there is no enterprise {ENTERPRISES[1]}": ("rae", ENTERPRISES[1], "nextone01", *_NEW),
        "is RAE or GL": ("person", "delete", "theonegl1"),
        "there is no technical user": ("technical", "block", "payroll01"),
        "the quality has no GL": ("user", "add", "2", "nextone01", *_NEW),
    }
    bakery("quality", "activate", ENTERPRISES[0], "mandatary", *_WHY)
    for words, command in refused.items():
        result = typed(*command, *_WHY)
        assert 1 == result.exit_code, command
        assert words in result.stderr
    assert json.loads(before) == json.loads(bakery("history", ENTERPRISES[0], "--json"))[1:]


def test_every_change_needs_a_reason(typed: Typed) -> None:
    """It is wrong usage without one."""
    assert 2 == typed("enterprise", "add", ENTERPRISES[0], "Bakkerij Verzonnen").exit_code
    assert 2 == typed("enterprise", "add", "0123456748", "Bakkerij Verzonnen", *_WHY).exit_code


def test_a_password_is_shown_once_and_changed_by_its_person(
    bakery: Callable[..., str], typed: Typed, folder: Path
) -> None:
    """Not even its hash is in the history; the old one has to be known."""
    word = bakery("password", "give", "theonegl1", *_WHY, "--as", "theonerae1").strip()
    wrong = typed("password", "change", "--as", "theonegl1", typing=f"not-it\n{_CHOSEN}\n{_CHOSEN}\n")
    short = typed("password", "change", "--as", "theonegl1", typing=f"{word}\nshort-1\nshort-1\n")
    bakery("password", "change", "--as", "theonegl1", typing=f"{word}\n{_CHOSEN}\n{_CHOSEN}\n")
    history = bakery("history", ENTERPRISES[0], "--json")

    assert "user name or password is wrong" in wrong.stderr
    assert "15 characters" in short.stderr
    assert "person.password_changed" in history
    assert "argon2" not in history
    assert word not in history


def test_an_inss_is_asked_for_and_kept_as_a_mark(bakery: Callable[..., str], typed: Typed, folder: Path) -> None:
    """It finds its person, for who may see the person; what is no INSS is said to be none, without it."""
    bakery("user", "add", "1", "theuser01", *_NEW, "--ask-inss", *_WHY, typing=f"{_INSS}\n")
    found = json.loads(bakery("search", "--ask-inss", "--json", typing=f"{_INSS}\n"))
    wrong = typed("search", "--ask-inss", typing=f"{_INSS[:-1]}\n")
    journal = open_journal(folder / "var/journal.sqlite3")
    with journal.read() as connection:
        marks = {row.username: row.inss_mark for row in connection.execute(persons.select())}
    journal.close()

    assert ["theuser01"] == [item["user"] for item in found]
    assert inss.mark(inss.read_key(folder / "keys/inss.key"), _INSS) == marks["theuser01"]
    assert 2 == wrong.exit_code
    assert _INSS[:-1] not in wrong.output


def test_accounts_are_blocked_reported_lost_and_deleted(bakery: Callable[..., str], typed: Typed) -> None:
    """What was said in between stands in the history; who is blocked is told so."""
    bakery("user", "add", "1", "theuser01", *_NEW, *_WHY, "--as", "theonegl1")
    for verb in ("block", "unblock"):
        bakery("person", verb, "theuser01", *_WHY, "--as", "theonegl1")
    bakery("person", "edit", "theuser01", "--language", "nl", *_WHY, "--as", "theuser01")
    bakery("person", "lost", "theuser01", "--reason", "left in a train", "--as", "theuser01")
    blocked = typed("person", "show", "theuser01", "--as", "theuser01")
    bakery("person", "delete", "theuser01", *_WHY, "--as", "theonegl1")
    history: list[dict[str, Any]] = json.loads(bakery("history", ENTERPRISES[0], "--json", "--as", "theonerae1"))
    acts = [item["act"] for item in history if item["subject"] == "person:theuser01"]

    assert "the account theuser01 is blocked" in blocked.stderr
    assert ["person.deleted", "role.ended", "person.lost", "person.changed", "person.unblocked"] == acts[:5]
    assert "left in a train" in {item["reason"] for item in history}
    assert ["theuser01"] == [i["user"] for i in json.loads(bakery("search", "--state", "deleted", "--json"))]


def test_a_technical_user_comes_and_goes(bakery: Callable[..., str], typed: Typed) -> None:
    """One at a time; a deleted name is given to nobody again, and no person has one's name."""
    as_gl = (*_WHY, "--as", "theonegl1")
    bakery("technical", "name", "1", "payroll01", *as_gl)
    assert "delete it first" in typed("technical", "name", "1", "payroll02", *as_gl).stderr
    word = bakery("technical", "password", "payroll01", *as_gl).strip()
    for verb in ("block", "unblock", "lost"):
        bakery("technical", verb, "payroll01", *as_gl)
    assert "unblock it first" in typed("technical", "password", "payroll01", *as_gl).stderr
    bakery("technical", "delete", "payroll01", *as_gl)
    for name in ("payroll01", "theonerae1"):
        assert "is taken" in typed("technical", "name", "1", name, *as_gl).stderr
    bakery("technical", "name", "1", "payroll02", *as_gl)

    assert len(word) >= 15


def test_a_closed_quality_has_nobody(bakery: Callable[..., str], typed: Typed) -> None:
    """Its people are people of it no longer, nor is its technical user; only an operator closes and opens one."""
    bakery("technical", "name", "1", "payroll01", *_WHY)
    assert 1 == typed("quality", "close", "1", *_WHY, "--as", "theonerae1").exit_code
    bakery("quality", "close", "1", *_WHY)
    again = ("quality", "activate", ENTERPRISES[0], "employer", ONSS_NUMBERS[0], *_WHY)
    refused = typed(*again, "--as", "theonerae1")
    shown = json.loads(bakery("enterprise", "show", ENTERPRISES[0], "--json"))
    bakery(*again)

    assert "ask an operator" in refused.stderr
    assert ["closed"] == [item["state"] for item in shown["qualities"]]
    assert ["theonerae1"] == [item["user"] for item in shown["roles"]]
    assert [] == shown["technical_users"]


def test_nobody_takes_the_number_of_another(bakery: Callable[..., str], typed: Typed) -> None:
    """An enterprise activates what was announced to it, and a number is one quality's."""
    bakery("enterprise", "add", ENTERPRISES[1], "Kapper Denkbeeld", *_WHY)
    bakery("rae", ENTERPRISES[1], "theonerae2", *_NEW, *_WHY)
    claimed = typed("quality", "activate", ENTERPRISES[1], "employer", ONSS_NUMBERS[1], *_WHY, "--as", "theonerae2")
    carried = typed("quality", "announce", ENTERPRISES[1], "employer", f"000{ONSS_NUMBERS[0]}", *_WHY)
    for registration in ("", "100007"):
        assert "no number of a quality" in typed("quality", "announce", *_bad(registration), *_WHY).stderr
    listed = json.loads(bakery("enterprise", "list", "--json"))

    assert "ask an operator" in claimed.stderr
    assert "another enterprise carries" in carried.stderr
    assert [*ENTERPRISES] == [item["number"] for item in listed]


def _bad(registration: str) -> tuple[str, ...]:
    return (ENTERPRISES[1], "employer", registration)
