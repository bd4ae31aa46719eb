"""What a sender sees of its own submissions over the one log-in it has, and how a lost answer comes back."""

import json

from tests.gateway_process import GatewayProcess, Site, today


def test_a_sender_follows_its_file_and_gets_a_lost_answer_again(site: Site, gateway: GatewayProcess) -> None:
    """STATUS tells the verdict and names the answer; fetched and deleted are in the timeline; it comes back twice."""
    stem = f"DIMN.123456.{today()}.00001.R"
    sent = site.sftp(*(f"put {name} IN/" for name in site.write_set(stem)))
    assert 0 == sent.returncode, sent.stderr
    ticket = gateway.judged()["ticket"]

    read = site.sftp(f"get STATUS/{ticket}.json", "get STATUS/today.json", "get STATUS/history.csv", "ls -1 STATUS")
    status = json.loads((site.work / f"{ticket}.json").read_text())
    answer = status["answers"][0]["files"]
    assert ("accepted", 3, []) == (status["state"], status["forms"], status["findings"])
    assert [f"FI.{stem}.1.1", f"FS.{stem}.1.1", f"GO.{stem}.1"] == [file["name"] for file in status["files"]]
    assert [answer[0]] == json.loads((site.work / "today.json").read_text())["answers_not_fetched"]
    assert ticket in (site.work / "history.csv").read_text()
    assert f"STATUS/{ticket}.json" in read.stdout

    fetched = site.sftp(*(f"get OUT/{name} first-{name}" for name in answer), *(f"rm OUT/{name}" for name in answer))
    assert 0 == fetched.returncode, fetched.stderr
    again = site.sftp(*(f"get STATUS/{name} second-{name}" for name in answer))
    assert 0 == again.returncode, again.stderr
    asked = site.command("answer", "again", ticket, "--reason", "lost")
    assert 0 == asked.returncode, asked.stderr
    gateway.wait_for("answer.placed")
    third = site.sftp(*(f"get OUT/{name} third-{name}" for name in answer))
    assert 0 == third.returncode, third.stderr

    for name in answer:
        contents = {(site.work / f"{count}-{name}").read_bytes() for count in ("first", "second", "third")}
        assert 1 == len(contents)
    timeline = [step["event"] for step in site.listing("show", ticket)["timeline"]]
    told = ["answer.placed", *["answer.fetched"] * 3, *["answer.deleted"] * 3, "answer.asked_again", "answer.placed"]
    assert told == [name for name in timeline if name.startswith("answer.")][: len(told)]


def test_nobody_gets_an_answer_that_does_not_exist(site: Site) -> None:
    """The operator is told, with status 1."""
    asked = site.command("answer", "again", "X" * 13, "--reason", "lost")
    assert (1, "") == (asked.returncode, asked.stdout)
    assert "no answer" in asked.stderr
