"""``gateway mq``: what is missing at a real broker is said and made, and what is there is never changed."""

import json
import secrets
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pika
import pytest
from click.testing import CliRunner, Result

from channels.mq import topology
from channels.mq.topology import DEAD, in_queue
from config.messages import Mq
from config.settings import read_settings
from gateway import parties
from gateway.cli import gateway, run
from gateway.cli.mq import mq
from gateway.doctor import neighbours
from gateway.doctor.finding import Mark, Patient
from gateway.openings import Channel
from gateway.parties import Sender, SignatureProfile
from gateway.site import make_site
from spool.journal import open_journal
from tests.guarded_broker import GuardedBroker

QUEUES = ("batch.in.R", "batch.in.T", "batch.in.S", "batch.dead", "batch.back", "declarations", "declarations.unrouted")
EXCHANGES = (
    "batch.in",
    "batch.out",
    "batch.out.notice",
    "batch.dead",
    "batch.back",
    "declarations",
    "declarations.unrouted",
)


@dataclass
class BrokerSite:
    """Settings and a journal, and a virtual host of a broker where nothing is yet."""

    folder: Path
    url: str
    channel: Any

    def run(self, *arguments: str, **changed: str) -> Result:
        """``gateway mq`` with the settings, of which some lines may be others."""
        return CliRunner().invoke(mq, [*arguments, "--config", str(self.write(**changed))])

    def write(self, **changed: str) -> Path:
        """The settings file, some of whose lines may be others."""
        lines = {
            "broker": f'urls = ["{self.url}"]',
            "mq": "enabled = true",
            "back": "enabled = true",
            "routing": "",
        } | changed
        path = self.folder / "gateway.toml"
        path.write_text("\n".join(f"[{section}]\n{text}" for section, text in lines.items()))
        return path


@pytest.fixture
def broker_site(guarded_broker: GuardedBroker, tmp_path: Path) -> Iterator[BrokerSite]:
    """A sender with the channel of messages and one without."""
    vhost = secrets.token_hex(4)
    managed = httpx.Client(base_url=f"{guarded_broker.management_url}/api/")
    managed.put(f"vhosts/{vhost}").raise_for_status()
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    managed.put(f"permissions/{vhost}/gateway", json=everything).raise_for_status()
    (tmp_path / "var").mkdir()
    journal = open_journal(tmp_path / "var" / "journal.sqlite3", create=True)
    with journal.write() as connection:
        for number, channel in (("123456", Channel.MQ), ("654321", Channel.SFTP)):
            sender = Sender(number, SignatureProfile.DETACHED, "T", ("*",), active=True)
            parties.add_sender(connection, sender, [channel])
    journal.close()
    url = guarded_broker.url.replace("%2f", vhost)
    own = pika.BlockingConnection(pika.URLParameters(url))
    yield BrokerSite(tmp_path, url, own.channel())
    own.close()
    managed.delete(f"vhosts/{vhost}").raise_for_status()
    managed.close()


def test_check_says_what_is_missing_and_declare_makes_it(broker_site: BrokerSite) -> None:
    """Every exchange and queue by name, exit status 1; then nothing, however often."""
    missing = broker_site.run("check")
    assert 1 == missing.exit_code
    said = missing.stderr.splitlines()
    assert {f"there is no exchange {name}" for name in EXCHANGES} <= {line.removeprefix("Error: ") for line in said}
    assert {f"there is no queue {name}" for name in (*QUEUES, "batch.out.123456", "batch.out.notice.123456")} <= set(
        said
    )
    assert "654321" not in missing.output

    for _ in range(2):
        assert "7 exchanges, 9 queues with their bindings." in broker_site.run("declare").output
    assert (0, "Nothing is missing at the broker.") == (
        (found := broker_site.run("check")).exit_code,
        found.stdout.strip(),
    )
    assert [] == json.loads(broker_site.run("check", "--json").stdout)


def test_what_is_there_otherwise_is_a_refusal_in_words(broker_site: BrokerSite) -> None:
    """An exchange of another kind, a queue with other arguments: said by `check` and `declare`, and left alone."""
    broker_site.channel.exchange_declare("batch.in", "topic", durable=True)
    arguments = {**topology.door(Mq()).queues[1].arguments, "x-delivery-limit": 5}
    broker_site.channel.queue_declare("batch.in.T", durable=True, arguments=arguments)
    for command in ("declare", "check"):
        result = broker_site.run(command)
        assert 1 == result.exit_code
        assert "exchange batch.in is there, but its type is topic and not direct" in result.stderr
        assert "queue batch.in.T is there, but its x-delivery-limit is 5 and not 1000" in result.stderr
        assert "Traceback" not in result.output


def test_a_binding_that_is_missing_is_seen_by_the_management_interface(
    broker_site: BrokerSite, guarded_broker: GuardedBroker
) -> None:
    """AMQP has no question for it, which `check` says where it can't ask otherwise."""
    management = f'enabled = true\nmanagement = "{guarded_broker.management_url}"'
    broker_site.run("declare", mq=management)
    broker_site.channel.queue_unbind("batch.in.T", "batch.in", "T")
    assert "bindings and policies were not looked at" in broker_site.run("check").stderr

    result = broker_site.run("check", mq=management)
    assert (1, "Error: queue batch.in.T is not bound to the exchange batch.in with the key T") == (
        result.exit_code,
        result.stderr.strip(),
    )
    broker_site.run("declare")
    assert 0 == broker_site.run("check", mq=management).exit_code


def test_policies_are_set_and_seen_by_the_management_interface(
    broker_site: BrokerSite, guarded_broker: GuardedBroker
) -> None:
    """Missing, changed by somebody, overruled by another one, with another limit: said, and ours are put right."""
    management = f'enabled = true\nmanagement = "{guarded_broker.management_url}"'
    limited = f"{management}\nmax_queue_bytes = 1000"
    broker_site.run("declare")
    assert "there is no policy 'gateway batch.in'" in broker_site.run("check", mq=management).stderr
    assert "and 6 policies" in broker_site.run("declare", mq=management).output
    assert 0 == broker_site.run("check", mq=management).exit_code

    assert "its definition is" in broker_site.run("check", mq=limited).stderr
    assert 0 == broker_site.run("declare", mq=limited).exit_code
    assert 0 == broker_site.run("check", mq=limited).exit_code
    channel = broker_site.channel
    channel.confirm_delivery()
    with pytest.raises(pika.exceptions.NackError):
        for _ in range(100):  # the broker looks at the limit when it has written, a little late
            channel.basic_publish("batch.out", "123456", bytes(500))

    vhost = broker_site.url.rpartition("/")[2]
    guarded_broker.control(
        "set_policy", "-p", vhost, "--priority", "7", "--apply-to", "queues", "other", "^batch", '{"max-length": 5}'
    )
    found = broker_site.run("check", mq=limited)
    assert "the policy 'other' holds for the queue batch.in.T, instead of the gateway's" in found.stderr


def test_who_opens_a_channel_is_told_of_the_broker(broker_site: BrokerSite, capsys: pytest.CaptureFixture[str]) -> None:
    """Of messages, and only of those."""
    added = ["sender", "add", "{}", "--user", "payroll{}", "--reason", "new", "--config", str(broker_site.write())]
    user = ["user", "add", "{}", "clerk{}", "--reason", "new", "--config", str(broker_site.write())]
    for number, words in (("111111", ["--channel", "mq"]), ("222222", ["--channel", "sftp"])):
        assert 0 == run([*(word.format(number) for word in added), *words])
        assert 0 == run([word.format(number) for word in user])
    assert 2 == capsys.readouterr().err.count("now run `gateway mq declare`")


def test_a_misspelt_user_of_a_profile_and_an_undeclared_entrance_are_told(
    broker_site: BrokerSite,
) -> None:
    """By `check` and on the page of `doctor`."""
    profile = 'enabled = true\nprofiles = [{ name = "isabel", users = ["bank0001", "bank0002", "bnak0003"] }]'
    config = broker_site.write(mq=profile)
    broker_site.run("declare", mq=profile)
    register(broker_site, {"bank0001": "123456", "bank0002": "654321"})

    listed = "see `gateway sender list`"
    strangers = [
        f"mq.profiles: bank0002, named in isabel, is of sender 654321, which has no channel mq: {listed}",
        "mq.profiles: bnak0003, named in isabel, is no technical user of a sender: see `gateway user list`",
    ]
    entrance = "there is no exchange batch.in.bank0001"
    checked = broker_site.run("check", mq=profile)
    assert (1, [entrance, *strangers]) == (checked.exit_code, checked.stderr.partition("Error: ")[2].splitlines())
    patient = Patient(read_settings(config), config, datetime.now(UTC), 30.0)
    found = [finding.words for finding in neighbours.broker(patient) if finding.mark is Mark.TROUBLE]
    assert [entrance, *strangers] == found

    broker_site.run("declare", mq=profile)
    assert strangers == [finding.words for finding in neighbours.broker(patient) if finding.mark is Mark.TROUBLE]


def test_a_misspelt_user_of_a_profile_is_told_before_a_start(tmp_path: Path) -> None:
    """By `check-config`, which finds no fault all the same: who isn't registered yet may be tomorrow."""
    config = make_site(tmp_path / "new")
    text = config.read_text().replace("urls = []", 'urls = ["amqp://127.0.0.1:1/"]')
    before, section, mq_keys = text.partition("\n[mq]\n")
    mq_keys = mq_keys.replace("enabled = false", "enabled = true", 1)
    mq_keys = mq_keys.replace("profiles = []", 'profiles = [{ name = "isabel", users = ["bnak0003"] }]', 1)
    config.write_text(before + section + mq_keys)

    checked = CliRunner().invoke(gateway, ["check-config", "--config", str(config)])
    assert 0 == checked.exit_code
    assert "mq.profiles: bnak0003, named in isabel, is no technical user" in checked.stderr


def register(broker_site: BrokerSite, users: dict[str, str]) -> None:
    """Register technical users of senders."""
    journal = open_journal(broker_site.folder / "var" / "journal.sqlite3")
    with journal.write() as connection:
        for user, number in users.items():
            parties.add_user(connection, number, user, [])
    journal.close()


def test_without_management_the_commands_that_set_policies_are_printed(
    broker_site: BrokerSite, guarded_broker: GuardedBroker
) -> None:
    """They run as they stand, and do the same."""
    printed = broker_site.run("declare").output.splitlines()
    commands = [shlex.split(line) for line in printed if line.startswith("rabbitmqctl ")]
    assert 6 == len(commands)
    for command in commands:
        guarded_broker.control(*command[1:])
    management = f'enabled = true\nmanagement = "{guarded_broker.management_url}"'
    assert 0 == broker_site.run("check", mq=management).exit_code


def test_the_broker_gives_up_no_message_for_restarts_of_the_gateway(broker_site: BrokerSite) -> None:
    """Each of them counts as a delivery of all that was in hand; only what is rejected is dead, at least once."""
    broker_site.run("declare", mq="enabled = true\ndelivery_limit = 1")
    channel = broker_site.channel
    channel.confirm_delivery()
    channel.basic_publish("batch.in", "T", b"<a/>", pika.BasicProperties(delivery_mode=2), mandatory=True)
    deliveries = channel.consume(in_queue(Mq().exchange, "T"), inactivity_timeout=20)
    for _ in range(25):
        method, _, _ = next(deliveries)
        channel.basic_nack(method.delivery_tag)
    method, properties, _ = next(deliveries)
    assert 25 == properties.headers["x-delivery-count"]
    channel.basic_reject(method.delivery_tag, requeue=False)
    channel.cancel()
    _, properties, body = next(channel.consume(DEAD, auto_ack=True, inactivity_timeout=20))
    channel.cancel()
    assert (b"<a/>", "batch.in.T") == (body, properties.headers["x-first-death-queue"])


@pytest.mark.parametrize(
    ("url", "expected", "status"),
    [
        ('urls = ["amqp://gateway:forged@127.0.0.1:{port}/"]', "the broker refuses the user, the password", 1),
        ('urls = ["amqp://gateway:forged@127.0.0.1:1/"]', "the broker is away", 1),
        ("urls = []", "names no broker", 2),
    ],
)
def test_no_broker_is_said_in_words(
    broker_site: BrokerSite, capsys: pytest.CaptureFixture[str], url: str, expected: str, status: int
) -> None:
    """A wrong password, nobody there, nothing configured: no traceback, and nothing of the password."""
    port = broker_site.url.rpartition(":")[2].partition("/")[0]
    config = broker_site.write(broker=url.format(port=port))
    assert status == run(["mq", "check", "--config", str(config)])
    said = capsys.readouterr().err
    assert expected in said
    assert "forged" not in said
