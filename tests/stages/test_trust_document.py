"""``docs/trust.md`` says what is true: every reason is explained, every command and setting that it names exists."""

import re
import shutil
from pathlib import Path

import click
import pytest
from cryptography.hazmat.primitives import hashes

import config.settings
import gateway.cli
from config.errors import TemporaryError
from config.settings import Settings
from gateway.holders import HolderKeyUnusableError
from gateway.watch import DAYS
from schemas.codes import Code
from signing.evidence import Reason, TrustUnavailable
from signing.own.pkcs11_key import TokenUnavailable
from signing.own.timestamp_request import TimestampUnavailable
from signing.policy import Leniency
from signing.trust.terms import Terms
from tests.authority import Pki
from tests.gateway_process import Site

DOCUMENT = Path(config.settings.__file__).parent.parent / "docs" / "trust.md"


@pytest.fixture(scope="module")
def text() -> str:
    """The document."""
    return DOCUMENT.read_text()


def rows(text: str, heading: str) -> dict[str, list[str]]:
    """The table behind a row of headings: its rows by the first word in backticks of each."""
    _, _, behind = text.partition(heading)
    lines = behind.split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].split("`")[1] if "`" in row[0] else row[0]: row[1:] for row in cells}


def test_every_reason_of_a_refusal_is_explained(text: str) -> None:
    """In the order in which they are judged, each with its code, its meaning and what to do; and no other."""
    table = rows(text, "| reason | code | means | to do |")
    numbers = {str(code)[-3:] for code in (Code.SIGNATURE_INVALID, Code.CERTIFICATE_NOT_OWNERS)}

    assert [*(reason.value for reason in Reason), "(none)"] == list(table)
    assert {row[0] for row in table.values()} == numbers == {"125", "153"}
    assert all(all(row) for row in table.values())


def test_every_leniency_is_explained_and_the_one_that_is_on_is_marked(text: str) -> None:
    """As the settings have it."""
    table = rows(text, "| leniency | tolerates | why not always |")
    on = {line.split("`")[1] for line in text.splitlines() if re.match(r"\| `[a-z0-9-]+` \(on\)", line)}

    assert {leniency.value for leniency in Leniency} == set(table)
    assert set(Settings().trust.leniencies) == on


def test_every_term_of_an_authority_is_explained(text: str) -> None:
    """The names are those of ``authority.toml``."""
    _, _, behind = text.partition("| term | accepted are only |")
    named = set(re.findall(r"`([a-z_]+)(?: =[^`]*)?`", "".join(re.findall(r"^\|([^|]*)\|", behind, re.MULTILINE))))

    assert set(Terms.model_fields) <= named


def test_every_command_exists(text: str) -> None:
    """With every option that is shown."""
    found = re.findall(r"^gateway (.+)$", text, re.MULTILINE)

    assert len(found) >= 10
    for line in found:
        command: click.Command = gateway.cli.gateway
        words = line.split()
        while isinstance(command, click.Group):
            name = words.pop(0)
            assert name in command.commands, line
            command = command.commands[name]
        known = {option for parameter in command.params for option in parameter.opts}
        assert not {word for word in words if word.startswith("--")} - known, line


def test_every_command_works(
    text: str, site: Site, pki: Pki, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One after the other, as they stand there, on a site with the files that they name."""
    monkeypatch.chdir(site.folder)
    for path in (pki.issuing, pki.root, *pki.crls):
        shutil.copy(path, site.folder)
    shutil.copy(pki.crls[1], site.folder / "newer.crl")
    shutil.copytree(site.settings.trust.authorities, site.folder / "authorities-next")
    credential = pki.issue("Renewed")
    shutil.copy(credential.certificate, site.folder / "new.pem")
    fingerprint = credential.read().fingerprint(hashes.SHA256()).hex()
    statuses = {}
    for line in re.findall(r"^gateway (.+)$", text, re.MULTILINE):
        statuses[line] = gateway.cli.run(line.replace("0123abcd", fingerprint[:8]).split())

    assert {0} == set(statuses.values()), (statuses, capsys.readouterr().err)


def test_every_event_and_every_reason_to_wait_exists(text: str) -> None:
    """By the names that the log and the status show."""
    events = rows(text, "| event | means | to do |")
    waits = rows(text, "| a submission is held because | to do |")
    source = "".join(path.read_text() for path in Path(gateway.__file__).parent.glob("*.py"))
    failures = {TrustUnavailable, TimestampUnavailable, TokenUnavailable, HolderKeyUnusableError}

    assert {"submission.held", "revocation.stale"} <= set(events)
    assert not [name for name in events if f'"{name}"' not in source]
    assert {failure.__name__ for failure in failures} == {wait.partition(":")[0] for wait in waits}
    assert all(issubclass(failure, TemporaryError) for failure in failures)


def test_every_number_is_that_of_the_settings(text: str) -> None:
    """Five minutes ahead, 366 days before, an alert after 15 minutes, warnings 60, 30 and 7 days before."""
    settings = Settings()

    assert (300.0, 366, 900.0) == (
        settings.trust.signed_ahead_seconds,
        settings.trust.signed_before_days,
        settings.judging.alert_seconds,
    )
    for words in ("five minutes after", "366 days", "after 15 minutes", "60, 30, 7 days"):
        assert words in re.sub(r"\s+", " ", text)
    assert {60, 30, 7} == set(DAYS)
