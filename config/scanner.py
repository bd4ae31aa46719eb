"""What an operator can set of the content scanner, which looks at what senders and institutions send."""

from ipaddress import ip_address
from pathlib import PurePosixPath
from typing import Literal

from pydantic import field_validator

from config.section import Count, Seconds, Section, as_tuple

_LONGEST_PATH = 107  # unix(7), sun_path


class Scanner(Section):
    """The clamd that content is shown to; without an ``address`` nothing is scanned.

    ``environments`` are those whose submissions and messages are scanned; ``max_bytes`` is the most that is sent to
    it, and more is held; ``connect_seconds`` and ``seconds`` are for the connection and for a whole conversation.
    """

    address: str | None = None
    environments: tuple[Literal["R", "T", "S"], ...] = ("R", "T", "S")
    max_bytes: Count = 100 * 1024**2
    connect_seconds: Seconds = 5.0
    seconds: Seconds = 60.0
    rest_seconds: Seconds = 5.0

    _lists = field_validator("environments", mode="before")(as_tuple)

    @field_validator("address")
    @classmethod
    def _is_near(cls, value: str | None) -> str | None:
        if value is not None:
            parse_address(value)
        return value

    @property
    def place(self) -> str | tuple[str, int] | None:
        """The path of the socket, or host and port; None where nothing is scanned."""
        return None if self.address is None else parse_address(self.address)


def parse_address(text: str) -> str | tuple[str, int]:
    """The path of ``unix:/path``, or host and port of ``tcp:127.0.0.1:3310`` and ``tcp:[::1]:3310``.

    Raises:
        ValueError: it is neither, or not on this machine: what is scanned goes there unencrypted.
    """
    kind, _, rest = text.partition(":")
    if kind == "unix" and PurePosixPath(rest).is_absolute() and len(rest.encode()) <= _LONGEST_PATH:
        return rest
    host, _, port = rest.rpartition(":")
    if kind != "tcp" or not (port.isascii() and port.isdecimal() and 0 < int(port) < 65536):
        raise ValueError("must be unix:/path or tcp:address:port")
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise ValueError("must be unix:/path or tcp:address:port") from None
    if not address.is_loopback:
        raise ValueError("must be an address of the loopback: declarations go there unencrypted")
    return str(address), int(port)


def too_small_for(scanner: Scanner, largest: int) -> bool:
    """Whether something that is taken in, of ``largest`` bytes, could never be scanned, and would be held for ever."""
    return scanner.address is not None and scanner.max_bytes < largest
