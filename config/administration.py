"""What an operator can set of the register, and of the interface that operators' programs speak to."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from config.credential import is_reference
from config.section import Count, Port, Seconds, Section, as_path, as_tuple


class Parties(Section):
    """Rules of the register of enterprises, mandates and senders; days are those before an expiry."""

    warn_days: tuple[Annotated[int, Field(ge=1, le=365)], ...] = (60, 30, 7)

    _lists = field_validator("warn_days", mode="before")(as_tuple)


class Evidence(Section):
    """A checkpoint over the journal's events is made of so many, or once the oldest unsealed has waited so long.

    While one has waited for ``max_unsealed_seconds``, nothing is taken in.  ``copy_folder`` has a second copy of every
    checkpoint.
    """

    seal_seconds: Seconds = 300.0
    seal_events: Annotated[int, Field(ge=1, le=10_000)] = 10_000
    max_unsealed_seconds: Seconds = 3600.0
    copy_folder: Path | None = None

    _path = field_validator("copy_folder", mode="before")(as_path)

    @model_validator(mode="after")
    def _has_time_to_seal(self) -> Self:
        if self.max_unsealed_seconds <= self.seal_seconds:
            raise ValueError("max_unsealed_seconds must be more than seal_seconds")
        return self


class Promised(Section):
    """What is promised of a day: a ``share`` (0 to 1) of answers, and of receipts, within so many seconds."""

    share: Annotated[float, Field(gt=0, le=1)] = 0.999
    answer_seconds: Seconds = 60.0
    receipt_seconds: Seconds = 5.0


class Operations(Section):
    """The interface for operators' programs: a Unix socket, or an address of the loopback; neither means none.

    The status page stands there too, for who shows an operator's token or what is in the file ``status_token``.
    """

    socket: Path | None = None
    host: str = "127.0.0.1"
    port: Port | None = None
    token_days: Count = 90
    trust_socket: bool = False
    status_page: bool = False
    status_token: Path | Annotated[str, Field(pattern="^credential:.")] | None = None
    status_hours: Annotated[int, Field(ge=1, le=2160)] = 12

    _path = field_validator("socket", mode="before")(as_path)

    @field_validator("status_token", mode="before")
    @classmethod
    def _file_or_credential(cls, value: object) -> object:
        return value if isinstance(value, str) and is_reference(value) else as_path(value)

    @model_validator(mode="after")
    def _page_stands_somewhere(self) -> Self:
        if self.status_page and self.socket is None and self.port is None:
            raise ValueError("status_page needs a socket or a port")
        return self

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
