"""Which of the uploads that an earlier process left open can be gone on with?

Bytes that a process wrote are in the care of the kernel and survive its death, not that of the machine: after a power
cut a file may have its length and not its bytes.  The boot id of the kernel (Linux, random(4)) tells them apart.
A file with a hole was written out of order, and the part before the hole ends nobody knows where.
"""

import os
from pathlib import Path
from typing import Final

from spool.files import write_durably

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


def remove(incoming: Path) -> int:
    """Remove the uploads below ``incoming`` that cannot be gone on with; answers how many files that were."""
    mark, boot = incoming / ".boot", _BOOT_ID.read_bytes()
    same_boot = mark.exists() and mark.read_bytes() == boot
    removed = 0
    for path in [path for path in incoming.glob("*/*/.uploads/*") if path.is_file()]:
        if not (same_boot and path.stat().st_size and not _has_hole(path)):
            path.unlink()
            removed += 1
    if not same_boot:
        write_durably(mark, boot)
    return removed


def _has_hole(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.lseek(descriptor, 0, os.SEEK_HOLE) < os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
