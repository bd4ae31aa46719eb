"""A sender takes back what it sent: TD before, while and after the gateway judges."""

from pathlib import Path

import pytest

from signing.trust import authorities
from signing.trust.terms import Terms
from tests.authority import Pki
from tests.gateway_process import SENDER, GatewayProcess, Site, make_test_site, running, today


@pytest.fixture
def waiting(tmp_path: Path) -> Site:
    """A site that holds every submission: a list of its one authority is missing."""
    own = Pki.create(tmp_path / "own", "Staff")
    site = make_test_site(tmp_path, own, own.issue("Payroll"))
    folder = site.settings.trust.authorities
    authorities.remove(folder, "test")
    authorities.add(folder, "staff", own.issuing, [own.root], [own.crls[1]], Terms())
    site.configure("retry_seconds = 5.0", "retry_seconds = 0.2", section="judging")
    return site


def send(site: Site, names: list[str]) -> None:
    """Upload files."""
    done = site.sftp("cd IN", *(f"put {name}" for name in names))
    assert 0 == done.returncode, done.stderr


def cancel(site: Site, stem: str) -> None:
    """Upload the TD of a set."""
    (site.work / f"TD.{stem}.1").touch()
    send(site, [f"TD.{stem}.1"])


def test_a_td_withdraws_a_set_that_has_no_verdict_yet(waiting: Site) -> None:
    """Both the set and the TD are answered with 277, once each; nothing is forwarded."""
    stem = f"DIMN.{SENDER}.{today()}.00001.R"
    with running(waiting) as gateway:
        send(waiting, waiting.write_set(stem))
        gateway.wait_for("submission.held")
        cancel(waiting, stem)
        # The TD waits for the set's verdict only, so that it may be judged before the set's answer is placed.
        verdicts = [gateway.wait_for("submission.judged") for _ in range(2)]
        while {"closed"} != {"closed" if row["closed"] else "open" for row in waiting.listing("submissions")}:
            gateway.wait_for("submission.closed")
        found = waiting.listing("submissions")

    assert [["ACRF-277"]] * 2 == [verdict["codes"] for verdict in verdicts]
    assert {f"GO.{stem}.1", f"TD.{stem}.1"} == {one["name"] for one in found}
    assert {"rejected"} == {one["state"] for one in found}
    assert [] == waiting.listing("queue", "list")


def test_a_td_comes_too_late_for_what_was_accepted(site: Site, gateway: GatewayProcess) -> None:
    """The declarations stay as they are; the TD is answered with 133."""
    stem = f"DIMN.{SENDER}.{today()}.00001.R"
    send(site, site.write_set(stem))
    first = gateway.judged()
    cancel(site, stem)
    second = gateway.judged()

    assert ("accepted", []) == (first["verdict"], first["codes"])
    assert ("rejected", ["ACRF-133"]) == (second["verdict"], second["codes"])
    assert 3 == len(site.listing("queue", "list"))
