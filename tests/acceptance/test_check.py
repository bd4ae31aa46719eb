"""``gateway check`` says of files what a gateway would say, without one."""

import contextlib
import json
import os
import pty
import re
import resource
import shutil
import subprocess
import sys
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, NoReturn

import pytest

from gateway.check import Rules, bounded_memory, check
from gateway.cli import run
from gateway.cli.check import check as check_command
from gateway.examination import Content, ContentRules, RefusedSet, validate_set
from gateway.lot import gather
from gateway.report import Notice, Remark
from schemas import catalogue
from schemas.codes import Code
from schemas.message_type import Direction, MessageType
from schemas.validate import Limits
from schemas.wording import Language, code_text
from tests.authority import Credential
from tests.checking import DAY, FORM, INVALID, STEM, TODAY, VALID, checked, lay, lay_signed, run_check
from tests.stages.dimona import SAMPLES, document

_TYPES = [kind for kind in catalogue.load() if kind.versions and kind.direction.covers(Direction.IN)]


# ---------------------------------------------------------------- the same judgement


def _samples(kind: MessageType) -> list[Path]:
    return sorted((next(iter(kind.versions.values())).parent / "samples").glob("*.xml"))


@pytest.mark.parametrize("kind", _TYPES, ids=lambda kind: kind.root)
def test_content_gets_the_codes_that_a_gateway_gives_it(kind: MessageType, tmp_path: Path) -> None:
    """Every sample of every type, valid and invalid, judged by the command and as a worker does it."""
    (tmp_path / "types").mkdir()
    limits = Limits(max_bytes=35 * 1024**2, max_forms=20_000)
    rules = ContentRules(kind.purpose, limits, TODAY.date(), tmp_path / "types")
    tail = "" if kind.purpose in {"AOAT", "WECH", "ZIMA"} else ".1.1"
    expected = {}
    for number, sample in enumerate(_samples(kind), start=1):
        name = f"FI.{kind.purpose}.123456.{DAY}.{number:05}.R{tail}"
        (tmp_path / name).write_bytes(sample.read_bytes())
        result = validate_set([Content(name, sample, None)], rules, tmp_path / "declarations")
        expected[name] = {str(each.code) for each in result.findings} if isinstance(result, RefusedSet) else set()

    found = checked(*(tmp_path / name for name in expected)).reports

    channel = set(Code)
    told = {name: {each["code"] for each in found[name]["findings"]} & channel for name in expected}
    assert expected == told
    assert {name: not codes for name, codes in expected.items()} == {name: found[name]["accepted"] for name in expected}


def test_a_finding_has_its_place_and_all_that_a_program_could_ask(tmp_path: Path) -> None:
    """The keys are the same for every finding; those of an anomaly have its place in the file."""
    found = checked(lay(tmp_path, data=INVALID) / f"FI.{STEM}.1.1")

    of_file, anomaly = found.only["findings"]
    assert 1 == found.status
    assert not found.only["accepted"]
    assert set(of_file) == set(anomaly)
    assert ("255", "ACRF-255", "B", None) == tuple(of_file[key] for key in ("code", "error_id", "severity", "line"))
    assert {
        "code": "090",
        "error_id": "90017-090",
        "severity": "B",
        "message": "The mandatory element NaturalPerson is missing here.",
        "detail": None,
        "expected": None,
        "form": 2,
        "zone": "90017",
        "element": "NaturalPerson",
        "value": None,
        "line": 35,
        "column": 5,
        "offset": INVALID.index(b"<DimonaIn>", INVALID.index(b"<Form>", INVALID.index(b"</Form>"))),
        "path": "/Dimona[1]/Form[2]/DimonaIn[1]",
        "position": [1, 2, 7],
        "rule": "missing",
    } == anomaly


def test_a_file_that_is_not_well_formed_is_told_where(tmp_path: Path) -> None:
    """Once, with its place, as the acknowledgement's code."""
    data = (SAMPLES / "not_well_formed.xml").read_bytes()

    (finding,) = checked(lay(tmp_path, data=data) / f"FI.{STEM}.1.1").only["findings"]

    assert ("ACRF-102", None) == (finding["error_id"], finding["form"])
    assert finding["line"] > 1


def test_anomalies_beyond_the_thousandth_are_counted(tmp_path: Path) -> None:
    """A file whose every form is wrong in the same way doesn't fill the screen for ever."""
    data = document(*[FORM.replace("<DimonaIn>", "<DimonaIn><Unknown/>")] * 1005)
    path = lay(tmp_path, data=data) / f"FI.{STEM}.1.1"

    report = checked(path).only

    assert (1000, 5) == (sum(each["form"] is not None for each in report["findings"]), report["untold"])
    assert run_check("--language", "en", path).output.endswith("more anomalies, not told in full: 5\n")


def test_a_warning_is_told_and_refuses_nothing(tmp_path: Path) -> None:
    """Such as that of a form made before last year."""
    data = document(FORM.replace(f"{TODAY:%Y-%m-%d}</FormCreationDate>", "2019-05-01</FormCreationDate>"))
    path = lay(tmp_path, data=data) / f"FI.{STEM}.1.1"

    found = checked(path)

    assert (0, True) == (found.status, found.only["accepted"])
    assert [("form.creation-date", "W", 1)] == [
        (each["rule"], each["severity"], each["form"]) for each in found.only["findings"]
    ]
    assert "00218-008  (warning)  The date" in run_check("--language", "en", path).output


# ---------------------------------------------------------------- names and sets


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        (f"FI.{STEM}.1.1", []),
        (f"FI.DIMN.123456.{DAY}.0001.X.1.1", ["112", "117"]),
        (f"FI.DIMN.123456.{DAY}.00001.R", ["131"]),
        (f"FI.DIMN.123456.{TODAY + timedelta(days=3):%Y%m%d}.00001.R.1.1", ["111"]),
        (f"FI.DIMN.123456.{TODAY - timedelta(days=400):%Y%m%d}.00001.R.1.1", ["126"]),
        (f"FO.DIMN.999999.{DAY}.00001.R.1.1", ["129"]),
    ],
)
def test_a_name_gets_its_codes_and_the_content_is_judged_all_the_same(
    name: str, codes: list[str], tmp_path: Path
) -> None:
    """One fault doesn't hide the others."""
    (tmp_path / name).write_bytes(INVALID)

    assert [*codes, "255"] == checked("--type", "DIMN", tmp_path / name).codes


def test_a_name_that_says_nothing_is_not_judged_if_the_type_is_said(tmp_path: Path) -> None:
    """It is accepted as to its content, with a word on the name; a name meant for the gateway is judged as ever."""
    (tmp_path / "declarations.xml").write_bytes(VALID)
    (tmp_path / f"FI.DIMN.123456.{DAY}.0001.R.1.1").write_bytes(VALID)

    found = checked("--type", "DIMN", tmp_path / "declarations.xml")
    named = checked("--type", "DIMN", tmp_path / f"FI.DIMN.123456.{DAY}.0001.R.1.1")

    assert (0, True, ["name-not-checked"]) == (found.status, found.only["accepted"], found.rules)
    assert (1, ["112"]) == (named.status, named.codes)


def test_how_many_anomalies_follow_is_said_in_the_language_asked_for(tmp_path: Path) -> None:
    """A person doesn't get the English words that programs get."""
    path = lay(tmp_path, data=INVALID) / f"FI.{STEM}.1.1"

    said = run_check("--language", "fr", path).output

    assert "ACRF-255  Au moins un formulaire n'est pas valable.  (anomalies : 1)" in said
    assert "first form" not in said
    assert checked(path).only["findings"][0]["detail"] == "1 anomaly in 1 form; first form 2, NaturalPerson: missing"


def test_content_of_a_type_that_nobody_named_is_not_judged(tmp_path: Path) -> None:
    """And the report says so, and how to have it judged."""
    (tmp_path / "declarations.xml").write_bytes(VALID)

    found = checked(tmp_path / "declarations.xml")

    assert ["prefix-invalid", "type-unknown"] == found.rules
    assert "--type" in found.only["findings"][1]["message"]


def test_a_purpose_that_nobody_may_send_is_refused(tmp_path: Path) -> None:
    """It is not in the catalogue."""
    assert ["154"] == checked(
        lay(tmp_path, stem=f"QQQQ.123456.{DAY}.00001.R") / f"FI.QQQQ.123456.{DAY}.00001.R.1.1"
    ).codes


def test_a_whole_set_is_accepted(tmp_path: Path, signer: Credential) -> None:
    """FI, FS and GO in a folder; there is one report, about the FI."""
    found = checked(lay_signed(tmp_path, signer))

    assert 0 == found.status
    assert [f"FI.{STEM}.1.1"] == list(found.reports)
    assert found.only["accepted"]
    assert {"root": "Dimona", "version": "20231", "forms": 3} == found.only["document"]
    assert [] == found.only["findings"]


def test_the_files_of_a_set_may_be_named_one_by_one(tmp_path: Path, signer: Credential) -> None:
    """As a shell does with ``*``; each counts once however often it is named."""
    folder = lay_signed(tmp_path, signer)

    found = checked(*folder.iterdir(), folder)

    assert (0, [f"FI.{STEM}.1.1"]) == (found.status, list(found.reports))


def test_a_folder_without_files_is_not_accepted(tmp_path: Path) -> None:
    """It was hardly the one that was meant."""
    assert (2, "") == (run_check(tmp_path).status, run_check(tmp_path).output)


def test_a_folder_without_go_has_no_whole_set(tmp_path: Path) -> None:
    """The gateway would wait for it a day, and refuse."""
    assert ["130"] == checked(lay(tmp_path)).codes


def test_an_fi_alone_is_not_asked_for_its_set(tmp_path: Path) -> None:
    """Nobody knows what else will be sent."""
    assert 0 == checked(lay(tmp_path) / f"FI.{STEM}.1.1").status


def test_go_without_fi_is_a_report_of_its_own(tmp_path: Path) -> None:
    """There is no other file to tell it of."""
    (tmp_path / f"GO.{STEM}.1").touch()

    found = checked(tmp_path)

    assert (1, [f"GO.{STEM}.1"], ["120"]) == (found.status, list(found.reports), found.codes)


def test_a_set_that_its_sender_withdrew_is_refused(tmp_path: Path, signer: Credential) -> None:
    """TD beside GO counts."""
    (lay_signed(tmp_path, signer) / f"TD.{STEM}.1").touch()

    assert ["277"] == checked(tmp_path).codes


def test_hidden_files_and_folders_in_a_folder_are_left_alone(tmp_path: Path, signer: Credential) -> None:
    """Whatever else stands there is judged: a gateway would answer it too."""
    folder = lay_signed(tmp_path, signer)
    (folder / ".directory").touch()
    (folder / "sent").mkdir()
    (folder / "notes.txt").write_text("to be sent on Monday", encoding="utf-8")

    reports = checked(folder).reports

    assert {f"FI.{STEM}.1.1": True, "notes.txt": False} == {name: each["accepted"] for name, each in reports.items()}


def test_a_set_in_two_parts_is_refused_for_one_of_them(tmp_path: Path) -> None:
    """The other part has no finding of its own, and is not accepted either."""
    (tmp_path / f"FI.{STEM}.2.1").write_bytes(VALID)
    (tmp_path / f"FI.{STEM}.2.2").write_bytes(INVALID)
    (tmp_path / f"GO.{STEM}.2").touch()

    reports = checked(tmp_path).reports

    assert {f"FI.{STEM}.2.1": False, f"FI.{STEM}.2.2": False} == {
        name: report["accepted"] for name, report in reports.items()
    }
    assert "refused because of another part" in run_check("--language", "en", tmp_path).output


@pytest.mark.parametrize(("environment", "rules"), [("R", ["not-signed"]), ("S", [])])
def test_a_set_without_fs_is_warned_of_unless_it_simulates(environment: str, rules: list[str], tmp_path: Path) -> None:
    """Senders who sign otherwise need none, so that it is no reason to refuse."""
    found = checked(lay(tmp_path, stem=f"DIMN.123456.{DAY}.00001.{environment}", GO=b""))

    assert (0, rules) == (found.status, found.rules)


# ---------------------------------------------------------------- the command


@pytest.mark.parametrize("language", Language)
def test_the_messages_are_in_the_language_asked_for(language: Language, tmp_path: Path) -> None:
    """By the option, else by the environment."""
    path = lay(tmp_path, data=INVALID) / f"FI.{STEM}.1.1"
    sentence = code_text(Code.FORM_INVALID, language)

    assert sentence in run_check("--language", str(language), path).output
    assert sentence in run_check(path, LANG=f"{language}_BE.UTF-8", LC_ALL="", LC_MESSAGES="").output


def test_a_language_that_nobody_has_words_in_is_english(tmp_path: Path) -> None:
    """Such as that of no locale at all."""
    path = lay(tmp_path, data=INVALID) / f"FI.{STEM}.1.1"

    assert (
        code_text(Code.FORM_INVALID, Language.EN)
        in run_check(path, LANG="it_IT.UTF-8", LC_ALL="", LC_MESSAGES="").output
    )


def test_people_get_the_place_the_path_and_the_value(tmp_path: Path) -> None:
    """In a block for each file, and what moves a cursor is not passed on to the terminal."""
    data = document(FORM.replace("<DimonaIn>", "<DimonaIn><Stray>a\x7f\u202eb</Stray>"))

    output = run_check("--language", "en", lay(tmp_path, data=data) / f"FI.{STEM}.1.1").output

    assert f"FI.{STEM}.1.1: refused\n" in output
    assert "  The element Stray has no place here; remove it or correct its name.\n" in output
    assert "      /Dimona[1]/Form[1]/DimonaIn[1]/Stray[1]\n" in output
    assert "\x7f" not in output
    assert "\u202e" not in output


def test_a_name_in_no_encoding_and_with_orders_to_a_terminal_is_told_as_letters(tmp_path: Path) -> None:
    """Whoever named the file, the report is text."""
    path = tmp_path / os.fsdecode(b"FI.\xff\x1b[2J")
    path.write_bytes(VALID)

    for printed in (run_check("--language", "fr", path).output, checked(path).output):
        assert printed.endswith("\n")
        assert "\x1b" not in printed
        assert printed.encode().decode() == printed


def test_the_day_of_receipt_can_be_another(tmp_path: Path) -> None:
    """So that a lot for next month can be checked."""
    path = lay(tmp_path, stem="DIMN.123456.20270301.00001.R") / "FI.DIMN.123456.20270301.00001.R.1.1"

    assert ["111"] == checked("--day", "2027-02-28", path).codes
    assert [] == checked("--day", "2027-03-01", path).codes


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["no such file"],
        ["--language", "it", "."],
        ["--type", "QQQQ", "."],
        ["--schemas", "no such folder", "."],
        ["--authorities", "no such folder", "."],
        ["--day", "tomorrow", "."],
        ["/dev/null"],
    ],
)
def test_wrong_usage_has_a_status_of_its_own(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says what is wrong on stderr, not among the reports."""
    monkeypatch.chdir(tmp_path)

    found = checked(*words)

    assert (2, "") == (found.status, found.output)
    assert found.errors


@pytest.mark.parametrize(("data", "status"), [(VALID, 0), (INVALID, 1)])
def test_the_exit_status_says_whether_all_were_accepted(data: bytes, status: int, tmp_path: Path) -> None:
    """Of the program, as of the command by itself."""
    path = lay(tmp_path, data=data) / f"FI.{STEM}.1.1"

    assert status == run(["check", str(path)])
    assert status == checked(path).status


def test_the_page_for_senders_names_every_option_and_every_key(tmp_path: Path) -> None:
    """And no option that isn't there."""
    page = (Path(__file__).parents[2] / "docs" / "checking.md").read_text(encoding="utf-8")
    report = checked(lay(tmp_path, data=INVALID) / f"FI.{STEM}.1.1").only
    options = {option for parameter in check_command.params for option in parameter.opts if option.startswith("--")}

    assert options == set(re.findall(r"--[a-z]+", page))
    assert {*report, *report["findings"][0]} <= set(re.findall(r"`([a-z_]+)`", page))


# ---------------------------------------------------------------- types of the sender's own


def _own_type(folder: Path) -> Path:
    """A folder with a type for another purpose, otherwise the same as Dimona."""
    own = folder / "own" / "copy"
    shutil.copytree(SAMPLES.parent, own)
    description = (own / "type.toml").read_text(encoding="utf-8").replace('purpose = "DIMN"', 'purpose = "COPY"')
    (own / "type.toml").write_text(description, encoding="utf-8")
    return own.parent


def test_types_of_ones_own_are_known_when_their_folder_is_named(tmp_path: Path) -> None:
    """With ``--schemas``; without it nobody may send such a file."""
    own = _own_type(tmp_path)
    path = lay(tmp_path, stem=f"COPY.123456.{DAY}.00001.R") / f"FI.COPY.123456.{DAY}.00001.R.1.1"

    assert ["154"] == checked(path).codes
    assert (0, "Dimona") == ((found := checked("--schemas", own, path)).status, found.only["document"]["root"])


def test_a_schema_that_is_none_is_told_before_anything_is_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wrong usage, with the name of the file."""
    own = _own_type(tmp_path)
    (own / "copy" / "Dimona_20231.xsd").write_text("<no-schema/>", encoding="utf-8")

    assert 2 == run(["check", "--schemas", str(own), str(own)])
    shown = capsys.readouterr()
    assert "" == shown.out
    assert "Dimona_20231.xsd" in shown.err


# ---------------------------------------------------------------- what a file may cost


def test_what_a_check_takes_is_bounded_while_it_lasts() -> None:
    """As a worker of a gateway is; afterwards the process is as it was."""
    before = resource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_CORE)

    with bounded_memory(64 * 1024**2):
        assert 0 == resource.getrlimit(resource.RLIMIT_CORE)[0]
        with pytest.raises(MemoryError):
            bytearray(128 * 1024**2)

    assert before == (resource.getrlimit(resource.RLIMIT_AS), resource.getrlimit(resource.RLIMIT_CORE))


def _memory_used_up(_path: Path) -> NoReturn:
    raise MemoryError


def test_a_file_that_takes_too_much_is_not_accepted_and_ends_nothing(tmp_path: Path) -> None:
    """Its report says so, and the next file is judged."""
    for stem in (STEM, STEM.replace("00001", "00002")):
        lay(tmp_path, stem)
    files = [tmp_path / f"FI.{stem}.1.1" for stem in (STEM, STEM.replace("00001", "00002"))]

    def opened(path: Path) -> AbstractContextManager[BinaryIO]:
        return path.open("rb") if path == files[1] else _memory_used_up(path)

    limits = Limits(max_bytes=10**6, max_forms=10)
    rules = Rules(catalogue.load(), limits, TODAY.date(), TODAY, 366, 9, opened=opened)

    first, second = check(gather(files), rules)

    assert ((Remark(Notice.NOT_ENOUGH_MEMORY),), False) == (first.findings, first.accepted)
    assert second.accepted


@pytest.mark.parametrize(("forms", "shown"), [(5000, True), (1, False)])
@pytest.mark.parametrize("last", [FORM, FORM.replace("<DimonaIn>", "<DimonaIn><Stray/>")], ids=["valid", "invalid"])
def test_somebody_at_a_terminal_sees_how_far_a_large_file_is_read(
    forms: int, shown: bool, last: str, tmp_path: Path
) -> None:
    """On stderr, so that the reports stay reports; a small file is read before anybody could look."""
    path = lay(tmp_path, data=document(*[FORM] * forms, last)) / f"FI.{STEM}.1.1"
    terminal, other_end = pty.openpty()
    command = [sys.executable, "-m", "gateway", "check", "--json", str(path)]

    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=other_end, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(other_end)
        progress = _all_shown(terminal)
        output, _ = process.communicate()

    assert (last == FORM) == json.loads(output)["accepted"]
    assert shown == (path.name.encode() in progress)


def _all_shown(terminal: int) -> bytes:
    """What a program wrote to a terminal until it left; a terminal whose other end is closed can't be read."""
    shown = b""
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 4096):
            shown += piece
    os.close(terminal)
    return shown
