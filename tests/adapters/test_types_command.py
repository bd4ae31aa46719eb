"""``gateway schemas``: types of message come into the site's folder, change there and go."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from config.errors import ConfigurationError
from config.settings import read_settings
from gateway.cli import installing, run
from gateway.site import check_site, make_site, open_types
from schemas import catalogue
from schemas.message_type import MessageType
from spool.journal import open_journal
from spool.tables import events
from tests.made_up import PURPOSE, ROOT, SAID, document, publish, schema


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new site, which every command is about."""
    monkeypatch.setenv("GATEWAY_CONFIG", str(tmp_path / "site/gateway.toml"))
    make_site(tmp_path / "site")
    return tmp_path / "site"


@pytest.fixture
def typed(site: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """A command, its exit status and what it prints."""

    def command(*words: str | Path) -> tuple[int, str]:
        status = run(["schemas", *map(str, words)])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    assert (site / "types").is_dir()
    return command


Typed = Callable[..., tuple[int, str]]


def rows(answer: tuple[int, str]) -> list[tuple[str, str | None, str]]:
    """The changes in an answer in JSON."""
    told: list[dict[str, Any]] = json.loads(answer[1].partition("]\n")[0] + "]")
    return [(row["what"], row["element"], row["change"]) for row in told]


def leave(site: Path) -> MessageType | None:
    """The made-up type, if it is there."""
    return catalogue.load(site / "types").find(PURPOSE)


def tree(folder: Path) -> dict[str, bytes]:
    """Every file in a folder."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def noted(site: Path) -> list[tuple[str, dict[str, Any]]]:
    """What the journal says of types."""
    journal = open_journal(read_settings(site / "gateway.toml").journal.path)
    with journal.read() as connection:
        found = connection.execute(sa.select(events.c.name, events.c.facts).order_by(events.c.number)).all()
    journal.close()
    return [(name, facts) for name, facts in found if name.startswith("type.")]


def test_a_type_is_added_changed_and_removed(site: Path, typed: Typed, tmp_path: Path) -> None:
    """Each step says what it changes, and the journal keeps who came and went with the digests of its schemas."""
    first = typed("add", publish(tmp_path / "a", "20244"), *SAID, "--json")
    more = schema(('value="30"', 'value="31"'))
    second = typed("add", publish(tmp_path / "b", Leave_20244=more, Leave_20251=more), "--starts", "quarter", "--json")
    kind = leave(site)
    checked = typed("check", site / "types")
    removed = typed("remove", PURPOSE, ROOT)

    assert (0, 0, 0) == (first[0], second[0], removed[0])
    assert [what for what, _, _ in rows(first)] == ["LEAV", "LEAV Leave", "Leave_20244"]
    assert rows(second) == [
        ("Leave_20244", None, "replaced by another schema"),
        ("Leave_20244", "Form/Days", "maxInclusive 31; was 30"),
        ("Leave_20251", None, "new version, from 2025-01-01 on"),
    ]
    assert kind is not None
    assert list(kind.versions) == ["20244", "20251"]
    assert checked == (0, "1 types, 2 schemas: no fault found\n")
    assert leave(site) is None
    assert list((site / "types").iterdir()) == []
    assert [(name, facts["purpose"], facts["root"]) for name, facts in noted(site)] == [
        ("type.added", PURPOSE, ROOT),
        ("type.added", PURPOSE, ROOT),
        ("type.removed", PURPOSE, ROOT),
    ]
    assert set(noted(site)[1][1]["sha256"]) == {"Leave_20244.xsd", "Leave_20251.xsd"}


def test_an_older_version_stays_when_a_newer_one_comes(site: Path, typed: Typed, tmp_path: Path) -> None:
    """With its schema, its first day and what it includes."""
    opening = '<xs:element name="Leave">'
    including = schema((opening, f'<xs:include schemaLocation="common.xsd"/>{opening}'))
    common = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"/>'
    typed("add", publish(tmp_path / "a", Leave_20244=including, common=common), *SAID)
    typed("add", publish(tmp_path / "b", "20251"), "--starts", "2025-02-03")
    kind = leave(site)

    assert kind is not None
    assert {version: str(day) for version, day in kind.starts.items()} == {"20244": "2024-10-01", "20251": "2025-02-03"}
    assert sorted(tree(site / "types")) == [
        f"leave/{name}" for name in ("Leave_20244.xsd", "Leave_20251.xsd", "common.xsd", "type.toml")
    ]


def test_a_version_of_a_type_that_ships_needs_its_first_day_only(site: Path, typed: Typed, tmp_path: Path) -> None:
    """The type stays what it is; without the site's own folder it is again what ships."""
    shipped = catalogue.load().find("DIMN")
    assert shipped is not None
    newer = tmp_path / "new"
    newer.mkdir()
    shutil.copy(shipped.versions["20231"], newer / "Dimona_20271.xsd")
    added = typed("add", newer, "--starts", "2027-01-01", "--json")
    kind = catalogue.load(site / "types").find("DIMN")
    typed("remove", "DIMN", "Dimona")

    assert rows(added) == [("Dimona_20271", None, "new version, from 2027-01-01 on")]
    assert kind is not None
    assert list(kind.versions) == ["20113", "20231", "20271"]
    assert kind.identifiers == shipped.identifiers
    assert catalogue.load(site / "types").find("DIMN") == shipped


def test_a_dry_run_and_a_comparison_change_nothing(site: Path, typed: Typed, tmp_path: Path) -> None:
    """They say what adding says; a comparison tells by its exit status whether anything would change."""
    folder = publish(tmp_path / "a", "20244")
    before = tree(site / "types")
    dry, compared = typed("add", folder, *SAID, "--dry-run", "--json"), typed("diff", folder, *SAID, "--json")
    after = tree(site / "types")
    added = typed("add", folder, *SAID, "--json")
    again, same = typed("add", folder), typed("diff", folder)

    assert (0, 1, 0, 0, 0) == (dry[0], compared[0], added[0], again[0], same[0])
    assert rows(dry) == rows(compared) == rows(added)
    assert before == after == {}
    assert again[1] == same[1] == "Nothing changes.\n"
    assert len(noted(site)) == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (('type="Form" max', 'type="Nope" max'), "Nope"),
        (('name="Leave"', 'name="Absence"'), "it declares no root Leave"),
        (
            (
                '<xs:element name="Leave">',
                '<xs:include schemaLocation="http://127.0.0.1:9/x.xsd"/><xs:element name="Leave">',
            ),
            "it reaches outside its folder",
        ),
    ],
)
def test_a_bad_schema_is_refused_and_leaves_nothing(
    site: Path, typed: Typed, tmp_path: Path, change: tuple[str, str], told: str
) -> None:
    """Neither in the folder of a new type nor in that of one that is there."""
    bad = schema(change)
    refused = typed("add", publish(tmp_path / "a", Leave_20244=bad), *SAID, "--form-code", "LEAVE")
    typed("add", publish(tmp_path / "b", "20244"), *SAID)
    before = tree(site / "types")
    again = typed("add", publish(tmp_path / "c", Leave_20251=bad), "--starts", "quarter")

    assert (1, 1) == (refused[0], again[0])
    assert told in refused[1]
    assert told in again[1]
    assert before == tree(site / "types")
    assert [entry.name for entry in (site / "types").iterdir()] == ["leave"]


def test_samples_are_judged_before_their_type_comes(typed: Typed, tmp_path: Path) -> None:
    """One that isn't what its name says keeps it out."""
    typed("add", publish(tmp_path / "a", "20244"), *SAID)
    folder = tmp_path / "with"
    shutil.copytree(tmp_path / "site/types/leave", folder)
    (folder / "samples").mkdir()
    (folder / "samples/valid_thirty.xml").write_bytes(document("20244", 30))
    (folder / "samples/invalid_forty.xml").write_bytes(document("20244", 40))
    good = typed("check", folder)
    (folder / "samples/valid_forty.xml").write_bytes(document("20244", 40))
    (folder / "samples/invalid_one.xml").write_bytes(document("20244", 1))
    bad, refused = typed("check", folder), typed("add", folder)

    assert (0, 2, 1) == (good[0], bad[0], refused[0])
    for answer in (bad, refused):
        assert "samples/invalid_one.xml: not invalid: it is accepted" in answer[1]
        assert "samples/valid_forty.xml: not valid" in answer[1]
        assert "thirty" not in answer[1]


def test_a_folder_of_schemas_alone_is_linted(typed: Typed, tmp_path: Path) -> None:
    """Every fault of every schema, exit status 2."""
    good = typed("check", publish(tmp_path / "a", "20244", "20251"))
    bad = typed("check", publish(tmp_path / "b", Leave_20244=schema(('type="Days"', 'type="X"')), Leave_20251="<"))
    empty = tmp_path / "empty"
    empty.mkdir()

    assert good == (0, "2 schemas: no fault found\n")
    assert 2 == bad[0]
    assert "Leave_20244.xsd" in bad[1]
    assert "Leave_20251.xsd" in bad[1]
    assert 2 == typed("check", empty)[0]


def test_without_a_folder_every_type_is_checked(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that ship and the site's own; those without a schema have nothing to check."""
    typed("add", publish(tmp_path / "a", "20244"), *SAID)
    asked: list[tuple[str, str]] = []

    def one_is_bad(kind: MessageType, folder: Path, _day: date) -> list[str]:
        asked.append((kind.root, folder.name))
        return ["it is bad"] if kind.root == ROOT else []

    monkeypatch.setattr(installing, "faults_of_type", one_is_bad)
    assert typed("check") == (2, "gateway: it is bad\n")
    assert (ROOT, "leave") in asked
    assert ("Dimona", "dimona") in asked
    assert "" not in {root for root, _ in asked}


def test_what_cannot_be_understood_is_wrong_usage(typed: Typed, tmp_path: Path) -> None:
    """Exit status 2, and nothing is added."""
    folder = publish(tmp_path / "a", "20244")
    for option, value in (
        ("--starts", "soon"),
        ("--starts", "20244=quarter"),
        ("--title", "Leave"),
        ("--title", "it=Congedo"),
        ("--identifier", "INSS"),
        ("--identifier", "INSS=niss"),
        ("--direction", "up"),
    ):
        assert 2 == typed("add", folder, *SAID, option, value)[0], (option, value)
    refused = typed("add", folder, *SAID, "--purpose", "leave")
    assert refused == (1, "Error: type.toml: purpose: String should match pattern '^[A-Z]{4}$'\n")
    assert typed("add", folder, *SAID, "--starts", "20244=2024-12-01", "--identifier", "INSS=none")[0] == 0


def test_types_are_listed_in_four_languages(typed: Typed, tmp_path: Path) -> None:
    """Those that ship, those without a schema yet, and the site's own."""
    typed("add", publish(tmp_path / "a", "20244"), *SAID)
    listed = {row["root"] or row["purpose"]: row for row in json.loads(typed("list", "--json", "--language", "nl")[1])}
    assert listed["Leave"] == {
        "purpose": "LEAV",
        "root": "Leave",
        "versions": ["20244"],
        "starts": ["2024-10-01"],
        "direction": "in",
        "forms": ["LEAVE"],
        "from": "site",
        "title": "Verlof",
    }
    assert (listed["Dimona"]["from"], listed["DUCN"]["from"]) == ("shipped", "no schema yet")
    assert "Immediate declaration of employment" in typed("list")[1]


def test_only_what_the_site_added_is_removed(typed: Typed) -> None:
    """A type that ships stays."""
    status, told = typed("remove", "DIMN", "Dimona")
    assert (1, True) == (status, "the site has no type of its own" in told)


def test_a_folder_that_is_something_else_is_left_alone(site: Path, typed: Typed, tmp_path: Path) -> None:
    """Whatever lies there isn't replaced."""
    (site / "types/leave").mkdir()
    (site / "types/leave/notes.txt").write_text("mine")
    status, told = typed("add", publish(tmp_path / "a", "20244"), *SAID)
    assert (1, True) == (status, "there is something else of that name" in told)
    assert tree(site / "types") == {"leave/notes.txt": b"mine"}


@contextmanager
def watched(folder: Path, seen: list[set[str]], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Notes the versions of the made-up type around everything that changes names or makes bytes durable."""

    def look() -> None:
        kinds = {kind.purpose: kind for kind in catalogue.own(folder)}
        seen.append(set(kinds[PURPOSE].versions) if PURPOSE in kinds else set())

    def between(act: Callable[..., Any]) -> Callable[..., Any]:
        def watching(*arguments: Any, **named: Any) -> Any:
            look()
            result = act(*arguments, **named)
            look()
            return result

        return watching

    with monkeypatch.context() as patch:
        patch.setattr(installing, "_exchange", between(installing._exchange))
        for name in ("fsync", "rename", "unlink", "rmdir"):
            patch.setattr(os, name, between(getattr(os, name)))
        yield


def test_nobody_ever_sees_half_of_a_change(
    site: Path, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each moment the type is as it was or as it will be."""
    typed("add", publish(tmp_path / "a", "20244"), *SAID)
    seen: list[set[str]] = []
    with watched(site / "types", seen, monkeypatch):
        typed("add", publish(tmp_path / "b", "20251", "20252"), "--starts", "quarter")
    before, after = {"20244"}, {"20244", "20251", "20252"}
    assert [versions for versions in seen if versions not in (before, after)] == []
    assert before in seen
    assert seen[-1] == after


def test_a_gateway_does_not_start_with_a_bad_type(site: Path, tmp_path: Path) -> None:
    """Every fault of every type is a fault of the configuration, also for who asks before."""
    settings = check_site(site / "gateway.toml")
    open_types(settings)
    folder = publish(settings.schemas.folder / "broken", Leave_20244=schema(('type="Days"', 'type="X"')))
    (folder / "type.toml").write_text(
        'purpose = "LEAV"\nroot = "Leave"\nform_codes = ["LEAVE"]\ndirection = "in"\nsignature = "required"\n'
        '[title]\nfr = "a"\nnl = "b"\nde = "c"\nen = "d"\n[versions]\n20244 = { starts = 2024-10-01 }\n'
    )
    for ask in (lambda: open_types(settings), lambda: check_site(site / "gateway.toml")):
        with pytest.raises(ConfigurationError, match=r"Leave_20244\.xsd"):
            ask()


def test_the_folder_of_a_site_that_has_none_is_made(site: Path) -> None:
    """Sites of before have no such folder; a place where none can be made is a fault."""
    settings = read_settings(site / "gateway.toml")
    settings.schemas.folder.rmdir()
    check_site(site / "gateway.toml")
    open_types(settings)
    assert settings.schemas.folder.is_dir()
    settings.schemas.folder.rmdir()
    settings.schemas.folder.write_text("")
    with pytest.raises(ConfigurationError, match=r"schemas\.folder"):
        open_types(settings)
