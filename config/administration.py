"""What an operator can set of the register, and of the interface that operators' programs speak to."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from config.section import Count, Port, Seconds, Section, as_path, as_tuple


class Parties(Section):
    """Rules of the register of enterprises, mandates and senders; days are those before an expiry."""

    warn_days: tuple[Annotated[int, Field(ge=1, le=365)], ...] = (60, 30, 7)

    _lists = field_validator("warn_days", mode="before")(as_tuple)


class Evidence(Section):
    """A checkpoint over the journal's events is made of so many, or once the oldest unsealed has waited so long."""

    seal_seconds: Seconds = 300.0
    seal_events: Annotated[int, Field(ge=1, le=10_000)] = 10_000


class Operations(Section):
    """The interface for operators' programs: a Unix socket, or an address of the loopback; neither means none."""

    socket: Path | None = None
    host: str = "127.0.0.1"
    port: Port | None = None
    token_days: Count = 90
    trust_socket: bool = False

    _path = field_validator("socket", mode="before")(as_path)

    @field_validator("host")
    @classmethod
    def _is_loopback(cls, value: str) -> str:
        try:
            address = ip_address(value)
        except ValueError:
            raise ValueError("must be an address, such as 127.0.0.1") from None
        if not address.is_loopback:
            raise ValueError("must be an address of the loopback; what comes from elsewhere needs a proxy with TLS")
        return value
