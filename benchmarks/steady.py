"""Do memory, descriptors, threads or tasks of a gateway grow with what has passed through it?

    python -m benchmarks.steady [--count 200000] [--warm 20000]

starts a RabbitMQ of its own and a gateway as it is installed, which also tells how many tasks it has, and lets senders
(:mod:`benchmarks.steady_load`) keep it busy: one by message as fast as it answers; of every fifty submissions one comes
over SFTP, in a session of its own, in which its answer is fetched and deleted.  Each is signed, judged, answered and
forwarded for real.

At each fiftieth of the way it is written down how much the main process and its workers hold: of memory the most, of
descriptors, threads and tasks the fewest seen since the time before, since sessions come and go and only what leaks
stays.  After the first tenth, or the first so many (``--warm``: caches and pools of threads fill in the first 20,000,
however many follow), nothing may grow by more than a tenth.  Exits with 1 if something does, or if an answer or a
declaration is missing or wrong.  All happens in ``TMPDIR``; 200,000 take some 10 GB.
"""

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import structlog

from benchmarks.steady_load import Content, Messages, Progress, Visits, come_and_go, new_password
from benchmarks.throughput_sets import Signer
from benchmarks.throughput_site import ENVIRONMENT, descendants
from channels.mq.connection import connection_parameters
from channels.mq.declaring import administering
from channels.mq.topology import answers, door, routing
from config.messages import Mq, Routing
from gateway.parties import SignatureProfile
from tests.authority import Pki
from tests.broker import Broker, running_broker
from tests.gateway_process import Site, make_test_site, three_forms

MAX_GROWTH: Final = 1.1

_SENDER, _USER = "654321", "steady01"
_VISITORS: Final = {f"{200_000 + number}": f"visitor{number}" for number in range(1, 5)}
_VISITS: Final = 50  # one of so many submissions comes over SFTP
_SAMPLES: Final = 50
_POLL_SECONDS: Final = 0.5
_START_SECONDS: Final = 120.0
_MOST: Final = frozenset({"main_memory", "workers_memory"})


@dataclass(frozen=True, slots=True)
class Held:
    """What a gateway holds: bytes resident, descriptors, threads, and tasks of the main process."""

    main_memory: int
    workers_memory: int
    main_descriptors: int
    workers_descriptors: int
    threads: int
    tasks: int

    def and_then(self, later: "Held") -> "Held":
        """The most memory, and the fewest of all else, of both."""
        return Held(*((max if name in _MOST else min)(getattr(self, name), getattr(later, name)) for name in NAMES))

    def __str__(self) -> str:
        return (
            f"memory {self.main_memory / 1e6:.1f} MB, workers {self.workers_memory / 1e6:.1f} MB; "
            f"descriptors {self.main_descriptors}, workers {self.workers_descriptors}; threads {self.threads}; "
            f"tasks {self.tasks}"
        )


NAMES: Final = tuple(field.name for field in fields(Held))


def growth(samples: Sequence[Held], warm: int) -> dict[str, tuple[int, int]]:
    """Of each thing the most in the first ``warm`` samples, and the most after them."""
    first, later = samples[:warm], samples[warm:]
    return {
        name: (max(getattr(each, name) for each in first), max(getattr(each, name) for each in later)) for name in NAMES
    }


# --- the gateway


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that runs on ``port``."""

    pid: int
    port: int
    tasks: Path

    def held(self) -> Held:
        """What it holds at this moment."""
        below = descendants(self.pid)
        status = _status(self.pid)
        return Held(
            main_memory=status["VmRSS"] * 1024,
            workers_memory=sum(_status(pid).get("VmRSS", 0) for pid in below) * 1024,
            main_descriptors=_descriptors(self.pid),
            workers_descriptors=sum(map(_descriptors, below)),
            threads=status["Threads"],
            tasks=int(self.tasks.read_text("ascii")),
        )


def _status(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    named = (line.partition(":")[::2] for line in lines)
    return {name: int(value.split()[0]) for name, value in named if name in {"VmRSS", "Threads"}}


def _descriptors(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return 0


def make_site(folder: Path, broker: Broker) -> Site:
    """A site with its broker, the sender by message and those over SFTP."""
    pki = Pki.create(folder / "pki")
    site = make_test_site(folder, pki, pki.issue("Payroll"))
    for number, user in {_SENDER: _USER, **_VISITORS}.items():
        site.add_sender(number, user, SignatureProfile.DETACHED, site.signer)
    site.configure("urls = []", f'urls = ["{broker.url}"]')
    site.configure('enabled = false\nexchange = "batch.in"', 'enabled = true\nexchange = "batch.in"')
    with administering([connection_parameters(broker.url)]) as administration:
        list(administration.declare(door(Mq()) + answers(Mq(), [_SENDER]) + routing(Routing())))
    return site


@contextmanager
def serving(site: Site) -> Iterator[Gateway]:
    """The gateway on ``site``, from when it is ready to when it has ended; its log is a file of the site."""
    log, tasks = site.folder / "log", site.folder / "tasks"
    command = [sys.executable, "-m", "benchmarks.steady_gateway", str(tasks), "serve"]
    with log.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [*command, "--config", str(site.settings_file)], stderr=file, start_new_session=True, env=ENVIRONMENT
        )
    try:
        yield Gateway(process.pid, _await_port(log, process), tasks)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _await_port(log: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text("utf-8").splitlines():
            if '"gateway.ready"' in line:
                return int(json.loads(line)["port"])
        time.sleep(_POLL_SECONDS)
    raise SystemExit(f"the gateway did not start:\n{log.read_text('utf-8')[-4000:]}")


# --- the run


def one_form(site: Site) -> Content:
    """A valid document of one declaration, and what signs it."""
    begin, end, _ = three_forms().partition(b"</Form>")
    data = begin + end + b"\n</Dimona>\n"
    signature = Signer.read(site.signer.key, site.signer.certificate).sign(data)
    return Content(data, b"".join(signature.split()), 1)


class Watch:
    """Looks at a gateway, and keeps and prints a sample at each fiftieth of ``count`` submissions."""

    def __init__(self, gateway: Gateway, count: int) -> None:
        self._gateway = gateway
        self._count = count
        self._begun = time.monotonic()
        self._seen: Held | None = None
        self.samples: list[Held] = []

    def look(self, done: int) -> None:
        """Look, when so many submissions are answered."""
        held = self._gateway.held()
        self._seen = held if self._seen is None else self._seen.and_then(held)
        while done * _SAMPLES >= (len(self.samples) + 1) * self._count:
            self.samples.append(self._seen)
            minutes = (time.monotonic() - self._begun) / 60
            sys.stdout.write(f"     {done:>9,} after {minutes:.1f} min: {self._seen}\n")
            sys.stdout.flush()
            self._seen = held


async def keep_busy(site: Site, broker: Broker, gateway: Gateway, count: int) -> tuple[Progress, list[Held]]:
    """Let ``count`` submissions pass; what the senders saw, and the samples."""
    content, progress = one_form(site), Progress()
    each = max(1, count // _VISITS // len(_VISITORS))
    password = new_password()
    broker.add_user(_USER, password, configure="", write=".*", read=".*")
    url = broker.url_of(_USER, password)
    messages = Messages(url, _SENDER, content, count - each * len(_VISITORS), count * content.forms, progress)
    key = site.work / "id_ed25519"
    watch = Watch(gateway, count)
    messages.start()
    async with asyncio.TaskGroup() as group:
        for sender, user in _VISITORS.items():
            visits = Visits(sender, user, each, _VISITS * len(_VISITORS))
            group.create_task(come_and_go(gateway.port, key, visits, content, progress))
        while messages.is_alive():
            await asyncio.sleep(_POLL_SECONDS)
            watch.look(progress.done)
        if messages.fault is not None:
            raise messages.fault
    watch.look(progress.done)
    return progress, watch.samples


def run(folder: Path, broker: Broker, count: int, warm: int) -> bool:
    """Run, and say how it went; whether all is well."""
    site = make_site(folder, broker)
    start = time.monotonic()
    with serving(site) as gateway:
        progress, samples = asyncio.run(keep_busy(site, broker, gateway, count))
    seconds = time.monotonic() - start
    are_right = not progress.wrong and progress.done == progress.forwarded == count
    _say(
        are_right,
        f"{progress.done:,} submissions in {seconds:.0f} s, {count / seconds:.1f}/s, {progress.fetched:,} of them over "
        f"SFTP; {progress.forwarded:,} declarations forwarded; {len(progress.wrong)} things wrong "
        f"{' '.join(progress.wrong[:3])}",
    )
    are_steady = True
    for name, (before, after) in growth(samples, warm * _SAMPLES // count).items():
        is_steady = after <= MAX_GROWTH * before
        unit, words = (1e6, " MB") if name in _MOST else (1, "")
        told = f"{before / unit:.4g}{words} in the first {warm:,}, at most {after / unit:.4g}{words} after them"
        _say(is_steady, f"{name.replace('_', ', ')}: {told}: {after / before:.2f} times (limit {MAX_GROWTH})")
        are_steady &= is_steady
    return are_right and are_steady


def _say(is_met: bool, words: str) -> None:
    sys.stdout.write(f"{'ok  ' if is_met else 'MISS'} {words.rstrip()}\n")
    sys.stdout.flush()


def main() -> int:
    """Run, print, and answer the exit status."""
    parser = argparse.ArgumentParser(description="What a gateway holds while very much passes.")
    parser.add_argument("--count", type=int, default=200_000, help="how many submissions, at least 500")
    parser.add_argument("--warm", type=int, help="after how many nothing may grow; a tenth if not given")
    arguments = parser.parse_args()
    warm = arguments.warm or arguments.count // 10
    if not arguments.count // _SAMPLES <= warm < arguments.count:
        parser.error("--warm must be less than --count, and a fiftieth of it at least")
    if arguments.count < _SAMPLES * 10:
        parser.error(f"--count must be at least {_SAMPLES * 10}")
    # Whoever ends this must not leave a gateway and a broker behind; a shell lets its background ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    structlog.configure(processors=[_drop])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_broker(folder / "broker") as broker:
            return 0 if run(folder, broker, arguments.count, warm) else 1


def _drop(*_line: object) -> dict[str, object]:
    raise structlog.DropEvent


if __name__ == "__main__":
    sys.exit(main())
