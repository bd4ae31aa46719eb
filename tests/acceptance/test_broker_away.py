"""RabbitMQ is the institutions' side: while it is away, senders notice nothing."""

import pika

from tests.answers import only_answer
from tests.broker import Broker
from tests.gateway_process import SENDER, Site, running, today


def test_without_the_broker_files_are_answered_and_messages_wait(site: Site, broker: Broker) -> None:
    """The acknowledgement comes while the broker is down; the messages come when it is back, all and persistent."""
    name = f"declarations.{site.folder.parent.name}"
    site.configure("urls = []", f'urls = ["{broker.url}"]')
    site.configure('exchange = "declarations"', f'exchange = "{name}"')
    site.configure('queue = "declarations"', f'queue = "{name}"')
    with running(site) as gateway:
        gateway.wait_for("broker.connected")
        broker.settle()
        broker.stop()
        gateway.wait_for("broker.lost")
        names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
        site.sftp("cd IN", *(f"put {name}" for name in names))
        ticket = gateway.judged()["ticket"]
        answer = only_answer(site)
        waiting = site.listing("show", ticket)["closed"]
        broker.start()
        gateway.wait_for("submission.closed")

    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    channel = connection.channel()
    messages = [channel.basic_get(name, auto_ack=True) for _ in range(4)]
    connection.close()

    assert (answer.result, answer.codes) == ("1", ())
    assert waiting is None
    assert [f"{ticket}-00000{form}" for form in (1, 2, 3)] == [item[1].message_id for item in messages[:3]]
    assert messages[3] == (None, None, None)
    for form, (_, properties, body) in enumerate(messages[:3], 1):
        assert (2, form, 3) == (properties.delivery_mode, properties.headers["form"], properties.headers["forms"])
        assert body.startswith(b"<?xml")


def test_a_wrong_password_does_not_stop_the_gateway(site: Site, broker: Broker) -> None:
    """Files are answered; the log says what is refused, without the password."""
    wrong = broker.url.replace("://", "://nobody:hush-hush@", 1) if "@" not in broker.url else broker.url
    wrong = f"amqp://nobody:hush-hush@{wrong.rpartition('@')[2]}"
    site.configure("urls = []", f'urls = ["{wrong}"]')
    with running(site) as gateway:
        gateway.saw("broker.refused")
        names = site.write_set(f"DIMN.{SENDER}.{today()}.00001.R")
        site.sftp("cd IN", *(f"put {name}" for name in names))

        assert "accepted" == gateway.judged()["verdict"]
        assert "hush-hush" not in str(gateway.seen)
