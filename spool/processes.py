"""Which processes of the gateway work on this spool?

Each holds a file of its own below ``processes`` locked while it lives; the kernel lets go of it when the process ends,
however it ends, and so does the server of a shared volume when a host is gone.  What a dead process claimed is taken
over at once, therefore, and not only when its claim runs out.

Its number says nothing by itself: hosts, and containers of a host, give the same.  Hosts may even have one name; then
the kernel's boot id tells them apart.

On disk: ``processes/<id>`` (JSON: roles, host, pid, kernel, numbers) and, beside it, ``<id>.sock``, where the process
tells of itself, and ``<id>.json``, the settings it runs with; ``<role>.lock`` keeps a second process from a role.
"""

import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.roles import Role
from spool.files import held_together, is_locked, locked_file, make_folder

PROCESSES: Final = "processes"
SOCKET: Final = ".sock"
TOLD: Final = ".json"
_LONGEST: Final = 107
_STALE_SECONDS: Final = 3600.0
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_NUMBERS: Final = Path("/proc/self/ns/pid")


@dataclass(frozen=True, slots=True)
class Process:
    """A process that is alive; ``address`` is its socket, which may not be there.

    ``kernel`` is the boot id of the kernel that it runs on, ``numbers`` the namespace that its pid is of; both are
    empty of a process of an older release.
    """

    id: str
    roles: frozenset[Role]
    host: str
    pid: int
    address: Path
    kernel: str = ""
    numbers: str = ""

    @property
    def is_here(self) -> bool:
        """Whether it runs on this host."""
        return self.host == socket.gethostname() and self.kernel in {"", _kernel()}

    @property
    def can_be_signalled(self) -> bool:
        """Whether its pid is its pid for us, and nobody else's."""
        return self.is_here and self.numbers in {"", _numbers()}


@contextmanager
def joined(spool: Path, roles: Iterable[Role]) -> Iterator[Process]:
    """Be one of the processes for the time of the block."""
    folder = spool / PROCESSES
    make_folder(folder)
    host = socket.gethostname()
    path = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
    address = path.with_name(path.name + SOCKET)
    mine = Process(path.name, frozenset(roles), host, os.getpid(), address, _kernel(), _numbers())
    where = {"host": host, "pid": mine.pid, "kernel": mine.kernel, "numbers": mine.numbers}
    told = json.dumps({"roles": sorted(mine.roles), **where})
    begun = path.with_name(f".{path.name}")
    descriptor = os.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    try:
        # Locked before it has its name: nobody ever takes it for that of a dead process.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, told.encode())
        begun.rename(path)
        yield mine
    finally:
        _clear(path)
        os.close(descriptor)


def alive(spool: Path) -> list[Process]:
    """Every process that is alive, this one too; what dead ones left is cleared away."""
    found = []
    for path in sorted((spool / PROCESSES).glob("*-*")):
        if path.suffix in {SOCKET, TOLD}:
            continue
        if path.name.startswith("."):
            _clear_if_stale(path)
        elif is_locked(path):
            with suppress(OSError, ValueError, KeyError):  # it ended meanwhile
                found.append(_read(path))
        else:
            _clear(path)
    return found


@contextmanager
def reached(address: Path) -> Iterator[Path]:
    """A path to a socket that is short enough for one (unix(7): 107 bytes), for the time of the block."""
    if len(os.fsencode(address)) <= _LONGEST:
        yield address
        return
    folder = os.open(address.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Path(f"/proc/self/fd/{folder}", address.name)
    finally:
        os.close(folder)


def by_role(spool: Path) -> dict[str, int]:
    """How many processes have each role."""
    running = alive(spool)
    return {role.value: sum(role in process.roles for process in running) for role in Role}


def gone(spool: Path, holders: Iterable[str]) -> set[str]:
    """Those of ``holders`` whose process has ended."""
    folder = spool / PROCESSES
    return {holder for holder in holders if not is_locked(folder / holder)}


def _kernel() -> str:
    """The boot id (random(4)): no two kernels have the same; nothing where it isn't told."""
    with suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return ""


def _numbers() -> str:
    """The namespace of process numbers that we are in (pid_namespaces(7)); nothing where it isn't told."""
    with suppress(OSError):
        return str(_NUMBERS.readlink())
    return ""


def _read(path: Path) -> Process:
    told = json.loads(path.read_bytes())
    roles = frozenset(map(Role, told["roles"]))
    where = told.get("kernel", ""), told.get("numbers", "")
    return Process(path.name, roles, told["host"], told["pid"], path.with_name(path.name + SOCKET), *where)


def _clear_if_stale(path: Path) -> None:
    """What a process left that ended before its file had its name; another may be just there."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > _STALE_SECONDS and not is_locked(path):
            path.unlink()


def _clear(path: Path) -> None:
    for beside in (SOCKET, TOLD):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


@contextmanager
def working(spool: Path, roles: Collection[Role], *, on_one_host: bool) -> Iterator[Process]:
    """Work on ``spool`` in these roles for the time of the block.

    Args:
        on_one_host: the journal is of one host; nobody else may have one of the roles then.

    Raises:
        ConfigurationError: somebody else does, or works on the spool alone.
    """
    with ExitStack() as stack:
        stack.enter_context(held_together(spool))
        for role in sorted(roles) if on_one_host else ():
            refusal = f"spool.path: another gateway is working on {spool} in the role {role}"
            stack.enter_context(locked_file(spool / PROCESSES / f"{role}.lock", fcntl.LOCK_EX, refusal))
        yield stack.enter_context(joined(spool, roles))
