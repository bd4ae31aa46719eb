"""Has the spool's disk room and the right owner, and does the clock go right?"""

import ctypes
import os
import stat
from collections.abc import Iterator
from typing import Final

from gateway.doctor.finding import Finding, Patient, fine, size_in_words, trouble, unknown

_FEW_INODES: Final = 0.05
_TIME_ERROR: Final = 5
_TIMEX_BYTES: Final = 512
"""More than ``struct timex`` of adjtimex(2) has on any machine."""


def disk(patient: Patient) -> Iterator[Finding]:
    """Room, inodes and rights of the spool, and the room of a journal elsewhere."""
    spool = patient.settings.spool
    try:
        mode = spool.path.stat().st_mode
        facts = os.statvfs(spool.path)
    except PermissionError:
        yield unknown(f"{spool.path} cannot be read by this user")
        return
    except OSError as fault:
        yield trouble(f"{spool.path}: {fault.strerror}", "Mount it, or correct [spool] path.")
        return
    free = facts.f_bavail * facts.f_frsize
    words = f"{spool.path} has {size_in_words(free)} free, of which {size_in_words(spool.reserve)} are reserved"
    if free < 2 * spool.reserve:
        yield trouble(words, "Give the disk room: at the reserve nothing is taken in.", "GatewayDiskNearlyFull")
    else:
        yield fine(words)
    if facts.f_files:  # some file systems make inodes as they are needed
        left = facts.f_favail / facts.f_files
        words = f"{left:.0%} of its inodes are free"
        yield fine(words) if left > _FEW_INODES else trouble(words, "Every file takes one: make the file system anew.")
    if mode & stat.S_IRWXO:
        yield trouble(f"everybody may look into {spool.path}", f"chmod o-rwx {spool.path}")
    if not os.access(spool.path, os.W_OK):
        yield unknown(f"this user may not write to {spool.path}; the gateway's has to")


def clock(_: Patient) -> Iterator[Finding]:
    """Whether the kernel says that its clock is set by somebody."""
    state = _state_of_clock()
    if state is None:
        yield unknown("whether the clock is set by NTP cannot be read here", "`timedatectl` may say.")
    elif state == _TIME_ERROR:
        to_do = "Start systemd-timesyncd or chrony: receipts, signatures and checkpoints carry this time."
        yield trouble("nobody sets the clock (NTP)", to_do)
    else:
        yield fine("the clock is set by NTP")


def _state_of_clock() -> int | None:
    """What adjtimex(2) answers when nothing is to be changed."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        state = library.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else int(state)
