"""A PKCS#11 token without hardware: SoftHSM, with its objects in a folder of its own."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pkcs11
import pytest

from tests.authority import Credential

LIBRARY: Final = Path("/usr/lib/softhsm/libsofthsm2.so")
TOKEN: Final = "An invented token"
PIN: Final = "20261121"


@dataclass(frozen=True, slots=True)
class SoftHsm:
    """One token with a PIN, in ``folder``; ``pin`` is the file that the PIN is in."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> "SoftHsm":
        """Make an empty token; SOFTHSM2_CONF must name ``folder / "softhsm2.conf"``."""
        hsm = cls(folder)
        (folder / "tokens").mkdir(parents=True)
        settings = f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
        (folder / "softhsm2.conf").write_text(settings)
        hsm.pin.write_text(f"{PIN}\n")
        hsm.pin.chmod(0o600)
        hsm._run("--init-token", "--free", "--label", TOKEN, "--so-pin", "12345678")
        return hsm

    @property
    def pin(self) -> Path:
        """A file with the PIN."""
        return self.folder / "pin"

    def take_in(self, credential: Credential, label: str, number: int) -> None:
        """Put the key of ``credential`` into the token; ``number`` is its id."""
        words = ("--import", str(credential.key), "--token", TOKEN, "--label", label, "--id", f"{number:02x}")
        self._run(*words)

    def uri(self, key: str, pin: str | None = None) -> str:
        """The URI of a key; ``key`` has the attributes that name it."""
        source = pin or f"file:{self.pin}"
        return f"pkcs11:token={TOKEN.replace(' ', '%20')};{key}?module-path={LIBRARY}&pin-source={source}"

    def remove(self) -> None:
        """Pull the token out."""
        (self.folder / "tokens").rename(self.folder / "tokens away")

    def put_back(self) -> None:
        """Put it in again."""
        (self.folder / "tokens away").rename(self.folder / "tokens")

    def change_pin(self, old: str, new: str) -> None:
        """Give the token another PIN, as another program would."""
        code = (
            "import pkcs11, sys\n"
            "library, label, old, new = sys.argv[1:]\n"
            "with pkcs11.lib(library).get_token(token_label=label).open(rw=True, user_pin=old) as session:\n"
            "    session.set_pin(old, new)\n"
        )
        self._execute(sys.executable, "-c", code, str(LIBRARY), TOKEN, old, new)

    def _run(self, *words: str) -> None:
        self._execute("softhsm2-util", *words, "--pin", PIN)

    def _execute(self, *command: str) -> None:
        environment = {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf"), "PATH": "/usr/bin:/bin"}
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)


@pytest.fixture
def softhsm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftHsm]:
    """An empty token that this process and those it starts can see; its library is left as if never started."""
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "hsm" / "softhsm2.conf"))
    yield SoftHsm.create(tmp_path / "hsm")
    pkcs11.lib(str(LIBRARY)).finalize()
