"""What may stand in [operations], and what `gateway check-config` says of the rest."""

import pytest
from pydantic import ValidationError

from config.administration import Operations
from tests.command_line import typed
from tests.gateway_process import Site


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1"])
def test_the_loopback_may_be_listened_on(host: str) -> None:
    """In every form it has."""
    assert Operations(host=host, port=0).host == host


@pytest.mark.parametrize("host", ["::", "192.0.2.1", "::ffff:192.0.2.1", "gateway.example", "localhost", ""])
def test_nothing_else_may(host: str) -> None:
    """Not even a name that should be the loopback's: who answers for it is not ours to say."""
    with pytest.raises(ValidationError, match="must be an address"):
        Operations(host=host, port=0)


def test_faults_are_found_before_the_start(site: Site) -> None:
    """All of them, each with its key."""
    assert typed(site, "check-config").exit_code == 0
    site.configure('# socket = "var/operations.socket"', 'socket = "var/missing/operations.socket"')
    missing = typed(site, "check-config")
    site.configure('socket = "var/missing/operations.socket"', 'socket = "gateway.toml"')
    taken = typed(site, "check-config")
    site.configure("# port = 8024", "port = 8024\ntoken_day = 1")
    site.configure('host = "127.0.0.1"\nport = 8024', 'host = "0.0.0.0"\nport = 8024')
    wrong = typed(site, "check-config")

    shared = site.folder / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    site.configure('socket = "gateway.toml"', 'socket = "shared/operations.socket"')
    site.configure('host = "0.0.0.0"\nport = 8024\ntoken_day = 1', 'host = "127.0.0.1"')
    open_to_all = typed(site, "check-config")

    for result in (missing, taken, wrong, open_to_all):
        assert result.exit_code != 0
    assert "anybody may put another socket there" in str(open_to_all.exception)
    assert "operations.socket" in str(missing.exception)
    assert "something else than a socket" in str(taken.exception)
    assert "operations.host: Value error, must be an address of the loopback" in str(wrong.exception)
    assert "operations.token_day: there is no such key" in str(wrong.exception)
