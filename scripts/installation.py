"""What ``scripts/test-install`` does: the life of an installation, in a folder that stands for the root of a system.

The release before is the commit before; the newest is this checkout with one migration more, so that there always is
one to be refused.  Both run for real and take a submission from OpenSSH's sftp.  The exit status is 0 only if every
step went as this file says.
"""

import argparse
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.demo_site import DemoFailedError, expect
from tests.authority import Pki
from tests.gateway_process import SENDER, USER, Site, today

_CHECKOUT: Final = Path(__file__).parents[1]
_PATIENCE: Final = 60.0
_MIGRATION: Final = '''"""A migration that nobody needs, so that there is one."""

import sqlalchemy as sa
from alembic import op

revision = "made_up"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make a table."""
    op.create_table("made_up", sa.Column("number", sa.Integer, primary_key=True))


def downgrade() -> None:
    """Take it away."""
    op.drop_table("made_up")
'''


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=_CHECKOUT, capture_output=True, check=True).stdout


def commit_before(folder: Path) -> None:
    """Write the commit before what is in the checkout into ``folder``, to be installed as this checkout installs."""
    commit = "HEAD" if _git("status", "--porcelain").strip() else "HEAD~1"
    with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
        archive.extractall(folder, filter="data")
    for name in ("scripts/install", "scripts/uninstall"):
        shutil.copy2(_CHECKOUT / name, folder / name)
    shutil.copytree(_CHECKOUT / "systemd", folder / "systemd", dirs_exist_ok=True)
    (folder / "COMMIT").write_text("before\n")


def newest(folder: Path) -> None:
    """Write what is in the checkout into ``folder``, with a migration more."""
    for name in filter(None, _git("ls-files", "--cached", "--others", "--exclude-standard", "-z").decode().split("\0")):
        if (_CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_CHECKOUT / name, folder / name)
    versions = folder / "spool" / "migrations" / "versions"
    texts = [path.read_text() for path in versions.glob("*_*.py")]
    found = {name: {match[1] for text in texts for match in re.finditer(rf'^{name}\b.*"(.+)"', text, re.MULTILINE)}
             for name in ("revision", "down_revision")}  # fmt: skip
    (head,) = found["revision"] - found["down_revision"]
    (versions / "made_up.py").write_text(_MIGRATION.format(head=head))
    (folder / "COMMIT").write_text("newest\n")


@dataclass(frozen=True, slots=True)
class Installed:
    """What is installed below ``root``."""

    root: Path

    @property
    def data(self) -> Path:
        """The folder with spool and journal."""
        return self.root / "var" / "lib" / "batch-gateway"

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.root / "etc" / "batch-gateway" / "gateway.toml"

    def current(self) -> str:
        """The release in use, without its version."""
        return (self.root / "opt" / "batch-gateway" / "current").readlink().name.rpartition("-")[2]

    def script(self, script: Path, *words: str, wanted: int = 0) -> str:
        """Run a script on the root; answers what it wrote."""
        line = [str(script), *words, "--root", str(self.root)]
        print(f"  $ {' '.join(line)}", flush=True)
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        print("".join(f"    {text}\n" for text in done.stdout.splitlines()), end="")
        expect("exit status", wanted, done.returncode)
        return done.stdout

    def install(self, source: Path, *, wanted: int = 0) -> str:
        """Install the release in the folder ``source``."""
        borrowed = str(_CHECKOUT / ".venv")
        words = ("--python", f"{borrowed}/bin/python", "--dependencies-from", borrowed)
        return self.script(source / "scripts" / "install", *words, wanted=wanted)

    def gateway(self, *words: str) -> str:
        """Run the installed command; answers what it printed."""
        line = [str(self.root / "usr" / "local" / "bin" / "gateway"), *words]
        environment = os.environ | {"GATEWAY_CONFIG": str(self.settings)}
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DemoFailedError(f"gateway {words[0]}: {done.stderr}")
        return done.stdout

    @contextmanager
    def serving(self, site: Site) -> Iterator["subprocess.Popen[bytes]"]:
        """The installed gateway at work, its log in ``serve.log`` beside the root; a service manager listens."""
        log = self.root.with_name("serve.log")
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        manager.bind(str(self.root.with_name(f"notify.{time.monotonic_ns()}")))
        environment = os.environ | {"NOTIFY_SOCKET": manager.getsockname()}
        line = [str(self.root / "opt" / "batch-gateway" / "current" / "bin" / "gateway"), "serve"]
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [*line, "--config", str(self.settings)], stderr=stderr, cwd=self.root, env=environment
            )
        try:
            site.port = int(str(self.event(process, "gateway.ready")["port"]))
            yield process
            expect("the gateway lives", None, process.poll())
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(_PATIENCE)
            with manager:
                manager.setblocking(False)
                # The commit before may be one that says nothing.
                heard = [manager.recv(100) for _ in range(2)] if self.current() == "newest" else []
        expect("its exit status", 0, process.returncode)
        expect("what its service manager heard", [b"READY=1", b"STOPPING=1"][: len(heard)], heard)

    def event(self, process: "subprocess.Popen[bytes]", name: str) -> dict[str, object]:
        """The first line of the log with this event, be it still to come."""
        log = self.root.with_name("serve.log")
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and process.poll() is None:
            for line in log.read_text().split("\n")[:-1]:
                found: dict[str, object] = json.loads(line) if line.startswith("{") else {}
                if found.get("event") == name:
                    return found
            time.sleep(0.1)
        raise DemoFailedError(f"no {name}:\n{log.read_text()}")


def first_site(installed: Installed, folder: Path) -> Site:
    """Register an authority and a sender by the installed command."""
    pki = Pki.create(folder / "authority")
    signer = pki.issue("Payroll")
    site = Site(installed.settings.parent, pki, signer)
    site.configure("port = 8022", "port = 0", section="sftp")
    key = site.work / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    lists = [word for path in pki.crls for word in ("--crl", str(path))]
    installed.gateway(
        "authority", "add", "test", "--certificate", str(pki.issuing), "--chain", str(pki.root), *lists
    )  # fmt: skip
    installed.gateway(
        "sender", "add", SENDER, "--user", USER, "--ssh-key", f"{key}.pub", "--certificate", str(signer.certificate),
        "--any-employer",
    )  # fmt: skip
    return site


def submit(installed: Installed, process: "subprocess.Popen[bytes]", site: Site, number: int) -> None:
    """Upload a set, and wait until it is accepted and its answer is there."""
    names = site.write_set(f"DIMN.{SENDER}.{today()}.{number:05}.R")
    done = site.sftp("cd IN", *(f"put {name}" for name in names))
    expect("the upload's exit status", 0, done.returncode)
    installed.event(process, "answer.placed")
    expect("answers", number, len(re.findall(r"GO\.ACRF", site.sftp("ls -1 OUT").stdout)))
    expect("submissions and their states", ["accepted"] * number, states(installed))


def states(installed: Installed) -> list[str]:
    """The state of every submission that the installed gateway knows of."""
    return [row["state"] for row in json.loads(installed.gateway("submissions", "--json"))]


def live(installed: Installed, folder: Path) -> None:
    """From the first installation to the last uninstallation."""
    before, twin, new = folder / "before", folder / "twin", folder / "new"
    commit_before(before)
    shutil.copytree(before, twin)
    (twin / "COMMIT").write_text("twin\n")
    newest(new)
    print("\n1. Installed, and again without effect")
    expect("a site was made", True, "a site was made" in installed.install(before))
    expect("again", True, "in use already" in installed.install(before))
    print("\n2. A release with the same journal, and back")
    installed.install(twin)
    expect("release in use", "twin", installed.current())
    installed.script(installed.root / "opt" / "batch-gateway" / "current" / "install", "--return")
    expect("release in use", "before", installed.current())
    print("\n3. First submission; no migration while a gateway works on the journal")
    site = first_site(installed, folder)
    with installed.serving(site) as process:
        submit(installed, process, site, 1)
        said = installed.install(new, wanted=1)
        expect("it says why", True, "another gateway is working" in said)
        expect("release in use", "before", installed.current())
    print("\n4. A configuration that the newest refuses")
    settings = installed.settings.read_text()
    installed.settings.write_text(f"{settings}\n[misspelt]\n")
    expect("it says why", True, "misspelt" in installed.install(new, wanted=1))
    expect("release in use", "before", installed.current())
    installed.settings.write_text(settings)
    print("\n5. Upgrade, with a migration; second submission")
    installed.install(new)
    expect("release in use", "newest", installed.current())
    with installed.serving(site) as process:
        submit(installed, process, site, 2)
    print("\n6. Return: refused beyond the migration, done with the copy")
    said = installed.script(new / "scripts" / "install", "--return", wanted=1)
    expect("it offers the copy", True, "--return --journal-copy" in said)
    expect("release in use", "newest", installed.current())
    installed.script(new / "scripts" / "install", "--return", "--journal-copy")
    expect("release in use", "before", installed.current())
    expect("submissions of the copy", ["accepted"], states(installed))
    print("\n7. Uninstalled")
    installed.script(installed.root / "opt" / "batch-gateway" / "current" / "uninstall")
    expect("programs", [], [*installed.root.glob("opt/*"), *installed.root.glob("usr/local/bin/*")])
    expect("units", [], [path for path in installed.root.glob("usr/local/lib/**/*") if path.is_file()])
    kept = [installed.settings, *(installed.data / name for name in ("journal.sqlite3", "spool", "authorities"))]
    expect("configuration and data", [True] * 4, [path.exists() for path in kept])


def main() -> int:
    """Go through it all; answers the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/test-install", description="Install, upgrade, return, uninstall.")
    parser.add_argument("--keep", action="store_true", help="leave the folder for a look")
    keep = parser.parse_args().keep
    folder = Path(tempfile.mkdtemp(prefix="batch-gateway-install."))
    root = folder / "root"
    root.mkdir()
    try:
        live(Installed(root), folder)
    except (DemoFailedError, subprocess.SubprocessError) as fault:
        print(f"scripts/test-install: {fault}", file=sys.stderr)
        return 1
    finally:
        if keep:
            print(f"left for a look: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print("\nEverything went as it should.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
