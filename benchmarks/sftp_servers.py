"""What :mod:`benchmarks.sftp` measures: the gateway, by one process and by two doors, an sshd, and a bare asyncssh.

The gateway's log goes into a file, as sshd's does: whoever read it as it comes would be measured too.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.throughput_site import await_ready, writing_to
from spool.mailbox import Mailbox
from tests.authority import Pki
from tests.command_line import move_to_postgresql
from tests.gateway_process import SENDER, USER, Site, make_test_site
from tests.postgres import Cluster, programs

SSHD: Final = "/usr/sbin/sshd"
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """One of those that are measured: where it listens, who logs in, and its directories for uploads and downloads.

    Connections are dealt out among ``ports``.  ``clear`` takes away what was uploaded; ``spent`` answers the CPU
    seconds it has used so far, those of its children that have ended included.
    """

    ports: tuple[int, ...]
    user: str
    inbox: str
    outbox: str
    clear: Callable[[], None]
    spent: Callable[[], float]


def make(folder: Path, large: int) -> Site:
    """A site whose limits let ``large`` bytes in a file through, and as many connections as are measured."""
    pki = Pki.create(folder / "pki")
    site = make_test_site(folder, pki, pki.issue("Payroll"))
    site.configure("max_file_bytes = 36700160", f"max_file_bytes = {2 * large}")
    # What is cleared between the turns behind its back, the gateway counts still.
    site.configure("max_waiting_bytes = 4294967296", f"max_waiting_bytes = {100 * large}")
    site.configure("user_connections = 20", "user_connections = 100")
    site.configure("source_logins = 20", "source_logins = 100")
    return site


@contextmanager
def gateway(site: Site, bench_file: Path, *, doors: int = 1) -> Iterator[Server]:
    """The gateway on ``site``; where it has two ``doors``, the second is a process of its own with nothing else."""
    spool, inbox = site.settings.spool.path, Mailbox(SENDER, "INTEST")
    outbox = spool / "answers" / SENDER / "OUTTEST"
    outbox.mkdir(parents=True)
    os.link(bench_file, outbox / "large.bin")

    def clear() -> None:
        for path in (spool / "incoming" / inbox.sender / inbox.directory).glob("set-*"):
            shutil.rmtree(path)

    with ExitStack() as stack:
        processes, ports = [], []
        for number in range(doors):
            words = ["gateway", "serve", "--config", str(site.settings_file), *(["--role", "sftp"] if number else [])]
            log = site.folder / f"log{number}"
            process = stack.enter_context(writing_to(log, [sys.executable, "-m", *words]))
            ports.append(await_ready(log, process))
            processes.append(process.pid)
        yield Server(tuple(ports), USER, "INTEST", "OUTTEST", clear, lambda: sum(map(_cpu, processes)))


@contextmanager
def on_postgresql(site: Site) -> Iterator[None]:
    """``site`` with its journal on a PostgreSQL server that runs for the time of the block: doors can share it then."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-postgresql-"))
    cluster = Cluster(folder, programs())
    try:
        cluster.start()
        move_to_postgresql(site, cluster.empty_database())
        yield
    finally:
        cluster.stop("immediate")
        shutil.rmtree(folder)


@contextmanager
def sshd(folder: Path, public: str, bench_file: Path) -> Iterator[Server]:
    """OpenSSH's server with its own file server."""
    (folder / "in").mkdir(parents=True)
    (folder / "out").mkdir()
    os.link(bench_file, folder / "out" / "large.bin")
    Path("/run/sshd").mkdir(exist_ok=True)
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host")]
    subprocess.run(words, check=True)  # noqa: S603 - words of our own
    (folder / "keys").write_text(public)
    port = _free_port()
    config = {
        "Port": port, "ListenAddress": "127.0.0.1", "HostKey": folder / "host", "PidFile": folder / "pid",
        "AuthorizedKeysFile": folder / "keys", "StrictModes": "no", "PermitRootLogin": "yes", "UsePAM": "no",
        "PasswordAuthentication": "no", "Subsystem": "sftp internal-sftp", "MaxStartups": "200:30:300",
        "Ciphers": "aes128-gcm@openssh.com", "LogLevel": "ERROR", "MaxSessions": "200",
    }  # fmt: skip
    (folder / "config").write_text("".join(f"{key} {value}\n" for key, value in config.items()))
    with writing_to(folder / "log", [SSHD, "-D", "-e", "-f", str(folder / "config")]) as process:
        _await_port(port)
        yield Server((port,), "root", str(folder / "in"), str(folder / "out"), lambda: _empty(folder / "in"),
                     lambda: _cpu(process.pid))  # fmt: skip


@contextmanager
def bare(folder: Path) -> Iterator[Server]:
    """The file server that asyncssh brings, on uvloop: it lets everybody in, checks nothing and writes nothing down."""
    words = [sys.executable, "-m", "benchmarks.throughput_floor", str(folder)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ourselves
    try:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        port = int(process.stdout.readline())
        yield Server((port,), "bare", "IN", "IN", lambda: _empty(folder / "IN"), lambda: _cpu(process.pid))
    finally:
        process.terminate()
        process.wait()


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _await_port(port: int) -> None:
    while True:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


def _cpu(pid: int) -> float:
    """CPU seconds of a process and of its children that have ended (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS
