"""`gateway logs`: from files, pipes and journalctl, while they are written to, rotated and cut."""

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import gateway
from gateway.cli.log_sources import FileSource, Lines, together
from gateway.log_lines import LONGEST


def event(name: str, **facts: object) -> str:
    """A line of the log."""
    return json.dumps({"event": name, "level": "info", "timestamp": "2026-11-21T10:00:00Z"} | facts) + "\n"


def events_of(text: str) -> list[str]:
    """The events in what was printed; of a foreign line its words."""
    found = [json.loads(line) for line in text.splitlines()]
    return [line.get("event", line.get("foreign")) for line in found]


def test_files_packed_or_not_one_after_the_other(tmp_path: Path) -> None:
    """As logrotate leaves them; what cannot be read is refused with its name."""
    (tmp_path / "log.1.gz").write_bytes(gzip.compress(event("a").encode()))
    (tmp_path / "log").write_bytes(
        b"\0" * 5000 + event("b", ticket="T").encode() + b"no line \x1b[2J\xff\n" + b'{"event": "end"}'
    )
    names = [str(tmp_path / name) for name in ("log.1.gz", "log")]
    shown = CliRunner().invoke(gateway, ["logs", *names])
    assert ["a", "b", "no line \x1b[2J\ufffd", "end"] == events_of(shown.output)
    assert "\x1b" not in shown.output
    assert ["b"] == events_of(CliRunner().invoke(gateway, ["logs", "--ticket", "T", *names]).output)
    assert 1 == CliRunner().invoke(gateway, ["logs", str(tmp_path / "none")]).exit_code
    (tmp_path / "cut.gz").write_bytes(gzip.compress(os.urandom(3000))[:-9])
    assert "not packed by gzip, or not whole" in CliRunner().invoke(gateway, ["logs", str(tmp_path / "cut.gz")]).output


def test_a_line_without_end_costs_no_more_than_a_long_one() -> None:
    """Its beginning is shown, and the next line is one again."""
    lines = Lines()
    found = [line for _ in range(100) for line in lines.add(b"x" * 10_000)]
    found += [*lines.add(b"x\nnext\nrest"), *lines.end()]
    assert [LONGEST + 1, 4, 4] == [len(line) for line in found]


def test_a_followed_file_may_be_rotated_and_cut(tmp_path: Path) -> None:
    """What was written before it was renamed is read still, then what stands at its path."""
    path = tmp_path / "log"
    lines = FileSource(path, follow=True).lines()
    assert next(lines) is None
    path.write_text(event("one"))
    assert "one" in str(next(lines))
    assert next(lines) is None
    with path.open("a") as file:
        file.write('{"event": ')
        file.flush()
        assert next(lines) is None
        file.write('"two"}\n')
    path.rename(tmp_path / "log.1")
    assert '{"event": "two"}' == next(lines)
    assert next(lines) is None
    path.write_text(event("three") + event("three"))
    assert ["three", "three"] == events_of("\n".join([*_until_none(lines), *_until_none(lines)]))
    path.write_text(event("four"))
    found = [*_until_none(lines), *_until_none(lines)]
    assert ["four"] == events_of("\n".join(found))


def _until_none(lines: Iterator[str | None]) -> list[str]:
    return list(iter(lines.__next__, None))


def test_several_files_are_followed_together(tmp_path: Path) -> None:
    """None of them keeps the others waiting."""
    paths = [tmp_path / name for name in ("a", "b")]
    for path in paths:
        path.write_text(event(path.name))
    lines = together([FileSource(path, follow=True) for path in paths])
    assert ["a", "b"] == events_of("\n".join(_until_none(lines)))
    paths[0].write_text(event("a") + event("more"))
    assert ["more"] == events_of("\n".join(_until_none(lines)))


def test_following_ends_when_nobody_reads_any_more(tmp_path: Path) -> None:
    """Also while nothing more is written; and a pipe that is closed in the middle is no trouble."""
    path = tmp_path / "log"
    path.write_text("".join(event(str(number)) for number in range(100)))
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "logs", "--follow", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert b'"90"' in process.stdout.readline()
    process.stdout.close()
    assert b"" == process.stderr.read()
    assert 0 == process.wait(60)
    process.stderr.close()
    big = (event("x") * 20_000).encode()
    line = f"{sys.executable} -m gateway logs - | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], input=big, capture_output=True, check=False)
    assert (0, b"", 1) == (done.returncode, done.stderr, done.stdout.count(b"\n"))


def test_without_files_it_is_journald(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for the gateway's units since then; its own remarks are no lines of the log; without it one is told."""
    program = tmp_path / "journalctl"
    says = f"echo '-- No entries --'; echo '{event('a').strip()}'"
    program.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/asked\n{says}\nexit $STATUS\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("STATUS", "0")
    shown = CliRunner().invoke(gateway, ["logs", "--since", "2026-11-20T00:00:00Z"])
    assert ["a"] == events_of(shown.output)
    asked = (tmp_path / "asked").read_text().split()
    assert ["--no-pager", "--output=cat", "--unit=batch-gateway*", "--since=@1795132800"] == asked
    monkeypatch.setenv("STATUS", "1")
    assert "journalctl ended with status 1" in CliRunner().invoke(gateway, ["logs"]).output
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    missing = CliRunner().invoke(gateway, ["logs"])
    assert (1, True) == (missing.exit_code, "there is no journalctl here" in missing.output)


def test_a_length_or_a_moment_since(tmp_path: Path) -> None:
    """What is older is left out, what tells no time is not."""
    path = tmp_path / "log"
    path.write_text(event("old") + event("new", timestamp="9999-01-01T00:00:00Z") + "foreign\n")
    assert ["new", "foreign"] == events_of(CliRunner().invoke(gateway, ["logs", "--since", "2h", str(path)]).output)
    assert 2 == CliRunner().invoke(gateway, ["logs", "--since", "2 hours", str(path)]).exit_code
