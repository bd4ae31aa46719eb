"""Does the volume of the spool give several hosts what they rely on: locks that all see, and names that are not old?

Only where the journal can be shared.  It is read from the mount's type and options (proc_pid_mountinfo(5), nfs(5));
what a server does behind them (``sync``, its lease) cannot be seen from here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.doctor.finding import Finding, Patient, fine, trouble, unknown

_MOUNTS: Final = Path("/proc/self/mountinfo")
_OWN: Final = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "f2fs"})
_SHARED: Final = frozenset({"ocfs2", "gfs2", "ceph", "fuse.glusterfs"})
_NFS: Final = frozenset({"nfs", "nfs4"})
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """What a folder is on: where that is mounted, of which type, with which options of its own."""

    point: Path
    type: str
    options: Mapping[str, str]


def volume(patient: Patient) -> Iterator[Finding]:
    """What the spool is on, and what of it is not as several hosts need it."""
    mount = mount_of(_MOUNTS.read_text("utf-8", "surrogateescape"), patient.settings.spool.path.resolve())
    if mount is None:
        yield unknown("what the spool is on cannot be read here")
    elif patient.settings.journal.url is None:
        yield fine(f"the spool is on {mount.type}")
    else:
        yield from judged(mount)


def mount_of(text: str, path: Path) -> Mount | None:
    """The mount that ``path`` is on, of those in ``text``; the last of those that fit is above the others."""
    found = None
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        point = Path(_ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), before.split()[4]))
        if path.is_relative_to(point) and (found is None or len(point.parts) >= len(found.point.parts)):
            kind, _, options = after.split(" ", 2)
            pairs = (option.partition("=") for option in options.split(","))
            found = Mount(point, kind, {key: value for key, _, value in pairs})
    return found


def judged(mount: Mount) -> Iterator[Finding]:
    """What several hosts would miss on it."""
    if mount.type in _NFS:
        faults = list(_faults_of_nfs(mount.options))
        yield from faults or [fine("the spool is on NFS, mounted as several hosts need it")]
    elif mount.type in _OWN:
        yield fine(f"the spool is on {mount.type}, of this host alone")
    elif mount.type in _SHARED:
        yield fine(f"the spool is on {mount.type}")
    else:
        words = f"whether locks on {mount.type} are seen by other hosts is not known"
        yield unknown(words, "docs/running.md says what the volume has to give.")


def _faults_of_nfs(options: Mapping[str, str]) -> Iterator[Finding]:
    if "nolock" in options or options.get("local_lock", "none") != "none":
        yield trouble("locks on the spool are not seen by other hosts", "Mount it without nolock and local_lock.")
    if not options.get("vers", "4").startswith("4"):
        yield trouble("the locks of a host that is gone stay (NFS 3)", "Mount the spool with vers=4.2.")
    if options.get("lookupcache") != "none":
        yield trouble("what another host has just written may not be seen", "Mount the spool with lookupcache=none.")
    if "soft" in options or "softerr" in options:
        yield trouble("writing to the spool fails while its server is slow", "Mount it with hard.")
