"""Messages of institutions through a real broker and a real gateway to where OpenSSH's sftp reads them."""

import re
import secrets
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pika
import pytest

import schemas
from gateway import parties
from gateway.openings import Channel
from gateway.parties import Sender, SignatureProfile
from gateway.register import choices
from gateway.register.choices import Route
from gateway.registrations import ALWAYS
from spool.journal import open_journal
from tests.answers import download, listing
from tests.broker import Broker
from tests.enterprises_made import HELPDESK, ONSS_NUMBERS, Staff, granted, staffed
from tests.faults.halting import BACK
from tests.gateway_process import SENDER, USER, GatewayProcess, Site, running

_SAMPLES = Path(schemas.__file__).parent / "notification" / "samples"
_NOTI = (_SAMPLES / "valid_small.xml").read_bytes()
_ABOUT = re.sub(rb"(?<=<NOSSRegistrationNbr>)\d+", ONSS_NUMBERS[0].encode(), (_SAMPLES / "valid_rich.xml").read_bytes())
_BAD = (_SAMPLES / "invalid_result_code.xml").read_bytes()
_EMPLOYER, _THEIR_USER = "654321", "bakery01"


@dataclass(frozen=True)
class Institution:
    """A program that publishes to the way back of one site, and reads what is dead."""

    channel: Any
    queue: str
    dead: str

    def publish(self, body: bytes, message_id: str, **headers: str) -> None:
        """Publish as an institution should: persistent, with its user id, confirmed."""
        said = {"Type": "NOTI", "Environment": "R"} | {name.capitalize(): value for name, value in headers.items()}
        properties = pika.BasicProperties(headers=said, message_id=message_id, user_id="gateway", delivery_mode=2)
        # Straight to the queue of this site: the exchange batch.back leads to those of other tests too.
        self.channel.basic_publish("", self.queue, body, properties, mandatory=True)

    def dead_ones(self) -> list[tuple[str, str]]:
        """Id and reason of what is dead of this site."""
        found: list[tuple[str, str]] = []
        while True:
            method, properties, _ = self.channel.basic_get(self.dead, auto_ack=True)
            if method is None:
                return found
            if properties.headers["Queue"] == self.queue:
                found.append((properties.message_id, properties.headers["Reason"]))


@pytest.fixture
def staff(site: Site) -> Staff:
    """An employer with a sender that has chosen its e-Box for notifications; the site's other sender has no quality."""
    key = site.work.joinpath("id_ed25519.pub").read_text()
    journal = open_journal(site.settings.journal.path)
    with journal.write() as connection:
        made = staffed(connection)
        sender = Sender(_EMPLOYER, SignatureProfile.DETACHED, "RTS", ("*",), active=True, quality=made.quality)
        parties.add_sender(connection, sender, [Channel.SFTP])
        parties.add_user(connection, _EMPLOYER, _THEIR_USER, [key])
        route = Route(made.quality, made.quality, "NOTI", "R", Channel.EBOX, ALWAYS)
        granted(choices.choose(connection, HELPDESK, route, reason="made for a test"))
    journal.close()
    return made


@pytest.fixture
def institution(site: Site, broker: Broker) -> Iterator[Institution]:
    """One at the broker that the site takes messages from, by exchanges and queues of its own."""
    name = secrets.token_hex(4)
    site.configure("urls = []", f'urls = ["{broker.url}"]')
    site.configure('enabled = false\nqueue = "batch.back"', f'enabled = true\nqueue = "back-{name}"')
    site.configure('exchange = "declarations"', f'exchange = "declarations-{name}"')
    site.configure('queue = "declarations"', f'queue = "declarations-{name}"')
    declared = site.command("mq", "declare")
    assert 0 == declared.returncode, declared.stderr
    with closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        dead = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(dead, "batch.dead")
        yield Institution(channel, f"back-{name}", dead)


def test_messages_of_institutions_reach_their_recipients_once(
    site: Site, institution: Institution, staff: Staff
) -> None:
    """One in OUT, one in the e-Box that an employer chose, a bad one dead with its finding; each once after a kill."""
    [step] = BACK
    halting = GatewayProcess(site, "tests.faults.halting", step).ready()
    institution.publish(_NOTI, "m1", sender=SENDER)
    try:
        halting.wait_for("fault.halted")
    finally:
        halting.kill()
    with running(site) as gateway:
        # The broker gives it again, since it has no ack.
        placed = gateway.saw("answer.placed")
        gateway.saw("institution.repeated")
        institution.publish(_ABOUT, "m2", sender=SENDER)
        boxed = gateway.wait_for("institution.taken")
        institution.publish(_BAD, "m3", sender=SENDER)
        institution.publish(_NOTI, "m1", sender=SENDER)
        gateway.wait_for("institution.repeated")
        gateway.saw("message.dead")

        in_out(site, placed)
        in_the_e_box(site, staff, boxed["ticket"])
    [(message_id, reason)] = institution.dead_ones()
    assert ("m3", "255") == (message_id, reason[:3])


def in_out(site: Site, placed: dict[str, Any]) -> None:
    """The first is in its sender's OUT, signed; STATUS knows it by its ticket."""
    stem = placed["stem"]
    assert {f"FO.{stem}", f"FS.{stem}", f"GO.{stem}"} == listing(site, "OUT")
    assert _NOTI == download(site, f"FO.{stem}")
    assert f"{placed['ticket']}.json" in listing(site, "STATUS")
    assert set() == listing(site, "EBOX")


def in_the_e_box(site: Site, staff: Staff, ticket: str) -> None:
    """The second is in the employer's e-Box and nowhere else; its sender reads and deletes it, its GL sees that."""
    names = listing(site, "EBOX", user=_THEIR_USER)
    [data] = [name for name in names if name.startswith("FO.")]
    assert 3 == len(names)
    assert set() == listing(site, "OUT", user=_THEIR_USER)
    assert _ABOUT == download(site, data, "EBOX", _THEIR_USER)
    assert 0 != site.sftp(f"get EBOX/{data}", user=USER).returncode
    assert f"{ticket}.json" in listing(site, "STATUS", user=_THEIR_USER)
    assert f"{ticket}.json" not in listing(site, "STATUS", user=USER)
    assert 0 == site.sftp("rm EBOX/*", user=_THEIR_USER).returncode
    assert set() == listing(site, "EBOX", user=_THEIR_USER)

    quality = str(staff.quality)
    assert [] == site.listing("ebox", "list", quality)
    [removed] = site.listing("ebox", "list", quality, "--removed", "--as", staff.gl)
    assert (data, ticket) == (removed["file"], removed["ticket"])
    assert removed["read"] is not None
    assert 1 == site.command("ebox", "list", quality, "--as", staff.rae).returncode
    shown = site.listing("show", ticket)
    assert ("delivered", "ebox", ["ebox.placed", "answer.fetched"]) == (
        shown["state"],
        shown["channel"],
        [step["event"] for step in shown["timeline"]][1:3],
    )
    assert 0 == site.command("answer", "again", ticket, "--reason", "lost").returncode
    assert names == listing(site, "EBOX", user=_THEIR_USER)
