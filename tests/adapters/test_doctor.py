"""`gateway doctor` on a site that is not well, one it may hardly read, and one on which something hangs."""

import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from pydantic import SecretStr

from config.retention import NOT_SETTLED
from config.settings import read_settings
from gateway.cli import gateway
from gateway.doctor import machine, neighbours, site, trust
from gateway.doctor.finding import Finding, Mark, Patient, lasting, size_in_words
from gateway.doctor.journal import evidence, journal, stages
from gateway.doctor.round import examined
from gateway.site import make_site
from scripts import metric_list
from spool import chain, submissions
from spool.checkpoints import Checkpoints, make, record
from spool.journal import now, open_journal
from spool.submissions import State
from spool.tables import submissions as table
from tests.authority import Pki
from tests.authority import now as clock
from tests.clamd import scanner_that
from tests.postgres import Cluster
from tests.submissions_made import receive

NOBODY = 65534


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """A site that nobody has used."""
    path = make_site(tmp_path / "site")
    return Patient(read_settings(path), path, datetime.now(UTC), 30.0)


def with_settings(patient: Patient, section: str, **values: object) -> Patient:
    """The patient with other settings."""
    changed = getattr(patient.settings, section).model_copy(update=values)
    settings = patient.settings.model_copy(update={section: changed})
    return Patient(settings, patient.file, patient.at, patient.seconds)


def troubles(findings: Iterator[Finding]) -> list[Finding]:
    """Those that want somebody."""
    return [one for one in findings if one.mark is Mark.TROUBLE]


def test_every_alert_that_is_named_exists() -> None:
    """So does its runbook, which another test compares with the alerts."""
    there = {rule["alert"] for rule in metric_list.rules()}
    folder = Path(trust.__file__).parent
    text = "".join(path.read_text() for path in folder.glob("*.py"))
    named = {word for word in text.replace('"', " ").split() if word.startswith("Gateway") and word.isalpha()}
    assert len(named) > 10
    assert named <= there


def test_what_waits_too_long_is_told_with_what_to_do(patient: Patient) -> None:
    """By stage, with the oldest; also events that are not sealed."""
    opened = open_journal(patient.settings.journal.place)
    for number, state in enumerate((State.RECEIVED, State.HELD, State.QUARANTINED)):
        ticket = receive(opened, f"TICKET{number}").ticket
        with opened.write() as connection:
            connection.execute(sa.update(table).where(table.c.ticket == ticket).values(state=state))
    opened.close()
    assert ["GatewaySubmissionsQuarantined"] == [one.alert for one in troubles(stages(patient))]
    late = Patient(patient.settings, patient.file, patient.at + timedelta(hours=1, seconds=30), 30.0)
    found = troubles(stages(late))
    assert ["GatewaySubmissionsWait", "GatewaySubmissionsHeld", "GatewaySubmissionsQuarantined"] == [
        one.alert for one in found
    ]
    assert "judge: 1, the oldest for 1 h" in found[0].words
    assert ["GatewayEvidenceUnsealed"] == [one.alert for one in troubles(evidence(late))]


def test_who_should_purge_and_has_no_choice_of_an_archive_is_told(patient: Patient) -> None:
    """It runs, and is no fault of the settings."""
    waits = with_settings(patient, "retention", by_itself=True)
    assert ["the gateway does not purge by itself: " + NOT_SETTLED] == [
        one.words for one in troubles(site.settings(waits))
    ]
    assert [] == troubles(site.settings(with_settings(waits, "retention", without_archive=True)))


def test_a_journal_that_is_away_broken_or_of_another_release(patient: Patient) -> None:
    """Each in its own words; nothing else is known then."""
    path = patient.settings.journal.path
    for content in (None, b"no database" * 1000, b""):
        for left in path.parent.glob("journal.sqlite3-*"):
            left.unlink()
        path.unlink() if content is None else path.write_bytes(content)
        [found] = journal(patient)
        assert Mark.TROUBLE is found.mark
        assert [Mark.UNKNOWN] == [one.mark for one in stages(patient)] == [one.mark for one in evidence(patient)]


def test_a_journal_in_postgresql_is_examined_too(patient: Patient, cluster: Cluster) -> None:
    """Its place without the password, its size, and its clock against ours; one that is away is said."""
    url = cluster.journal()
    far = with_settings(patient, "journal", url=SecretStr(url))
    assert [] == troubles(journal(far))
    [found] = journal(with_settings(patient, "journal", url=SecretStr("postgresql://u:geheim@127.0.0.1:1/none")))
    assert ("GatewayJournalAway", False) == (found.alert, "geheim" in found.words)


def test_keys_certificates_and_authorities(patient: Patient, tmp_path: Path) -> None:
    """A key that everybody may read, a certificate and an authority that end, a list that counts no more."""
    assert [] == troubles(trust.keys(patient))
    patient.settings.sftp.host_key.chmod(0o644)
    pki = Pki.create(tmp_path / "pki")
    pki.write_crls(this_update=clock() - timedelta(hours=9), next_update=clock() + timedelta(hours=2))
    pki.install(patient.settings.trust.authorities, "staff")
    broker = pki.issue("Broker", not_after=clock() + timedelta(days=3, minutes=-30)).certificate
    found = troubles(trust.keys(with_settings(patient, "broker", certificate=broker)))
    assert ["sftp.host_key: everybody may open", "broker.certificate: good for 2 d 23 h"] == [
        one.words.partition(" /")[0] for one in found
    ]
    assert [] == troubles(trust.authorities(patient))
    later = Patient(patient.settings, patient.file, patient.at + timedelta(hours=3), 30.0)
    [stale] = troubles(trust.authorities(later))
    assert ("GatewayRevocationStale", True) == (stale.alert, "its senders are held" in stale.words)
    for file in (patient.settings.trust.authorities / "staff").glob("*.pem"):
        file.write_text("no certificate")
    assert 1 == len(troubles(trust.authorities(patient)))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_an_authority_that_root_has_added(patient: Patient, tmp_path: Path) -> None:
    """It is said that the gateway can store no list there, and what to do."""
    folder = patient.settings.trust.authorities
    Pki.create(tmp_path / "pki").install(folder, "staff")
    assert [] == troubles(trust.authorities(patient))
    os.chown(folder, 65534, 65534)
    [found] = troubles(trust.authorities(patient))

    assert f"{folder}/staff belongs to root" in found.words
    assert f"chown -R --reference={folder} {folder}/staff" in found.to_do


def test_a_disk_without_room_and_a_clock_that_nobody_sets(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first names its alert; of the second there are three answers."""
    [full] = troubles(machine.disk(with_settings(patient, "spool", reserve=1 << 60)))
    assert "GatewayDiskNearlyFull" == full.alert
    patient.settings.spool.path.chmod(0o755)
    assert ["chmod o-rwx"] == [one.to_do.partition(" /")[0] for one in troubles(machine.disk(patient))]
    assert 1 == len(troubles(machine.disk(with_settings(patient, "spool", path=Path("/nowhere")))))
    marks = []
    for state in (0, 5, None):
        monkeypatch.setattr(machine, "_state_of_clock", lambda state=state: state)
        marks += [one.mark for one in machine.clock(patient)]
    assert [Mark.FINE, Mark.TROUBLE, Mark.UNKNOWN] == marks


def test_a_scanner_that_answers_and_one_that_is_away(patient: Patient, tmp_path: Path) -> None:
    """By its version; nothing is scanned."""
    assert [] == troubles(neighbours.scanner(patient))

    def tells(_: bytes, connection: socket.socket) -> None:
        connection.sendall(b"ClamAV 1.0.7/27000/Sat Nov 21 09:00:00 2026\0")

    with scanner_that(tells) as address:
        [found] = neighbours.scanner(with_settings(patient, "scanner", address=address))
    assert (Mark.FINE, True) == (found.mark, "ClamAV 1.0.7" in found.words)
    [away] = neighbours.scanner(with_settings(patient, "scanner", address=f"unix:{tmp_path / 'none'}"))
    assert "GatewayScannerAway" == away.alert


def test_second_copies_of_checkpoints_that_stay_away(patient: Patient, tmp_path: Path) -> None:
    """The latest may be on its way, the one before has to be there."""
    kept = with_settings(patient, "evidence", copy_folder=tmp_path / "copies")
    opened = open_journal(patient.settings.journal.place)
    with opened.write() as connection:
        for ordinal in (1, 2):
            submissions.note(connection, None, "intake.resumed")
            record(connection, make(ordinal, "0" * 64, chain.after(connection, ordinal - 1, 1), now()))
    opened.close()
    [late] = troubles(evidence(kept))
    assert "GatewayCheckpointsNotCopied" == late.alert
    Checkpoints(tmp_path / "copies").path(1).parent.mkdir()
    Checkpoints(tmp_path / "copies").path(1).touch()
    assert [] == troubles(evidence(kept))


def test_one_that_hangs_or_fails_hides_no_other(patient: Patient) -> None:
    """It is said which, after the time it has; a fault nobody thought of is trouble too, by its kind alone."""
    freed = threading.Event()

    def hangs(_: Patient) -> Iterator[Finding]:
        freed.wait(30)
        yield Finding(Mark.FINE, "too late")

    def fails(_: Patient) -> Iterator[Finding]:
        yield Finding(Mark.FINE, "before")
        raise ValueError("words of a document")

    quick = Patient(patient.settings, patient.file, patient.at, 0.3)
    found = dict(examined(quick, {"hangs": hangs, "fails": fails, "disk": machine.disk}))
    freed.set()
    assert ["no answer in 0.3 seconds"] == [one.words for one in found["hangs"]]
    assert ["before", "could not be examined: ValueError"] == [one.words for one in found["fails"]]
    assert {Mark.FINE} == {one.mark for one in found["disk"]}


@contextmanager
def somebody_else() -> Iterator[None]:
    """Who tests is nobody for the time of the block, where it was root."""
    if os.geteuid():
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_another_user_is_told_what_he_may_not_see(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clearly, and not as trouble; nothing breaks."""
    monkeypatch.setenv("USER", "somebody")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = make_site(folder / "site")
        command = ["doctor", "--json", "--config", str(path)]
        CliRunner().invoke(gateway, command)  # loads everything that nobody else might
        hidden = [path.parent / "var", path.parent / "keys", path.parent / "authorities"]
        for one in hidden:
            one.chmod(0)
        with somebody_else():
            said = CliRunner().invoke(gateway, command)
        for one in hidden:
            one.chmod(0o700)
    found: dict[str, list[dict[str, Any]]] = json.loads(said.output)["parts"]
    marks = {part: {one["mark"] for one in findings} for part, findings in found.items()}
    for part in ("settings", "processes", "readiness", "waiting", "journal", "evidence", "disk", "keys", "authorities"):
        assert marks[part] == {"unknown"}, found[part]
    assert {"fine"} == marks["installation"] == marks["types"] == marks["broker"]


def test_lengths_and_sizes_in_words() -> None:
    """To two units, and in decimal ones."""
    lengths = [timedelta(0), timedelta(seconds=61), timedelta(days=3, hours=2, minutes=1), timedelta(hours=-2)]
    assert ["0 s", "1 min 1 s", "3 d 2 h", "2 h"] == [lasting(one) for one in lengths]
    assert ["0 bytes", "999 bytes", "1.0 KB", "458.8 KB", "78.9 GB", "5000.0 TB"] == [
        size_in_words(one) for one in (0, 999, 1000, 458_752, 78_900_000_000, 5 * 10**15)
    ]
