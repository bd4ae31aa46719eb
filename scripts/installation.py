"""What ``scripts/test-install`` does: the life of an installation, at its real places, which are private to it.

Every role runs as its unit would, as the gateway's own user, under the unit's restrictions, with the ports held open as
socket units do.  Senders upload by OpenSSH's sftp and by asyncssh all the while, also while releases change, and try
nothing again.  Last, a bundle is installed where there is no network, over the data that an uninstalled release left.
The exit status is 0 only if every step went as this file says.
"""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from config.roles import Role
from scripts import a_bundle
from scripts.a_root_of_its_own import hide
from scripts.demo_site import DemoFailedError, expect
from scripts.senders_at_work import Senders
from scripts.three_releases import commit_before, newest, opening_its_port
from scripts.unit_files import UNITS
from scripts.units_at_work import UnitFailedError, Units
from scripts.units_rights import DATA, LEFT_OUT, SETTINGS, left_out, restricted
from tests.authority import Pki
from tests.gateway_process import SENDER, USER, Site, today

OPT: Final = Path("/opt/batch-gateway")
_CHECKOUT: Final = Path(__file__).parents[1]
_PATIENCE: Final = 60.0
DOOR: Final = "batch-gateway-sftp.socket"
WINDOW: Final = "batch-gateway-operations.socket"
_ALONE: Final = ["unshare", "--net", "--"]


@dataclass(frozen=True, slots=True)
class Installed:
    """What is installed, with ``systemctl`` in the folder ``commands``."""

    units: Units
    commands: Path

    def current(self) -> str:
        """The release in use, without its version."""
        return (OPT / "current").readlink().name.rpartition("-")[2]

    def script(self, script: Path, *words: str, wanted: int = 0, is_alone: bool = False) -> str:
        """Run a script, where there is no network if it ``is_alone``; answers what it wrote."""
        print(f"  $ {script} {' '.join(words)}", flush=True)
        environment = os.environ | {"PATH": f"{self.commands}:{os.environ['PATH']}"}
        if is_alone:
            environment = {name: text for name, text in environment.items() if not name.startswith("PIP_")}
            environment["PIP_NO_INDEX"] = "1"
        done = subprocess.run(
            [*(_ALONE if is_alone else ()), str(script), *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, env=environment,
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

    def from_bundle(self, bundle: Path, wanted: int = 0) -> str:
        """Install the release of a bundle where there is no network."""
        python = str(_CHECKOUT / ".venv" / "bin" / "python")
        return self.script(bundle / "install", "--python", python, wanted=wanted, is_alone=True)

    def ready(self) -> None:
        """Ask for readiness, as an operator does on the same host: of every role that there is."""
        said = json.loads(self.gateway("health", "--json"))
        expect("ready", True, said["ready"])
        told = {part["name"].partition(":")[0] for part in said["parts"] if ":" in part["name"]}
        expect("roles that say so beside operations", sorted(set(Role) - {Role.OPERATIONS}), sorted(told))

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


def first_site(installed: Installed, folder: Path, number: int) -> Site:
    """Register an authority and a sender by the installed command; operations answers at port ``number`` too."""
    pki = Pki.create(folder / "authority")
    signer = pki.issue("Payroll")
    site = Site(SETTINGS.parent, pki, signer)
    site.configure("closing_seconds = 30.0", "closing_seconds = 12.0")
    site.configure("# socket = ", "socket = ", section="operations")
    site.configure("trust_socket = false", "trust_socket = true")
    site.configure("# port = 8024", f"port = {number}", section="operations")
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


def asked_by_port(installed: Installed, number: int, *, is_opened: bool) -> None:
    """Operations answers at its port, which its socket unit opens, or, where there is none, the role itself."""
    with urlopen(f"http://127.0.0.1:{number}/live", timeout=_PATIENCE) as answered:
        expect("asked by the port", 200, answered.status)
    expect("the port of operations is a unit's", is_opened, WINDOW in installed.units.ports)
    expect("there is such a unit", is_opened, (UNITS / WINDOW).exists())


def changed_under_load(installed: Installed, site: Site, twin: Path, new: Path, number: int) -> int:
    """Change releases while senders upload, who has the port of operations too; answers how many sets were told OK."""
    has_unit = (UNITS / WINDOW).exists()
    with Senders(site).sending() as senders:
        senders.wait_for_more()
        installed.install(twin)
        expect("release in use", "twin", installed.current())
        asked_by_port(installed, number, is_opened=False)
        senders.wait_for_more()
        installed.script(OPT / "current" / "install", "--return")
        expect("release in use", "before", installed.current())
        asked_by_port(installed, number, is_opened=has_unit)
        senders.wait_for_more()
        installed.install(new)
        expect("release in use", "newest", installed.current())
        asked_by_port(installed, number, is_opened=True)
        senders.wait_for_more()
    expect("uploads that failed", [], senders.failed)
    return len(senders.told_ok)


def first_submission(installed: Installed, site: Site, sequence: int, accepted: int) -> None:
    """Upload a set, wait for its verdict, and ask for readiness."""
    names = site.write_set(f"DIMN.{SENDER}.{today()}.{sequence:05}.R")
    expect("the upload's exit status", 0, site.sftp("cd IN", *(f"put {name}" for name in names)).returncode)
    installed.accepted(accepted)
    installed.ready()


def uninstalled(installed: Installed) -> None:
    """Programs and units go; configuration and data stay."""
    installed.script(OPT / "current" / "uninstall")
    expect("roles that run", False, installed.units.is_active)
    left = [path for path in Path("/usr/local").rglob("*batch-gateway*") if path.is_file()]
    expect("programs", [], [path for path in (OPT, Path("/usr/local/bin/gateway")) if path.exists()])
    expect("units", [], left)
    kept = [SETTINGS, *(DATA / name for name in ("journal.sqlite3", "spool", "authorities"))]
    expect("configuration and data", [True] * 4, [path.exists() for path in kept])


def live(installed: Installed, folder: Path, port: socket.socket, window: socket.socket) -> tuple[Site, int]:
    """From the first installation to the uninstallation; answers how many submissions there were.

    ``port`` is that of the door, ``window`` that of operations.
    """
    before, twin, new = folder / "before", folder / "twin", folder / "new"
    commit_before(before)
    opening_its_port(before, twin)
    newest(new)
    print("\n1. Installed, and again without effect; every role started as its unit says")
    said = installed.install(before)
    expect(
        "a site was made, by the Python that was named",
        [True] * 2,
        ["a site was made" in said, f"-before with {_CHECKOUT}/.venv/bin/python\n" in said],
    )
    expect("again", True, "in use already" in installed.install(before))
    number = int(window.getsockname()[1])
    site = first_site(installed, folder, number)
    site.port = int(port.getsockname()[1])
    installed.units.load({DOOR: port}, restricted(folder))
    if (UNITS / WINDOW).exists():
        installed.units.hold(WINDOW, window)
    else:
        window.close()
    installed.units.start()
    print("\n2. First submission; no migration under a gateway that nobody stops; a configuration that is refused")
    first_submission(installed, site, 1, 1)
    without_systemd(installed, new)
    refused_by_the_newest(installed, new)
    print("\n3. While senders upload: another release, back by one command, and the newest, with a migration")
    count = 1 + changed_under_load(installed, site, twin, new, number)
    print("\n4. Nothing that was told OK is lost: each is accepted, and has its answer")
    installed.accepted(count)
    expect("answers", count, len(re.findall(r"GO\.ACRF", site.sftp("ls -1 OUT").stdout)))
    print("\n5. Return: refused beyond the migration, done with the copy")
    said = installed.script(OPT / "current" / "install", "--return", wanted=1)
    expect("it offers the copy", True, "--return --journal-copy" in said)
    expect("release in use", "newest", installed.current())
    installed.script(OPT / "current" / "install", "--return", "--journal-copy")
    expect("release in use", "before", installed.current())
    print("    What came since the copy is in custody, though not in that journal: it is taken up and answered again")
    installed.accepted(count)
    print("\n6. Uninstalled")
    uninstalled(installed)
    return site, count


def without_network(installed: Installed, bundle: Path, folder: Path, site: Site, count: int, number: int) -> None:
    """A bundle: looked through, refused where it was changed, installed, started, used, and asked by a port."""
    print("\n7. A bundle, installed without a network over what was left; one that was changed is refused")
    if not bundle.exists():
        left_out("a bundle: the package index that pip knows did not give the wheels")
        return
    a_bundle.looked_through(bundle)
    a_bundle.refused_changed(bundle, folder, installed.from_bundle, OPT / "releases")
    said = installed.from_bundle(bundle)
    expect("the site stays", False, "a site was made" in said)
    version = subprocess.run(
        [*_ALONE, "/usr/local/bin/gateway", "--version"], capture_output=True, text=True, check=True
    )
    expect("version", True, bundle.joinpath("RELEASE").read_text().partition("-")[0] in version.stdout)
    with socket.create_server(("127.0.0.1", site.port)) as port, socket.create_server(("127.0.0.1", number)) as window:
        installed.units.hold(DOOR, port)
        installed.units.hold(WINDOW, window)
        installed.units.start()
        first_submission(installed, site, 2, count + 1)
        with urlopen(f"http://127.0.0.1:{number}/ready", timeout=_PATIENCE) as answered:
            expect("readiness asked by the port", 200, answered.status)
        uninstalled(installed)


def main() -> int:
    """Go through it all; answers the exit status."""
    folder = Path(sys.argv[1])
    hide(folder / "hidden", [Path(sys.base_prefix), _CHECKOUT])
    (folder / "units").mkdir()
    try:
        units = Units("batch-gateway.target", folder / "units", "batch-gateway@mq.service")
        with (
            socket.create_server(("127.0.0.1", 0), backlog=4096) as port,
            socket.create_server(("127.0.0.1", 0), backlog=64) as window,
            units.asked() as commands,
        ):
            installed, number = Installed(units, commands), int(window.getsockname()[1])
            site, count = live(installed, folder, port, window)
            without_network(installed, folder / "bundle", folder, site, count, number)
    except (DemoFailedError, UnitFailedError, subprocess.SubprocessError) as fault:
        print(f"scripts/test-install: {fault}", file=sys.stderr)
        return 1
    print("\nEverything went as it should" + "".join(f"; LEFT OUT: {what}" for what in LEFT_OUT) + ".")
    return 0


if __name__ == "__main__":
    sys.exit(main())
