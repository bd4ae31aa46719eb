"""A small part of what ``scripts/faults`` does: real gateways under load, killed and hurt, and nothing is lost.

The whole of it, by the thousand, with a broker and on PostgreSQL too, is in docs/faults.md.
"""

import random
from pathlib import Path
from typing import Final

import pytest

from tests.authority import Pki
from tests.faults.campaign.course import Course, run
from tests.faults.campaign.faults import Fault, wanted
from tests.faults.campaign.figures import Line, keep, read, summed, tables
from tests.faults.campaign.world import Means, Outcome, World

CHOSEN: Final = (
    "killed: in the journal, sender not told",
    "killed: FO placed",
    "fsync: EIO",
    "rename: ENOSPC",
    "worker killed",
    "killed at any moment",
)


@pytest.mark.timeout(300)
async def test_under_load_nothing_is_lost_repeated_or_unanswered(tmp_path: Path, pki: Pki) -> None:
    """Each fault comes about, and every sender finds one answer to each set that it was told OK for."""
    means = Means(pki)
    known = {fault.name: fault for each in wanted(means) for fault in each}
    chosen: list[Fault] = [known[name] for name in CHOSEN]
    line = await run(World(tmp_path, means, 2), Course("sqlite", chosen), random.Random(1), lambda _: None)
    outcome = line.outcome

    assert ([], [], [], []) == (outcome.lost, outcome.repeated, outcome.unanswered, outcome.misfits)
    assert (dict.fromkeys(CHOSEN, 1), outcome.submissions) == (
        line.kills | line.faults,
        outcome.accepted + outcome.rejected,
    )


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
