"""Users, passwords, locks and blocks as an operator types them, while the gateway runs and OpenSSH is connected."""

import json
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.sftp_door import write_key
from tests.askpass import Typist
from tests.command_line import done, typed
from tests.gateway_process import SENDER, USER, GatewayProcess, Site, running

NEW_PASSWORD = "another-horse-8-staple"


def sftp(site: Site, username: str, *answers: str, methods: str = "password") -> subprocess.CompletedProcess[str]:
    """What OpenSSH's sftp shows of the root when somebody types ``answers``."""
    folder = site.work / "typist"
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [*client(site, methods), f"{username}@127.0.0.1"],
        input="ls\n",
        env=Typist(folder).prepare(answers),
        capture_output=True,
        text=True,
        check=False,
    )


def client(site: Site, methods: str = "publickey") -> list[str]:
    """OpenSSH's sftp and its options."""
    return [
        *("sftp", "-F", "/dev/null", "-i", str(site.work / "id_ed25519"), "-P", str(site.port)),
        *("-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
        *("-o", f"PreferredAuthentications={methods}", "-o", "NumberOfPasswordPrompts=1"),
    ]


def listing(site: Site, *words: str) -> Any:
    """What a command answers as JSON."""
    return json.loads(done(site, *words, "--json"))


def test_a_user_from_its_registration_to_its_own_password(site: Site, gateway: GatewayProcess) -> None:
    """Registered for both proofs, given a password that is shown once, changed at its first use."""
    done(site, "user", "add", SENDER, "payroll02", "--authentication", "both")
    done(site, "user", "key", "add", "payroll02", str(site.work / "id_ed25519.pub"), "--from", "2026-01-01")
    first = done(site, "user", "password", "give", "payroll02").strip()

    changed = sftp(site, "payroll02", first, first, NEW_PASSWORD, NEW_PASSWORD, methods="publickey,password")
    again = sftp(site, "payroll02", NEW_PASSWORD, methods="publickey,password")
    without_key = sftp(site, "payroll02", NEW_PASSWORD)

    assert "INTEST" in changed.stdout, changed.stderr
    assert "INTEST" in again.stdout, again.stderr
    assert "INTEST" not in without_key.stdout
    [user] = [item for item in listing(site, "user", "list") if item["user"] == "payroll02"]
    assert ("active", "both", 1) == (user["state"], user["authentication"], len(user["keys"]))
    assert first not in site.settings.journal.path.read_bytes().decode("latin-1")
    assert first not in json.dumps(gateway.seen)


@pytest.mark.parametrize("words", [("user", "block", USER), ("sender", "block", SENDER)])
def test_blocking_ends_open_connections(site: Site, gateway: GatewayProcess, words: tuple[str, ...]) -> None:
    """The client ends, with our words where its system hands them on; it does not come back before it is unblocked."""
    with subprocess.Popen(
        [*client(site), f"{USER}@127.0.0.1"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        gateway.wait_for("sftp.login.accepted")
        done(site, *words)
        gateway.wait_for("sftp.login.ended")
        _, told = process.communicate("ls\n")
        # A connection that is reset takes words along that were not read yet.
        assert "this access has been withdrawn" in told or "Connection closed" in told
        assert 0 != process.returncode
    assert 0 != site.sftp("ls").returncode
    done(site, words[0], "unblock", words[2])
    assert 0 == site.sftp("ls").returncode


def test_a_lock_outlives_the_gateway_and_is_lifted(site: Site) -> None:
    """Failures are counted on disk; the operator sees who is locked out and lifts it."""
    done(site, "user", "authentication", USER, "password")
    password = done(site, "user", "password", "give", USER).strip()
    change = (password, password, NEW_PASSWORD, NEW_PASSWORD)
    with running(site):
        for _ in range(5):
            assert "INTEST" not in sftp(site, USER, "wrong-password-1").stdout
    with running(site):
        assert "INTEST" not in sftp(site, USER, *change).stdout
        [lock] = listing(site, "defender", "list")
        assert (USER, "127.0.0.1", 5) == (lock["user"], lock["source"], lock["failures"])
        done(site, "defender", "lift", "--user", USER, "--source", "127.0.0.1", "--reason", "he called")
        assert [] == listing(site, "defender", "list")
        assert "INTEST" in sftp(site, USER, *change).stdout


def test_host_keys_are_changed_while_somebody_is_connected(site: Site, gateway: GatewayProcess) -> None:
    """On SIGHUP; the connection that is open goes on, and settings that cannot be used change nothing."""
    old = (site.folder / "keys/ssh_host_ed25519_key.pub").read_text().split()[1]
    new = write_key(site.work / "new_host_key")
    with subprocess.Popen(
        [*client(site), f"{USER}@127.0.0.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        gateway.wait_for("sftp.login.accepted")
        shutil.copy(site.work / "new_host_key", site.settings.sftp.host_key)
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for("gateway.reloaded")
        scanned = scan(site)
        assert old not in scanned
        assert new.export_public_key().decode().split()[1] in scanned
        site.settings.sftp.host_key.write_text("nonsense")
        gateway.process.send_signal(signal.SIGHUP)
        assert "host key" in gateway.wait_for("gateway.reload_refused")["faults"][0]
        assert scanned == scan(site)
        out, _ = process.communicate("ls\n")
        assert "INTEST" in out
        assert 0 == process.returncode


def scan(site: Site) -> str:
    """The host key that the door shows."""
    command = ["ssh-keyscan", "-t", "ed25519", "-p", str(site.port), "127.0.0.1"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_a_sender_is_held_to_addresses_and_let_off(site: Site, gateway: GatewayProcess) -> None:
    """From the next connection on; SHA-1 signatures too, for those who have nothing else."""
    done(site, "sender", "sources", SENDER, "192.0.2.0/24", "2001:db8::/32")
    assert 0 != site.sftp("ls").returncode
    assert "not an address of this sender" == gateway.wait_for("sftp.login.refused")["reason"]
    done(site, "sender", "sources", SENDER, "--any")
    assert 0 == site.sftp("ls").returncode
    assert "ssh-rsa is tolerated" in done(site, "sender", "login", SENDER, "--tolerate", "ssh-rsa")
    assert "nothing is tolerated" in done(site, "sender", "login", SENDER, "--tolerate", "none")


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        (("user", "add", SENDER, "Payroll"), 2, "8 to 30 digits and letters a to z"),
        (("user", "add", "654321", "payroll02"), 1, "there is no sender 654321"),
        (("user", "block", "nobody01"), 1, "there is no user nobody01"),
        (("user", "password", "expire", USER), 1, "has no password"),
        (("user", "password", "give", "nobody01"), 1, "there is no user nobody01"),
        (("user", "authentication", USER, "none"), 2, "'none' is not one of"),
        (("user", "key", "end", USER, "SHA256:nothing"), 1, "has not exactly one key"),
        (("user", "key", "add", USER, "gateway.toml"), 2, "not a public key in OpenSSH format"),
        (("sender", "add", SENDER, "--user", "Payroll.02"), 2, "8 to 30 digits and letters a to z"),
        (("sender", "sources", SENDER), 2, "name networks, or --any"),
        (("sender", "sources", SENDER, "192.0.2.1/24"), 2, "has host bits set"),
        (("sender", "sources", "654321", "--any"), 1, "there is no sender 654321"),
        (("sender", "login", SENDER, "--tolerate", "md5"), 2, "'md5' is not one of"),
        (("defender", "lift", "--reason", "x"), 2, "name --user, --source or both, or --all"),
        (("defender", "lift", "--all", "--reason", "x"), 1, "no failed log-in is counted"),
    ],
)
def test_what_is_refused_is_said_in_words(site: Site, words: tuple[str, ...], status: int, part: str) -> None:
    """And changes nothing."""
    words = tuple(str(site.settings_file) if word == "gateway.toml" else word for word in words)
    before = listing(site, "user", "list")
    refused = typed(site, *words)
    assert (status, part in refused.output) == (refused.exit_code, True), refused.output
    assert before == listing(site, "user", "list")


def test_a_key_ends_and_another_follows(site: Site, tmp_path: Path) -> None:
    """Both are listed with their dates."""
    key = write_key(tmp_path / "next")
    (tmp_path / "next.pub").write_bytes(key.export_public_key())
    done(site, "user", "key", "add", USER, str(tmp_path / "next.pub"), "--from", "2026-12-01", "--to", "2027-12-01")
    [old] = [item["key"] for item in listing(site, "user", "key", "list", USER) if item["from"] is None]
    done(site, "user", "key", "end", USER, old, "--at", "2026-12-31")
    listed = {item["key"]: (item["from"], item["to"]) for item in listing(site, "user", "key", "list", USER)}
    assert (None, "2026-12-31T00:00:00.000Z") == listed.pop(old)
    assert [("2026-12-01T00:00:00.000Z", "2027-12-01T00:00:00.000Z")] == list(listed.values())
