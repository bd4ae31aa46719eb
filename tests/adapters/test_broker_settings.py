"""What `gateway check-config` says of settings of messages that `serve` would refuse, each told by its key."""

import asyncio

import pytest

from config.errors import ConfigurationError
from gateway.daemon import serve
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
    with pytest.raises(ConfigurationError, match=fault):
        asyncio.run(serve(site.settings))
