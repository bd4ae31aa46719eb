"""The gateway is installed, upgraded, returned and uninstalled; and its unit gives it the least rights."""

import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from config.roles import Role
from tests.gateway_process import Site

_CHECKOUT = Path(__file__).parents[2]
_UNIT = _CHECKOUT / "systemd" / "batch-gateway.service"
_MOST_EXPOSURE = 15


def _pins(name: str) -> dict[str, str]:
    """What a lock file pins: names and versions."""
    found = re.findall(r"^([a-z0-9-]+)(?:\[.*?\])?==(\S+)", (_CHECKOUT / name).read_text(), re.MULTILINE)
    return dict(found)


def test_the_unit_leaves_little_exposed() -> None:
    """By systemd's own measure, in tenths, where 100 is everything."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", f"--threshold={_MOST_EXPOSURE}", _UNIT],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout


@pytest.mark.parametrize("unit", ["batch-gateway.service", "batch-gateway@.service"])
@pytest.mark.parametrize(
    "line",
    [
        "Type=notify",
        "WatchdogSec=60",
        "Restart=on-failure",
        "RestartPreventExitStatus=2",
        "StartLimitBurst=5",
        "Environment=SQLITE_TMPDIR=/var/lib/batch-gateway",
    ],
)
def test_the_unit_says(unit: str, line: str) -> None:
    """What the installer and the gateway rely on, be it one process or one for each role."""
    assert line in (_UNIT.parent / unit).read_text().splitlines()


@pytest.mark.parametrize(("unit", "role"), [("batch-gateway.service", ""), ("batch-gateway@.service", "--role %i ")])
def test_the_unit_starts(unit: str, role: str) -> None:
    """The release in use, with the site's settings."""
    line = f"ExecStart=/opt/batch-gateway/current/bin/gateway serve {role}--config /etc/batch-gateway/gateway.toml"
    assert line in (_UNIT.parent / unit).read_text().splitlines()


@pytest.mark.parametrize("role", sorted(Role))
def test_a_fault_of_the_configuration_is_not_started_again(site: Site, role: Role) -> None:
    """Each role ends with the status for which its unit says so, and names the fault."""
    site.configure("max_tries", "max_trees")
    done = site.command("serve", "--role", role)

    assert 2 == done.returncode
    assert "max_trees" in done.stderr


@pytest.mark.parametrize("role", sorted(Role))
def test_what_opens_the_broker_is_offered_to_two_roles(role: Role) -> None:
    """The example of its credential stands in their units alone, and no unit of another role has it."""
    texts = [(_UNIT.parent / f"batch-gateway@{role}.service.d" / "rights.conf").read_text()]
    texts.append((_UNIT.parent / "batch-gateway@.service").read_text())

    assert (role in {Role.DELIVER, Role.MQ}) == any("LoadCredential=broker." in text for text in texts)


def test_uninstalling_knows_every_unit() -> None:
    """None goes on."""
    script = (_CHECKOUT / "scripts" / "uninstall").read_text()
    (stopped,) = re.findall(r"for unit in (.+); do", script)
    expanded = subprocess.run(["bash", "-c", f"echo {stopped}"], capture_output=True, text=True, check=True).stdout

    units = {path.name for path in _UNIT.parent.iterdir() if path.suffix in {".service", ".socket", ".target"}}
    started = {one for one in units if "@." not in one} | {f"batch-gateway@{role}.service" for role in Role}
    assert started == set(expanded.split())


def test_uninstalling_takes_what_was_brought(tmp_path: Path) -> None:
    """Units, drop-ins and folders of any installed release go; what none has, or what is not the installer's, stays."""
    units, own = tmp_path / "usr/local/lib/systemd/system", tmp_path / "etc/systemd/system"
    release = tmp_path / "opt/batch-gateway/releases/newer"
    shutil.copytree(_UNIT.parent, release / "systemd")
    shutil.copy2(_CHECKOUT / "scripts" / "uninstall", release)
    older = tmp_path / "opt/batch-gateway/releases/older/systemd/batch-gateway@gone.service.d/rights.conf"
    brought = [path.relative_to(_UNIT.parent) for path in _UNIT.parent.rglob("*.*") if path.is_file()]
    brought = [path for path in brought if path.suffix not in {".sysusers", ".tmpfiles"}]
    for place in (older, units / "batch-gateway@gone.service.d/rights.conf", *(units / path for path in brought)):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    kept = {
        units / "batch-gateway@sftp.service.d/own.conf",
        units / "batch-gateway-backup.timer",
        own / "batch-gateway@sftp.service.d/rights.conf",
        own / "batch-gateway-sftp.socket.d/address.conf",
        own / "batch-gateway.target.d/own.conf",
    }
    for place in kept:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("[Unit]\n")
    ours = own / "batch-gateway-operations.socket.d/address.conf"
    ours.parent.mkdir()
    ours.write_text("# From the installer: where the role has listened by its settings.\n")
    done = subprocess.run([release / "uninstall", "--root", tmp_path], capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr
    left = {path for folder in (units, own) for path in folder.rglob("*") if not path.is_dir()}
    assert kept == left
    assert not (units / "batch-gateway@judge.service.d").exists()
    assert not ours.parent.exists()
    assert f"{own}/batch-gateway.target.d is not the installer's, and stays" in done.stdout


@pytest.mark.parametrize("unit", ["batch-gateway.service", "batch-gateway@.service"])
def test_a_unit_waits_for_the_installer(unit: str, tmp_path: Path) -> None:
    """It starts without the lock's file and with one that is free; one that is held too long is a failure."""
    (line,) = re.findall(r"^ExecStartPre=(.+)$", (_UNIT.parent / unit).read_text(), re.MULTILINE)
    lock = tmp_path / "changing"
    words = shlex.split(line.replace("/opt/batch-gateway/.changing", str(lock)).replace("600", "0"))
    told = [subprocess.run(words, check=False).returncode]
    with lock.open("w") as held:
        told.append(subprocess.run(words, check=False).returncode)
        fcntl.flock(held, fcntl.LOCK_EX)
        told.append(subprocess.run(words, check=False).returncode)

    assert [0, 0, 1] == told


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")
def test_a_command_is_typed_where_its_user_may_not_look(tmp_path: Path) -> None:
    """As root does with runuser, at home: settings there are none of the gateway's, and no error."""
    tmp_path.chmod(0o700)
    (tmp_path / "gateway.toml").touch()
    places = "import os, pathlib; from gateway import site; site.PLACES = (site.PLACES[0], pathlib.Path('/etc/passwd'))"
    told = [
        subprocess.run(
            [sys.executable, "-c", f"{places}; {become}; print(site.settings_file(None))"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )
        for become in ("os.setuid(0)", "os.setuid(65534)")
    ]  # fmt: skip

    assert [("gateway.toml\n", ""), ("/etc/passwd\n", "")] == [(done.stdout, done.stderr) for done in told]


@pytest.mark.parametrize("script", ["install", "uninstall"])
def test_one_at_a_time(tmp_path: Path, script: str) -> None:
    """While an installer is at work neither another nor an uninstallation begins, and it says why."""
    opt = tmp_path / "opt" / "batch-gateway"
    (opt / "releases").mkdir(parents=True)
    with (opt / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        words = ["--root", str(tmp_path), *(["--return"] if script == "install" else [])]
        done = subprocess.run([_CHECKOUT / "scripts" / script, *words], capture_output=True, text=True, check=False)

    assert 1 == done.returncode
    assert "installation is going on" in done.stderr
    assert (opt / "releases").is_dir()


def test_what_is_installed_is_what_is_tested() -> None:
    """The service's lock has the versions that the tests run with, and every extra: loop, database driver, traces."""
    service, tests = _pins("requirements-service.lock"), _pins("requirements-test.lock")

    assert {} == {name: version for name, version in service.items() if tests.get(name) != version}
    assert set(_pins("requirements.lock")) | {"uvloop", "psycopg", "opentelemetry-sdk"} <= set(service)


def test_a_bundle_that_was_changed_is_refused(tmp_path: Path) -> None:
    """Before anything of it is installed, and in words."""
    bundle, root = tmp_path / "bundle", tmp_path / "root"
    bundle.mkdir()
    root.mkdir()
    (bundle / "install").write_bytes((_CHECKOUT / "scripts" / "install").read_bytes())
    (bundle / "install").chmod(0o755)
    (bundle / "RELEASE").write_text("0.1.0-made-up\n3.11 linux\n")
    (bundle / "SHA256SUMS").write_text(f"{'0' * 64}  RELEASE\n")
    done = subprocess.run(
        [str(bundle / "install"), "--root", str(root)], capture_output=True, text=True, check=False
    )  # fmt: skip

    assert 1 == done.returncode
    assert "the bundle is not as it was made" in done.stderr
    assert not list(root.glob("opt/batch-gateway/releases/*/bin"))


def test_a_bundle_without_an_index_says_so(tmp_path: Path) -> None:
    """With a status of its own, so that who asked can leave it out; nothing half done is left."""
    environment = {"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [str(_CHECKOUT / "scripts" / "bundle"), str(tmp_path / "bundle")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert 3 == done.returncode
    assert "answers for no package" in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_a_lock_that_the_index_cannot_meet_is_a_fault(tmp_path: Path) -> None:
    """Not left out as an index that is not there would be: it has the package, though not in that version."""
    checkout, index = tmp_path / "checkout", tmp_path / "index"
    (checkout / "scripts").mkdir(parents=True)
    index.mkdir()
    shutil.copy2(_CHECKOUT / "scripts" / "bundle", checkout / "scripts")
    (checkout / ".venv").symlink_to(_CHECKOUT / ".venv")
    (checkout / "requirements-service.lock").write_text(f"made-up==2.0 \\\n    --hash=sha256:{'0' * 64}\n")
    (index / "made_up-1.0-py3-none-any.whl").touch()
    environment = {"PATH": os.environ["PATH"], "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
    done = subprocess.run(
        [str(checkout / "scripts" / "bundle"), str(tmp_path / "bundle")],
        env=environment | {"PIP_CONFIG_FILE": os.devnull}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert 1 == done.returncode
    assert "did not give every wheel" in done.stderr


def test_units_of_an_administrator_stay(tmp_path: Path) -> None:
    """A return takes away what the release that is left has brought, and nothing that no release has."""
    opt, units = tmp_path / "opt" / "batch-gateway", tmp_path / "usr" / "local" / "lib" / "systemd" / "system"
    for name in ("older", "newer"):
        release = opt / "releases" / name
        shutil.copytree(_UNIT.parent, release / "systemd")
        (release / "bin").mkdir()
        (release / "bin" / "gateway").write_text("#!/bin/sh\n")
        (release / "bin" / "gateway").chmod(0o755)
    brought = {"batch-gateway-sftp.socket", "batch-gateway@sftp.service.d/rights.conf"}
    own = {"batch-gateway-backup.service", "batch-gateway.service.d/own.conf"}
    for name in brought:
        (opt / "releases" / "older" / "systemd" / name).unlink()
    for name in brought | own:
        (units / name).parent.mkdir(parents=True, exist_ok=True)
        (units / name).touch()
    (opt / "current").symlink_to("releases/newer")
    (opt / "previous").symlink_to("releases/older")
    done = subprocess.run(
        [_CHECKOUT / "scripts" / "install", "--root", tmp_path, "--return"], capture_output=True, text=True, check=False
    )

    assert 0 == done.returncode, done.stderr
    assert own == {name for name in brought | own if (units / name).exists()}


def test_the_ports_of_roles_are_not_those_of_the_whole_gateway() -> None:
    """Their socket units and the one process keep each other out; operations' port goes with the target."""
    texts = {role: (_UNIT.parent / f"batch-gateway-{role}.socket").read_text() for role in (Role.SFTP, Role.OPERATIONS)}

    assert {Role.SFTP: True, Role.OPERATIONS: True} == {
        role: "\nConflicts=batch-gateway.service\n" in text for role, text in texts.items()
    }
    # The door's would be closed at every restart of the target, and senders refused.
    assert {Role.SFTP: False, Role.OPERATIONS: True} == {
        role: "\nPartOf=batch-gateway.target\n" in text for role, text in texts.items()
    }


@pytest.mark.parametrize("role", [Role.SFTP, Role.OPERATIONS])
def test_a_role_without_a_network_has_a_port_that_systemd_opens(role: Role) -> None:
    """Its socket unit hands the port to its service and to no other; the door does not start without it."""
    text = (_UNIT.parent / f"batch-gateway-{role}.socket").read_text()
    rights = (_UNIT.parent / f"batch-gateway@{role}.service.d" / "rights.conf").read_text()

    assert f"Service=batch-gateway@{role}.service" in text
    assert re.search(r"^ListenStream=127\.0\.0\.1:\d+$", text, re.MULTILINE)
    assert "PrivateNetwork=yes" in rights
    assert (role is Role.SFTP) == (f"Requires=batch-gateway-{role}.socket" in rights)
