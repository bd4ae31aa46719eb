"""What is told on /metrics, /live and /ready, to whom, and what when a part of the gateway is not there."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from config.administration import Operations
from config.settings import Settings
from gateway.cli import gateway
from gateway.health import Health, Running
from gateway.metrics.heard import DOCUMENTATION, HEARD, Choice, Ears
from gateway.metrics.meter import Meter
from gateway.metrics.surroundings import GAUGES
from gateway.metrics.timeline import Timeline
from gateway.metrics.waiting import STAGES, waiting
from spool import effects, submissions
from spool.effects import Kind
from spool.journal import Journal, JournalError, now, open_journal
from spool.submissions import Ruling, State, Submission
from spool.tables import events
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


def add(journal: Journal, ticket: str, at: int, name: str = "GO.DIMN.123456.20261121.00001.R.1") -> None:
    """A submission that came at ``at``."""
    came = Submission(ticket, at, "sftp", "123456", MARK, "IN", name, f"{ticket}", "", State.RECEIVED, 0)
    with journal.write() as connection:
        submissions.add(connection, came)


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


def test_the_timeline_is_counted_once_by_type_stage_and_outcome(journal: Journal) -> None:
    """From where this process began; an answer that is given again is nobody's waiting time."""
    at = now() - 100 * SECOND
    add(journal, "T000000000000", at)
    registry = CollectorRegistry()
    timeline = Timeline(registry, journal, lambda: {"DIMN"})
    timeline.begin()
    add(journal, "T000000000001", at)
    add(journal, "T000000000002", at, f"GO.{MARK}")
    with journal.write() as connection:
        submissions.hold(connection, "T000000000001", state=State.HELD, attempts=0, next_attempt_at=0, reason="no list")
        submissions.settle(connection, "T000000000001", Ruling(State.ACCEPTED))
        submissions.settle(connection, "T000000000002", Ruling(State.REJECTED, findings=(("129", "x"),)))
        for event in ("answer.placed", "submission.closed", "answer.placed", "something.else"):
            if event == "submission.closed":
                submissions.close_if_done(connection, "T000000000001")
            else:
                submissions.note(connection, "T000000000001", event)
        number = connection.execute(sa.select(sa.func.max(events.c.number))).scalar_one()
    # By the clock, the last answer came after the close.
    with journal.write() as connection:
        connection.execute(sa.update(events).where(events.c.number >= number - 1).values(at=now() + SECOND))

    def count(**labels: str) -> float:
        return registry.get_sample_value("gateway_submissions_total", labels) or 0.0

    timeline.look(now())
    assert 0 == count(type="DIMN", stage="received", outcome="taken")
    assert 9 <= (registry.get_sample_value("gateway_timeline_behind") or 0)
    for _ in range(2):
        timeline.look(now() + 60 * SECOND)
        assert 1 == count(type="DIMN", stage="received", outcome="taken")
        assert 1 == count(type="other", stage="judged", outcome="rejected")
        assert 1 == count(type="DIMN", stage="judged", outcome="held")
        assert 1 == count(type="DIMN", stage="judged", outcome="accepted")
        assert 2 == count(type="DIMN", stage="answered", outcome="placed")
        assert 1 == registry.get_sample_value("gateway_refusals_total", {"code": "129"})
        assert 1 == registry.get_sample_value("gateway_answer_seconds_count", {"channel": "sftp"})
        assert 100 <= (registry.get_sample_value("gateway_answer_seconds_sum", {"channel": "sftp"}) or 0) < 110
        assert 2 == registry.get_sample_value("gateway_stage_seconds_count", {"stage": "judged"})
        assert 0 == registry.get_sample_value("gateway_timeline_behind")


def test_what_waits_is_told_with_the_age_of_the_oldest(journal: Journal) -> None:
    """At every stage, within bounds."""
    with journal.read() as connection:
        assert list(STAGES) == [stage.stage for stage in waiting(connection)]
        assert {(0, None)} == {(stage.count, stage.since) for stage in waiting(connection)}
    for number in range(3):
        add(journal, f"T{number:012}", 1000 + number)
    with journal.write() as connection:
        submissions.hold(connection, "T000000000001", state=State.HELD, attempts=0, next_attempt_at=0, reason="no list")
        effects.plan(connection, "T000000000002", Kind.FORWARD, [{}, {}])
    with journal.read() as connection:
        found = {stage.stage: (stage.count, stage.since) for stage in waiting(connection)}
        assert found["judge"] == (2, 1000)
        assert found["held"] == (1, 1001)
        assert found["forward"] == (2, 1002)
        assert found["parked"] == (0, None)
        assert {stage.stage: stage.count for stage in waiting(connection, most=1)}["judge"] == 1


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
