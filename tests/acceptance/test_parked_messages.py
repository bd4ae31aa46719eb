"""What no institution takes is kept, told of and sent again, and no more is taken in than may wait."""

import json

import pika

from config.errors import ConfigurationError
from tests.broker import Broker
from tests.command_line import done, typed
from tests.gateway_process import SENDER, Site, running, today


def test_what_nobody_takes_is_parked_stops_the_intake_and_is_replayed(site: Site, broker: Broker) -> None:
    """A route leads to an exchange that nobody has made yet; once it is there, one command sends everything again."""
    name = f"dimona.{site.folder.parent.name}"
    site.configure("urls = []", f'urls = ["{broker.url}"]')
    site.configure("declare = true", "declare = false")
    site.configure("max_waiting_bytes = 8589934592", "max_waiting_bytes = 100")
    site.configure("max_attempts = 8", "max_attempts = 1")
    site.configure("retry_seconds = 5.0", "retry_seconds = 0.1", section="routing")
    route = (
        f'{{ message_types = ["DIMN"], environments = ["R"], exchange = "{name}", key = "{{form_code}}.{{sender}}" }}'
    )
    site.configure("routes = []", f'routes = [{{ senders = ["654321"] }}, {route}]')
    with running(site) as gateway:
        names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
        site.sftp("cd IN", *(f"put {name}" for name in names))
        gateway.wait_for("declaration.parked")
        ticket = gateway.saw("submission.judged")["ticket"]
        gateway.saw("intake.stopped")
        second = site.write_set(f"DIMN.{SENDER}.{today()}.00002.R")
        refused = site.sftp("cd IN", *(f"put {name}" for name in second))

        parked = json.loads(done(site, "replay", "--json"))
        shown = json.loads(done(site, "show", ticket, "--json"))
        explained = json.loads(done(site, "route", "explain", ticket, "--json"))
        without_reason = typed(site, "replay", "--all")
        declare(broker, name)
        again = done(site, "replay", "--all", "--reason", "the exchange was missing")
        gateway.wait_for("submission.closed")
        gateway.saw("intake.resumed")
        taken = site.sftp("cd IN", *(f"put {name}" for name in second))
        gateway.wait_for("submission.closed")
        timeline = json.loads(done(site, "show", ticket, "--json"))["timeline"]

    assert [f"{ticket}-00000{form}" for form in (1, 2, 3)] == [row["message_id"] for row in parked]
    assert all("has no exchange" in row["reason"] for row in parked)
    assert (None, 3) == (shown["closed"], shown["parked"])
    assert [(name, f"DIMONA.{SENDER}", "parked")] * 3 == [
        (row["exchange"], row["routing_key"], row["state"]) for row in explained
    ]
    assert [f"route 1 does not fit: sender {SENDER} is none of 654321"] == explained[0]["not_fitting"]
    assert ("Failure" in refused.stderr, 2) == (True, without_reason.exit_code)
    assert 0 == taken.returncode
    assert "3 messages will be sent again.\n" == again
    assert [3] == [event["count"] for event in timeline if event["event"] == "declarations.replayed"]
    assert 6 == count(broker, name)


def test_routes_that_cannot_be_meant_are_found_before_the_gateway_starts(site: Site) -> None:
    """Each fault names its route."""
    site.configure("routes = []", 'routes = [{ message_types = ["DIMX"], key = "{inss}" }, { senders = ["1"] }]')

    refused = typed(site, "check-config").exception

    assert isinstance(refused, ConfigurationError)
    assert [
        "routing.routes, number 1: message_types: 'DIMX' is neither a purpose nor the code of a form of a known type",
        (
            "routing.routes, number 1: key: '{inss}' has the unknown placeholder {inss}; "
            "known are environment, purpose, form_code, sender"
        ),
        "routing.routes, number 2: senders: '1' does not have six digits",
    ] == list(refused.faults)


def declare(broker: Broker, name: str) -> None:
    """Make the exchange, and a queue that takes everything."""
    own = pika.BlockingConnection(pika.URLParameters(broker.url))
    channel = own.channel()
    channel.exchange_declare(name, "topic", durable=True)
    channel.queue_declare(name, durable=True)
    channel.queue_bind(name, name, "#")
    own.close()


def count(broker: Broker, name: str) -> int:
    """How many messages wait."""
    own = pika.BlockingConnection(pika.URLParameters(broker.url))
    messages: int = own.channel().queue_declare(name, passive=True).method.message_count
    own.close()
    return messages
