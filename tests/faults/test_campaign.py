"""A small part of what ``scripts/faults`` does: real gateways under load, killed and hurt, and nothing is lost.

The whole of it, by the thousand, with a broker and on PostgreSQL too, is in docs/faults.md.
"""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.authority import Pki
from tests.faults.campaign.course import Course, run
from tests.faults.campaign.faults import wanted
from tests.faults.campaign.figures import Line, keep, read, summed, tables
from tests.faults.campaign.world import Means, Outcome, World
from tests.faults.ground import refusal
from tests.postgres import Cluster

CHOSEN: Final = (
    "killed: in the journal, sender not told",
    "fsync: EIO",
    "rename: ENOSPC",
    "worker out of memory",
    "database read-only",
    "clock set back",
    "clock passes midnight",
    "clock passes the end of summer time",
    "killed at any moment",
)
PACE: Final = 0.2
OF_DISKS: Final = {
    "tmpfs": ("disk full", "inodes full"),
    "ext4": ("power cut, the file system's log written (ext4)",),
    "xfs": ("power cut (xfs)",),
}


async def line_of(world: World, chosen: Sequence[str], database: str = "sqlite") -> Line:
    """What becomes of a world in which this is done to a gateway, one after the other."""
    known = {fault.name: fault for each in wanted(world.means, on=world.ground.name) for fault in each}
    return await run(world, Course(database, [known[name] for name in chosen]), random.Random(1), lambda _: None)


def check(line: Line, chosen: Sequence[str]) -> None:
    """Each fault came about, and nothing is lost, repeated or unanswered."""
    outcome = line.outcome
    assert ([], [], [], []) == (outcome.lost, outcome.repeated, outcome.unanswered, outcome.misfits)
    assert (dict.fromkeys(chosen, 1), outcome.submissions) == (
        line.kills | line.faults,
        outcome.accepted + outcome.rejected,
    )


@pytest.mark.timeout(300)
async def test_under_load_nothing_is_lost_repeated_or_unanswered(tmp_path: Path, pki: Pki) -> None:
    """Each fault comes about, and every sender finds one answer to each set that it was told OK for."""
    check(await line_of(World(tmp_path, Means(pki), 2, pace=PACE), CHOSEN), CHOSEN)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("on", OF_DISKS)
async def test_nothing_is_lost_on_a_disk_that_is_full_or_loses_its_power(tmp_path: Path, pki: Pki, on: str) -> None:
    """What a sender was told OK for is there once the disk is: in custody, answered once."""
    if words := refusal(on):
        pytest.skip(words)
    check(await line_of(World(tmp_path, Means(pki), 2, on, PACE), OF_DISKS[on]), OF_DISKS[on])


@pytest.mark.timeout(300)
async def test_two_processes_that_have_the_same_work_do_it_once(tmp_path: Path, pki: Pki, cluster: Cluster) -> None:
    """One is stopped until another has what it had claimed; then both go on."""
    chosen = ("two processes have the same work", "database read-only")
    check(await line_of(World(tmp_path, Means(pki, cluster=cluster), 2, pace=PACE), chosen, "postgresql"), chosen)


def test_the_page_has_the_figures_of_every_run(tmp_path: Path) -> None:
    """Worlds that were finished are added up, also those of an earlier run."""
    for lost in ([], ["FI"]):
        keep(
            tmp_path / "worlds",
            Line("sqlite", {"killed: x": 1200}, {"y": 3}, Outcome(submissions=1000, lost=lost), 60.0),
        )
    lines = read(tmp_path / "worlds")

    assert "2,000 submissions, 2,400 kills, 6 faults: 1 lost, 0 repeated, 0 unanswered" == summed(lines).closing
    assert "| x | 2400 | 0 |" in tables(lines)
