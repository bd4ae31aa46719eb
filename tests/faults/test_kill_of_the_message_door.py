"""SIGKILL between custody and the broker's acknowledgement: the message comes again, and is one submission."""

import pytest

from spool.submissions import State
from tests.faults.halting import DOOR, FLOOD
from tests.gateway_process import SENDER, GatewayProcess, Site, running, three_forms, today
from tests.mq_sender import Message, MqSender, mq_sender, mq_user, open_to_messages

__all__ = ["mq_sender", "mq_user"]

_NAME = f"FI.DIMN.{SENDER}.{today()}.00001.R.1.1"


@pytest.mark.parametrize("step", DOOR)
def test_killed_before_the_acknowledgement_a_message_is_taken_once(site: Site, mq_sender: MqSender, step: str) -> None:
    """The broker delivers it again to the next gateway, which knows it; its sender gets one answer."""
    open_to_messages(site, mq_sender)
    (site.work / _NAME).write_bytes(three_forms())
    message = Message(three_forms(), _NAME, site.sign(_NAME).decode())
    halting = GatewayProcess(site, "tests.faults.halting", step).ready()
    mq_sender.send(message)
    try:
        halting.wait_for("fault.halted")
    finally:
        halting.kill()
    with running(site) as gateway:
        gateway.saw("message.known")
        [(properties, _)] = mq_sender.answers(SENDER, 1)
        gateway.saw("submission.closed")
        rows = site.listing("submissions")
        left = site.spool("messages/*/*")

    assert [State.ACCEPTED] == [row["state"] for row in rows]
    assert (message.message_id, rows[0]["ticket"]) == (properties.correlation_id, properties.headers["Ticket"])
    assert [] == left
    assert 0 == mq_sender.waiting()


@pytest.mark.parametrize("step", FLOOD)
def test_killed_in_the_middle_of_a_flood_every_message_is_taken_once(
    site: Site, mq_sender: MqSender, step: str
) -> None:
    """Custody is taken of many of them together; each is one submission, with its bytes and one answer."""
    open_to_messages(site, mq_sender)
    stems = [f"DIMN.{SENDER}.{today()}.{number:05}.R" for number in range(1, 25)]
    messages = [Message(stem.encode(), f"FI.{stem}.1.1", "bm8gc2lnbmF0dXJl") for stem in stems]
    mq_sender.send(*messages)
    halting = GatewayProcess(site, "tests.faults.halting", step)
    try:
        halting.wait_for("fault.halted")
    finally:
        halting.kill()
    with running(site):
        answers = mq_sender.answers(SENDER, len(messages))
    rows = site.listing("submissions")
    left = site.spool("messages/*/*")

    assert sorted(stems) == sorted(row["name"][3:-4] for row in rows)
    assert {message.message_id for message in messages} == {answer.correlation_id for answer, _ in answers}
    for stem in stems:
        [path] = site.spool(f"custody/*/*/FI.{stem}.1.1")
        assert stem == (site.settings.spool.path / path).read_text()
    assert [] == left
    assert 0 == mq_sender.waiting()
