"""One TOML file, read once, every fault at once."""

import re
import tomllib
from pathlib import Path

import pytest

from config.errors import ConfigurationError
from config.settings import EXAMPLE, Settings, read_settings


def _write(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text)
    return path


def test_an_empty_file_is_a_good_one(tmp_path: Path) -> None:
    """Every key has a default; paths are in the file's folder."""
    settings = read_settings(_write(tmp_path, ""))

    assert tmp_path / "var/spool" == settings.spool.path
    assert "127.0.0.1" == settings.sftp.host


def test_the_example_has_every_key_with_its_default() -> None:
    """What the shipped example says is what holds without it; what has no default stands there behind a hash."""
    text = EXAMPLE.read_text()
    defaults = Settings().model_dump(mode="json")
    absent = {(section, key) for section, keys in defaults.items() for key, value in keys.items() if value is None}
    commented = tomllib.loads(re.sub(r"(?m)^# (?=[a-z_]+ = )", "", text))

    assert {name: _said(keys) for name, keys in defaults.items()} == tomllib.loads(text)
    assert {(section, key) for section, keys in commented.items() for key in keys} >= absent


def _said(keys: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in keys.items() if value is not None}


def test_every_key_of_the_example_has_a_comment_above_it() -> None:
    """No key stands without words above it or above the group it belongs to."""
    lines = EXAMPLE.read_text().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("[")]

    for start in starts:
        assert lines[start + 1].startswith("#")


def test_all_faults_are_reported_at_once_with_their_paths(tmp_path: Path) -> None:
    """Unknown keys, wrong types, values out of bounds: a line for each, none for what is right."""
    text = '[sftp]\nport = "22"\nprot = 1\n[intake]\nmax_parts = 10\ntime_zone = "Mars"\n[nope]\nx = 1\n'

    with pytest.raises(ConfigurationError) as caught:
        read_settings(_write(tmp_path, text))

    keys = [line.partition(":")[0] for line in caught.value.faults]
    assert keys == ["sftp.port", "sftp.prot", "intake.max_parts", "intake.time_zone", "nope"]


def test_a_secret_is_not_in_what_is_said_about_it(tmp_path: Path) -> None:
    """Neither the fault of a broker's url nor the settings' own text shows its password."""
    with pytest.raises(ConfigurationError) as caught:
        read_settings(_write(tmp_path, '[broker]\nurls = ["http://user:hush@host"]\n'))
    settings = read_settings(_write(tmp_path, '[broker]\nurls = ["amqp://user:hush@host"]\n'))

    assert "hush" not in str(caught.value)
    assert "hush" not in repr(settings)


@pytest.mark.parametrize("content", [None, "not = [toml", "\udcff"])
def test_a_file_that_cannot_be_read_is_a_configuration_fault(tmp_path: Path, content: str | None) -> None:
    """Missing, not TOML, not UTF-8."""
    path = tmp_path / "gateway.toml"
    if content is not None:
        path.write_bytes(content.encode(errors="surrogateescape"))

    with pytest.raises(ConfigurationError):
        read_settings(path)
