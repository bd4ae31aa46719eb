"""What `gateway check-config` says of settings of messages that `serve` would refuse, each told by its key."""

import asyncio

import pytest

from config.errors import ConfigurationError
from config.roles import ALL
from gateway.daemon import serve
from spool.processes import working
from tests.command_line import typed
from tests.gateway_process import Site

SECTIONS = {
    "mq": ('enabled = false\nexchange = "batch.in"', 'enabled = true\nexchange = "batch.in"'),
    "back": ('enabled = false\nqueue = "batch.back"', 'enabled = true\nqueue = "batch.back"'),
}


@pytest.mark.parametrize("section", SECTIONS)
def test_doors_of_messages_without_a_broker_are_found_before_the_start(site: Site, section: str) -> None:
    """In the words with which the start refuses them."""
    assert typed(site, "check-config").exit_code == 0
    site.configure(*SECTIONS[section])
    fault = f"{section}.enabled: broker.urls names no broker"
    said = typed(site, "check-config")
    assert isinstance(said.exception, ConfigurationError), said.output
    assert list(said.exception.faults) == [fault]
    with (
        working(site.settings.spool.path, ALL, on_one_host=True) as me,
        pytest.raises(ConfigurationError, match=fault),
    ):
        asyncio.run(serve(site.settings, me))


MQ = 'enabled = false\nexchange = "batch.in"\nanswers = "batch.out"'
MQ_BACK = 'enabled = false\nqueue = "batch.back"'


@pytest.mark.parametrize(
    ("section", "before", "after", "fault"),
    [
        (
            "mq",
            MQ,
            MQ.replace("false", "true").replace("batch.out", "batch.in"),
            "mq.answers: the exchange 'batch.in' is",
        ),
        (
            "routing",
            'exchange = "declarations"',
            'exchange = "batch.dead"',
            "routing.exchange: the exchange 'batch.dead' is",
        ),
        (
            "routing",
            '"declarations.unrouted"',
            '"declarations"',
            "routing.alternate: the queue 'declarations' is already",
        ),
        (
            "back",
            MQ_BACK,
            MQ_BACK.replace("false", "true").replace("batch.back", "declarations"),
            "queue 'declarations' is",
        ),
    ],
)
def test_one_name_for_two_purposes_is_found_before_the_start(
    site: Site, section: str, before: str, after: str, fault: str
) -> None:
    """An exchange of two kinds, a queue of two readers: told by the key that names it last."""
    site.configure("urls = []", 'urls = ["amqp://127.0.0.1:1/"]', section="broker")
    assert typed(site, "check-config").exit_code == 0
    site.configure(before, after, section=section)
    said = typed(site, "check-config")
    assert isinstance(said.exception, ConfigurationError), said.output
    assert fault in " ".join(said.exception.faults)


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("profiles = []", 'profiles = [{ name = "isabel", users = [] }]', "mq.profiles.0.users"),
        ("profiles = []", 'profiles = [{ name = "isabel", users = ["no name"] }]', "mq.profiles.0.users.0"),
        (
            "profiles = []",
            'profiles = [{ name = "isabel", users = ["bank0001"] }, { name = "other", users = ["bank0001"] }]',
            "named twice: bank0001",
        ),
        ("profiles = []", 'profiles = [{ name = "a", users = ["b"] }, { name = "a", users = ["c"] }]', "have one name"),
        ('access_host = "127.0.0.1"', 'access_host = "0.0.0.0"\naccess_port = 8023', "say access_exposed = true"),
        ('access_host = "127.0.0.1"', 'access_host = "localhost"\naccess_port = 8023', "say access_exposed = true"),
    ],
)
def test_odd_profiles_and_an_exposed_address_are_refused(site: Site, before: str, after: str, fault: str) -> None:
    """Nobody vouches for users by a slip, and passwords go over no network unless somebody said so."""
    site.configure(before, after, section="mq")
    said = typed(site, "check-config")
    assert isinstance(said.exception, ConfigurationError), said.output
    assert fault in " ".join(said.exception.faults)


def test_an_address_that_is_said_to_be_exposed_is_taken(site: Site) -> None:
    """A network that is the operator's own."""
    both = 'access_host = "192.0.2.1"\naccess_port = 8023\naccess_exposed = true'
    site.configure('access_host = "127.0.0.1"\naccess_exposed = false', both, section="mq")
    assert typed(site, "check-config").exit_code == 0
