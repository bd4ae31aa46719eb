"""How many submissions a second, at what cost and how fast, beside what the parts cost by themselves?

    python -m benchmarks.throughput [--quick] [--together] [--settled N] [--waiting N]

starts a RabbitMQ of its own (Debian's rabbitmq-server, on the loopback) and a gateway as it is installed, with evidence
and with every file synced. Twenty senders bring sets of 10 KB with real signatures over SFTP, from the same machine.
The parts (:mod:`benchmarks.throughput_floor`) are measured in the same run, some rounds of them before the load and
some after it; what counts is the median of the rounds. Where the gateway's CPU goes it tells itself
(:mod:`benchmarks.throughput_stages`). Exits with 1 if one of these is missed:

- the sustained rate is at least 0.3 of what the sum of the parts allows these cores, senders and broker included
- a submission takes the gateway at most 3 times the CPU of its parts
- at 30 a second, 99 of 100 answers are listed within a second of the OK to their GO

With ``--settled`` or ``--waiting`` nothing is sent: the rate at which what waits is judged, answered and forwarded is
compared between a journal with next to nothing in it and one with so many settled submissions, or with so many waiting
(:mod:`benchmarks.throughput_journal`); each has to keep 0.9 of it. Door, judge and delivery are three processes, as
their units are (``systemd/``), and one with ``--together``. ``--quick`` sends less, with the same limits. All happens
in ``TMPDIR``.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from benchmarks import throughput_journal as filled
from benchmarks import throughput_parts as parts
from benchmarks.throughput_floor import Part
from benchmarks.throughput_parts import BROKER
from benchmarks.throughput_senders import Seen
from benchmarks.throughput_site import SENDERS, Measured, cpu_of, make, serving
from benchmarks.throughput_stages import POOL
from tests.broker import Broker

MIN_SHARE = 0.3
MAX_CPU = 3.0
MAX_P99 = 1.0  # seconds
MIN_KEPT = 0.9

_RATE: Final = 30.0
_ROLES: Final = ("sftp", "judge", "deliver")


@dataclass(frozen=True, slots=True)
class Size:
    """Sets sent as fast as they are taken, sets sent at the fixed rate, sets of each round of the parts."""

    saturating: int
    steady: int
    parts: int


FULL = Size(saturating=3000, steady=1800, parts=500)
QUICK = Size(saturating=400, steady=300, parts=100)

_ROUNDS: Final = 4  # before the load, and as many after it


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the report; ``is_met`` says whether the limit holds."""

    text: str
    is_met: bool = True


@dataclass(frozen=True, slots=True)
class Load:
    """What a number of sets took: sets a second, CPU seconds a set, seconds from OK to answer in order, bytes.

    ``stages`` are CPU seconds a set, of the gateway's own processes and of its workers.
    """

    count: int
    rate: float
    main: float
    workers: float
    broker: float
    senders: float
    latencies: Sequence[float]
    grown: int
    stages: Mapping[str, tuple[float, float]]

    @property
    def gateway(self) -> float:
        """CPU seconds a set of all the gateway's processes."""
        return self.main + self.workers

    def latency(self, share: float) -> float:
        """The seconds within which this share of the answers was listed."""
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]


# --- the gateway


def load(gateway: Measured, folder: Path, count: int, first: int, rate: float = 0.0) -> Load:
    """Send sets, and wait until all of them are answered and forwarded."""
    before, broker, memory = gateway.spent(), cpu_of(BROKER), gateway.memory
    seen = gateway.send(folder, count, first, rate)
    gateway.await_closed(seen.began)
    after, grown = gateway.spent(), gateway.memory - memory
    ended = gateway.ask("SELECT max(closed_at) FROM submissions WHERE received_at >= ?", seen.began)[0][0]
    return Load(
        count=count,
        rate=count / ((ended - seen.began) / 1e6),
        main=(after.main - before.main) / count,
        workers=(after.workers - before.workers) / count,
        broker=(cpu_of(BROKER) - broker) / count,
        senders=seen.cpu / count,
        latencies=_latencies(gateway, seen),
        grown=grown,
        stages={
            stage: ((own - before.stages[stage][0]) / count, (workers - before.stages[stage][1]) / count)
            for stage, (own, workers) in after.stages.items()
        },
    )


def _latencies(gateway: Measured, seen: Seen) -> list[float]:
    """Seconds from the OK to each GO to the moment at which the gateway noted that its answer is in OUT."""
    query = (
        "SELECT submissions.name, events.at FROM submissions JOIN events USING (ticket) "
        "WHERE submissions.received_at >= ? AND submissions.state = 'accepted' AND events.name = 'answer.placed'"
    )
    placed = {str(name): at for name, at in gateway.ask(query, seen.began)}
    if missing := seen.accepted.keys() - placed:
        raise SystemExit(f"{len(missing)} sets were not accepted or not answered, such as {min(missing)}")
    return sorted((placed[name] - at) / 1e6 for name, at in seen.accepted.items())


def _told(name: str, load: Load) -> str:
    quantiles = ", ".join(f"{words} {load.latency(share):.3f} s" for words, share in _QUANTILES.items())
    return (
        f"{name}: {load.rate:.1f}/s; CPU a submission {load.gateway * 1e3:.1f} ms "
        f"(main {load.main * 1e3:.1f}, workers {load.workers * 1e3:.1f}), broker {load.broker * 1e3:.1f}, "
        f"senders {load.senders * 1e3:.1f}; OK to answer {quantiles}; memory {load.grown / 1e6:+.0f} MB"
    )


def _told_stages(load: Load) -> str:
    """Milliseconds by stage; what workers' processes take beside signature and validation is their pool's."""
    beside = load.workers - sum(workers for _, workers in load.stages.values())
    own = {stage: mine + workers for stage, (mine, workers) in load.stages.items()}
    own[POOL] += beside
    return "CPU a submission by stage, ms: " + ", ".join(f"{stage} {took * 1e3:.1f}" for stage, took in own.items())


_QUANTILES: Final = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


# --- the report


def measure(folder: Path, size: Size, broker: Broker, roles: Sequence[str]) -> Iterator[Result]:
    """Steady load and saturation, parts before and after them, and what they mean together."""
    site = make(folder, broker.url)
    rounds = [parts.measure(site, folder / f"before{number}", broker.url, size.parts) for number in range(_ROUNDS)]
    with serving(site, tells=True, roles=roles) as gateway:
        load(gateway, folder, len(SENDERS), 1)  # warms up
        steady = load(gateway, folder, size.steady, 1001, _RATE)
        yield Result(_told(f"at {_RATE:.0f} a second", steady))
        full = load(gateway, folder, size.saturating, 2001)
        yield Result(_told("as fast as it goes", full))
        yield Result(_told_stages(full))
    rounds += [parts.measure(site, folder / f"after{number}", broker.url, size.parts) for number in range(_ROUNDS)]
    found = parts.median_of(rounds)
    for part, each in zip(found, zip(*rounds, strict=True), strict=True):
        yield Result(parts.told(part, each))
    yield from judge(found, steady, full)


def judge(found: Sequence[Part], steady: Load, full: Load) -> Iterator[Result]:
    """The limits."""
    cores = len(os.sched_getaffinity(0))
    own = sum(part.cpu for part in found)
    ceiling = cores / sum(part.cpu + part.others for part in found)
    share, times, p99 = full.rate / ceiling, full.gateway / own, steady.latency(0.99)
    yield Result(
        f"rate: {full.rate:.1f}/s of the {ceiling:.0f}/s that the parts allow {cores} cores: {share:.2f} of it "
        f"(limit {MIN_SHARE})",
        share >= MIN_SHARE,
    )
    yield Result(
        f"CPU: {full.gateway * 1e3:.1f} ms a submission, the parts {own * 1e3:.1f} ms: {times:.1f} times "
        f"(limit {MAX_CPU})",
        times <= MAX_CPU,
    )
    yield Result(f"latency at {_RATE:.0f} a second: p99 {p99:.3f} s (limit {MAX_P99} s)", p99 <= MAX_P99)


def measure_filled(folder: Path, broker: Broker, settled: int, waiting: int) -> Iterator[Result]:
    """How fast what waits is worked off, with next to nothing in the journal and with much."""
    few = filled.Filling(settled=0, waiting=filled.FEW)
    base = filled.drain(folder / "few", broker.url, few)
    yield Result(f"{few.words}: {base:.1f}/s")
    for filling in (filled.Filling(settled, filled.FEW), filled.Filling(0, waiting)):
        if filling.settled or filling.waiting > filled.FEW:
            rate = filled.drain(folder / f"{filling.settled}-{filling.waiting}", broker.url, filling)
            text = f"{filling.words}: {rate:.1f}/s: {rate / base:.2f} of it (limit {MIN_KEPT})"
            yield Result(text, rate >= MIN_KEPT * base)


@contextmanager
def _broker(folder: Path) -> Iterator[Broker]:
    folder.mkdir()
    broker = Broker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.close()


def _report(results: Callable[[Path, Broker], Iterator[Result]]) -> int:
    met = True
    with tempfile.TemporaryDirectory() as name, _broker(Path(name) / "broker") as broker:
        for result in results(Path(name), broker):
            sys.stdout.write(f"{'ok  ' if result.is_met else 'MISS'} {result.text}\n")
            sys.stdout.flush()
            met &= result.is_met
    return 0 if met else 1


def main() -> int:
    """Measure, print, and answer the exit status."""
    parser = argparse.ArgumentParser(description="Speed and cost of submissions.")
    parser.add_argument("--quick", action="store_true", help="send less")
    parser.add_argument("--together", action="store_true", help="door, judge and delivery in one process")
    parser.add_argument("--settled", type=int, default=0, help="compare with a journal of so many settled submissions")
    parser.add_argument("--waiting", type=int, default=0, help="compare with a journal of so many waiting ones")
    words = parser.parse_args()
    # Whoever ends this must not leave a gateway and a broker behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    structlog.configure(processors=[_drop])
    if words.settled or words.waiting:
        return _report(lambda folder, broker: measure_filled(folder, broker, words.settled, words.waiting))
    size, roles = QUICK if words.quick else FULL, () if words.together else _ROLES
    return _report(lambda folder, broker: measure(folder, size, broker, roles))


def _drop(*_line: object) -> dict[str, object]:
    raise structlog.DropEvent


if __name__ == "__main__":
    sys.exit(main())
