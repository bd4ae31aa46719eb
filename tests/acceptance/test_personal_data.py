"""Nothing that a gateway writes of its own accord says who is in a declaration, or what a password is."""

import json
import re
import socket
from pathlib import Path

import httpx
import pytest

from spool import chain, submissions
from spool.journal import open_journal
from tests.gateway_process import GatewayProcess, Site, running, three_forms, today

PASSWORD = "zz-typed-as-a-name-77"
BROKER_PASSWORD = "zz-of-the-broker-77"
BROKEN = "Zzbrokenova"
ONE_SENT = re.compile(rb"<(?:INSS|WorkerName|WorkerFirstName)>([^<]{3,})")


def _fed(site: Site) -> set[str]:
    """Feed a gateway with good and bad sets and log-ins; answers every text that must stand nowhere."""
    data = three_forms()
    sent = {text.decode() for text in ONE_SENT.findall(data)}
    assert any(text.isdigit() for text in sent)
    assert any(not text.isdigit() for text in sent)
    stem = f"DIMN.123456.{today()}"
    stranger = site.pki.issue("Stranger")
    inss = next(text for text in sorted(sent) if text.isdigit())
    broken = f"<broken><INSS>{inss}</INSS>{BROKEN}".encode()
    wrong = data.replace(f"<INSS>{inss}".encode(), f"<INSS>{inss}x{BROKEN}".encode())
    sets = [
        *site.write_set(f"{stem}.00001.R"),
        *site.write_set(f"{stem}.00002.R", signer=stranger),
        *site.write_set(f"{stem}.00003.R", broken),
        *site.write_set(f"{stem}.00004.R", wrong),
    ]
    done = site.sftp("cd IN", *(f"put {name}" for name in sets), f"put {sets[0]} ../{inss}.txt", f"get {inss}")
    assert done.returncode
    assert 0 == site.sftp("cd IN", *(f"put {name}" for name in sets if "00001" not in name)).returncode
    assert 0 != site.sftp("ls", user=PASSWORD).returncode
    return sent | {PASSWORD, BROKER_PASSWORD, BROKEN}


def told_of(site: Site) -> list[str]:
    """The metrics, and every page of status."""
    own = site.settings.operations.socket
    assert own is not None
    journal = open_journal(site.settings.journal.place)
    with journal.read() as connection:
        tickets = [one.ticket for one in submissions.search(connection)]
    journal.close()
    pages = ["", "/answers", "/ending", "/senders", *(f"/ticket?ticket={ticket}" for ticket in tickets)]
    assert len(tickets) >= 4
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(own)), base_url="http://localhost") as client:
        asked = ["/metrics", *(f"/status{page}" for page in pages)]
        return [client.get(address).raise_for_status().text for address in asked]


def events(site: Site) -> list[str]:
    """Every event of the journal, with what it says."""
    journal = open_journal(site.settings.journal.place)
    with journal.read() as connection:
        found = [json.dumps([link.name, link.facts], ensure_ascii=False) for link in chain.everything(connection)]
    journal.close()
    return found


@pytest.fixture
def away() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_logs_metrics_and_events_say_nothing_of_persons_and_passwords(site: Site, away: int, tmp_path: Path) -> None:
    """Of declarations good, broken, wrong and signed by a stranger; of a password typed for a name; of the broker's."""
    site.configure("urls = []", f'urls = ["amqp://gateway:{BROKER_PASSWORD}@127.0.0.1:{away}/"]')
    site.configure('# socket = "var/operations.socket"', f'socket = "{tmp_path / "o"}"')
    site.configure("trust_socket = false", "trust_socket = true")
    site.configure("status_page = false", "status_page = true")
    site.configure('level = "info"', 'level = "debug"')
    with running(site, "gateway") as process:
        marks = _fed(site)
        for _ in range(4):
            process.wait_for("submission.judged")
        process.saw("broker.away")
        told = told_of(site)
    written = [json.dumps(line, ensure_ascii=False) for line in lines_of(process)]
    assert {"submission.judged", "sftp.login.refused"} <= {json.loads(line)["event"] for line in written}
    for text in (*written, *told, *events(site)):
        assert [] == [mark for mark in sorted(marks) if mark in text], text


def lines_of(process: GatewayProcess) -> list[dict[str, object]]:
    """Every line of a gateway that has ended."""
    with pytest.raises(AssertionError, match="ended before"):
        process.wait_for("no such event")
    return process.seen
