"""What becomes of a file of declarations of which the disk has not taken a piece?"""

import errno
import os
from pathlib import Path

import pytest

from spool.declarations import DeclarationWriter

LARGE = b"x" * 300_000


def test_a_file_with_a_hole_is_never_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has not heard that a piece was refused hears it when the file is closed."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = DeclarationWriter(str(tmp_path / "declarations"))
    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            writer.append(LARGE)
    with pytest.raises(OSError, match="No space left"):
        writer.close()
    writer.drop()
