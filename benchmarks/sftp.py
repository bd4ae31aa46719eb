"""How fast is the door beside OpenSSH's sshd, with the same client in the same run?

    python -m benchmarks.sftp [--quick]

starts a gateway as it is installed (checks and journal included) and an sshd with ``internal-sftp``, drives both in
turns with OpenSSH's sftp (aes128-gcm), and prints the gateway's speed as a share of sshd's: one large file up and down,
four at once, many small files over one connection, many connections with some files each, and log-ins.  Exits with 1 if
a share is below its limit.  ``--quick`` moves fewer bytes and holds them against half of the limits.

Needs ``/usr/sbin/sshd`` (Debian's openssh-server; it need not run) and root, as sshd does; works in ``TMPDIR``.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spool.mailbox import Mailbox
from tests.authority import Pki
from tests.gateway_process import SENDER, USER, make_test_site, running

LIMITS = {"up": 1.0, "down": 0.9, "four up": 0.75, "small files": 0.75, "connections": 1.25, "log-ins": 1.4}
SSHD = "/usr/sbin/sshd"
_LARGE = ("up", "four up")


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes of a large file, small files of 4 kB, connections with 20 files of 10 kB each, log-ins, turns."""

    large: int
    small: int
    connections: int
    logins: int
    turns: int


FULL = Size(large=500_000_000, small=2000, connections=50, logins=60, turns=3)
QUICK = Size(large=60_000_000, small=300, connections=10, logins=12, turns=1)


@dataclass(frozen=True, slots=True)
class Server:
    """Where one of the two listens, who logs in, and its directories for uploads and downloads."""

    port: int
    user: str
    inbox: str
    outbox: str
    clear: Callable[[], None]


class Bench:
    """The client's side: files to send, and the programs that send them."""

    def __init__(self, folder: Path, key: Path, size: Size) -> None:
        self._folder = folder
        self._key = key
        self.size = size
        with (folder / "large").open("wb") as file:
            for _ in range(size.large // 1_000_000):
                file.write(os.urandom(1_000_000))
        (folder / "4k").write_bytes(os.urandom(4096))
        (folder / "10k").write_bytes(os.urandom(10_240))

    def run(self, server: Server, *commands: str) -> None:
        """One session of sftp."""
        options = ["Ciphers=aes128-gcm@openssh.com", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        options += [f"IdentityFile={self._key}", "IdentitiesOnly=yes", "LogLevel=ERROR", f"Port={server.port}"]
        told = [word for option in options for word in ("-o", option)]
        words = ["sftp", "-q", "-F", "/dev/null", *told, "-b", "-", f"{server.user}@127.0.0.1"]
        batch = "".join(f"{command}\n" for command in commands)
        done = subprocess.run(  # noqa: S603 - words of our own
            words, input=batch, text=True, capture_output=True, cwd=self._folder, check=False
        )
        if done.returncode:
            raise SystemExit(f"sftp to port {server.port}: {done.stderr}")

    def parallel(self, server: Server, sessions: list[list[str]], at_once: int) -> None:
        """Several sessions, so many at once."""
        with ThreadPoolExecutor(at_once) as pool:
            for future in [pool.submit(self.run, server, *commands) for commands in sessions]:
                future.result()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _jobs(bench: Bench) -> dict[str, Callable[[Server, int], None]]:
    """What is measured, by name: each is given the server and the turn it is."""
    size = bench.size

    def names(count: int, first: int = 1) -> list[str]:
        return [f"FI.DIMN.{SENDER}.20261121.{number:05}.T.1.1" for number in range(first, first + count)]

    def puts(server: Server, what: str, count: int, first: int = 1) -> list[str]:
        return [f"put {what} {server.inbox}/{name}" for name in names(count, first)]

    def connections(server: Server, turn: int) -> None:
        first = 50_001 + 20 * size.connections * turn
        sessions = [puts(server, "10k", 20, first + 20 * number) for number in range(size.connections)]
        bench.parallel(server, sessions, size.connections)

    return {
        "up": lambda server, _: bench.run(server, *puts(server, "large", 1)),
        "down": lambda server, _: bench.run(server, f"get {server.outbox}/large.bin /dev/null"),
        "four up": lambda server, _: bench.parallel(server, [puts(server, "large", 1, n) for n in range(1, 5)], 4),
        "small files": lambda server, turn: bench.run(server, *puts(server, "4k", size.small, 1 + size.small * turn)),
        "connections": connections,
        "log-ins": lambda server, _: bench.parallel(server, [["pwd"]] * size.logins, 4),
    }


@contextmanager
def _gateway(folder: Path, bench_file: Path, size: Size) -> Iterator[Server]:
    pki = Pki.create(folder / "pki")
    site = make_test_site(folder, pki, pki.issue("Payroll"))
    site.configure("max_file_bytes = 36700160", f"max_file_bytes = {2 * size.large}")
    # What is cleared between the turns behind its back, the gateway counts still.
    site.configure("max_waiting_bytes = 4294967296", f"max_waiting_bytes = {100 * size.large}")
    site.configure("user_connections = 20", "user_connections = 100")
    site.configure("source_logins = 20", "source_logins = 100")
    outbox = site.settings.spool.path / "answers" / SENDER / "OUTTEST"
    outbox.mkdir(parents=True)
    os.link(bench_file, outbox / "large.bin")
    inbox = Mailbox(SENDER, "INTEST")

    def clear() -> None:
        for path in (site.settings.spool.path / "incoming" / inbox.sender / inbox.directory).glob("set-*"):
            shutil.rmtree(path)

    with running(site):
        yield Server(site.port, USER, "INTEST", "OUTTEST", clear)


@contextmanager
def _sshd(folder: Path, public: str, bench_file: Path) -> Iterator[Server]:
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
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(folder / "config")])  # noqa: S603 - words of our own

    def clear() -> None:
        for path in (folder / "in").iterdir():
            path.unlink()

    try:
        time.sleep(0.5)
        yield Server(port, "root", str(folder / "in"), str(folder / "out"), clear)
    finally:
        process.terminate()
        process.wait()


def _measure(bench: Bench, ours: Server, theirs: Server) -> dict[str, float]:
    """The gateway's speed as a share of sshd's, the median of the turns."""
    shares = {}
    for name, job in _jobs(bench).items():
        ratios = []
        for turn in range(bench.size.turns):
            seconds = []
            for server in (theirs, ours):
                begun = time.perf_counter()
                job(server, turn)
                seconds.append(time.perf_counter() - begun)
                # Small files stay, and have other names in the next turn: a file system that looks for an inode among
                # thousands that were just deleted would be what is measured.
                if name in _LARGE:
                    server.clear()
            ratios.append(seconds[0] / seconds[1])
        shares[name] = statistics.median(ratios)
        sys.stdout.write(f"{name:12} {shares[name]:.2f} of sshd (limit {LIMITS[name]}); {seconds[1]:.2f} s\n")
    return shares


def main() -> int:
    """Measure and judge; answers the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="move fewer bytes, against half of the limits")
    quick = parser.parse_args().quick
    if not Path(SSHD).exists() or os.geteuid() != 0:
        sys.stderr.write(f"{SSHD} and root are needed\n")
        return 2
    size = QUICK if quick else FULL
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        folder = Path(name)
        (folder / "site").mkdir()
        (folder / "client").mkdir()
        key = folder / "site" / "work" / "id_ed25519"
        bench = Bench(folder / "client", key, size)
        large = folder / "client" / "large"
        with _gateway(folder / "site", large, size) as ours:
            public = key.with_suffix(".pub").read_text()
            with _sshd(folder / "sshd", public, large) as theirs:
                shares = _measure(bench, ours, theirs)
    factor = 0.5 if quick else 1.0
    missed = [what for what, share in shares.items() if share < LIMITS[what] * factor]
    if missed:
        sys.stderr.write("below the limit: " + ", ".join(missed) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
