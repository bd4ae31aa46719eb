"""Somebody who types what OpenSSH's programs ask for."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Typist:
    """Types answers one after another, whatever is asked, and keeps the questions; works in ``folder``."""

    folder: Path

    def prepare(self, answers: Sequence[str]) -> dict[str, str]:
        """The environment in which a program gets ``answers``."""
        script = self.folder / "askpass"
        script.write_text(
            "#!/bin/sh\n"
            f"cd {shlex.quote(str(self.folder))}\n"
            'printf "%s\\n" "$1" >> questions\n'
            "head -n 1 answers\n"
            "sed -i 1d answers\n"
        )
        script.chmod(0o700)
        (self.folder / "answers").write_text("".join(f"{answer}\n" for answer in answers))
        (self.folder / "questions").write_text("")
        return dict(os.environ) | {"SSH_ASKPASS": str(script), "SSH_ASKPASS_REQUIRE": "force"}

    @property
    def questions(self) -> list[str]:
        """What was asked."""
        return (self.folder / "questions").read_text().splitlines()
