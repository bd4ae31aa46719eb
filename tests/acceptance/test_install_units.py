"""What the installer does to units: those that run, those that are only enabled, and those that somebody has masked."""

from pathlib import Path

import pytest

from tests import sandbox
from tests.machine_of_files import Machine

_SFTP, _OPERATIONS = "batch-gateway@sftp.service", "batch-gateway@operations.service"
_DOOR, _WINDOW = "batch-gateway-sftp.socket", "batch-gateway-operations.socket"
_TARGET = "batch-gateway.target"

pytestmark = pytest.mark.skipif(not sandbox.is_possible(), reason="the kernel lets nobody here make namespaces")


def _machine(folder: Path) -> tuple[Machine, Path]:
    """A machine with the release ``older``, nothing enabled and nothing active, and the bundle of ``newer``."""
    machine = Machine.make(folder)
    assert 0 == machine.run(machine.release("older") / "install").returncode
    return machine, machine.release("newer", "older")


def _active(machine: Machine, *units: str) -> None:
    for unit in units:
        (machine.folder / "run/units/active" / unit).write_text("releases/older\n")


@pytest.mark.parametrize("enabled", [{_TARGET}, {_SFTP, _OPERATIONS}])
def test_the_port_of_a_role_that_is_only_enabled(tmp_path: Path, enabled: set[str]) -> None:
    """It is opened when the role is started, and no sooner: its socket is enabled, at the address in the settings."""
    machine, bundle = _machine(tmp_path)
    machine.set("enabled", *enabled)
    done = machine.run(bundle / "install")

    assert 0 == done.returncode, done.stderr
    assert enabled | {_DOOR, _WINDOW} == machine.state("enabled").keys()
    assert {} == machine.state("active")
    address = tmp_path / "etc/systemd/system" / f"{_DOOR}.d" / "address.conf"
    assert ["[Socket]", "ListenStream=", "ListenStream=127.0.0.1:9022"] == address.read_text().splitlines()[1:]
    assert not (tmp_path / "etc/systemd/system" / f"{_WINDOW}.d").exists()


def test_the_port_of_a_role_that_nobody_wants(tmp_path: Path) -> None:
    """It stays closed, and one that is enabled already is left as it is."""
    machine, bundle = _machine(tmp_path)
    machine.set("enabled", _OPERATIONS, _WINDOW)
    assert 0 == machine.run(bundle / "install").returncode

    assert {_OPERATIONS, _WINDOW} == machine.state("enabled").keys()
    assert not (tmp_path / "etc/systemd/system" / f"{_DOOR}.d").exists()


def test_an_address_of_an_administrator_stays(tmp_path: Path) -> None:
    """Even if the file has the name of ours; the socket is enabled all the same."""
    machine, bundle = _machine(tmp_path)
    machine.set("enabled", _TARGET)
    address = tmp_path / "etc/systemd/system" / f"{_DOOR}.d" / "address.conf"
    address.parent.mkdir()
    address.write_text("[Socket]\nListenStream=\nListenStream=192.0.2.1:22\n")
    assert 0 == machine.run(bundle / "install").returncode

    assert "192.0.2.1:22" in address.read_text()
    assert _DOOR in machine.state("enabled")


@pytest.mark.parametrize("masked", [_SFTP, _DOOR])
def test_a_role_that_somebody_has_masked(tmp_path: Path, masked: str) -> None:
    """Neither it nor its socket is touched, whatever its target says."""
    machine, bundle = _machine(tmp_path)
    machine.set("enabled", _TARGET)
    machine.set("masked", masked)
    done = machine.run(bundle / "install")

    assert 0 == done.returncode, done.stderr
    assert {_TARGET, _WINDOW} == machine.state("enabled").keys()
    assert not (tmp_path / "etc/systemd/system" / f"{_DOOR}.d").exists()


def test_a_role_that_runs_though_it_is_masked(tmp_path: Path) -> None:
    """It is not restarted, which would fail, and the others are; it is said."""
    machine, bundle = _machine(tmp_path)
    judge = "batch-gateway@judge.service"
    machine.set("enabled", _OPERATIONS, judge)
    _active(machine, judge, _OPERATIONS, _WINDOW)
    machine.set("masked", judge)
    done = machine.run(bundle / "install")

    assert 0 == done.returncode, done.stderr
    assert f"{judge} is masked" in done.stderr
    active = machine.state("active")
    assert ("releases/older", "releases/newer") == (active[judge], active[_OPERATIONS])


def test_what_did_not_start_is_started_by_the_return(tmp_path: Path) -> None:
    """It is found stopped, though by nobody's wish."""
    machine, bundle = _machine(tmp_path)
    _active(machine, "batch-gateway.service")
    faulty = machine.opt / "releases/newer/faulty"
    faulty.touch()
    done = machine.run(bundle / "install")
    assert 1 == done.returncode
    assert "it did not start" in done.stderr
    assert {} == machine.state("active")
    done = machine.run(machine.opt / "releases/newer/install", "--return")

    assert 0 == done.returncode, done.stderr
    assert {"batch-gateway.service": "releases/older"} == machine.state("active")
    assert not (machine.opt / ".to-start").exists()


def test_what_an_administrator_has_stopped_stays_so(tmp_path: Path) -> None:
    """Nothing is started that did not run before."""
    machine, bundle = _machine(tmp_path)
    machine.set("enabled", "batch-gateway.service")
    assert 0 == machine.run(bundle / "install").returncode

    assert {} == machine.state("active")


_BOOT = Path("/proc/sys/kernel/random/boot_id")


@pytest.mark.parametrize(
    ("boot", "owed", "runs", "ends"),
    [
        ("", ["batch-gateway.service"], [], ["batch-gateway.service"]),
        ("", ["ssh.service", "--help", "batch-gateway@nosuch.service"], [], []),
        ("", ["batch-gateway.service"], ["batch-gateway@judge.service"], ["batch-gateway@judge.service"]),
        ("", ["batch-gateway@judge.service"], ["batch-gateway.service"], ["batch-gateway.service"]),
        ("another", ["batch-gateway.service"], [], []),
    ],
)
def test_what_is_owed_a_start(tmp_path: Path, boot: str, owed: list[str], runs: list[str], ends: list[str]) -> None:
    """Units of ours, of this boot, and neither the one process beside roles nor the reverse."""
    machine, bundle = _machine(tmp_path)
    _active(machine, *runs)
    (machine.opt / ".to-start").write_text("\n".join([f"boot {boot or _BOOT.read_text().strip()}", *owed, ""]))
    done = machine.run(bundle / "install")

    assert 0 == done.returncode, done.stderr
    assert dict.fromkeys(ends, "releases/newer") == machine.state("active")
    assert not (machine.opt / ".to-start").exists()


def test_an_address_that_is_none_is_found_first(tmp_path: Path) -> None:
    """A file of an administrator's with the name of ours, which does not say where to listen: nothing was changed."""
    machine, bundle = _machine(tmp_path)
    _active(machine, _SFTP)
    address = tmp_path / "etc/systemd/system" / f"{_DOOR}.d" / "address.conf"
    address.parent.mkdir()
    address.write_text("[Socket]\nBacklog=9\n")
    machine.steps()
    done = machine.run(bundle / "install")

    assert 1 == done.returncode
    assert "has no ListenStream=" in done.stderr
    assert [] == machine.steps()
    assert "releases/older" == str((machine.opt / "current").readlink())
