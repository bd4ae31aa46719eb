"""What an operator can set of traces (OpenTelemetry): where they go, and of how many submissions."""

from ipaddress import ip_address
from typing import Annotated

from pydantic import Field, HttpUrl, SecretStr, field_validator

from config.section import Count, Seconds, Section

_NAME = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$"  # RFC 9110, 5.6.2


class Traces(Section):
    """The collector that spans are sent to (OTLP over HTTP); without an ``endpoint`` there are none.

    ``share`` (0 to 1) of all submissions are traced. ``headers`` go with every request; a value may be
    ``credential:NAME`` of systemd.  At most ``max_waiting`` spans wait, ``seconds`` is for one request, and
    ``stop_seconds`` for what is left when the gateway stops.
    """

    endpoint: HttpUrl | None = None
    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    headers: dict[Annotated[str, Field(pattern=_NAME)], SecretStr] = Field(default_factory=dict)
    every_seconds: Seconds = 5.0
    seconds: Seconds = 10.0
    max_waiting: Annotated[Count, Field(le=100_000)] = 4096
    stop_seconds: Seconds = 3.0

    @field_validator("endpoint")
    @classmethod
    def _is_safe(cls, value: HttpUrl | None) -> HttpUrl | None:
        if value is not None and value.scheme == "http" and not _is_loopback(value.host or ""):
            raise ValueError("must be https, or http at an address of the loopback: the headers hold secrets")
        if value is not None and (value.username or value.password):
            raise ValueError("a password belongs into headers, as a credential")
        return value


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:  # a name may come to mean another address
        return False
