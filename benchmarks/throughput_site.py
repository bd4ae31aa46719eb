"""The gateway that is measured, its senders, its broker, and whose processor time is whose.

Part of :mod:`benchmarks.throughput`. The gateway's log goes into a file: whoever read it as it comes would be measured
too. Processor time is read from /proc, that of children that have ended included.
"""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks import throughput_stages as stages
from benchmarks.throughput_senders import Job, Seen, seen_at
from gateway.parties import SignatureProfile
from tests.authority import Pki
from tests.gateway_process import Site, make_test_site

SENDERS: Final = {f"{200_000 + number}": f"sender{number:02}" for number in range(1, 21)}
"""Twenty numbers of senders, each with the name of its user."""

ENVIRONMENT: Final = os.environ | {"MALLOC_ARENA_MAX": "2"}
"""What a gateway is started with, as its unit has it."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_START_SECONDS: Final = 300.0
_CLOSE_SECONDS: Final = 300.0
_POLL_SECONDS: Final = 0.05


def make(folder: Path, broker: str | None) -> Site:
    """A site with the senders, publishing to ``broker`` if one is named; all may connect at once from one address."""
    pki = Pki.create(folder / "pki")
    site = make_test_site(folder, pki, pki.issue("Payroll"))
    for number, user in SENDERS.items():
        site.add_sender(number, user, SignatureProfile.DETACHED, site.signer)
    if broker is not None:
        site.configure("urls = []", f'urls = ["{broker}"]')
    for name, small, large in (
        ("user_connections", "20", "100"),
        ("source_logins", "20", "100"),
        ("max_waiting_bytes", "4294967296", "40000000000"),
    ):
        site.configure(f"{name} = {small}", f"{name} = {large}")
    return site


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU seconds so far: of the gateway's own processes, and of their workers with all that started them.

    ``stages`` are those seconds by stage, of the processes and of workers, where the gateway tells.
    """

    main: float
    workers: float
    stages: Mapping[str, tuple[float, float]]


class Measured:
    """A gateway that runs: one process, or one for each role; where they tell where their CPU goes, into ``told``."""

    def __init__(self, site: Site, processes: Sequence[subprocess.Popen[bytes]], told: Sequence[Path] = ()) -> None:
        self._site = site
        self._pids = [process.pid for process in processes]
        self._told = told

    def spent(self) -> Spent:
        """CPU so far."""
        if self._told:
            time.sleep(2 * stages.EVERY_SECONDS)
        main = sum(_cpu(pid, children=False) for pid in self._pids)
        workers = sum(_cpu(pid) for own in self._pids for pid in descendants(own))
        return Spent(main, workers, stages.read(self._told))

    @property
    def memory(self) -> int:
        """Bytes that the gateway's own processes hold now."""
        return sum(map(_held, self._pids))

    def send(self, folder: Path, count: int, first: int, rate: float = 0.0) -> Seen:
        """Have ``count`` sets sent by all senders, ``rate`` a second in all or as fast as they are taken."""
        return send(self._site, folder, Job(self._site.port, "", "", "", SENDERS, count, first, rate))

    def await_closed(self, since: int) -> None:
        """Return when nothing that came since then (microseconds) is open any more."""
        query = "SELECT count(*) FROM submissions WHERE received_at >= ? AND closed_at IS NULL"
        end = time.monotonic() + _CLOSE_SECONDS
        while count := self.ask(query, since)[0][0]:
            if time.monotonic() > end:
                raise SystemExit(f"{count} submissions are not answered and forwarded")
            time.sleep(0.5)

    def ask(self, query: str, *values: object) -> list[tuple[int, ...]]:
        """What the journal answers."""
        journal = sqlite3.connect(f"file:{self._site.settings.journal.path}?mode=ro", uri=True, timeout=60)
        try:
            return journal.execute(query, values).fetchall()
        finally:
            journal.close()


def send(site: Site, folder: Path, job: Job) -> Seen:
    """Have senders do ``job`` in a process of their own, with the keys of ``site``."""
    key, signer = site.work / "id_ed25519", site.signer
    keys = {"key": str(key), "signer_key": str(signer.key), "signer_certificate": str(signer.certificate)}
    file = folder / "job.json"
    file.write_text(json.dumps(asdict(job) | keys))
    command = [sys.executable, "-m", "benchmarks.throughput_senders", str(file)]
    subprocess.run(command, check=True)  # noqa: S603 - ourselves
    return Seen(**json.loads(seen_at(file).read_bytes()))


@contextmanager
def serving(site: Site, *, tells: bool = False, roles: Sequence[str] = ()) -> Iterator[Measured]:
    """The gateway on ``site``, from when its door is open to when it has ended.

    With ``roles`` (``sftp``, ``judge``...) each has a process of its own. If it ``tells``, where its CPU goes is known
    (:mod:`benchmarks.throughput_stages`).
    """
    each = [["--role", role] for role in roles] or [[]]
    logs = [site.folder / f"log{number or ''}" for number in range(len(each))]
    told = [log.with_name(f"{log.name}-stages.json") for log in logs]
    with ExitStack() as stack:
        processes = []
        for words, log, file in zip(each, logs, told, strict=True):
            gateway = ["benchmarks.throughput_stages", str(file)] if tells else ["gateway"]
            command = [sys.executable, "-m", *gateway, "serve", "--config", str(site.settings_file), *words]
            processes.append(stack.enter_context(writing_to(log, command)))
        ports = [await_ready(log, process) for log, process in zip(logs, processes, strict=True)]
        site.port = next(port for port in ports if port)
        yield Measured(site, processes, told if tells else ())


@contextmanager
def writing_to(log: Path, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that writes its stderr into a file, and is ended with the block."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file, start_new_session=True, env=ENVIRONMENT)  # noqa: S603 - ourselves
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def await_ready(log: Path, process: subprocess.Popen[bytes]) -> int:
    """The port of the door of a gateway that starts and writes to ``log``, once it is ready; 0 if it has none."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text("utf-8").splitlines():
            if '"gateway.ready"' in line:
                return json.loads(line)["port"] or 0
        time.sleep(_POLL_SECONDS)
    raise SystemExit(f"the gateway did not start:\n{log.read_text('utf-8')[-4000:]}")


def descendants(ancestor: int, command: str = "") -> list[int]:
    """The processes below ``ancestor``, all or those that are called ``command``."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = folder.joinpath("stat").read_text().rpartition(")")
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(folder.name)] = int(rest.split()[1])
        names[int(folder.name)] = name.partition("(")[2]
    found = {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(pid for pid in found - {ancestor} if command in ("", names[pid]))


def cpu_of(command: str) -> float:
    """CPU seconds so far of those of our descendants that are called so."""
    return sum(_cpu(pid) for pid in descendants(os.getpid(), command))


def _cpu(pid: int, *, children: bool = True) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    # utime, stime, cutime and cstime (proc(5)), counted from the state.
    return sum(int(field) for field in fields[11 : 15 if children else 13]) / _TICKS


def _held(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1]) * 1024


class Bare:
    """The bare server of :mod:`benchmarks.throughput_floor` while it runs."""

    def __init__(self, site: Site, folder: Path, port: int, pid: int) -> None:
        self._site = site
        self._folder = folder
        self._port = port
        self._pid = pid

    @property
    def spent(self) -> float:
        """CPU seconds so far."""
        return _cpu(self._pid)

    def send(self, count: int) -> Seen:
        """Have ``count`` sets sent by all senders as fast as they are taken."""
        return send(self._site, self._folder, Job(self._port, "", "", "", SENDERS, count, 1))


@contextmanager
def bare_server(site: Site, folder: Path) -> Iterator[Bare]:
    """That server, for senders of ``site``; their files go below ``folder``."""
    command = [sys.executable, "-m", "benchmarks.throughput_floor", str(folder / "bare")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - ourselves
    try:
        if process.stdout is None:
            raise SystemExit("the bare server tells nothing")
        yield Bare(site, folder, int(process.stdout.readline()), process.pid)
    finally:
        process.terminate()
        process.communicate()
