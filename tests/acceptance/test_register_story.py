"""Who may send what for whom, from the registration of two enterprises to a file that is refused for its employer."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

import schemas
from gateway import cli
from tests.answers import download, fetch, listing
from tests.authority import Credential, Pki
from tests.gateway_process import GatewayProcess, Site, make_test_site, running, today

BAKERY = "0987654394"
ONSS = "123456749"
OFFICE = "0200000043"
USER = "officepay1"
WHY = ("--reason", "made for a test")

Command = Callable[..., str]


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential
) -> Iterator[tuple[Site, GatewayProcess]]:
    """A gateway before which everything is done."""
    site = make_test_site(tmp_path_factory.mktemp("story"), pki, signer)
    with running(site) as process:
        yield site, process


@pytest.fixture
def command(
    told: tuple[Site, GatewayProcess], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs ``gateway`` with words beside the one that serves; what it prints, or why it was refused."""
    monkeypatch.setenv("GATEWAY_CONFIG", str(told[0].settings_file))

    def run(*words: str, status: int = 0) -> str:
        capsys.readouterr()
        done = cli.run(list(words))
        said = capsys.readouterr()
        assert status == done, said.err
        return said.err if status else said.out

    return run


def number_in(words: str, pattern: str) -> str:
    """The number that a command told."""
    found = re.search(pattern, words)
    assert found is not None, words
    return found[1]


def declaration() -> bytes:
    """A DmfA for the bakery, made today."""
    sample = Path(schemas.__file__).with_name("dmfa") / "samples" / "valid_small.xml"
    day = datetime.now(ZoneInfo("Europe/Brussels")).date().isoformat().encode()
    return re.sub(rb"(?<=<FormCreationDate>)[0-9-]+", day, sample.read_bytes())


def send(told: tuple[Site, GatewayProcess], sender: str, sequence: str) -> tuple[str, tuple[str, ...]]:
    """Send the declaration; the ticket and the codes of the acknowledgement."""
    site, process = told
    before = listing(site, "OUT", USER)
    names = site.write_set(f"DMFA.{sender}.{today()}.{sequence}.R", declaration())
    assert site.sftp("cd IN", *(f"put {name}" for name in names), user=USER).returncode == 0
    ticket = str(process.judged()["ticket"])
    stem = next(name[3:] for name in listing(site, "OUT", USER) - before if name.startswith("FO.ACRF"))
    return ticket, fetch(site, stem, user=USER).codes


def test_a_mandate_opens_the_way_and_its_end_closes_it(
    told: tuple[Site, GatewayProcess], command: Command, signer: Credential
) -> None:
    """Every act is done in the name of a person who may do it; the gateway that runs knows of each at once."""
    site, _ = told
    named = ("--last-name", "Verzonnen", "--first-name", "Annemie")
    command("party", "enterprise", "add", BAKERY, "Bakkerij Verzonnen", *WHY)
    command("party", "enterprise", "add", OFFICE, "Sociaal Secretariaat Verzonnen", *WHY)
    command("party", "quality", "announce", BAKERY, "employer", ONSS, *WHY)
    command("party", "quality", "announce", OFFICE, "social-secretariat", *WHY)
    command("party", "rae", BAKERY, "bakeryrae", *named, *WHY)
    command("party", "rae", OFFICE, "officerae", *named, *WHY)
    words = command("party", "quality", "activate", BAKERY, "employer", ONSS, "--as", "bakeryrae", *WHY)
    bakery = number_in(words, r"[Qq]uality (\d+)")
    words = command("party", "quality", "activate", OFFICE, "social-secretariat", "--as", "officerae", *WHY)
    office = number_in(words, r"[Qq]uality (\d+)")
    command("party", "gl", bakery, "bakerygl", *named, "--as", "bakeryrae", *WHY)
    command("party", "gl", office, "officegl", *named, "--as", "officerae", *WHY)

    by_office = ("--as", "officegl", *WHY)
    command("party", "technical", "name", office, USER, *by_office)
    command("user", "key", "add", USER, str(site.work / "id_ed25519.pub"), *by_office)
    words = command("sender", "channel", "open", office, "sftp", "R", *by_office)
    sender = number_in(words, r"Sender (\d{6})")
    command("sender", "certificate", "add", sender, str(signer.certificate), *by_office)
    unasked = send(told, sender, "00001")
    words = command("mandate", "affiliate", bakery, office, "--as", "bakerygl", *WHY)
    mandate = number_in(words, r"Mandate (\d+)")
    mandated = send(told, sender, "00002")
    command("mandate", "end", mandate, "--as", "bakerygl", *WHY)
    ended = send(told, sender, "00003")

    assert [("ACRF-230",), (), ("ACRF-155",)] == [codes for _, codes in (unasked, mandated, ended)]
    # The declarations of a file that is refused are kept for nobody.
    assert [] == [name for name in site.spool("declarations/*") if ended[0] in name]
    site.sftp(f"get STATUS/{ended[0]}.json", user=USER)
    told_of = json.loads((site.work / f"{ended[0]}.json").read_bytes())["findings"]
    assert [{"ACRF-155"}, {"ACRF-155"}] == [{finding["code"]} for finding in told_of]
    assert {ONSS, BAKERY.lstrip("0")} == {number_in(finding["detail"], r"number (\d+)") for finding in told_of}

    command("routing", "choose", bakery, "--channel", "sftp", "--as", "bakerygl", *WHY, status=1)
    command("routing", "choose", bakery, "--recipient", office, "--channel", "sftp", "--as", "bakerygl", *WHY, status=1)
    refused = command("routing", "choose", bakery, "--channel", "ebox", "--as", "bakeryrae", *WHY, status=1)
    command("routing", "choose", bakery, "--channel", "ebox", "--purpose", "NOTI", "--as", "bakerygl", *WHY)
    [goes] = json.loads(command("routing", "explain", bakery, "NOTI", "R", "--as", "bakerygl", "--json"))

    assert "only the GL or a Co-GL" in refused
    assert {"recipient": int(bakery), "channel": "ebox", "sender": None, "chosen": True} == goes


def test_a_sender_that_is_nobody_may_send_for_nobody(
    told: tuple[Site, GatewayProcess], command: Command, signer: Credential
) -> None:
    """Registered by hand without a quality and without the right to every employer (103)."""
    site, process = told
    key, certificate = str(site.work / "id_ed25519.pub"), str(signer.certificate)
    command("sender", "add", "333333", "--user", "strayuser1", "--ssh-key", key, "--certificate", certificate)
    names = site.write_set(f"DMFA.333333.{today()}.00001.R", declaration())
    assert site.sftp("cd IN", *(f"put {name}" for name in names), user="strayuser1").returncode == 0
    process.judged()
    [name] = [name for name in listing(site, "OUT", "strayuser1") if name.startswith("FO.")]

    assert b"ACRF-103" in download(site, name, user="strayuser1")
