"""What a unit of systemd allows, made by bubblewrap: namespaces, mounts, and a filter of system calls.

Of the unit and its drop-in these count: ProtectSystem, PrivateTmp, PrivateDevices, PrivateNetwork, PrivateUsers, User,
CapabilityBoundingSet, InaccessiblePaths, ReadOnlyPaths, StateDirectory, SystemCallFilter and RestrictAddressFamilies.
Not made here: IPAddressDeny and the rest, which need systemd itself; ``systemd-analyze`` weighs them.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests import system_calls
from tests.gateway_process import Site

_NOT_ROOT: Final = "1000"
"""SQLite gives its files to their owner where it is root, by a call that no unit allows."""

UNITS: Final = Path(__file__).parents[1] / "systemd"


def directives(role: str) -> dict[str, list[str]]:
    """What the unit of a role says, words by name; an empty assignment forgets what was said (systemd.unit(5))."""
    said: dict[str, list[str]] = {}
    for path in (UNITS / "batch-gateway@.service", UNITS / f"batch-gateway@{role}.service.d" / "rights.conf"):
        for line in path.read_text().splitlines():
            name, equals, value = line.partition("=")
            if not equals or line.startswith(("#", "[")):
                continue
            if not value:
                said.pop(name, None)
                said.setdefault(name, [])
            said.setdefault(name, []).extend(value.split())
    return said


def is_possible() -> bool:
    """Whether the kernel lets us make namespaces."""
    tried = ["bwrap", "--ro-bind", "/", "/", "--unshare-user", "--unshare-net", "true"]
    return subprocess.run(tried, check=False, capture_output=True).returncode == 0


def around(site: Site, role: str, filters: Path) -> tuple[list[str], int]:
    """The words before a command with which it runs as the unit of ``role`` would, and a file to be passed on."""
    said = directives(role)
    assert {"strict"} == set(said["ProtectSystem"])
    words = ["bwrap", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    words += ["--tmpfs", "/tmp"]  # noqa: S108 -- the private one
    words += ["--ro-bind", str(site.folder), str(site.folder)]
    words += [word for folder in _importable() for word in ("--ro-bind", folder, folder)]
    for name in said["StateDirectory"]:
        words += ["--bind", *[str(_placed(site, f"/var/lib/{name}"))] * 2]
        words += ["--bind", *[str(site.folder / "authorities")] * 2]
    for path in _existing(site, said.get("ReadOnlyPaths", [])):
        words += ["--ro-bind", str(path), str(path)]
    nothing = filters / "nothing"
    nothing.touch()
    nothing.chmod(0)
    for path in _existing(site, said.get("InaccessiblePaths", [])):
        words += ["--ro-bind", str(nothing), str(path)]
    assert said["CapabilityBoundingSet"] == []
    words += ["--cap-drop", "ALL"]
    assert (said["PrivateUsers"], said["User"]) == (["yes"], ["batch-gateway"])
    words += ["--unshare-user", "--uid", _NOT_ROOT, "--gid", _NOT_ROOT]
    words += ["--unshare-net"] * (said.get("PrivateNetwork") == ["yes"])
    program = filters / f"{role}.bpf"
    calls = system_calls.allowed(said["SystemCallFilter"])
    program.write_bytes(system_calls.program(calls, said["RestrictAddressFamilies"]))
    descriptor = os.open(program, os.O_RDONLY)
    return [*words, "--seccomp", str(descriptor)], descriptor


def _importable() -> list[str]:
    """Folders that the interpreter needs and that the private ``/tmp`` would hide."""
    needed = {str(Path(__file__).parents[1]), sys.prefix, sys.base_prefix}
    return sorted(folder for folder in needed if folder.startswith("/tmp/"))  # noqa: S108


def _existing(site: Site, words: list[str]) -> list[Path]:
    return [path for path in (_placed(site, word.lstrip("-")) for word in words) if path.exists()]


def _placed(site: Site, path: str) -> Path:
    """Where the site of a test has what an installed one has at ``path``."""
    if path == "/var/lib/batch-gateway/authorities":
        return site.folder / "authorities"
    moved = path.replace("/etc/batch-gateway", str(site.folder)).replace("/var/lib/batch-gateway", f"{site.folder}/var")
    return Path(moved)
