"""What is installed is one application that brings everything it reads."""

import subprocess
import sys
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).parents[2]
_ROOMS = ("gateway", "channels", "spool", "signing", "schemas", "config")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy of what git would hand to a stranger."""
    folder = tmp_path_factory.mktemp("wheel")
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=_CHECKOUT, capture_output=True, check=True,
    ).stdout.decode().split("\0")  # fmt: skip
    for name in filter(None, files):
        source, copy = _CHECKOUT / name, folder / "source" / name
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.read_bytes())
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", str(folder), str(folder / "source")], check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_no_other_distribution_owns_our_names() -> None:
    """The rooms have plain names; none of them may belong to anybody else in the environment."""
    owners = packages_distributions()

    assert {room: {"batch-gateway"} for room in _ROOMS} == {room: set(owners[room]) for room in _ROOMS}


def test_the_wheel_brings_everything_the_code_reads(wheel: Path) -> None:
    """Schemas, samples, settings and migrations; and nothing of tests or scripts."""
    names = set(zipfile.ZipFile(wheel).namelist())
    data = [
        path.relative_to(_CHECKOUT).as_posix()
        for room in _ROOMS
        for path in (_CHECKOUT / room).rglob("*")
        if path.suffix in {".xsd", ".toml", ".xml", ".mako", ".py", ".html", ".css"}
    ]

    assert set() == set(data) - names
    assert not [name for name in names if name.startswith(("tests", "scripts"))]


def test_a_site_runs_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    """With the wheel in front of the path and no checkout near, ``init`` and ``check-config`` do their work."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    program = "import sys; from gateway.__main__ import main; import gateway; print(gateway.__file__); main()"
    for words in (["init", "site"], ["check-config", "--config", "site/gateway.toml"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={"PYTHONPATH": str(tmp_path / "installed")},
        )  # fmt: skip
        assert 0 == done.returncode, done.stderr
        assert done.stdout.startswith(str(tmp_path / "installed"))
