"""The main job with the journal on PostgreSQL: the same gateway, the same promises."""

import signal
from pathlib import Path

import pytest

from tests.answers import only_answer
from tests.authority import Credential, Pki
from tests.command_line import move_to_postgresql
from tests.gateway_process import SENDER, Site, make_test_site, running, today
from tests.postgres import Cluster


@pytest.fixture
def moved(tmp_path: Path, pki: Pki, signer: Credential, cluster: Cluster) -> Site:
    """A site whose journal was moved to PostgreSQL; the file that it was is gone."""
    site = make_test_site(tmp_path, pki, signer)
    move_to_postgresql(site, cluster.empty_database())
    site.settings.journal.path.unlink()
    return site


def test_a_file_is_answered_and_forwarded_once_also_after_a_kill(moved: Site) -> None:
    """A gateway that is killed after custody is followed by one that answers; each declaration is on the queue once."""
    names = moved.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
    with running(moved, "gateway") as first:
        assert 0 == moved.sftp("cd IN", *(f"put {name}" for name in names)).returncode
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
    with running(moved) as second:
        [listed] = moved.listing("submissions")
        if listed["closed"] is None:
            second.saw("submission.closed")
        answer = only_answer(moved)
        messages = moved.listing("queue", "take", "--count", "10")

    assert "1" == answer.result
    assert [f"{answer.ticket}-00000{form}" for form in (1, 2, 3)] == [message["message_id"] for message in messages]
    assert not moved.settings.journal.path.exists()
