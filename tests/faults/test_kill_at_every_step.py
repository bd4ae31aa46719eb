"""SIGKILL at every step from the first byte of FI to the confirm of the last message: nothing lost, nothing twice."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pika
import pytest

from spool import effects
from spool.effects import Kind
from spool.journal import open_journal
from tests.answers import both_answers, listing, only_answer
from tests.broker import Broker
from tests.faults.halting import STEPS
from tests.gateway_process import SENDER, GatewayProcess, Site, running, three_forms, today

_EMBEDDED = [step for step in STEPS if "embedded queue" in step]
_WITH_ANOMALIES = [*STEPS][[*STEPS].index("anomalies found") : [*STEPS].index("placing of both answers recorded") + 1]
_THROUGH_THE_BROKER = [step for step in STEPS if step not in {*_EMBEDDED, *_WITH_ANOMALIES}]
_STEM = f"DIMN.{SENDER}.{today()}.00001.R"


@pytest.fixture
def queue_name(site: Site, broker: Broker) -> str:
    """A queue of its own at the broker, which the site forwards to."""
    name = f"declarations.{site.folder.parent.name}"
    site.configure("urls = []", f'urls = ["{broker.url}"]')
    site.configure('exchange = "declarations"', f'exchange = "{name}"')
    site.configure('queue = "declarations"', f'queue = "{name}"')
    return name


def kill_and_restart(site: Site, step: str) -> None:
    """Send a set to a gateway that halts at ``step``, kill it there, send again if the sender never saw its OK.

    Afterwards there is one answer, a positive one, and nothing waits in IN.
    """
    names = site.write_set(_STEM)
    halting = GatewayProcess(site, "tests.faults.halting", step).ready()
    with ThreadPoolExecutor(1) as client:
        sending = client.submit(site.sftp, "cd IN", *(f"put {name}" for name in names))
        try:
            halting.wait_for("fault.halted")
        finally:
            halting.kill()
        told = sending.result().returncode == 0
    with running(site) as gateway:
        if not told:
            assert site.sftp("cd IN", *(f"put {name}" for name in names)).returncode == 0
        wait_until_closed(site, gateway)
        answer, left = only_answer(site), listing(site, "IN")

    assert (answer.result, answer.codes) == ("1", ())
    assert set() == left


def wait_until_closed(site: Site, gateway: GatewayProcess) -> None:
    """Wait until no submission is open, by the events of its log."""
    while any(row["closed"] is None for row in site.listing("submissions")):
        gateway.wait_for("submission.closed")


def assert_nothing_left(site: Site) -> None:
    """No upload, no declaration, no effect is left behind, and nothing was accepted twice."""
    journal = open_journal(site.settings.journal.path)
    with journal.read() as connection:
        pending = [*effects.pending(connection, Kind.ANSWER, 10), *effects.pending(connection, Kind.FORWARD, 10)]
    journal.close()

    assert pending == []
    assert site.spool("declarations/*") == []
    assert site.spool("incoming/*/*/*/*") == []
    states = sorted(row["state"] for row in site.listing("submissions"))
    assert states in (["accepted"], ["accepted", "repeated"])


def consume(broker: Broker, queue: str) -> Iterator[str]:
    """The message ids that wait at the broker, repeats included."""
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    channel = connection.channel()
    while True:
        method, properties, _ = channel.basic_get(queue, auto_ack=True)
        if method is None:
            break
        yield properties.message_id
    connection.close()


@pytest.mark.parametrize("step", _THROUGH_THE_BROKER)
def test_killed_at_any_step_each_declaration_is_once_at_the_broker(
    site: Site, broker: Broker, queue_name: str, step: str
) -> None:
    """After the restart there is one answer, and by message id each declaration once."""
    kill_and_restart(site, step)

    assert_nothing_left(site)
    accepted = site.listing("submissions", "--state", "accepted")[0]["ticket"]
    assert {f"{accepted}-00000{form}" for form in (1, 2, 3)} == set(consume(broker, queue_name))


@pytest.mark.parametrize("step", _EMBEDDED)
def test_killed_at_any_step_each_declaration_is_once_in_the_embedded_queue(site: Site, step: str) -> None:
    """The embedded queue has no repeats at all."""
    kill_and_restart(site, step)

    assert_nothing_left(site)
    accepted = site.listing("submissions", "--state", "accepted")[0]["ticket"]
    ids = [message["message_id"] for message in site.listing("queue", "list")]
    assert [f"{accepted}-00000{form}" for form in (1, 2, 3)] == ids


@pytest.mark.parametrize("step", _WITH_ANOMALIES)
def test_killed_at_any_step_a_refused_file_has_each_of_its_two_answers_once(site: Site, step: str) -> None:
    """The acknowledgement and the notification are there, whole, under one name each, and nothing waits."""
    names = site.write_set(_STEM, three_forms().replace(b">SU<", b">XX<"))
    halting = GatewayProcess(site, "tests.faults.halting", step).ready()
    site.sftp("cd IN", *(f"put {name}" for name in names))
    try:
        halting.wait_for("fault.halted")
    finally:
        halting.kill()
    with running(site) as gateway:
        wait_until_closed(site, gateway)
        answer, anomalies = both_answers(site)

    assert ("0", ("ACRF-255",), 3) == (answer.result, answer.codes, len(anomalies))
    assert {answer.ticket} == {anomaly.ticket for anomaly in anomalies}
    assert ["rejected"] == [row["state"] for row in site.listing("submissions")]
    assert site.listing("queue", "list") == []


def test_an_answer_that_was_fetched_and_deleted_does_not_come_again(site: Site) -> None:
    """Killed between placing an answer and recording it, the gateway knows that its sender has deleted it."""
    names = site.write_set(_STEM)
    halting = GatewayProcess(site, "tests.faults.halting", "all of the answer placed").ready()
    site.sftp("cd IN", *(f"put {name}" for name in names))
    halting.wait_for("fault.halted")
    fetched = only_answer(site)
    site.sftp("cd OUT", "rm *")
    halting.kill()

    gateway = GatewayProcess(site).ready()
    gateway.saw("submission.closed")
    again = listing(site, "OUT")
    gateway.stop()

    assert "1" == fetched.result
    assert set() == again
