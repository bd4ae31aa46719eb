"""How fast is the door beside OpenSSH's sshd, with the same client in the same run?

    python -m benchmarks.sftp [--quick] [--only WORD]...

starts a gateway as it is installed (checks and journal included) and an sshd with ``internal-sftp``, drives both in
turns with OpenSSH's sftp (aes128-gcm), and prints the gateway's speed as a share of sshd's: one large file up and down,
four at once, many small files over one connection, many connections with some files each, and log-ins; then four large
files at once by two doors on one spool, with the journal on PostgreSQL.  Beside it stand the CPU seconds of both
servers, which other work on the machine changes less, and for small files the share of a bare asyncssh, which checks
and writes down nothing: what the library leaves to be reached.  Exits with 1 if a share is below its limit.
``--quick`` moves fewer bytes and holds them against half of the limits.

Needs ``/usr/sbin/sshd`` (Debian's openssh-server; it need not run), PostgreSQL's server and root, as sshd does; works
in ``TMPDIR``.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Final

from benchmarks import sftp_servers as servers
from benchmarks.sftp_servers import SSHD, Server
from tests.gateway_process import SENDER

_TWO_DOORS: Final = "four up, two doors"
LIMITS: Final = {
    "up": 1.0, "down": 0.9, "four up": 0.75, "small files": 0.75, "connections": 1.25, "log-ins": 1.4, _TWO_DOORS: 1.0,
}  # fmt: skip
_LARGE: Final = ("up", "four up", _TWO_DOORS)
_BESIDE_BARE: Final = ("small files",)


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


class Bench:
    """The client's side: files to send, and the programs that send them."""

    def __init__(self, folder: Path, size: Size) -> None:
        self.folder = folder
        self.size = size
        self.key = Path()
        self.large = folder / "large"
        with self.large.open("wb") as file:
            for _ in range(size.large // 1_000_000):
                file.write(os.urandom(1_000_000))
        (folder / "4k").write_bytes(os.urandom(4096))
        (folder / "10k").write_bytes(os.urandom(10_240))

    def run(self, server: Server, *commands: str, number: int = 0) -> None:
        """One session of sftp, the ``number``-th of several."""
        port = server.ports[number % len(server.ports)]
        options = ["Ciphers=aes128-gcm@openssh.com", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null"]
        options += [f"IdentityFile={self.key}", "IdentitiesOnly=yes", "LogLevel=ERROR", f"Port={port}"]
        told = [word for option in options for word in ("-o", option)]
        words = ["sftp", "-q", "-F", "/dev/null", *told, "-b", "-", f"{server.user}@127.0.0.1"]
        batch = "".join(f"{command}\n" for command in commands)
        done = subprocess.run(  # noqa: S603 - words of our own
            words, input=batch, text=True, capture_output=True, cwd=self.folder, check=False
        )
        if done.returncode:
            raise SystemExit(f"sftp to port {port}: {done.stderr}")

    def parallel(self, server: Server, sessions: list[list[str]], at_once: int) -> None:
        """Several sessions, so many at once."""
        with ThreadPoolExecutor(at_once) as pool:
            runs = [pool.submit(self.run, server, *words, number=number) for number, words in enumerate(sessions)]
            for run in runs:
                run.result()


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

    def four_up(server: Server, _turn: int) -> None:
        bench.parallel(server, [puts(server, "large", 1, number) for number in range(1, 5)], 4)

    return {
        "up": lambda server, _: bench.run(server, *puts(server, "large", 1)),
        "down": lambda server, _: bench.run(server, f"get {server.outbox}/large.bin /dev/null"),
        "four up": four_up,
        _TWO_DOORS: four_up,
        "small files": lambda server, turn: bench.run(server, *puts(server, "4k", size.small, 1 + size.small * turn)),
        "connections": connections,
        "log-ins": lambda server, _: bench.parallel(server, [["pwd"]] * size.logins, 4),
    }


@dataclass(frozen=True, slots=True)
class Turn:
    """How long one server took, and how much CPU it used, in seconds."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Field:
    """Who runs: sshd, the gateway, and a bare asyncssh where it is of interest."""

    sshd: Server
    gateway: Server
    bare: Server | None = None


def _measure(bench: Bench, name: str, job: Callable[[Server, int], None], field: Field) -> float:
    """The gateway's speed as a share of sshd's, the median of the turns; what was measured is printed."""
    servers_of = [field.sshd, field.gateway, *([field.bare] if field.bare else [])]
    turns: list[list[Turn]] = []
    for number in range(bench.size.turns):
        took: dict[int, Turn] = {}
        # Who comes second may wait for what the first has written, on its way to the disk: they change places.
        for place, server in sorted(enumerate(servers_of), reverse=bool(number % 2), key=itemgetter(0)):
            os.sync()
            took[place] = _turn(server, job, number)
            # Small files stay, and have other names in the next turn: a file system that looks for an inode among
            # thousands that were just deleted would be what is measured.
            if name in _LARGE:
                server.clear()
        turns.append([took[place] for place in sorted(took)])
    share = statistics.median(turn[0].wall / turn[1].wall for turn in turns)
    cpu = statistics.median(turn[1].cpu for turn in turns), statistics.median(turn[0].cpu for turn in turns)
    beside = ""
    if field.bare:
        of_bare = statistics.median(turn[0].wall / turn[2].wall for turn in turns)
        beside = f"; bare asyncssh {of_bare:.2f}, {statistics.median(turn[2].cpu for turn in turns):.2f} s of CPU"
    wall = statistics.median(turn[1].wall for turn in turns)
    sys.stdout.write(
        f"{name:18} {share:.2f} of sshd (limit {LIMITS[name]}); {wall:.2f} s; "
        f"CPU {cpu[0]:.2f} s, sshd's {cpu[1]:.2f} s{beside}\n"
    )
    sys.stdout.flush()
    return share


def _turn(server: Server, job: Callable[[Server, int], None], number: int) -> Turn:
    spent, begun = server.spent(), time.perf_counter()
    job(server, number)
    wall = time.perf_counter() - begun
    return Turn(wall, server.spent() - spent)


@contextmanager
def _one_process(folder: Path, bench: Bench) -> Iterator[Field]:
    with ExitStack() as stack:
        site = servers.make(folder / "site", bench.size.large)
        bench.key = site.work / "id_ed25519"
        public = bench.key.with_suffix(".pub").read_text()
        ours = stack.enter_context(servers.gateway(site, bench.large))
        theirs = stack.enter_context(servers.sshd(folder / "sshd", public, bench.large))
        yield Field(theirs, ours, stack.enter_context(servers.bare(folder / "bare")))


@contextmanager
def _two_doors(folder: Path, bench: Bench) -> Iterator[Field]:
    with ExitStack() as stack:
        site = servers.make(folder / "site", bench.size.large)
        bench.key = site.work / "id_ed25519"
        public = bench.key.with_suffix(".pub").read_text()
        stack.enter_context(servers.on_postgresql(site))
        ours = stack.enter_context(servers.gateway(site, bench.large, doors=2))
        yield Field(stack.enter_context(servers.sshd(folder / "sshd", public, bench.large)), ours)


def _shares(bench: Bench, only: Collection[str]) -> dict[str, float]:
    shares = {}
    for folder, opened, names in (
        (bench.folder / "one", _one_process, [name for name in LIMITS if name != _TWO_DOORS]),
        (bench.folder / "two", _two_doors, [_TWO_DOORS]),
    ):
        wanted = [name for name in names if not only or name in only]
        if not wanted:
            continue
        (folder / "site").mkdir(parents=True)
        with opened(folder, bench) as field:
            for name in wanted:
                of = field if name in _BESIDE_BARE else Field(field.sshd, field.gateway)
                shares[name] = _measure(bench, name, _jobs(bench)[name], of)
    return shares


def main() -> int:
    """Measure and judge; answers the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="move fewer bytes, against half of the limits")
    parser.add_argument("--only", action="append", choices=list(LIMITS), default=[], help="measure this and no other")
    asked = parser.parse_args()
    if not Path(SSHD).exists() or os.geteuid() != 0:
        sys.stderr.write(f"{SSHD} and root are needed\n")
        return 2
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        shares = _shares(Bench(Path(name), QUICK if asked.quick else FULL), asked.only)
    factor = 0.5 if asked.quick else 1.0
    missed = [what for what, share in shares.items() if share < LIMITS[what] * factor]
    if missed:
        sys.stderr.write("below the limit: " + ", ".join(missed) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
