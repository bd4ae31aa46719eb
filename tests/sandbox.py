"""What a unit of systemd allows, made by bubblewrap: namespaces, mounts, and a filter of system calls.

Of the unit and its drop-in these count: ProtectSystem, PrivateTmp, PrivateDevices, PrivateNetwork, PrivateUsers, User,
CapabilityBoundingSet, InaccessiblePaths, ReadOnlyPaths, StateDirectory, SystemCallFilter and RestrictAddressFamilies.
Not made here: IPAddressDeny and the rest, which need systemd itself; ``systemd-analyze`` weighs them.
"""

import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests import system_calls
from tests.gateway_process import Site

_NOT_ROOT: Final = 1000
"""SQLite gives its files to their owner where it is root, by a call that no unit allows."""

_BECOME: Final = 'exec 3<&"$0"; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'

UNITS: Final = Path(__file__).parents[1] / "systemd"


@dataclass(frozen=True, slots=True)
class Places:
    """Where is what units name: ``/etc/batch-gateway``, ``/var/lib/batch-gateway``, authorities; and the units.

    ``user`` and ``group`` are what processes see themselves as.
    """

    settings: Path
    data: Path
    authorities: Path
    units: Path = UNITS
    user: int = _NOT_ROOT
    group: int = _NOT_ROOT

    def of(self, path: str) -> Path:
        """Where this place has what an installed gateway has at ``path``."""
        moved = {
            "/var/lib/batch-gateway/authorities": self.authorities,
            "/var/lib/batch-gateway": self.data,
            "/etc/batch-gateway": self.settings,
        }
        for real, place in moved.items():
            if Path(path).is_relative_to(real):
                return place / Path(path).relative_to(real)
        return Path(path)


def places_of(site: Site) -> Places:
    """Where the site of a test has it."""
    return Places(site.folder, site.folder / "var", site.folder / "authorities")


def directives(role: str, units: Path = UNITS) -> dict[str, list[str]]:
    """What the unit of a role says, words by name; an empty assignment forgets what was said (systemd.unit(5))."""
    said: dict[str, list[str]] = {}
    for path in (units / "batch-gateway@.service", units / f"batch-gateway@{role}.service.d" / "rights.conf"):
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


def around(
    places: Places, role: str, filters: Path, *, seen: Iterable[Path] = (), credentials: Path | None = None
) -> tuple[list[str], int]:
    """The words before a command with which it runs as the unit of ``role`` would, and a file to be passed on.

    Args:
        places: where the gateway is.
        role: whose unit counts.
        filters: a folder for what is made for it.
        seen: what of ``/tmp`` is seen beside the places, to look at only.
        credentials: the folder of what LoadCredential= hands over.
    """
    said = directives(role, places.units)
    assert {"strict"} == set(said["ProtectSystem"])
    words = ["bwrap", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    words += ["--tmpfs", "/tmp"]  # noqa: S108 -- the private one
    if credentials is not None:
        words += ["--setenv", "CREDENTIALS_DIRECTORY", str(credentials)]
    shown = [places.settings, *_importable(), *seen, *([] if credentials is None else [credentials])]
    words += [word for path in shown for word in ("--ro-bind", str(path), str(path))]
    for name in said["StateDirectory"]:
        words += ["--bind", *[str(places.of(f"/var/lib/{name}"))] * 2]
        words += ["--bind", *[str(places.authorities)] * 2]
    for path in _existing(places, said.get("ReadOnlyPaths", [])):
        words += ["--ro-bind", str(path), str(path)]
    nothing = filters / "nothing"
    nothing.touch()
    nothing.chmod(0)
    for path in _existing(places, said.get("InaccessiblePaths", [])):
        words += ["--ro-bind", str(nothing), str(path)]
    assert said["CapabilityBoundingSet"] == []
    words += ["--cap-drop", "ALL"]
    assert (said["PrivateUsers"], said["User"]) == (["yes"], ["batch-gateway"])
    words += ["--unshare-user", "--uid", str(places.user), "--gid", str(places.group)]
    words += ["--unshare-net"] * (said.get("PrivateNetwork") == ["yes"])
    program = filters / f"{role}.bpf"
    calls = system_calls.allowed(said["SystemCallFilter"])
    program.write_bytes(system_calls.program(calls, said["RestrictAddressFamilies"]))
    descriptor = os.open(program, os.O_RDONLY)
    return [*words, "--seccomp", str(descriptor)], descriptor


def handed(listener: int) -> list[str]:
    """The words before a command that gets a listening socket as systemd hands it over (sd_listen_fds(3)).

    Inside ``around``: the shell becomes the command, so the number of the process that it says is right.
    """
    return ["bash", "-c", _BECOME, str(listener)]


def _importable() -> list[Path]:
    """Folders that the interpreter needs and that the private ``/tmp`` would hide."""
    needed = {Path(__file__).parents[1], Path(sys.prefix), Path(sys.base_prefix)}
    return sorted(folder for folder in needed if folder.is_relative_to("/tmp"))  # noqa: S108


def _existing(places: Places, words: list[str]) -> list[Path]:
    return [path for path in (places.of(word.lstrip("-")) for word in words) if path.exists()]
