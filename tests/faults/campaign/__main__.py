"""``scripts/faults``: kill and hurt real gateways under load, and write down what became of it in docs/faults.md.

It goes on where it was ended: worlds that were finished are kept in the folder ``--results``.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Final

from tests.authority import Pki
from tests.broker import Broker, need_rabbitmq
from tests.faults import ground
from tests.faults.campaign import faults, figures
from tests.faults.campaign.course import Course, run
from tests.faults.campaign.world import Means, World
from tests.postgres import Cluster, programs

_ROOT: Final = Path(__file__).parents[3]
_PAGE: Final = _ROOT / "docs" / "faults.md"
_RESULTS: Final = _ROOT / ".faults"
_HEAD: Final = """# Faults, on purpose

`scripts/faults` lets real gateways work under load, on SQLite and on PostgreSQL, with RabbitMQ, and kills and hurts
them:

- SIGKILL at each step of a file's way (`tests/faults/halting.py` names them) and at any moment;
- `fsync`, `write`, `rename` and `unlink` that fail with EIO and ENOSPC in the spool (`tests/faults/hurt.py`);
- the power of the disk that spool and SQLite journal are on is cut: a file system of its own, ext4 and xfs, is shut
  down under load, with its log lost or written, the gateway lives on for a moment and is killed, and starts again on
  what the log gives back (`tests/faults/ground.py`);
- a disk that is full, of bytes and of files, in memory (tmpfs); in one time of four the gateway is killed meanwhile,
  and starts on a full disk;
- the clock is set forwards and back by hours, and passes midnight, midnight a second time, and the start and the end
  of summer time (`tests/faults/clock.py`);
- workers killed, hung, out of memory; the broker gone, hanging, blocking; the database gone, locked, read-only, cutting
  everybody off;
- a second process that judges and delivers on the same journal, while the first is stopped for longer than it may keep
  what it has claimed; then both have it.

Senders bring sets of three declarations by SFTP, one in ten of which has a fault of its own, send again what they saw
no OK for, and fetch and delete their answers.

After each fault everything is compared as `gateway reconcile` does ([reconcile.md](reconcile.md)), beside the gateway
at work. At the end of each world, which has a site of its own, also with every byte in custody, with the senders' own
lists, and with the messages at the broker: what was told OK is in custody, answered once, and forwarded once. Lost is
what is missing anywhere, repeated what is there under two tickets, two answers or two message ids, unanswered what its
sender found no acknowledgement for. That a broker delivers a message again under its message id is allowed, and counted
by itself.

Not in it: disks that say that something is durable and forget it, clocks of several hosts that differ, and brokers and
databases that lose what they have confirmed. What a partition of a cluster of brokers does is tested apart
(`tests/faults/test_broker_cluster.py`).

What `{command}` has printed here, worlds of the runs before it included:

"""


def main() -> int:
    """Run; the exit status is 1 if anything was lost, repeated or unanswered."""
    words = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers are ended then too
    file: Path = words.results / "worlds.jsonl"
    words.results.mkdir(exist_ok=True)
    if words.anew:
        file.unlink(missing_ok=True)
    failed = _side_by_side(words) if words.at_once > 1 else _one_after_another(words, file)
    lines = figures.read(file)
    total = figures.summed(lines)
    if words.page:
        head = _HEAD.format(command=" ".join(["scripts/faults", *sys.argv[1:]]))
        words.page.write_text(f"{head}{figures.tables(lines)}\n{total.closing}\n", encoding="utf-8")
    _say(total.closing)
    return int(failed or any(total.numbers[name] for name in ("lost", "repeated", "unanswered", "misfits")))


def _side_by_side(words: argparse.Namespace) -> bool:
    """Several processes, each with worlds and servers of its own, fill one file together; whether one has failed."""
    command = [sys.executable, "-m", run.__module__.rpartition(".")[0], *sys.argv[1:], "--at-once=1", "--no-anew"]
    running = [
        subprocess.Popen([*command, f"--page={os.devnull}", f"--seed={words.seed + number}", f"--first={number}"])
        for number in range(words.at_once)
    ]
    try:
        statuses = [each.wait() for each in running]
        return any(statuses)
    finally:
        for each in running:
            each.terminate()
            each.wait()


def _one_after_another(words: argparse.Namespace, file: Path) -> bool:
    end = time.monotonic() + words.minutes * 60
    with _means(words.databases.split(","), words.broker) as means:
        while time.monotonic() < end and not _is_enough(words, figures.summed(figures.read(file))):
            _one(words, file, _place(words, words.first + len(figures.read(file))), means, end)
    return False


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/faults", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=240.0, help="end after so long (240)")
    parser.add_argument("--kills", type=int, default=2_000, help="end when there are so many kills, and ... (2000)")
    parser.add_argument("--faults", type=int, default=500, help="... so many other faults, and ... (500)")
    parser.add_argument("--submissions", type=int, default=50_000, help="... so many submissions, in all runs (50000)")
    parser.add_argument("--senders", type=int, default=6, help="how many senders work at a time (6)")
    parser.add_argument("--sets", type=int, default=10, help="so many are told OK between two faults (10)")
    parser.add_argument("--world-minutes", type=float, default=4.0, help="how long a site is used (4)")
    parser.add_argument("--databases", default="sqlite,postgresql", help="sqlite, postgresql or both, in turn (both)")
    parser.add_argument(
        "--grounds", default=",".join(ground.NAMES), help=f"what sites lie on, in turn ({','.join(ground.NAMES)})"
    )
    parser.add_argument(
        "--broker", action=argparse.BooleanOptionalAction, default=True, help="RabbitMQ, or the embedded queue"
    )
    parser.add_argument(
        "--only", default="", help="only kills and faults with one of these in their names, such as `EIO,clock`"
    )
    parser.add_argument("--at-once", type=int, default=2, help="so many worlds side by side (2)")
    parser.add_argument("--first", type=int, default=0, help="with which database and ground to begin (0)")
    parser.add_argument("--seed", type=int, default=0, help="of the order of faults (0)")
    parser.add_argument(
        "--anew", action=argparse.BooleanOptionalAction, default=False, help="forget the worlds of earlier runs"
    )
    parser.add_argument("--results", type=Path, default=_RESULTS, help="where finished worlds are kept (.faults)")
    parser.add_argument("--page", type=Path, default=_PAGE, help="what is written (docs/faults.md)")
    return parser.parse_args()


def _is_enough(words: argparse.Namespace, total: figures.Sum) -> bool:
    wanted = words.kills, words.faults, words.submissions
    return all(map(int.__ge__, (total.kills.total(), total.faults.total(), total.numbers["submissions"]), wanted))


@contextmanager
def _means(databases: list[str], broker: bool) -> Iterator[Means]:
    """The servers, while they are needed."""
    with tempfile.TemporaryDirectory(prefix="gateway-faults-") as name:
        folder = Path(name)
        means = Means(_authority(folder / "pki"))
        node: Broker | None = None
        cluster: Cluster | None = None
        try:
            if broker:
                need_rabbitmq()
                (folder / "broker").mkdir()
                node = Broker(folder / "broker")
                node.start()
            if "postgresql" in databases:
                cluster = Cluster(Path(tempfile.mkdtemp(prefix="gateway-postgresql-")), programs())
                cluster.start()
            yield replace(means, broker=node, cluster=cluster)
        finally:
            if cluster is not None:
                cluster.stop("immediate")
                shutil.rmtree(cluster.folder)
            if node is not None:
                node.close()


def _authority(folder: Path) -> Pki:
    """One whose lists are good for as long as clocks may be set forwards."""
    pki = Pki.create(folder)
    pki.write_crls(next_update=datetime.now(UTC) + timedelta(days=60))
    return pki


def _place(words: argparse.Namespace, done: int) -> tuple[str, str]:
    """Database and ground of the next world: each database on each ground in turn."""
    databases, grounds = words.databases.split(","), words.grounds.split(",")
    return databases[done % len(databases)], grounds[done // len(databases) % len(grounds)]


def _one(words: argparse.Namespace, file: Path, place: tuple[str, str], means: Means, end: float) -> None:
    """One world, from its first set to its last comparison."""
    database, on = place
    if refusal := ground.refusal(on):
        _say(f"on a folder of this machine's disk, and not {on}: {refusal}")
        on = "folder"
    here = replace(means, cluster=means.cluster if database == "postgresql" else None)
    end, done = min(end, time.monotonic() + words.world_minutes * 60), len(figures.read(file))
    with tempfile.TemporaryDirectory(prefix="gateway-world-") as folder:
        world, chance = World(Path(folder), here, words.senders, on), random.Random(f"{words.seed}-{done}")
        turns = faults.in_turn(*faults.wanted(here, words.only, on), chance)
        while_there_is_time = takewhile(lambda _: time.monotonic() < end, turns)
        line = asyncio.run(run(world, Course(database, while_there_is_time, words.sets), chance, _say))
    figures.keep(file, line)
    for name in ("lost", "repeated", "unanswered", "misfits"):
        for each in getattr(line.outcome, name):
            _say(f"{name}: {each}")
    _say(f"{database}: {figures.summed([line]).closing}; in all: {figures.summed(figures.read(file)).closing}")


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
