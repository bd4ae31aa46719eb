"""Nothing that a gateway writes of its own accord says who is in a message, of a sender or of an institution."""

import json
import re
import secrets
from contextlib import closing
from typing import Any

import pika

from channels.mq import topology
from tests.acceptance.test_personal_data import ONE_SENT, events, lines_of, told_of
from tests.broker import Broker
from tests.gateway_process import SENDER, Site, running, three_forms, today
from tests.mq_sender import Message, MqSender, mq_sender, mq_user, open_to_messages

__all__ = ["mq_sender", "mq_user"]

BROKEN = "Zzbrokenova"
HEADER = "Zzheaderova"


def _by_senders(site: Site, sender: MqSender, inss: str) -> int:
    """Good and bad messages; answers how many of them nobody can be answered for."""
    data, stem = three_forms(), f"FI.DIMN.{SENDER}.{today()}"
    names = [f"{stem}.{number:05}.R.1.1" for number in range(1, 6)]
    for name in names:
        (site.work / name).write_bytes(data)
    signed = [site.sign(name).decode() for name in names]
    broken = f"<broken><INSS>{inss}</INSS>{BROKEN}".encode()
    sender.send(
        Message(data, names[0], signed[0], message_id=f"of {inss}"),
        Message(broken, names[1], signed[1]),
        Message(data, names[2], BROKEN),
        Message(data, f"{stem}.{inss}.R.1.1", signed[3]),
        Message(data, f"of {inss}", signed[4]),
        Message(data, names[3], signed[3], headers={HEADER: BROKEN, "Ticket": inss}),
        Message(data, names[4], signed[4], user_id=None, headers={HEADER: inss}),
    )
    return 1


def _by_institutions(broker: Broker, queue: str, inss: str) -> int:
    """Messages that can't be delivered; answers how many."""
    headers: list[dict[str, Any]] = [
        {"Type": "NOTI", "Environment": "R", "Sender": SENDER},
        {"Type": BROKEN, "Environment": "R", "Sender": inss},
        {"Type": "NOTI", "Environment": "R", "Ticket": inss},
        {"Type": "NOTI", "Environment": BROKEN, "Sender": BROKEN, HEADER: inss},
    ]
    with closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for number, said in enumerate(headers):
            properties = pika.BasicProperties(
                headers=said, message_id=f"{number} of {inss}", user_id="gateway", delivery_mode=2
            )
            channel.basic_publish("", queue, f"<x>{inss} {BROKEN}</x>".encode(), properties, mandatory=True)
    return len(headers)


def _buried(broker: Broker, queues: tuple[str, ...], count: int) -> list[dict[str, Any]]:
    """What the gateway has written on so many dead messages of these queues: their headers without the publisher's."""
    found: list[dict[str, Any]] = []
    with closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as connection:
        for method, properties, _ in connection.channel().consume(topology.DEAD, auto_ack=True, inactivity_timeout=60):
            assert method is not None, found
            headers = properties.headers or {}
            if str(headers.get("Queue", "")).startswith(queues):
                found.append({key: headers[key] for key in ("Queue", "Reason")})
            if len(found) == count:
                break
    return found


def _accepted(site: Site) -> list[str]:
    return [row["name"] for row in site.listing("submissions") if row["state"] == "accepted"]


def test_what_is_written_of_messages_says_nothing_of_persons(site: Site, broker: Broker, mq_sender: MqSender) -> None:
    """Of good ones, broken, badly named, unsigned, nobody's, and institutions' that are no documents.

    Log, metrics, pages, events, reasons on dead letters, and what an operator is shown.
    """
    back = f"back-{secrets.token_hex(4)}"
    sent = {text.decode() for text in ONE_SENT.findall(three_forms())}
    inss = next(text for text in sorted(sent) if text.isdigit())
    open_to_messages(site, mq_sender)
    site.configure('enabled = false\nqueue = "batch.back"', f'enabled = true\nqueue = "{back}"')
    site.configure('# socket = "var/operations.socket"', f'socket = "{site.folder}/o"')
    site.configure("trust_socket = false", "trust_socket = true")
    site.configure("status_page = false", "status_page = true")
    site.configure('level = "info"', 'level = "debug"')
    assert 0 == site.command("mq", "declare").returncode
    with running(site) as process:
        dead = _by_senders(site, mq_sender, inss) + _by_institutions(broker, back, inss)
        written: list[object] = list(_buried(broker, (mq_sender.mq.exchange, back), dead))
        answered = mq_sender.answers(SENDER, 6)
        told = told_of(site)
        assert ["00001", "00004"] == sorted(name.split(".")[4] for name in _accepted(site))
        for ticket in {str(properties.headers["Ticket"]) for properties, _ in answered}:
            written += [site.command(word, ticket).stdout for word in ("show", "why")]
        written.append(site.command("doctor").stdout)
    log = lines_of(process)
    assert {"submission.judged", "institution.refused", "message.dead"} <= {line["event"] for line in log}
    for line in log:
        text = json.dumps(line, ensure_ascii=False)
        assert [] == [mark for mark in sorted(sent | {BROKEN}) if mark in text], text
    for text in (*(json.dumps(one, ensure_ascii=False) for one in written), *told, *events(site)):
        # The journal keeps the name of a file as it came: it is the proof of what came.
        rest = re.sub(f"F[IS].DIMN[.0-9]+{inss}|of[_ ]{inss}", "", text)
        assert [] == [mark for mark in sorted(sent | {BROKEN}) if mark in rest], text
