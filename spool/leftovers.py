"""Which of the uploads that an earlier process left can be gone on with, and which closed files can be relied on?

Bytes that a process wrote are in the care of the kernel and survive its death, not that of the machine: after a power
cut a file may have its length and not its bytes.  The boot id of the kernel (Linux, random(4)) tells them apart.
The same goes for a file that was closed, unless somebody has seen to it since that it is on the disk.
A file with a hole was written out of order, and the part before the hole ends nobody knows where.
"""

import os
from pathlib import Path
from typing import Final

from spool.files import write_durably
from spool.settling import is_unsettled

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def remove(incoming: Path) -> int:
    """Remove the uploads below ``incoming`` that nobody can rely on; answers how many files that were."""
    mark, boot = incoming / ".boot", _BOOT_ID.read_bytes()
    same_boot = mark.exists() and mark.read_bytes() == boot
    removed = 0
    for path in [path for path in incoming.glob("*/*/.uploads/*") if path.is_file()]:
        if not (same_boot and path.stat().st_size and not _has_hole(path)):
            path.unlink()
            removed += 1
    if not same_boot:
        removed += _remove_unsettled(incoming)
        write_durably(mark, boot)
    return removed


def _remove_unsettled(incoming: Path) -> int:
    removed = 0
    for pattern in ("*/*/set-*/*", "*/*/.temporary/*"):
        for path in [path for path in incoming.glob(pattern) if is_unsettled(path)]:
            path.unlink()
            removed += 1
    return removed


def _has_hole(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.lseek(descriptor, 0, os.SEEK_HOLE) < os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
