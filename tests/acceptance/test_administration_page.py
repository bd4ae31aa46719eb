"""docs/administration.md: every command line in it works, in its order, and its table is the interface's."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from string import Template

import click
import pytest
from click.testing import CliRunner
from structlog.testing import capture_logs

from config.administration import Operations
from gateway.cli import gateway
from gateway.operations.table import OPERATIONS
from spool.journal import open_journal
from tests.authority import Credential
from tests.gateway_process import Site
from tests.register_world import served

PAGE = (Path(__file__).parents[2] / "docs" / "administration.md").read_text()
INSS = "79.11.03-995.69\n"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
FIRST = "gateway party enterprise add"
"""With what the operator begins, before anybody can do anything for an enterprise."""


@pytest.fixture
def place(site: Site, signer: Credential, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site whose interface is open, and what the page says that an access manager has at hand."""
    site.configure('# socket = "var/operations.socket"', 'socket = "var/operations.socket"')
    monkeypatch.chdir(site.folder)
    (site.folder / "id_ed25519.pub").write_bytes((site.work / "id_ed25519.pub").read_bytes())
    (site.folder / "certificate.pem").write_bytes(signer.certificate.read_bytes())
    settings = site.settings
    assert settings.operations.socket == site.folder / "var" / "operations.socket"
    also_port = settings.model_copy(update={"operations": Operations(socket=settings.operations.socket, port=0)})
    journal = open_journal(settings.journal.path)
    with capture_logs(), served(also_port, journal):
        yield site
    journal.close()


def told(site: Site, words: list[str]) -> str:
    """What a command of the page prints; an INSS is typed in where one is asked for."""
    if words[0] == "gateway":
        runner = CliRunner(env={"GATEWAY_CONFIG": str(site.settings_file)})
        result = runner.invoke(gateway, words[1:], input=INSS)
        assert 0 == result.exit_code, (words, result.output)
        return result.stdout
    assert words[0] == "curl"
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, (words, done.stdout, done.stderr)
    return done.stdout


def test_every_command_works(place: Site) -> None:
    """An operator's beginning first, as the page says; then from its top to its end."""
    first = [block for block in BLOCKS if block.startswith(FIRST)]
    names: dict[str, str] = {}
    seen = []
    for line in "".join([*first, *(block for block in BLOCKS if block not in first)]).splitlines():
        assigned = re.fullmatch(r"([A-Z]+)=\$\((.*)\)", line)
        words = shlex.split(Template(assigned[2] if assigned else line).substitute(names))
        answer = told(place, words).strip()
        seen.append(line)
        if assigned:
            names[assigned[1]] = answer
        if line.startswith("gateway token list --user"):
            found = re.search(r'"token": "([0-9a-f]{12})"', answer)
            assert found is not None
            names["NAME"] = found[1]
    assert len(seen) > 35
    after = told(place, shlex.split("gateway token list --user bakerygl"))
    assert "revoked" in after


def test_the_table_is_that_of_the_interface() -> None:
    """Each operation stands on the page, and nothing that there is not."""
    said = set(re.findall(r"`(GET|PUT|POST) (/v1/[^`]+)`", PAGE))
    assert said == {(getattr(row, "method", "GET"), row.path) for row in OPERATIONS}


def test_every_command_in_the_table_exists() -> None:
    """As the command line has it."""
    for words in re.findall(r"^\| `gateway ([a-z -]+)` \|", PAGE, re.MULTILINE):
        found: click.Command | None = gateway
        for word in words.split():
            assert isinstance(found, click.Group)
            found = found.get_command(click.Context(found), word)
        assert found is not None, words
