"""``scripts/faults``: kill and hurt real gateways under load, and write down what became of it in docs/faults.md.

It goes on where it was ended: worlds that were finished are kept in the folder ``--results``.
"""

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Final

from tests.authority import Pki
from tests.broker import Broker, need_rabbitmq
from tests.faults.campaign import faults, figures
from tests.faults.campaign.course import Course, run
from tests.faults.campaign.world import Means, World
from tests.postgres import Cluster, programs

_ROOT: Final = Path(__file__).parents[3]
_PAGE: Final = _ROOT / "docs" / "faults.md"
_RESULTS: Final = _ROOT / ".faults"
_HEAD: Final = """# Faults, on purpose

`scripts/faults` lets real gateways work under load, on SQLite and on PostgreSQL, with RabbitMQ, and kills and hurts
them: SIGKILL at each step of a file's way (`tests/faults/halting.py` names them) and at any moment; `fsync`, `write`,
`rename` and `unlink` that fail with EIO and ENOSPC in the spool (`tests/faults/hurt.py`); workers killed and hung; the
broker gone, hanging, blocking; the database gone, locked, cutting everybody off. Senders bring sets of three
declarations by SFTP, one in ten of which has a fault of its own, send again what they saw no OK for, and fetch and
delete their answers.

After each fault everything is compared as `gateway reconcile` does ([reconcile.md](reconcile.md)), beside the gateway
at work. At the end of each world, which has a site of its own, also with every byte in custody, with the senders' own
lists, and with the messages at the broker: what was told OK is in custody, answered once, and forwarded once. Lost is
what is missing anywhere, repeated what is there under two tickets, two answers or two message ids, unanswered what its
sender found no acknowledgement for. That a broker delivers a message again under its message id is allowed, and counted
by itself.

Not in it: the power cut of a real disk, full disks, and clocks that jump.

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
    end = time.monotonic() + words.minutes * 60
    databases = words.databases.split(",")
    with _means(databases, words.broker) as means:
        while time.monotonic() < end and not _is_enough(words, figures.summed(figures.read(file))):
            done = len(figures.read(file))
            _one(
                words,
                file,
                databases[done % len(databases)],
                means,
                min(end, time.monotonic() + words.world_minutes * 60),
            )
    lines = figures.read(file)
    total = figures.summed(lines)
    if words.page:
        head = _HEAD.format(command=" ".join(["scripts/faults", *sys.argv[1:]]))
        words.page.write_text(f"{head}{figures.tables(lines)}\n{total.closing}\n", encoding="utf-8")
    _say(total.closing)
    return int(any(total.numbers[name] for name in ("lost", "repeated", "unanswered", "misfits")))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/faults", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=240.0, help="end after so long (240)")
    parser.add_argument("--kills", type=int, default=2_000, help="end when there are so many kills, and ... (2000)")
    parser.add_argument("--faults", type=int, default=500, help="... so many other faults, and ... (500)")
    parser.add_argument("--submissions", type=int, default=50_000, help="... so many submissions, in all runs (50000)")
    parser.add_argument("--senders", type=int, default=6, help="how many senders work at a time (6)")
    parser.add_argument("--sets", type=int, default=20, help="so many are told OK between two faults (20)")
    parser.add_argument("--world-minutes", type=float, default=4.0, help="how long a site is used (4)")
    parser.add_argument("--databases", default="sqlite,postgresql", help="sqlite, postgresql or both, in turn (both)")
    parser.add_argument(
        "--broker", action=argparse.BooleanOptionalAction, default=True, help="RabbitMQ, or the embedded queue"
    )
    parser.add_argument("--only", default="", help="only kills and faults with this in their names, such as `EIO`")
    parser.add_argument("--seed", type=int, default=0, help="of the order of faults (0)")
    parser.add_argument("--anew", action="store_true", help="forget the worlds of earlier runs")
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
        means = Means(Pki.create(folder / "pki"))
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


def _one(words: argparse.Namespace, file: Path, database: str, means: Means, end: float) -> None:
    """One world, from its first set to its last comparison."""
    here = replace(means, cluster=means.cluster if database == "postgresql" else None)
    done = len(figures.read(file))
    with tempfile.TemporaryDirectory(prefix="gateway-world-") as folder:
        world, chance = World(Path(folder), here, words.senders), random.Random(f"{words.seed}-{done}")
        turns = faults.in_turn(*faults.wanted(here, words.only), chance)
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
