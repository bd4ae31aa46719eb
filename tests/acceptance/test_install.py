"""The gateway is installed, upgraded, returned and uninstalled; and its unit gives it the least rights."""

import fcntl
import re
import shlex
import subprocess
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    "line",
    [
        "Type=notify",
        "WatchdogSec=60",
        "RestartPreventExitStatus=2",
        "ExecStart=/opt/batch-gateway/current/bin/gateway serve --config /etc/batch-gateway/gateway.toml",
        "Environment=SQLITE_TMPDIR=/var/lib/batch-gateway",
    ],
)
def test_the_unit_says(line: str) -> None:
    """What the installer and the gateway rely on."""
    assert line in _UNIT.read_text().splitlines()


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
