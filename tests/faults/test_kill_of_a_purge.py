"""A purge that is killed at any step leaves what the next one goes on with: nothing is lost, kept, or told twice."""

import json
from pathlib import Path

import pytest

from config.settings import read_settings
from gateway.reconcile import Comparison, Tally, reconcile
from gateway.sealing import Sound, verify_journal
from gateway.site import make_site
from signing.own.own_keys import open_keys
from spool import closing, custody, purges, submissions
from spool.checkpoints import CHECKPOINTS, Checkpoints
from spool.custody import Custody
from spool.journal import now, open_journal
from tests import forked
from tests.faults.halting import PURGE
from tests.purge_made import Archive, odd

LONG_AGO = 1000 * purges.DAY


@pytest.fixture(scope="module")
def site_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site."""
    folder = tmp_path_factory.mktemp("purged") / "site"
    make_site(folder)
    path = folder / "gateway.toml"
    path.write_text(path.read_text("utf-8").replace("without_archive = false", "without_archive = true"), "utf-8")
    return folder


def opened(folder: Path) -> Archive:
    """The site as one that a purge knows."""
    settings = read_settings(folder / "gateway.toml")
    return Archive(open_journal(settings.journal.place), settings, open_keys(settings.signing))


def killed(folder: Path, step: str) -> None:
    """Run ``gateway purge`` up to a step and kill it there."""
    command = ("purge", "--reason", "a test", "--config", str(folder / "gateway.toml"))
    words = ["tests.faults.halting", step, *command]
    process = forked.start(words)
    assert process.stderr is not None
    seen = []
    for line in process.stderr:
        seen.append(line)
        if b"fault.halted" in line:
            break
    else:
        pytest.fail(f"it ended before {step}: {seen}")
    process.kill()
    process.wait(30)
    process.stderr.close()
    assert step == json.loads(seen[-1])["step"]


async def test_a_purge_that_is_killed_is_gone_on_with(site_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every step, one submission after the other; each is purged once, and the chain verifies in the end."""
    site = opened(site_folder)
    for number, step in enumerate(PURGE, 1):
        with monkeypatch.context() as patch:
            for module in (custody, submissions, closing):
                patch.setattr(module, "now", lambda: now() - LONG_AGO)
            site.settle(number)
        await site.seal()
        if step.startswith("answers"):
            site.purge(now())
            await site.seal()
        killed(site_folder, step)
        # Whoever looks now finds neither a loss nor something new, and the next purge does the rest.
        assert [] == list(reconcile(Comparison(site.journal, site.spool, pauses=()), Tally())), step
        assert [] == Custody(site.spool / "custody", site.journal).recover(), step
        assert {} == odd(site.purge(now())), step
        await site.seal()
    site.purge(now())
    await site.seal()
    for ticket in site.tickets:
        with site.journal.read() as connection:
            told = [event.name for event in submissions.timeline(connection, ticket)]
        assert (1, 1) == (told.count("payload.purged"), told.count("answers.purged"))
        assert not site.folder(ticket).parent.exists()
    with site.journal.read() as connection:
        files, ours = Checkpoints(site.spool / CHECKPOINTS), {site.keys.present.certificate}
        assert isinstance(verify_journal(connection, files, ours), Sound)
    site.journal.close()
