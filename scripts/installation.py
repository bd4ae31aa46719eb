"""What ``scripts/test-install`` does: the life of an installation, at its real places, which are private to it.

The release before is the commit before; the newest is this checkout with one migration more, so that there always is
one to be refused.  Every role runs as its unit would, as the gateway's own user, with the port held open as the socket
unit does.  Senders upload by OpenSSH's sftp and by asyncssh all the while, also while releases change, and try nothing
again.  The exit status is 0 only if every step went as this file says.
"""

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.a_root_of_its_own import hide
from scripts.demo_site import DemoFailedError, expect
from scripts.senders_at_work import Senders
from scripts.units_at_work import UnitFailedError, Units
from tests.authority import Pki
from tests.gateway_process import SENDER, USER, Site, today

OPT: Final = Path("/opt/batch-gateway")
DATA: Final = Path("/var/lib/batch-gateway")
SETTINGS: Final = Path("/etc/batch-gateway/gateway.toml")
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
    if _git("ls-tree", commit, "channels/sftp/parting.py"):
        with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
            archive.extractall(folder, filter="data")
    else:
        print("The commit before cuts senders off when it stops, so what is in the checkout stands for it.")
        checked_out(folder)
    for name in ("scripts/install", "scripts/uninstall"):
        shutil.copy2(_CHECKOUT / name, folder / name)
    shutil.copytree(_CHECKOUT / "systemd", folder / "systemd", dirs_exist_ok=True)
    (folder / "COMMIT").write_text("before\n")


def checked_out(folder: Path) -> None:
    """Write what is in the checkout into ``folder``."""
    for name in filter(None, _git("ls-files", "--cached", "--others", "--exclude-standard", "-z").decode().split("\0")):
        if (_CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(_CHECKOUT / name, folder / name)


def newest(folder: Path) -> None:
    """Write what is in the checkout into ``folder``, with a migration more."""
    checked_out(folder)
    versions = folder / "spool" / "migrations" / "versions"
    texts = [path.read_text() for path in versions.glob("*_*.py")]
    found = {name: {match[1] for text in texts for match in re.finditer(rf'^{name}\b.*"(.+)"', text, re.MULTILINE)}
             for name in ("revision", "down_revision")}  # fmt: skip
    (head,) = found["revision"] - found["down_revision"]
    (versions / "made_up.py").write_text(_MIGRATION.format(head=head))
    (folder / "COMMIT").write_text("newest\n")


@dataclass(frozen=True, slots=True)
class Installed:
    """What is installed, with ``systemctl`` in the folder ``commands``."""

    units: Units
    commands: Path

    def current(self) -> str:
        """The release in use, without its version."""
        return (OPT / "current").readlink().name.rpartition("-")[2]

    def script(self, script: Path, *words: str, wanted: int = 0) -> str:
        """Run a script; answers what it wrote."""
        print(f"  $ {script} {' '.join(words)}", flush=True)
        environment = os.environ | {"PATH": f"{self.commands}:{os.environ['PATH']}"}
        done = subprocess.run(
            [str(script), *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            env=environment,
        )  # fmt: skip
        print("".join(f"    {text}\n" for text in done.stdout.splitlines()), end="")
        expect("exit status", wanted, done.returncode)
        expect("units that failed", [], self.units.faults)
        return done.stdout

    def install(self, source: Path, *, wanted: int = 0) -> str:
        """Install the release in the folder ``source``."""
        borrowed = str(_CHECKOUT / ".venv")
        words = ("--python", f"{borrowed}/bin/python", "--dependencies-from", borrowed)
        return self.script(source / "scripts" / "install", *words, wanted=wanted)

    def gateway(self, *words: str) -> str:
        """Run the installed command as the gateway's user; answers what it printed."""
        line = ["runuser", "-u", "batch-gateway", "--", "/usr/local/bin/gateway", *words]
        environment = os.environ | {"GATEWAY_CONFIG": str(SETTINGS)}
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False, cwd="/")
        if done.returncode:
            raise DemoFailedError(f"gateway {words[0]}: {done.stderr}")
        return done.stdout

    def states(self) -> list[str]:
        """The state of every submission."""
        return [row["state"] for row in json.loads(self.gateway("submissions", "--json", "--limit", "10000"))]

    def accepted(self, count: int) -> None:
        """Wait until so many submissions are accepted, and see that there are no others."""
        until = time.monotonic() + _PATIENCE
        while (states := self.states()) != ["accepted"] * count and time.monotonic() < until:
            time.sleep(0.5)
        expect("submissions by state", {"accepted": count}, dict(Counter(states)))


def first_site(installed: Installed, folder: Path) -> Site:
    """Register an authority and a sender by the installed command."""
    pki = Pki.create(folder / "authority")
    signer = pki.issue("Payroll")
    site = Site(SETTINGS.parent, pki, signer)
    site.configure("closing_seconds = 30.0", "closing_seconds = 12.0")
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


def without_systemd(installed: Installed, new: Path) -> None:
    """A gateway that something else has started is not migrated under."""
    there = Path("/run/systemd/system")
    there.rmdir()
    said = installed.install(new, wanted=1)
    expect("it says why", True, "another gateway is working" in said)
    expect("release in use", "before", installed.current())
    there.mkdir()


def refused_by_the_newest(installed: Installed, new: Path) -> None:
    """A configuration that the newest cannot read leaves everything as it is."""
    settings = SETTINGS.read_text()
    SETTINGS.write_text(f"{settings}\n[misspelt]\n")
    expect("it says why", True, "misspelt" in installed.install(new, wanted=1))
    expect("release in use", "before", installed.current())
    SETTINGS.write_text(settings)


def changed_under_load(installed: Installed, site: Site, twin: Path, new: Path) -> int:
    """Change releases while senders upload; answers how many sets were told OK."""
    with Senders(site).sending() as senders:
        senders.wait_for_more()
        installed.install(twin)
        expect("release in use", "twin", installed.current())
        senders.wait_for_more()
        installed.script(OPT / "current" / "install", "--return")
        expect("release in use", "before", installed.current())
        senders.wait_for_more()
        installed.install(new)
        expect("release in use", "newest", installed.current())
        senders.wait_for_more()
    expect("uploads that failed", [], senders.failed)
    return len(senders.told_ok)


def live(folder: Path, port: socket.socket) -> None:
    """From the first installation to the last uninstallation."""
    before, twin, new = folder / "before", folder / "twin", folder / "new"
    commit_before(before)
    shutil.copytree(before, twin)
    (twin / "COMMIT").write_text("twin\n")
    newest(new)
    units = Units("batch-gateway.target", folder / "units")
    with units.asked() as commands:
        installed = Installed(units, commands)
        print("\n1. Installed, and again without effect; every role started as its unit says")
        expect("a site was made", True, "a site was made" in installed.install(before))
        expect("again", True, "in use already" in installed.install(before))
        site = first_site(installed, folder)
        site.port = int(port.getsockname()[1])
        units.load("batch-gateway-sftp.socket", port)
        units.start()
        print("\n2. First submission; no migration under a gateway that nobody stops; a configuration that is refused")
        names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
        expect("the upload's exit status", 0, site.sftp("cd IN", *(f"put {name}" for name in names)).returncode)
        installed.accepted(1)
        without_systemd(installed, new)
        refused_by_the_newest(installed, new)
        print("\n3. While senders upload: another release, back by one command, and the newest, with a migration")
        count = 1 + changed_under_load(installed, site, twin, new)
        print("\n4. Nothing that was told OK is lost: each is accepted, and has its answer")
        installed.accepted(count)
        expect("answers", count, len(re.findall(r"GO\.ACRF", site.sftp("ls -1 OUT").stdout)))
        print("\n5. Return: refused beyond the migration, done with the copy")
        said = installed.script(OPT / "current" / "install", "--return", wanted=1)
        expect("it offers the copy", True, "--return --journal-copy" in said)
        expect("release in use", "newest", installed.current())
        installed.script(OPT / "current" / "install", "--return", "--journal-copy")
        expect("release in use", "before", installed.current())
        print(
            "    What came since the copy is in custody, though not in that journal: it is taken up and answered again"
        )
        installed.accepted(count)
        print("\n6. Uninstalled")
        installed.script(OPT / "current" / "uninstall")
        expect("roles that run", False, units.is_active)
    left = [path for path in Path("/usr/local").rglob("*batch-gateway*") if path.is_file()]
    expect("programs", [], [path for path in (OPT, Path("/usr/local/bin/gateway")) if path.exists()])
    expect("units", [], left)
    kept = [SETTINGS, *(DATA / name for name in ("journal.sqlite3", "spool", "authorities"))]
    expect("configuration and data", [True] * 4, [path.exists() for path in kept])


def main() -> int:
    """Go through it all; answers the exit status."""
    folder = Path(sys.argv[1])
    hide(folder / "hidden", [Path(sys.base_prefix), _CHECKOUT])
    (folder / "units").mkdir()
    try:
        with socket.create_server(("127.0.0.1", 0), backlog=4096) as port:
            live(folder, port)
    except (DemoFailedError, UnitFailedError, subprocess.SubprocessError) as fault:
        print(f"scripts/test-install: {fault}", file=sys.stderr)
        return 1
    print("\nEverything went as it should.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
