"""A gateway that is to purge by itself, as a release before let one say it, and of which nobody has said more."""

import json

from tests.command_line import typed
from tests.gateway_process import Site, running


def test_it_starts_is_ready_and_says_that_it_does_not_purge(site: Site) -> None:
    """Once in the log, and in what is asked about settings; it is no fault of them."""
    site.configure("by_itself = false", "by_itself = true", section="retention")
    site.configure("trust_socket = false", "trust_socket = true", section="operations")
    socket = site.folder / "operations.socket"
    site.configure('# socket = "var/operations.socket"', f'socket = "{socket}"', section="operations")
    checked = typed(site, "check-config")
    assert (0, True) == (checked.exit_code, "by_itself" in checked.stderr)
    with running(site) as gateway:
        assert json.loads(site.command("health", "--json").stdout)["ready"]
        assert ["warning"] == [line["level"] for line in gateway.seen if line["event"] == "purge.waiting"]
