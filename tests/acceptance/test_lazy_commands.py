"""The command line loads what a command needs when that command is asked for."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from gateway.cli import COMMANDS, gateway
from tests.stages.dimona import SAMPLES

_HEAVY = {
    "aiohttp",
    "alembic",
    "asyncssh",
    "cryptography",
    "lxml",
    "pika",
    "pydantic",
    "pyhanko",
    "rich",
    "signxml",
    "sqlalchemy",
    "structlog",
    "xmlschema",
}
_OF_CONTENT = {"lxml", "pydantic"}
_PROGRAM = """
import json, sys
from gateway.cli import run
run(sys.argv[1:])
print(json.dumps(sorted(name for name in sys.modules if "." not in name)), file=sys.stderr)
"""


def _loaded(*words: str | Path) -> set[str]:
    """The heavy modules in a process that has run the command."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *map(str, words)], capture_output=True, text=True, check=True
    )
    return _HEAVY & set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["check", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    """So that it is there at once."""
    assert set() == _loaded(*words)


def test_a_check_loads_nothing_but_what_judges_content() -> None:
    """No database, no server, and without a signature to look at no signature libraries."""
    assert set() == _loaded("check", "--type", "DIMN", SAMPLES / "valid_three_forms.xml") - _OF_CONTENT


def test_a_check_loads_the_second_engine_for_what_is_wrong_only() -> None:
    """It tells what would be right, and takes a while to load."""
    assert {"xmlschema"} <= _loaded("check", "--type", "DIMN", SAMPLES / "invalid_missing_person.xml")


def test_a_command_of_a_site_loads_what_it_needs() -> None:
    """The tests above can tell what is loaded from what isn't."""
    assert {"pydantic", "sqlalchemy"} <= _loaded("queue", "--help")


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_says_of_a_command_what_the_command_says_of_itself(name: str) -> None:
    """What it is for stands in two places, since one of them isn't loaded for the help."""
    command = gateway.get_command(click.Context(gateway), name)

    assert command is not None
    assert name == command.name
    assert COMMANDS[name][1] == command.get_short_help_str(limit=100)


_LOGGING = """
from gateway.cli import gateway
import click, contextlib, io, structlog
gateway.get_command(click.Context(gateway), "evidence")
log = structlog.get_logger()
log.warning("said.to.stderr", reason="one")
with contextlib.redirect_stderr(io.StringIO()) as replaced:
    log.warning("said.to.another")
assert "said.to.another" in replaced.getvalue()
"""


def test_what_a_command_logs_is_not_among_what_it_prints() -> None:
    """Events go to stderr, without colours where that is no terminal, and to what stands in its place."""
    done = subprocess.run([sys.executable, "-c", _LOGGING], capture_output=True, text=True, check=True)
    assert not done.stdout
    assert "said.to.stderr" in done.stderr
    assert "reason=one" in done.stderr
    assert 1 == len(done.stderr.splitlines())


def test_what_is_no_command_is_refused() -> None:
    """With the name that nobody knows."""
    with pytest.raises(click.UsageError, match="sned"):
        gateway.main(["sned"], standalone_mode=False)
