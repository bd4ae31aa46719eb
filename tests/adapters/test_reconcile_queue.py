"""A broker's queue, looked at without taking: what lies there of tickets that an older journal does not know."""

import pika
import pytest

from channels.mq.addresses import connection_parameters
from channels.mq.connection import BrokerUnavailable
from channels.mq.looking import Lying, lying
from gateway.reconcile_queue import compare_queue
from spool import effects
from spool.effects import Kind
from spool.journal import Journal
from spool.reconciliation import Misfit
from tests.broker import Broker
from tests.submissions_made import receive

KNOWN, LOST = "0" * 13, "LOST000000001"
QUEUE = "looked-at"


def test_messages_of_lost_tickets_are_named_with_their_sender(journal: Journal) -> None:
    """By what their headers say; what is promised fits, what is nobody's business is passed over."""
    receive(journal, KNOWN)
    with journal.write() as connection:
        effects.plan(connection, KNOWN, Kind.FORWARD, [{"offset": 0, "length": 1}])
    headers = {"sender": "123456", "file": "FI.DIMN.123456.20261121.00007.R.1.1"}
    found = [
        Lying(f"{KNOWN}-000001", {}),
        Lying(f"{KNOWN}-000002", {}),
        Lying(f"{LOST}-000003", headers),
        Lying(f"{LOST}-000004", {"sender": "\nforged", "file": "x" * 1000}),
        Lying("of somebody else", {}),
        Lying("", {}),
    ]
    unasked, lost, odd = compare_queue(journal, found)

    assert (KNOWN, Misfit.FORWARDED_UNASKED) == (unasked.ticket, unasked.misfit)
    assert (LOST, Misfit.FORWARDED_UNKNOWN) == (lost.ticket, lost.misfit)
    assert f"the queue has form 3 of {headers['file']} from sender 123456" == lost.detail
    assert "\n" not in odd.detail
    assert len(odd.detail) < 300


def test_what_was_looked_at_is_still_there(broker: Broker) -> None:
    """In its order, for whoever takes it; a queue that is not there is said to be missing."""
    parameters = [connection_parameters(broker.url)]
    with pika.BlockingConnection(parameters) as connection:
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
        channel.confirm_delivery()
        for number in range(1, 4):
            properties = pika.BasicProperties(message_id=f"{LOST}-{number:06d}", headers={"sender": "123456"})
            channel.basic_publish("", QUEUE, b"<form/>", properties)

        assert [f"{LOST}-000001"] == [each.message_id for each in lying(parameters, QUEUE, 1)]
        seen = list(lying(parameters, QUEUE, 10))
        assert [f"{LOST}-{number:06d}" for number in range(1, 4)] == [each.message_id for each in seen]
        assert {"123456"} == {each.headers["sender"] for each in seen}

        taken = [channel.basic_get(QUEUE, auto_ack=True)[1].message_id for _ in range(3)]
        assert [each.message_id for each in seen] == taken
        channel.queue_delete(QUEUE)
    with pytest.raises(BrokerUnavailable, match="no queue"):
        list(lying(parameters, QUEUE, 1))
