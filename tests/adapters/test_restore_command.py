"""`gateway restore` with what senders and the broker's queue have: what the backup is too old for is named by both."""

import shutil
from pathlib import Path

import pika
import pytest

from channels.mq.addresses import connection_parameters
from gateway.cli import run
from gateway.site import make_site, open_site
from spool.custody import Custody, Origin
from spool.mailbox import Mailbox
from tests.broker import Broker

SENDER = "123456"
LOST = "LOST000000001"


def name(number: int) -> str:
    """The FI of a set."""
    return f"FI.DIMN.{SENDER}.20261121.{number:05}.R.1.1"


class Place:
    """A site with one submission, its backup, and a new site with the old one's settings and keys."""

    def __init__(self, folder: Path) -> None:
        self.backup, self.again, self.sent = folder / "backup", folder / "again" / "gateway.toml", folder / "sent.csv"
        settings = make_site(folder / "site")
        (incoming := folder / "set").mkdir()
        (incoming / name(1)).write_bytes(b"<declaration/>")
        found, journal = open_site(settings)
        self.ticket = Custody(found.spool.path / "custody", journal).take(
            incoming, Origin("sftp", Mailbox(SENDER, "IN"), "payroll01")
        )
        journal.close()
        assert 0 == run(["backup", str(self.backup), "--config", str(settings)])
        make_site(self.again.parent)
        shutil.copy(settings, self.again)
        shutil.copytree(settings.parent / "keys", self.again.parent / "keys", dirs_exist_ok=True)

    def restore(self, *words: str) -> int:
        """Put the backup into the new site."""
        return run(["restore", str(self.backup), *words, "--config", str(self.again)])

    def is_empty(self) -> bool:
        """Whether nothing was put into the new site."""
        found, journal = open_site(self.again)
        journal.close()
        return not list(found.spool.path.glob("custody/*"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Made anew for each."""
    return Place(tmp_path)


def test_what_a_sender_was_told_ok_for_after_the_backup_is_named(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """With exit status 1, and the site is restored all the same; what the backup has fits."""
    place.sent.write_text(f"name,ticket\n{name(1)},{place.ticket}\n{name(2)},\n{name(3)},{LOST}\n")
    assert 1 == place.restore("--sent", str(place.sent), "--sender", SENDER)

    said = capsys.readouterr().out
    assert not place.is_empty()
    assert all(words in said for words in ("never-received", name(2), "unknown-ticket", LOST, "2 do not fit"))
    assert "will judge 1 submissions and send 0 declarations" in said


def test_a_list_that_fits_changes_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """And the exit status is 0."""
    place.sent.write_text(f"{name(1)},{place.ticket}\n")
    assert 0 == place.restore("--sent", str(place.sent))
    assert "Everything fits." in capsys.readouterr().out


def test_lists_that_cannot_be_compared_are_refused_before_anything_is_put_back(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    """So that the command can be typed again."""
    assert 2 == place.restore("--queue")
    assert "names no broker whose queue could be looked at" in capsys.readouterr().err
    place.sent.write_text(f"{name(1)}\n../etc/passwd,\n")
    assert 2 == place.restore("--sent", str(place.sent))
    assert "--sent, line 2" in capsys.readouterr().err

    assert place.is_empty()
    assert 0 == place.restore()


def test_what_lies_in_the_queue_after_the_backup_is_named(
    place: Place, broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whose file it is says its message, and it stays where it is."""
    settings = place.again.read_text().replace("urls = []", f'urls = ["{broker.url}"]', 1)
    place.again.write_text(settings.replace('queue = "declarations"', 'queue = "after-a-restore"', 1))
    headers = {"sender": SENDER, "file": name(7)}
    with pika.BlockingConnection([connection_parameters(broker.url)]) as connection:
        channel = connection.channel()
        channel.queue_declare("after-a-restore", durable=True, arguments={"x-queue-type": "quorum"})
        channel.confirm_delivery()
        properties = pika.BasicProperties(message_id=f"{LOST}-000002", headers=headers)
        channel.basic_publish("", "after-a-restore", b"<form/>", properties)
        assert 1 == place.restore("--queue")
        assert channel.basic_get("after-a-restore", auto_ack=True)[0] is not None
        channel.queue_delete("after-a-restore")

    said = capsys.readouterr().out
    assert all(words in said for words in (LOST, "forwarded-unknown", f"form 2 of {name(7)}", "1 do not fit"))
