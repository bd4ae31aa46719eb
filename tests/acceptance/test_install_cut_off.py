"""An installer that is killed anywhere, and run again, ends with the units running that ran, by the release in use."""

import shutil
from pathlib import Path

import pytest

from tests import sandbox
from tests.machine_of_files import Machine

_RAN = {f"batch-gateway@{role}.service" for role in ("sftp", "judge", "deliver", "operations")} | {
    "batch-gateway.target",
    "batch-gateway-sftp.socket",
}
_PORT = "batch-gateway-operations.socket"

pytestmark = pytest.mark.skipif(not sandbox.is_possible(), reason="the kernel lets nobody here make namespaces")


def _upgraded(folder: Path, fits: str) -> tuple[Machine, Path]:
    """All roles run by the release ``older``; and the bundle of ``newer``, whose journal is that of ``fits``."""
    machine = Machine.make(folder)
    bundle = machine.release("older")
    assert 0 == machine.run(bundle / "install").returncode
    machine.set("enabled", "batch-gateway-sftp.socket", "batch-gateway.target")
    for unit in _RAN:
        (folder / "run/units/active" / unit).write_text("releases/older\n")
    return machine, machine.release("newer", fits)


def _points(steps: list[str]) -> list[int]:
    """Before which steps to end it: what the others change counts with the next of these."""
    passed = ("install", "sync", "ln", "printf", "systemctl is-active")
    found = [number for number, step in enumerate(steps, 1) if not step.startswith(passed) and ".changing" not in step]
    return [next(number for number, step in enumerate(steps, 1) if step.startswith("install -D")), *found]


def _killed_everywhere(begun: Machine, script: Path, words: list[str], tmp_path: Path, wanted: str) -> list[str]:
    """Where the second run did not end with everything running by the release ``wanted``; kills at every step."""
    tried = _copied(begun, tmp_path / "whole")
    tried.steps()
    place = script.relative_to(begun.folder)
    done = tried.run(tried.folder / place, *words)
    assert 0 == done.returncode, done.stderr
    steps = tried.steps()
    assert any(step.startswith("systemctl") for step in steps)
    wrong = []
    for number in _points(steps):
        machine = _copied(begun, tmp_path / str(number))
        killed = machine.run(machine.folder / place, *words, killed_before=number)
        again = machine.run(machine.folder / place, *words)
        active = machine.state("active")
        runs = {name for name, release in active.items() if name not in {_PORT, "batch-gateway-sftp.socket"}
                and release == f"releases/{wanted}"}  # fmt: skip
        if again.returncode or runs | {"batch-gateway-sftp.socket"} != _RAN or not active.keys() >= _RAN:
            wrong.append(f"{number} {steps[number - 1]}: {killed.returncode} {again.stdout}{again.stderr} {active}")
        elif left := [path.name for path in machine.opt.glob(".to-start*")]:
            wrong.append(f"{number} {steps[number - 1]}: left {left}")
        shutil.rmtree(machine.folder)
    return wrong


def _copied(machine: Machine, folder: Path) -> Machine:
    shutil.copytree(machine.folder, folder, symlinks=True)
    return Machine(folder)


@pytest.mark.parametrize("fits", ["older", "newer"])
def test_an_installer_that_was_killed_is_run_again(tmp_path: Path, fits: str) -> None:
    """With a migration, for which the units are stopped, and without."""
    machine, bundle = _upgraded(tmp_path / "begun", fits)

    assert [] == _killed_everywhere(machine, bundle / "install", [], tmp_path, "newer")


def test_a_return_that_was_killed_is_run_again(tmp_path: Path) -> None:
    """With the copy of the journal put back."""
    machine, bundle = _upgraded(tmp_path / "begun", "newer")
    assert 0 == machine.run(bundle / "install").returncode
    script = machine.opt / "releases/newer/install"

    assert [] == _killed_everywhere(machine, script, ["--return", "--journal-copy"], tmp_path, "older")


def _links(machine: Machine) -> dict[str, str]:
    return {
        name: (machine.opt / name).readlink().name for name in ("current", "previous") if (machine.opt / name).exists()
    }


def test_a_return_after_an_installer_that_was_killed(tmp_path: Path) -> None:
    """It is refused and changes nothing, or goes back to the release before, with its journal: never further."""
    begun = Machine.make(tmp_path / "begun")
    begun.journal.write_text("ancient\n")
    for name in ("ancient", "older"):
        assert 0 == begun.run(begun.release(name) / "install").returncode
    script = begun.release("newer") / "install"
    (begun.folder / "run/units/active/batch-gateway.service").write_text("releases/older\n")
    tried = _copied(begun, tmp_path / "whole")
    tried.steps()
    assert 0 == tried.run(tried.folder / script.relative_to(begun.folder)).returncode
    acts = ("mv", "rm", "as_service", "systemctl stop", "systemctl daemon-reload", "systemctl start")
    refused = {}
    for number, step in enumerate(tried.steps(), 1):
        if number == 1 or not step.startswith(acts) or (step.startswith("mv") and number < 4):
            continue
        machine = _copied(begun, tmp_path / str(number))
        machine.run(machine.folder / script.relative_to(begun.folder), killed_before=number)
        before = (_links(machine), machine.journal.read_text(), machine.state("active"))
        place = machine.opt / "releases" / before[0]["current"] / "install"
        done = machine.run(place, "--return", "--journal-copy")
        after = (_links(machine), machine.journal.read_text(), machine.state("active"))
        refused[number] = "was cut off: run it again first; nothing was changed" in done.stderr
        returned = ({"current": "older"}, "older\n", {"batch-gateway.service": "releases/older"})
        wanted = (1, before) if refused[number] else (0, returned)
        assert wanted == (done.returncode, after), (step, done)
        shutil.rmtree(machine.folder)

    assert {True, False} == set(refused.values())


def test_another_installation_after_one_that_was_killed(tmp_path: Path) -> None:
    """It is refused where the journal was migrated already: its copy would not be of the release in use."""
    machine, bundle = _upgraded(tmp_path, "newer")
    (machine.opt / ".change").write_text("install older newer\n")
    machine.journal.write_text("newer\n")
    done = machine.run(machine.release("newest") / "install")

    assert 1 == done.returncode
    assert "run it again first" in done.stderr
    assert 0 == machine.run(bundle / "install").returncode
    assert not (machine.opt / ".change").exists()
