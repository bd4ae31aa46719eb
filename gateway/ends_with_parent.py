"""Importing it lets a process end with the one that has started it, however that ends.

For the fork server of the workers alone, which imports it first: a worker ends with the fork server, and that with the
gateway, so that a worker that hangs outlives neither.
"""

import ctypes
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1

ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
