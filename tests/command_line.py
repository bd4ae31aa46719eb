"""The command ``gateway`` without a process of its own, for tests of what it does and prints and not of how it ends."""

from click.testing import CliRunner, Result

from gateway.cli import gateway
from tests.gateway_process import Site


def typed(site: Site, *words: str) -> Result:
    """What ``gateway`` with ``words`` answers on ``site``."""
    return CliRunner(env={"GATEWAY_CONFIG": str(site.settings_file)}).invoke(gateway, words)


def done(site: Site, *words: str) -> str:
    """What ``gateway`` with ``words`` prints on ``site``; it has to succeed."""
    result = typed(site, *words)
    assert 0 == result.exit_code, result.output
    return result.stdout


def move_to_postgresql(site: Site, url: str) -> None:
    """Copy the journal of ``site`` into the empty database at ``url``, and have the site use that."""
    done(site, "journal", "copy", "--to", url)
    site.configure('# url = "postgresql://gateway:password@127.0.0.1:5432/gateway"', f'url = "{url}"')
