"""The command ``gateway`` as an operator types it."""

import json
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.authority import Pki
from tests.gateway_process import SENDER, GatewayProcess, Site, running, today


def test_help_says_how_to_begin(site: Site) -> None:
    """Every command has a line; the first page shows the way to a first site."""
    done = site.command("--help")

    assert 0 == done.returncode
    assert "\n    gateway serve\n" in done.stdout
    for word in (
        "init",
        "serve",
        "check-config",
        "sender",
        "authority",
        "show",
        "submissions",
        "queue",
        "gateway init",
    ):
        assert word in done.stdout


def test_a_site_is_made_once(tmp_path: Path, site: Site) -> None:
    """``init`` makes everything that ``check-config`` wants, and touches no site that is there."""
    made = site.command("init", str(tmp_path / "new"))
    again = site.command("init", str(tmp_path / "new"))
    checked = site.command("check-config", "--config", str(tmp_path / "new" / "gateway.toml"))

    assert (made.returncode, again.returncode, checked.returncode) == (0, 2, 0)
    assert (tmp_path / "new/keys/gateway.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "new/keys/ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600


def test_check_config_reports_every_fault_and_serve_refuses_them_too(site: Site) -> None:
    """Exit status 2, a line for each fault: a missing key, an unusable authority, no journal."""
    (site.folder / "keys/gateway.key").unlink()
    site.settings.sftp.host_key.unlink()
    site.settings.journal.path.unlink()
    (site.settings.trust.authorities / "broken").mkdir()
    checked, served = site.command("check-config"), site.command("serve")

    assert (checked.returncode, served.returncode) == (2, 2)
    for part in ("gateway.key", "host_key", "broken", "journal.path"):
        assert part in checked.stderr
    assert "gateway.key" in served.stderr
    assert "Traceback" not in checked.stderr + served.stderr


def test_a_second_gateway_on_the_same_site_is_refused(site: Site, gateway: GatewayProcess) -> None:
    """It would work on the same files; the first goes on undisturbed."""
    second = site.command("serve")

    assert 2 == second.returncode
    assert "another gateway" in second.stderr
    assert gateway.process.poll() is None


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["no-such-command"], 2),
        (["sender", "add", "12", "--user", "x"], 2),
        (["sender", "add", "000000", "--user", "x"], 2),
        (["sender", "add", "222222", "--user", "../x"], 2),
        (["sender", "block", "222222"], 1),
        (["show", "NOSUCHTICKET0"], 1),
        (["release", "NOSUCHTICKET0", "--reason", "mended"], 1),
        (["authority", "remove", "nobody"], 1),
        (["submissions", "--state", "lost"], 2),
        (["submissions", "--config", "/no/such/file"], 2),
    ],
)
def test_exit_status_tells_refused_from_wrongly_used(site: Site, words: list[str], status: int) -> None:
    """1 for what is refused, 2 for wrong usage or configuration, each with words on stderr and no traceback."""
    done = site.command(*words)

    assert status == done.returncode
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_senders_are_added_listed_blocked_and_unblocked(site: Site, pki: Pki) -> None:
    """A sender has its user, rights and certificates; a key that is too weak is not taken."""
    credential = pki.issue("Another payroll")
    key = site.work / "id_ed25519.pub"
    added = site.command(
        "sender", "add", "222222", "--user", "payroll22", "--ssh-key", str(key), "--certificate",
        str(credential.certificate), "--signature", "enveloped", "--environments", "TS", "--purpose", "DIMN",
    )  # fmt: skip
    site.command("sender", "add", "222222", "--user", "payroll23")
    weak = site.work / "weak.pub"
    weak.write_text("ssh-dss AAAAB3NzaC1kc3MAAACBAP0= weak\n")
    refused = site.command("sender", "add", "333333", "--user", "payroll33", "--ssh-key", str(weak))
    taken = site.command("sender", "add", "333333", "--user", "payroll22")
    site.command("sender", "block", "222222")
    row = next(row for row in site.listing("sender", "list") if row["number"] == "222222")

    assert (added.returncode, refused.returncode, taken.returncode) == (0, 2, 1)
    assert (
        row["state"], row["users"], row["signature"], row["environments"], row["purposes"], len(row["certificates"]),
    ) == ("blocked", ["payroll22", "payroll23"], "enveloped", "TS", ["DIMN"], 1)  # fmt: skip
    assert [row["number"] for row in site.listing("sender", "list")] == ["123456", "222222"]


def test_a_certificate_that_would_not_be_accepted_is_registered_with_a_remark(site: Site, tmp_path: Path) -> None:
    """With the sender, as it is by itself."""
    (tmp_path / "elsewhere").mkdir()
    stranger = Pki.create(tmp_path / "elsewhere").issue("Stranger")

    added = site.command("sender", "add", SENDER, "--user", "payroll01", "--certificate", str(stranger.certificate))

    assert added.returncode == 0
    assert "1 certificates added" in added.stdout
    assert "as things are it would not be accepted" in added.stderr


def test_authorities_are_added_listed_and_removed(site: Site, tmp_path: Path) -> None:
    """An authority comes with its chain and lists; a name is taken once."""
    other = Pki.create(tmp_path / "other")
    words = ["authority", "add", "other", "--certificate", str(other.issuing), "--chain", str(other.root)]
    lists = [word for path in other.crls for word in ("--crl", str(path))]
    words += ["--environment", "T", "--accepted-from", "2026-01-01", "--revocation-max-age-hours", "24"]
    words += ["--crl-from", "http://127.0.0.1/issuing.crl", "--ocsp-from", "http://127.0.0.1/ocsp"]
    statuses = [site.command(*words, *lists).returncode for _ in range(2)]
    terms = json.loads(site.command("authority", "show", "other", "--json").stdout)["terms"]
    names = [row["name"] for row in site.listing("authority", "list")]
    site.command("authority", "remove", "other")

    assert statuses == [0, 1]
    assert (["T"], "2026-01-01T00:00:00Z", 24.0, ["http://127.0.0.1/issuing.crl"], "http://127.0.0.1/ocsp") == (
        terms["environments"],
        terms["accepted_from"],
        terms["revocation_max_age_hours"],
        terms["crl_from"],
        terms["ocsp_from"],
    )
    assert names == ["other", "test"]
    assert [row["name"] for row in site.listing("authority", "list")] == ["test"]


def test_submissions_are_filtered_and_shown(site: Site, gateway: GatewayProcess) -> None:
    """By state, sender and day; the timeline of one has every step from custody to its close."""
    for sequence, data in (("00001", None), ("00002", b"<broken")):
        names = site.write_set(f"DIMN.{SENDER}.{today()}.{sequence}.R", data)
        site.sftp("cd IN", *(f"put {name}" for name in names))
        gateway.judged()
    rows = site.listing("submissions")
    day = rows[0]["received"][:10]
    accepted = site.listing("submissions", "--state", "accepted", "--sender", SENDER, "--day", day)
    shown = site.listing("show", accepted[0]["ticket"])
    words = site.command("show", accepted[0]["ticket"]).stdout
    steps = [step["event"] for step in shown["timeline"]]

    assert (len(rows), len(accepted)) == (2, 1)
    assert site.listing("submissions", "--sender", "222222") == []
    assert site.listing("submissions", "--day", "2001-01-01") == []
    assert steps[:2] == ["custody.taken", "verdict.accepted"]
    assert [step for step in steps if step == "declaration.forwarded"] == ["declaration.forwarded"] * 3
    assert {"answer.placed", "submission.closed"} <= set(steps)
    assert all(step in words for step in steps)
    assert "{" not in words
    assert "    signatures, part 1:\n      format          cms\n      certificate     " in words


def test_the_queue_is_listed_and_taken(site: Site, gateway: GatewayProcess) -> None:
    """``list`` leaves messages where they are, ``take`` takes them, oldest first, with their bodies."""
    names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
    site.sftp("cd IN", *(f"put {name}" for name in names))
    gateway.wait_for("submission.closed")
    listed = site.listing("queue", "list")
    body = site.command("queue", "take").stdout
    rest = site.listing("queue", "take", "--count", "5")

    assert [message["form"] for message in listed] == [1, 2, 3]
    assert body.startswith("<?xml")
    assert [message["form"] for message in rest] == [2, 3]
    assert site.listing("queue", "list") == []


def test_a_reader_that_breaks_off_loses_no_message(site: Site, gateway: GatewayProcess) -> None:
    """What could not be printed was not taken."""
    names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
    site.sftp("cd IN", *(f"put {name}" for name in names))
    gateway.wait_for("submission.closed")
    command = [sys.executable, "-m", "gateway", "queue", "take", "--count", "3", "--config", str(site.settings_file)]
    with Path("/dev/full").open("wb") as full:
        status = subprocess.run(command, stdout=full, stderr=subprocess.DEVNULL, check=False).returncode

    assert 0 != status
    assert 3 == len(site.listing("queue", "list"))


def test_a_port_that_is_taken_is_said_in_one_line(site: Site) -> None:
    """Exit status 1: it may be free later."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        site.configure("port = 0", f"port = {taken.getsockname()[1]}")
        done = site.command("serve")

    assert 1 == done.returncode
    assert "Traceback" not in done.stderr


def test_a_held_submission_waits_for_a_fresh_list_and_is_released(site: Site, pki: Pki) -> None:
    """Without a fresh revocation list nothing is refused: it is held, and judged when there is one."""
    site.configure("retry_seconds = 5.0", "retry_seconds = 60.0", section="judging")  # not before the release
    authority = site.settings.trust.authorities
    pki.write_crls(this_update=_days_ago(9), next_update=_days_ago(2))
    pki.install(authority, "test")
    pki.write_crls()
    with running(site) as gateway:
        names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
        site.sftp("cd IN", *(f"put {name}" for name in names))
        held = gateway.wait_for("submission.held")
        state = site.listing("show", held["ticket"])["state"]
        site.command("authority", "crl", "test", *map(str, pki.crls))
        released = site.command("release", held["ticket"], "--reason", "a list came")
        verdict = gateway.judged()

    assert (state, released.returncode, verdict["verdict"]) == ("held", 0, "accepted"), released.stderr


def test_every_line_of_the_log_is_json_and_none_has_personal_data(site: Site, gateway: GatewayProcess) -> None:
    """Names and numbers of the persons in a declaration are nowhere in the log or the listings."""
    names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
    site.sftp("cd IN", *(f"put {name}" for name in names))
    ticket = gateway.judged()["ticket"]
    gateway.stop()
    written = json.dumps(gateway.seen) + site.command("show", ticket).stdout + site.command("queue", "list").stdout
    document = (site.work / names[0]).read_text()
    personal = {
        document.partition(f"<{field}>")[2].partition("<")[0] for field in ("INSS", "WorkerName", "WorkerFirstName")
    }

    assert "not JSON" not in written
    assert not [word for word in personal if word and word in written]
    assert any(personal)


def _days_ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
