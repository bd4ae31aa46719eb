"""Durable writing on a real disk."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.errors import ConfigurationError
from spool.files import held_alone, write_durably


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[Path]:
    """A folder of a user who may not write to what is read-only; root, who may, becomes nobody for the test."""
    folder = tmp_path / "folder"
    folder.mkdir()
    was = os.geteuid()
    if was == 0:
        for path in folder.parents:
            if not path.stat().st_mode & stat.S_IXOTH:
                path.chmod(0o711)
        folder.chmod(0o777)
        os.chown(folder, 65534, -1)
        os.seteuid(65534)
    yield folder
    os.seteuid(was)


def test_what_a_dead_process_left_does_not_stand_in_the_way(unprivileged: Path) -> None:
    """Not even if it is read-only, as an envelope is."""
    leftover = unprivileged / ".envelope.writing"
    leftover.write_bytes(b"half an enve")
    leftover.chmod(0o440)

    write_durably(unprivileged / "envelope", b"whole", 0o440)

    assert ["envelope"] == [path.name for path in unprivileged.iterdir()]
    assert b"whole" == (unprivileged / "envelope").read_bytes()


def test_a_spool_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    """The second is refused while the first holds it, and not afterwards."""
    with held_alone(tmp_path), pytest.raises(ConfigurationError, match="another gateway"), held_alone(tmp_path):
        pass
    with held_alone(tmp_path):
        assert (tmp_path / ".lock").exists()
