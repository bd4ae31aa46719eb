"""A day with the operator's hand in it: a sender is held, something breaks, the intake is closed; nothing is lost."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import paramiko
import pytest

from tests.command_line import done, typed
from tests.gateway_process import SENDER, USER, GatewayProcess, Site, running, today


def send(site: Site, sequence: str) -> None:
    """A set of three forms."""
    names = site.write_set(f"DIMN.{SENDER}.{today()}.{sequence}.R")
    sent = site.sftp("cd IN", *(f"put {name}" for name in names))
    assert 0 == sent.returncode, sent.stderr


def of(ticket: str) -> Callable[[dict[str, Any]], bool]:
    """Lines of the log that are of a ticket."""
    return lambda line: line.get("ticket") == ticket


def a_sender_is_held_and_released(site: Site, gateway: GatewayProcess) -> None:
    """What comes is taken and waits; released, it is judged."""
    done(site, "hold", "--sender", SENDER, "--type", "DIMN", "--reason", "payroll asked us to wait")
    send(site, "00001")
    held = gateway.wait_for("submission.held")["ticket"]
    shown, why, [listed] = site.listing("show", held), done(site, "why", held), site.listing("holds")
    done(site, "release", "--hold", str(listed["hold"]), "--reason", "they are ready")
    verdict = gateway.judged()

    assert ("held", "accepted", held) == (shown["state"], verdict["verdict"], verdict["ticket"])
    assert "payroll asked us to wait" in why
    assert 1 == listed["waiting"]


def what_cannot_be_judged_is_dropped(site: Site, gateway: GatewayProcess) -> None:
    """Its file is gone from under the judge: it is put aside, and one of the same name waits behind it."""
    done(site, "hold", "--sender", SENDER, "--reason", "while the disk is looked at")
    send(site, "00002")
    broken = gateway.wait_for("submission.held")["ticket"]
    [part] = site.settings.spool.path.glob(f"custody/*/{broken}/FI.*")
    part.rename(site.work / "kept")
    done(site, "release", "--hold", str(site.listing("holds")[0]["hold"]), "--reason", "looked at")
    gateway.wait_for("submission.held", lambda line: line["state"] == "quarantined")
    send(site, "00002")
    behind = gateway.wait_for("submission.held", lambda line: line["ticket"] != broken)["ticket"]
    waits, quarantined = done(site, "why", behind), site.listing("quarantine", "list")
    (site.work / "kept").rename(part)
    for _ in range(2):
        done(site, "quarantine", "drop", broken, "--reason", "cannot be mended")
    gateway.wait_for("submission.judged", of(broken))
    follower = gateway.wait_for("submission.judged", of(behind))
    refused = done(site, "why", broken)

    assert f"behind {broken}" in waits
    assert [[behind]] == [row["behind"] for row in quarantined]
    assert "accepted" == follower["verdict"]
    assert "ACRF-277: The transfer point cancelled the file." in refused
    assert "cannot be mended" in refused
    assert part.exists()


def a_closed_intake_says_so(site: Site) -> None:
    """In the banner, to who sends, and in STATUS."""
    transport = paramiko.Transport(("127.0.0.1", site.port))
    transport.connect(username=USER, pkey=paramiko.Ed25519Key(filename=str(site.work / "id_ed25519")))
    banner, client = transport.get_banner(), paramiko.SFTPClient.from_transport(transport)
    assert client is not None
    with pytest.raises(OSError, match=r"maintenance until .*new disks.*send it again after that"):
        client.open(f"IN/FI.DIMN.{SENDER}.{today()}.00003.R.1.1", "w")
    status = json.loads(client.open("STATUS/today.json").read())["maintenance"]
    transport.close()

    assert b"new disks" in (banner or b"")
    assert (True, "new disks") == (status["closed"], status["reason"])
    assert "on: from" in done(site, "maintenance", "show")


def test_held_dropped_closed_and_opened(site: Site) -> None:
    """One answer for every submission: at once, after the hold, or with 277; a closed intake outlives a stop."""
    site.configure("max_failures = 10", "max_failures = 1")
    site.configure("retry_seconds = 5.0", "retry_seconds = 60.0", section="judging")
    with running(site) as gateway:
        a_sender_is_held_and_released(site, gateway)
        what_cannot_be_judged_is_dropped(site, gateway)
        until = datetime.now(UTC) + timedelta(hours=1)
        done(site, "maintenance", "on", "--until", f"{until:%Y-%m-%dT%H:%M:%S%z}", "--reason", "new disks")
        gateway.wait_for("maintenance.begun")
        assert 0 == gateway.stop()
    with running(site) as gateway:
        a_closed_intake_says_so(site)
        done(site, "maintenance", "off", "--reason", "done early")
        gateway.wait_for("maintenance.ended")
        send(site, "00003")
        assert "accepted" == gateway.judged()["verdict"]
    tickets = [row["ticket"] for row in site.listing("submissions") if row["verdict"]]

    assert [1] * 4 == [len(site.listing("show", ticket)["answers"]) for ticket in tickets]
    assert 2 == typed(site, "hold", "--sender", SENDER).exit_code  # without a reason
