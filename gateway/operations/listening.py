"""Which sockets does the interface for programs listen on, and who may open them?

A Unix socket is a file that only our own user may open, or a port of an address, which a service manager may have
opened.  A socket file that a killed gateway left is taken away at the next start; one that something listens on, and
anything else in its place, is a fault.
"""

import errno
import os
import socket as sockets
import stat
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from config.errors import ConfigurationError

_LONGEST_PATH: Final = 107
_OURS: Final = "operations"
_UNIT: Final = "batch-gateway-operations.socket"


def faults(path: Path | None, section: str) -> list[str]:
    """What stands in the way of a Unix socket at ``path``, found without making it."""
    if path is None:
        return []
    found = []
    if len(os.fsencode(path)) > _LONGEST_PATH:
        found.append(f"{section}.socket: the path is longer than {_LONGEST_PATH} bytes")
    if path.parent.is_dir() and stat.S_IMODE(path.parent.stat().st_mode) & stat.S_IWOTH:
        found.append(f"{section}.socket: {path.parent} is open to everybody: anybody may put another socket there")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        found.append(f"{section}.socket: {path.parent} cannot be written to")
    elif os.path.lexists(path) and not stat.S_ISSOCK(os.lstat(path).st_mode):
        found.append(f"{section}.socket: {path} is something else than a socket")
    return found


def faults_of_handed(handed: Sequence[sockets.socket], port: int | None, section: str) -> list[str]:
    """Why listening sockets that a service manager opened cannot stand for ``port`` of the settings."""
    found = [] if port is not None or not handed else [f"{section}.port: a port was handed over, and none is wanted"]
    addresses = [one.getsockname()[:2] for one in handed]
    found += [
        f"{section}.host: {host}:{number} was handed over, which is no address of the loopback"
        for host, number in addresses
        if not ip_address(host).is_loopback
    ]
    numbers = sorted({number for _, number in addresses})
    if handed and port and port not in numbers:
        # Commands ask at the port of the settings.
        said = ", ".join(map(str, numbers))
        found.append(f"{section}.port: {port} is not the port that was handed over: that is {said}")
    return found


def unix_socket(path: Path, section: str) -> sockets.socket:
    """A Unix socket at ``path``, bound and not yet listening, which only our own user may open.

    Raises:
        ConfigurationError: it cannot be made; ``section`` of the settings named it.
    """
    if found := faults(path, section):
        raise ConfigurationError(found)
    made = sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM)
    try:
        _clear(path, section)
        # Linux makes the file with the rights the socket has: at no moment may anyone else open it.
        os.fchmod(made.fileno(), 0o600)
        made.bind(os.fspath(path))
    except OSError as fault:
        made.close()
        raise ConfigurationError([f"{section}.socket: {path}: {fault.strerror}"]) from fault
    except ConfigurationError:
        made.close()
        raise
    return made


def _clear(path: Path, section: str) -> None:
    """Take away a socket file on which nobody listens any more."""
    if not os.path.lexists(path):
        return
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except TimeoutError:
            pass  # whoever listens has more to do than it manages
    raise ConfigurationError([f"{section}.socket: something listens on {path} already"])


def remove(path: Path, inode: int) -> None:
    """Take our socket file away, but not one that somebody else put in its place."""
    with suppress(FileNotFoundError):
        if os.lstat(path).st_ino == inode:
            path.unlink()


def tcp_socket(host: str, port: int, section: str) -> sockets.socket:
    """A socket bound to ``port`` of ``host`` (0: any free one), not yet listening.

    Raises:
        ConfigurationError: it cannot be had; ``section`` of the settings named it.
    """
    try:
        family, kind, protocol, _, address = sockets.getaddrinfo(host, port, proto=sockets.IPPROTO_TCP)[0]
        # With the protocol: else asyncio leaves Nagle's algorithm on, and every answer waits 40 ms.
        made = sockets.socket(family, kind, protocol)
    except OSError as fault:
        raise ConfigurationError([f"{section}.host: {host}: {_words(fault, section)}"]) from fault
    try:
        made.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError as fault:
        made.close()
        raise ConfigurationError([f"{section}.port: {host}:{port}: {_words(fault, section)}"]) from fault
    return made


def _words(fault: OSError, section: str) -> str:
    """Why a port cannot be had; of our own, also who opens it where the unit's rights forbid it to the process."""
    if section == _OURS and fault.errno in {errno.EAFNOSUPPORT, errno.EACCES}:
        return f"{fault.strerror}: this process may open no port itself, but gets one that {_UNIT} opens"
    return str(fault.strerror)
