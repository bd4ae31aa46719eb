"""What the parts of the spool hold, what stops intake, and how old evidence is: as metrics, and in readiness."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from gateway.cli import gateway
from gateway.health import Health, Running
from gateway.metrics.meter import Meter
from gateway.metrics.spool_bytes import SpoolBytes
from gateway.operations.app import open_operations
from gateway.site import make_site, open_site
from spool import chain, submissions
from spool.checkpoints import make, record
from spool.declarations import Backlog
from spool.intake import IntakeLimits
from spool.journal import Journal, now, open_journal
from spool.unsealed import Unsealed
from tests.adapters.test_observing import settings_of, values

SECOND = 1_000_000


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """An empty one."""
    opened = open_journal(tmp_path / "journal.sqlite3", create=True)
    yield opened
    opened.close()


def put(path: Path, size: int) -> None:
    """A file of so many bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def test_each_part_is_measured_and_days_that_are_over_only_once(tmp_path: Path) -> None:
    """A day of custody is looked through again when its folder has changed."""
    put(tmp_path / "custody" / "20261120" / "T1" / "FI", 100)
    put(tmp_path / "custody" / "20261121" / "T2" / "FI", 10)
    put(tmp_path / "declarations" / "T2", 7)
    (tmp_path / "declarations" / "link").symlink_to("/etc")
    spool = SpoolBytes(tmp_path)
    first = spool.measured()
    assert (110, 0) == (first["custody"], first["answers"])
    assert 7 < first["declarations"] < 100  # of a link only itself
    put(tmp_path / "custody" / "20261120" / "T1" / "FI", 5000)
    assert 110 == spool.measured()["custody"]
    put(tmp_path / "custody" / "20261121" / "T3" / "FI", 1000)
    assert 1110 == spool.measured()["custody"]


def test_nobody_waits_for_the_measuring(tmp_path: Path) -> None:
    """Who asks is told what was found last; soon after it is known."""
    put(tmp_path / "answers" / "a", 3)
    spool = SpoolBytes(tmp_path, soonest=0.0)
    found = spool.known()
    while not found:
        found = spool.known()
    assert 3 == found["answers"]


async def test_what_stops_intake_is_said_by_readiness_and_metrics(journal: Journal, tmp_path: Path) -> None:
    """Evidence and what waits to be forwarded make it not ready; maintenance is no fault."""
    settings = settings_of(tmp_path)
    unsealed = Unsealed(tmp_path, 10 * SECOND)
    backlog = Backlog(tmp_path / "declarations", 5)
    limits = IntakeLimits(1000, 10, 1, backlog=backlog, unsealed=unsealed, closed=lambda: "maintenance")
    running = Running(intake=limits)
    health = Health(settings, journal, running)
    meter = Meter()
    meter.attach(settings, journal, running)

    def stopped() -> set[str]:
        told = values(meter.text().decode())
        reasons = ("evidence", "backlog", "maintenance", "disk")
        return {reason for reason in reasons if told[f'gateway_intake_stopped{{"reason": "{reason}"}}']}

    [_, _, intake] = await health.parts()
    assert (("intake", True), {"maintenance"}) == ((intake.name, intake.ready), stopped())
    put(tmp_path / "declarations" / "T", 6)
    backlog.measure()
    unsealed.look(now() - 60 * SECOND, now())
    another = Health(settings, journal, Running(intake=replace(limits, closed=lambda: "")))
    [_, _, intake] = await another.parts()
    assert not intake.ready
    assert "evidence cannot be written, for events wait for a checkpoint for more than 10 seconds" in intake.words
    assert "6 bytes of declarations wait to be forwarded, more than 5" in intake.words
    assert {"evidence", "backlog", "maintenance"} == stopped()


async def test_people_and_commands_are_told_that_nothing_is_taken_in_and_why(tmp_path: Path) -> None:
    """By the status page, first of all, and by `gateway health`; until it goes on."""
    make_site(tmp_path / "site")
    path = tmp_path / "site" / "gateway.toml"
    text = path.read_text("utf-8").replace('# socket = "var/', 'socket = "var/')
    for key in ("trust_socket", "status_page"):
        text = text.replace(f"{key} = false", f"{key} = true")
    path.write_text(text, "utf-8")
    settings, journal = open_site(path)
    socket = settings.operations.socket
    (full := Backlog(tmp_path / "declarations", 5)).size = 6
    running = Running(intake=IntakeLimits(1000, 10, 1, backlog=full))
    words = "intake: nothing is taken in: 6 bytes of declarations wait to be forwarded, more than 5."

    def health() -> tuple[int, str]:
        done = CliRunner().invoke(gateway, ["health", "--config", str(path)])
        return done.exit_code, done.output

    def page() -> str:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://localhost") as client:
            return client.get("/status").text

    async with open_operations(settings, journal, running=running):
        assert f"Not ready, {words}" in await asyncio.to_thread(page)
        status, told = await asyncio.to_thread(health)
        assert (1, True) == (status, "6 bytes of declarations wait" in " ".join(told.split()))
    full.size = 5
    async with open_operations(settings, journal, running=running):
        assert "nothing is taken in" not in await asyncio.to_thread(page)
    journal.close()


def test_a_process_without_a_door_sees_from_outside_what_stops_it(journal: Journal, tmp_path: Path) -> None:
    """By the journal and the disk; how old evidence is, it knows from there as well."""
    settings = settings_of(tmp_path)
    late = settings.evidence.model_copy(update={"seal_seconds": 1.0, "max_unsealed_seconds": 2.0})
    reserve = settings.spool.model_copy(update={"reserve": 1 << 60})
    meter = Meter()
    meter.attach(settings.model_copy(update={"evidence": late, "spool": reserve}), journal, Running())
    told = values(meter.text().decode())
    assert (0, 1) == (
        told['gateway_intake_stopped{"reason": "evidence"}'],
        told['gateway_intake_stopped{"reason": "disk"}'],
    )
    assert 0 == told["gateway_evidence_unsealed_seconds"]
    assert "gateway_checkpoint_age_seconds" not in told
    with journal.write() as connection:
        submissions.note(connection, None, "intake.resumed")
        record(connection, make(1, "0" * 64, chain.after(connection, 0, 1), now() - 50 * SECOND))
    told = values(meter.text().decode())
    assert 50 <= told["gateway_checkpoint_age_seconds"] < 300
    assert 0 == told["gateway_evidence_unsealed_seconds"]
    assert told['gateway_disk_size_bytes{"place": "spool"}'] > told['gateway_disk_free_bytes{"place": "spool"}'] > 0
