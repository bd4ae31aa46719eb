"""SIGKILL at every step from the first byte of FI to the confirm of the last message: nothing lost, nothing twice."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pika
import pytest

from spool import effects
from spool.effects import Kind
from spool.journal import open_journal
from tests.answers import both_answers, listing, only_answer
from tests.authority import Credential, Pki
from tests.broker import Broker
from tests.faults.halting import STEPS
from tests.gateway_process import SENDER, GatewayProcess, Site, make_test_site, three_forms, today

_EMBEDDED = [step for step in STEPS if "embedded queue" in step]
_WITH_ANOMALIES = [*STEPS][[*STEPS].index("anomalies found") : [*STEPS].index("placing of both answers recorded") + 1]
_THROUGH_THE_BROKER = [step for step in STEPS if step not in {*_EMBEDDED, *_WITH_ANOMALIES}]


class Chain:
    """A site on which gateways are killed one after another; each takes up what the one before has left."""

    def __init__(self, make_site: Callable[[], Site]) -> None:
        self._make_site = make_site
        self._left_whole = False
        self._sent = 0

    def begin(self) -> None:
        """Go on with the gateway that the test before has left, or, if that test has failed, on a new site."""
        if not self._left_whole:
            self.end()
            self.site = self._make_site()
            self._step = self.site.work / "step"
            self.restart()
        self._left_whole = False

    def end(self) -> None:
        """End the gateway."""
        if hasattr(self, "gateway"):
            self.gateway.kill()

    def restart(self) -> None:
        """Start the next gateway, which halts nowhere yet."""
        self._step.write_text("")
        self.gateway = GatewayProcess(self.site, "tests.faults.halting", str(self._step)).ready()

    def write_set(self, data: bytes | None = None) -> list[str]:
        """Write the next set; answers the names of its files."""
        self._sent += 1
        self.stem = f"DIMN.{SENDER}.{today()}.{self._sent:05}.R"
        return self.site.write_set(self.stem, data)

    def send(self, names: list[str]) -> bool:
        """Upload a set; whether its sender was told OK."""
        return self.site.sftp("cd IN", *(f"put {name}" for name in names)).returncode == 0

    def send_and_kill(self, names: list[str], step: str, meanwhile: Callable[[], None] = lambda: None) -> bool:
        """Upload a set, kill the gateway where it halts at ``step``, start the next; whether the sender was told OK.

        ``meanwhile`` is done between the halt and the kill.
        """
        self._step.write_text(step)
        with ThreadPoolExecutor(1) as client:
            sending = client.submit(self.send, names)
            try:
                self.gateway.wait_for("fault.halted")
                meanwhile()
            finally:
                self.gateway.kill()
            told = sending.result()
        self.restart()
        return told

    def submissions(self) -> list[dict[str, str]]:
        """What came under the name of the last set."""
        rows = self.site.listing("submissions", "--limit", "1000")
        return [row for row in rows if self.stem in row["name"]]

    def wait_until_closed(self) -> None:
        """Wait until no submission is open, by the events of the log."""
        while any(row["closed"] is None for row in self.site.listing("submissions", "--limit", "1000")):
            self.gateway.wait_for("submission.closed")

    def clear_away(self) -> None:
        """The sender deletes its answers; nothing is left for another test to find."""
        assert 0 == self.site.sftp("cd OUT", "-rm *").returncode
        self._left_whole = True


@pytest.fixture(scope="module")
def own_chain(tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential) -> Iterator[Chain]:
    """One for the tests of the embedded queue."""
    chain = Chain(lambda: make_test_site(tmp_path_factory.mktemp("killed"), pki, signer))
    yield chain
    chain.end()


@pytest.fixture
def chain(own_chain: Chain) -> Chain:
    """A gateway with the embedded queue that runs."""
    own_chain.begin()
    return own_chain


@pytest.fixture(scope="module")
def broker_chain(
    tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential, broker_node: Broker
) -> Iterator[Chain]:
    """One for the tests with the broker, which has a queue for each site."""

    def make_site() -> Site:
        folder = tmp_path_factory.mktemp("killed")
        site = make_test_site(folder, pki, signer)
        name = f"declarations.{folder.name}"
        site.configure("urls = []", f'urls = ["{broker_node.url}"]')
        site.configure('exchange = "declarations"', f'exchange = "{name}"')
        site.configure('queue = "declarations"', f'queue = "{name}"')
        return site

    chain = Chain(make_site)
    yield chain
    chain.end()


@pytest.fixture
def forwarding(broker_chain: Chain, broker: Broker) -> Chain:
    """A gateway that runs and forwards to the broker."""
    broker_chain.begin()
    return broker_chain


def kill_and_restart(chain: Chain, step: str) -> str:
    """Send a set, kill the gateway at ``step``, send again if the sender never saw its OK; answers the ticket.

    Afterwards there is one answer, a positive one, and nothing waits in IN.
    """
    names = chain.write_set()
    told = chain.send_and_kill(names, step)
    if not told:
        assert chain.send(names)
    chain.wait_until_closed()
    answer, left = only_answer(chain.site), listing(chain.site, "IN")

    assert (answer.result, answer.codes) == ("1", ())
    assert set() == left
    assert_nothing_left(chain)
    [accepted] = [row["ticket"] for row in chain.submissions() if row["state"] == "accepted"]
    return accepted


def assert_nothing_left(chain: Chain) -> None:
    """No upload, no declaration, no effect is left behind, and nothing was accepted twice."""
    journal = open_journal(chain.site.settings.journal.path)
    with journal.read() as connection:
        pending = [*effects.pending(connection, Kind.ANSWER, 10), *effects.pending(connection, Kind.FORWARD, 10)]
    journal.close()

    assert pending == []
    assert chain.site.spool("declarations/*") == []
    assert chain.site.spool("incoming/*/*/*/*") == []
    states = sorted(row["state"] for row in chain.submissions())
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
    forwarding: Chain, broker: Broker, step: str
) -> None:
    """After the restart there is one answer, and by message id each declaration once."""
    accepted = kill_and_restart(forwarding, step)

    messages = set(consume(broker, forwarding.site.settings.routing.queue))
    assert {f"{accepted}-00000{form}" for form in (1, 2, 3)} == messages
    forwarding.clear_away()


@pytest.mark.parametrize("step", _EMBEDDED)
def test_killed_at_any_step_each_declaration_is_once_in_the_embedded_queue(chain: Chain, step: str) -> None:
    """The embedded queue has no repeats at all."""
    accepted = kill_and_restart(chain, step)

    ids = [message["message_id"] for message in chain.site.listing("queue", "take", "--count", "100")]
    assert [f"{accepted}-00000{form}" for form in (1, 2, 3)] == ids
    chain.clear_away()


@pytest.mark.parametrize("step", _WITH_ANOMALIES)
def test_killed_at_any_step_a_refused_file_has_each_of_its_two_answers_once(chain: Chain, step: str) -> None:
    """The acknowledgement and the notification are there, whole, under one name each, and nothing waits."""
    assert chain.send_and_kill(chain.write_set(three_forms().replace(b">SU<", b">XX<")), step)
    chain.wait_until_closed()
    answer, anomalies = both_answers(chain.site)

    assert ("0", ("ACRF-255",), 3) == (answer.result, answer.codes, len(anomalies))
    assert {answer.ticket} == {anomaly.ticket for anomaly in anomalies}
    assert ["rejected"] == [row["state"] for row in chain.submissions()]
    assert chain.site.listing("queue", "list") == []
    chain.clear_away()


def test_an_answer_that_was_fetched_and_deleted_does_not_come_again(chain: Chain) -> None:
    """Killed between placing an answer and recording it, the gateway knows that its sender has deleted it."""
    fetched = []

    def fetch_and_delete() -> None:
        fetched.append(only_answer(chain.site))
        chain.site.sftp("cd OUT", "rm *")

    chain.send_and_kill(chain.write_set(), "all of the answer placed", fetch_and_delete)
    chain.wait_until_closed()

    assert ["1"] == [answer.result for answer in fetched]
    assert set() == listing(chain.site, "OUT")
    chain.site.listing("queue", "take", "--count", "100")
    chain.clear_away()
