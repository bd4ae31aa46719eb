"""How does a command change what is registered, and say who is not?"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.engine import Connection

from config.settings import Settings
from gateway.accounts import UnknownUserError
from gateway.cli.output import RefusedError
from gateway.parties import UnknownSenderError
from gateway.site import open_site, settings_file


@contextmanager
def changing(config: Path | None) -> Iterator[tuple[Connection, Settings]]:
    """One transaction on the journal of a site; who is unknown is a refusal."""
    settings, journal = open_site(settings_file(config))
    try:
        with journal.write() as connection:
            yield connection, settings
    except UnknownUserError as fault:
        raise RefusedError(f"there is no user {fault}") from None
    except UnknownSenderError as fault:
        raise RefusedError(f"there is no sender {fault}") from None
