"""What is told on /metrics, /live and /ready, to whom, and what when a part of the gateway is not there."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from config.administration import Operations
from config.roles import Role
from config.settings import Settings
from gateway.cli import gateway
from gateway.health import Health, Running
from gateway.metrics.heard import DOCUMENTATION, HEARD, Choice, Ears
from gateway.metrics.meter import Meter
from gateway.metrics.surroundings import GAUGES
from gateway.operations.neighbours import Neighbours
from gateway.operations.observing import Observing
from signing.own.keys import create_signing_key
from spool import processes
from spool.journal import Journal, JournalError, open_journal
from spool.processes import Process
from tests.authority import Pki
from tests.authority import now as clock
from tests.register_world import give_token, served, settings_in

SECOND = 1_000_000
MARK = "zzmarkzz"


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty one."""
    opened = open_journal(tmp_path / "journal.sqlite3", create=True)
    yield opened
    opened.close()


def settings_of(folder: Path, operations: Operations | None = None) -> Settings:
    """A site in ``folder``."""
    settings = settings_in(folder, operations or Operations(port=0))
    spool = settings.spool.model_copy(update={"path": folder, "reserve": 1})
    own = settings.journal.model_copy(update={"path": folder / "journal.sqlite3"})
    trust = settings.trust.model_copy(update={"authorities": folder / "authorities"})
    (folder / "authorities").mkdir(exist_ok=True)
    return settings.model_copy(update={"spool": spool, "journal": own, "trust": trust})


def values(text: str) -> dict[str, float]:
    """Every sample, as it is written."""
    return {
        sample.name + (json.dumps(sample.labels, sort_keys=True) if sample.labels else ""): sample.value
        for family in text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # the library's own
        for sample in family.samples
    }


def test_only_operators_read_metrics_and_only_they_hear_what_is_not_ready(journal: Journal, tmp_path: Path) -> None:
    """Others are told yes or no, on the port as well as a person with a token."""
    with journal.write() as connection:
        operator, person = give_token(connection, None), "x" * 40
    settings = settings_of(tmp_path)
    with served(settings, journal) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for headers in ({}, {"Authorization": f"Bearer {person}"}):
            assert client.get("/metrics", headers=headers).status_code == 401
            assert client.get("/live", headers=headers).json() == {"live": True}
            assert client.get("/ready", headers=headers).json() == {"ready": True}
        shown = {"Authorization": f"Bearer {operator}"}
        told = client.get("/metrics", headers=shown)
        assert told.headers["content-type"].startswith("application/openmetrics-text")
        assert told.text.endswith("# EOF\n")
        assert "_created" not in told.text
        assert 1 == values(told.text)["gateway_journal_up"]
        parts = client.get("/ready", headers=shown).json()["parts"]
        assert [("journal", True), ("disk", True)] == [(part["name"], part["ready"]) for part in parts]
        assert client.post("/ready").status_code == 405


def test_without_a_journal_it_lives_is_not_ready_and_says_so(journal: Journal, tmp_path: Path) -> None:
    """503, and whoever was an operator a moment ago still hears which part it is, and still gets metrics."""
    with journal.write() as connection:
        shown = {"Authorization": f"Bearer {give_token(connection, None)}"}
    with (
        served(settings_of(tmp_path), journal) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=shown) as client,
    ):
        assert client.get("/metrics").status_code == 200
        journal.close()
        for path in tmp_path.glob("journal.sqlite3*"):
            path.rename(path.with_name("gone" + path.name))
        (tmp_path / "journal.sqlite3").mkdir()
        assert client.get("/live").json() == {"live": True}
        refused = client.get("/ready")
        assert (refused.status_code, refused.json()["ready"]) == (503, False)
        journal_part = refused.json()["parts"][0]
        assert (journal_part["name"], journal_part["ready"]) == ("journal", False)
        told = values(client.get("/metrics").text)
        assert 0 == told["gateway_journal_up"]
        assert client.get("/ready", headers={"Authorization": "Bearer other"}).json() == {"ready": False}


def test_the_socket_may_be_trusted_and_people_ask_by_command(journal: Journal, tmp_path: Path) -> None:
    """With `trust_socket` who may open the socket hears all, but who comes by the port does not."""
    path = tmp_path / "operations.socket"
    settings = settings_of(tmp_path, Operations(socket=path, port=0, trust_socket=True))
    file = tmp_path / "gateway.toml"
    file.write_text(f'[operations]\nsocket = "{path}"\ntrust_socket = true\n')
    command = CliRunner(env={"GATEWAY_CONFIG": str(file)})
    with served(settings, journal) as port:
        transport = httpx.HTTPTransport(uds=str(path))
        with httpx.Client(transport=transport, base_url="http://localhost") as client:
            assert client.get("/metrics").status_code == 200
            assert set(client.get("/live").json()) == {"live", "seconds"}
        assert httpx.get(f"http://127.0.0.1:{port}/metrics").status_code == 401
        told = json.loads(command.invoke(gateway, ["health", "--json"]).output)
        assert (told["live"], told["ready"], len(told["parts"])) == (True, True, 2)
        words = command.invoke(gateway, ["health"])
        assert words.exit_code == 0
        assert words.output.startswith("live: yes, ready: yes\n")
        assert "journal" in words.output
    gone = command.invoke(gateway, ["health"])
    assert (gone.exit_code, gone.output) == (1, "live: no, ready: no\n")
    file.write_text("")
    assert command.invoke(gateway, ["health"]).exit_code == 2


class Stuck(Journal):
    """A journal whose database never answers."""

    def __init__(self) -> None:
        self.freed = threading.Event()
        self.asked = 0

    def write(self) -> Any:  # noqa: D102 - as there
        self.asked += 1
        self.freed.wait(30)
        raise JournalError("the journal cannot be written")


async def test_a_part_that_hangs_is_not_ready_and_is_asked_once(tmp_path: Path) -> None:
    """However many ask meanwhile; each part that is not there is named."""
    journal = Stuck()
    dead = SimpleNamespace(alive=lambda: False, is_open=False, connected=False)
    running = Running(dead, dead, None, dead)  # type: ignore[arg-type]  # what is asked of them is all they have
    health = Health(settings_of(tmp_path), journal, running, patience=0.05)
    try:
        for _ in range(3):
            parts = {part.name: part for part in await health.parts()}
        assert [name for name, part in parts.items() if not part.ready] == ["journal", "workers", "door", "broker"]
        assert "no answer" in parts["journal"].words
        assert 1 == journal.asked
    finally:
        journal.freed.set()


async def test_a_disk_below_its_reserve_is_not_ready(journal: Journal, tmp_path: Path) -> None:
    """Since then nothing is taken in."""
    settings = settings_of(tmp_path)
    full = settings.model_copy(update={"spool": settings.spool.model_copy(update={"reserve": 1 << 60})})
    [_, disk] = await Health(full, journal, Running()).parts()
    assert not disk.ready
    assert "reserve" in disk.words


def test_no_word_of_an_event_becomes_a_label() -> None:
    """Every field of every event that is counted may say what it likes."""
    registry = CollectorRegistry()
    ears = Ears(registry)
    for name, heard in HEARD.items():
        fields = {label.field: MARK for label in heard.labels.values() if isinstance(label, Choice)}
        ears.hear({"event": name, "username": MARK, "source": MARK, "count": MARK, **fields})
        assert set(heard.labels) == set(DOCUMENTATION[heard.metric][1])
    ears.hear({"event": MARK})
    ears.hear({"event": "sftp.login.accepted", "by": ["key", "password"]})
    ears.hear({"event": "declarations.forwarded", "count": 7})
    samples = [sample for family in registry.collect() for sample in family.samples]
    assert MARK not in str(samples)
    assert 1 == registry.get_sample_value("gateway_logins_total", {"by": "key+password"})
    assert 8 == registry.get_sample_value("gateway_declarations_forwarded_total")
    assert 0 == registry.get_sample_value("gateway_login_failures_total", {"door": "sftp", "reason": "wrong password"})


def test_certificates_and_lists_are_told_by_setting_and_authority(journal: Journal, tmp_path: Path) -> None:
    """And what cannot be read is left out, not the rest with it."""
    meter = Meter()
    meter.attach(settings_of(tmp_path), journal, Running())
    told = values(meter.text().decode())
    assert told['gateway_sender_certificates_ending{"days": "30"}'] == 0
    assert told['gateway_disk_free_bytes{"place": "spool"}'] > 0
    assert "gateway_broker_up" not in told
    assert not [name for name in told if name.startswith("gateway_own_certificate")]
    assert {name for name in GAUGES if name.startswith("gateway_journal")} <= set(told)


def test_authorities_and_own_certificates_are_told(journal: Journal, tmp_path: Path) -> None:
    """Each list by its age and what is left of it, each authority and certificate by its days."""
    pki = Pki.create(tmp_path / "pki")
    pki.write_crls(this_update=clock() - timedelta(hours=2), next_update=clock() + timedelta(hours=3))
    settings = settings_of(tmp_path)
    pki.install(settings.trust.authorities, "staff")
    create_signing_key(tmp_path / "own.key", tmp_path / "own.pem", "Gateway")
    own = settings.signing.model_copy(update={"key": tmp_path / "own.key", "certificate": tmp_path / "own.pem"})
    meter = Meter()
    meter.attach(settings.model_copy(update={"signing": own}), journal, Running())
    told = values(meter.text().decode())
    assert 7200 <= told['gateway_revocation_age_seconds{"authority": "staff"}'] < 7500
    assert 10500 < told['gateway_revocation_left_seconds{"authority": "staff"}'] <= 10800
    assert told['gateway_authority_days_left{"authority": "staff"}'] > 0
    assert [name for name in told if name.startswith("gateway_own_certificate_days_left")]


async def test_neighbours_on_a_volume_that_hangs_are_not_ready_and_looked_for_once(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks is answered in time; one thread waits, however many ask."""
    freed, looks = threading.Event(), []

    def hangs(_: Path) -> list[Process]:
        looks.append("look")
        freed.wait(30)
        return []

    monkeypatch.setattr(processes, "alive", hangs)
    settings = settings_of(tmp_path)
    me = Process("1-me", frozenset({Role.OPERATIONS}), "here", 1, tmp_path / "me.sock")
    health, meter, neighbours = Health(settings, journal, Running()), Meter(), Neighbours(settings, me, patience=0.05)
    with ThreadPoolExecutor(1) as threads:
        observing = Observing(journal, health, meter, threads, neighbours, trust_socket=False)
        try:
            for _ in range(3):
                found = await observing.parts()
        finally:
            freed.set()
    assert [("journal", True), ("disk", True), ("processes", False)] == [(part.name, part.ready) for part in found]
    assert found[-1].words == "no answer in 0.05 seconds"
    assert ["look"] == looks
