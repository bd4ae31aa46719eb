"""Which sockets did the service manager open for this process: for the door, or for operations, which has a port too?

The protocol is that of systemd's sd_listen_fds(3), without its library: ``LISTEN_PID`` names the process that the
sockets are for, ``LISTEN_FDS`` says how many there are, and they are the file descriptors from 3 on.  What is told is
taken out of the environment, so that no process that is started later believes it too.
"""

import os
import socket
from collections.abc import MutableMapping
from typing import Final

from config.errors import ConfigurationError

_FIRST: Final = 3
_MOST: Final = 16
_TOLD: Final = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def handed_over(environment: MutableMapping[str, str]) -> tuple[socket.socket, ...]:
    """The listening sockets that were opened for this process, in their order; none if it opens its own.

    Args:
        environment: that of the process; what it says of sockets is removed.

    Raises:
        ConfigurationError: what was handed over are not listening TCP sockets.
    """
    pid, count, _ = (environment.pop(name, "") for name in _TOLD)
    if pid != str(os.getpid()):
        return ()  # they were for a process that started us, or there are none
    if not (count.isascii() and count.isdigit() and 1 <= int(count) <= _MOST):
        raise ConfigurationError([f"LISTEN_FDS: a number from 1 to {_MOST} is expected"])
    descriptors = range(_FIRST, _FIRST + int(count))
    faults = [f"LISTEN_FDS: file descriptor {number} {fault}" for number in descriptors if (fault := _fault(number))]
    if faults:
        raise ConfigurationError(faults)
    return tuple(_taken(number) for number in descriptors)


def _fault(descriptor: int) -> str:
    """Why this is no listening TCP socket; nothing is closed: it belongs to whoever opened it."""
    try:
        listener = socket.socket(fileno=descriptor)
    except OSError as error:
        return f"is no socket: {error.strerror}"
    try:
        if listener.family not in {socket.AF_INET, socket.AF_INET6}:
            return "is no socket of the internet protocol"
        listens = listener.type == socket.SOCK_STREAM and listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        return "" if listens else "is no socket that listens"
    finally:
        listener.detach()


def _taken(descriptor: int) -> socket.socket:
    os.set_inheritable(descriptor, False)
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    return listener
