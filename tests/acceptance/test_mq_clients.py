"""The page about messages: each of its clients sends a submission to a real gateway and reads its answer."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pika
import pytest

from channels.ports import Authentication
from gateway import accounts, parties
from gateway.passwords import Hashing, HashingLimits
from spool.journal import open_journal
from tests.authority import Credential, Pki
from tests.gateway_process import SENDER, Site, make_test_site, running, three_forms, today
from tests.guarded_broker import PLUGINS, GuardedBroker

PAGE: Final = (Path(__file__).parents[2] / "docs" / "mq.md").read_text()
USER: Final = "wordholder01"
PASSWORD: Final = "correct-horse-7-battery"


def blocks(heading: str, language: str) -> list[str]:
    """The pieces of code right under a heading of the page, of whichever level."""
    section = PAGE.partition(f"## {heading}\n")[2]
    section = re.split(r"^##+ ", section, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def served(
    guarded_node: GuardedBroker, tmp_path_factory: pytest.TempPathFactory, pki: Pki, signer: Credential
) -> Iterator[Site]:
    """A gateway behind a broker, and a user with a password; `gateway mq` has made what both need."""
    guarded_node.start()
    site = make_test_site(tmp_path_factory.mktemp("served"), pki, signer)
    _empty(guarded_node)
    shutil.rmtree(site.settings.trust.authorities / "test")
    pki.install(site.settings.trust.authorities, "test", "T", "S")
    site.configure("urls = []", f'urls = ["{guarded_node.url}"]')
    site.configure('enabled = false\nexchange = "batch.in"', 'enabled = true\nexchange = "batch.in"')
    site.configure("# access_port = 8023", f"access_port = {guarded_node.access_port}")
    site.configure(
        '# management = "http://gateway-admin:password@127.0.0.1:15672"',
        f'management = "{guarded_node.management_url}"',
    )
    _add_user(site)
    for words in (("mq", "declare"), ("mq", "check")):
        done = site.command(*words)
        assert 0 == done.returncode, done.stderr
    with running(site) as process:
        yield site
        assert "access.ready" in {line["event"] for line in process.seen}
    _empty(guarded_node)


def _add_user(site: Site) -> None:
    hashing = Hashing(HashingLimits())
    journal = open_journal(site.settings.journal.place)
    with journal.write() as connection:
        parties.add_user(connection, SENDER, USER, [])
        accounts.set_authentication(connection, USER, Authentication.PASSWORD)
        accounts.change_password(connection, USER, hashing.hash(PASSWORD))
    journal.close()
    hashing.close()


def _empty(broker: GuardedBroker) -> None:
    """Take away what other tests have left in queues that have one name everywhere."""
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        for name in ("batch.in.R", "batch.in.T", "batch.in.S", f"batch.out.{SENDER}", "batch.dead", "declarations"):
            channel.queue_delete(name)


@pytest.fixture
def desk(served: Site, guarded_node: GuardedBroker, tmp_path: Path, signer: Credential) -> Path:
    """The folder of a sender with its keys and the broker's authority."""
    for name, source in (("broker.pem", guarded_node.authority), ("signer.pem", signer.certificate)):
        shutil.copy(source, tmp_path / name)
    shutil.copy(signer.key, tmp_path / "signer.key")
    return tmp_path


CLIENTS: Final = {
    "amqp-tools": (["sh", "-eu", "-c"], "sh"),
    "pika": ([sys.executable, "-c"], "python"),
    "aio-pika": ([sys.executable, "-c"], "python"),
    "AMQP 1.0: qpid-proton": (["/usr/bin/python3", "-c"], "python"),
}


@pytest.mark.parametrize("heading", CLIENTS)
def test_a_client_of_the_page_sends_a_submission_and_reads_its_answer(
    desk: Path, guarded_node: GuardedBroker, heading: str
) -> None:
    """Sign, publish, wait, read: as the page says it, over TLS, and the answer is that of an accepted file."""
    command, language = CLIENTS[heading]
    name = f"FI.DIMN.{SENDER}.{today()}.{list(CLIENTS).index(heading) + 1:05}.T.1.1"
    (desk / name).write_bytes(three_forms())
    environment = {
        "PATH": os.environ["PATH"],
        "HOST": "localhost",
        "PORT": str(guarded_node.tls_port),
        "USERNAME": USER,
        "PASSWORD": PASSWORD,
        "SENDER": SENDER,
        "NAME": name,
    }
    scripts = blocks("For senders", "sh")
    assert 1 == len(scripts)
    steps = [(["sh", "-eu", "-c"], script) for script in scripts]
    steps += [(command, script) for script in blocks(heading, language)]
    assert len(steps) > 1
    for words, script in steps:
        done = subprocess.run(
            [*words, script], cwd=desk, env=environment, capture_output=True, text=True, timeout=100, check=False
        )
        assert 0 == done.returncode, done.stderr
    answer = (desk / "answer.xml").read_text()
    assert f"<FileName>{name}</FileName>" in answer
    assert "<ResultCode>1</ResultCode>" in answer, answer


def test_the_page_s_settings_of_the_broker_are_those_it_was_tried_with(guarded_node: GuardedBroker) -> None:
    """Each line, but for addresses and ports; and each plugin has its place on the page."""
    [said] = blocks("The broker", "ini")
    used = (guarded_node.folder / "rabbitmq.conf").read_text()

    def bare(text: str) -> set[str]:
        lines = (line for line in text.splitlines() if line and not line.startswith("#"))
        return {re.sub(r"127\.0\.0\.1:\d+", "", line) for line in lines}

    assert bare(said) <= bare(used)
    assert all(plugin in PAGE for plugin in PLUGINS)
