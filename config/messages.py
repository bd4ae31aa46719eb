"""What an operator can set of messages: the broker, the door of message queues, routing and the way back."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from config.credential import is_reference
from config.section import Count, Port, Seconds, Section, as_path, as_tuple


class Broker(Section):
    """The RabbitMQ that messages go through; no ``urls`` means that there is none.

    The addresses are tried one after the other.  With ``amqps`` the broker's certificate is held against ``authority``.
    """

    urls: tuple[SecretStr, ...] = ()
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    heartbeat_seconds: Annotated[int, Field(ge=5, le=600)] = 30
    blocked_seconds: Seconds = 60.0

    _lists = field_validator("urls", mode="before")(as_tuple)
    _paths = field_validator("authority", "certificate", "key", mode="before")(as_path)

    @field_validator("urls")
    @classmethod
    def _are_amqp(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        named = (url.get_secret_value() for url in value)
        if any(urlsplit(url).scheme not in {"amqp", "amqps"} for url in named if not is_reference(url)):
            raise ValueError("must begin with amqp:// or amqps://, or be credential:NAME")
        return value


class MessageProfile(Section):
    """A channel whose users sign by the channel itself, such as Isabel; ``users`` are names of technical users."""

    name: Annotated[str, Field(pattern="^[a-z][a-z0-9-]{0,30}$")]
    users: Annotated[tuple[Annotated[str, Field(pattern="^[0-9A-Za-z._-]{1,64}$")], ...], Field(min_length=1)]

    _lists = field_validator("users", mode="before")(as_tuple)


class Mq(Section):
    """The door of message queues: what is taken from it, and who answers the broker's questions about users."""

    enabled: bool = False
    exchange: str = "batch.in"
    answers: str = "batch.out"
    prefetch: Annotated[int, Field(ge=1, le=1000)] = 256
    max_message_bytes: Count = 64 * 1024**2
    max_waiting_sets: Count = 32
    parts_grace_seconds: Seconds = 60.0
    delivery_limit: Annotated[int, Field(ge=1, le=100)] = 5
    max_queue_bytes: Count | None = None
    access_host: str = "127.0.0.1"
    access_exposed: bool = False
    access_port: Port | None = None
    management: SecretStr | None = None
    profiles: tuple[MessageProfile, ...] = ()

    _lists = field_validator("profiles", mode="before")(as_tuple)

    @field_validator("management")
    @classmethod
    def _is_http(cls, value: SecretStr | None) -> SecretStr | None:
        url = "" if value is None else value.get_secret_value()
        if value is not None and not is_reference(url) and urlsplit(url).scheme not in {"http", "https"}:
            raise ValueError("must begin with http:// or https://, or be credential:NAME")
        return value

    @field_validator("profiles")
    @classmethod
    def _are_distinct(cls, value: tuple[MessageProfile, ...]) -> tuple[MessageProfile, ...]:
        if len({profile.name for profile in value}) < len(value):
            raise ValueError("two profiles have one name")
        users = [user for profile in value for user in profile.users]
        if twice := sorted({user for user in users if users.count(user) > 1}):
            raise ValueError(f"named twice: {', '.join(twice)}")
        return value

    @model_validator(mode="after")
    def _says_that_it_is_exposed(self) -> Self:
        if self.access_port is not None and not self.access_exposed and not _is_loopback(self.access_host):
            raise ValueError(
                "access_host is no address of the loopback; passwords come there: say access_exposed = true"
            )
        return self


class Route(Section):
    """Where declarations of some kind go: the first route all of whose conditions hold.

    An empty condition holds for every declaration; ``payload`` is the form, the file it came in, or a reference to it.
    """

    message_types: tuple[str, ...] = ()
    environments: tuple[Literal["R", "T", "S"], ...] = ()
    employers: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()
    exchange: str | None = None
    key: str | None = None
    payload: Literal["form", "file", "reference"] = "form"

    _lists = field_validator("message_types", "environments", "employers", "senders", mode="before")(as_tuple)


class Routing(Section):
    """Where accepted declarations go; without a broker: onto the embedded queue."""

    exchange: str = "declarations"
    queue: str = "declarations"
    alternate: str = "declarations.unrouted"
    declare: bool = True
    confirm_seconds: Seconds = 30.0
    window: Annotated[int, Field(ge=1, le=10_000)] = 200
    max_waiting_bytes: Count = 8 * 1024**3
    max_attempts: Count = 8
    retry_seconds: Seconds = 5.0
    retry_ceiling_seconds: Seconds = 900.0
    routes: tuple[Route, ...] = ()

    _lists = field_validator("routes", mode="before")(as_tuple)


class WayBack(Section):
    """Messages of institutions: where they are taken from, and how many at a time."""

    enabled: bool = False
    queue: str = "batch.back"
    prefetch: Annotated[int, Field(ge=1, le=1000)] = 32
    max_message_bytes: Count = 64 * 1024**2


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name may come to mean another address
        return False


def without_broker(broker: Broker, mq: Mq, back: WayBack) -> list[str]:
    """The faults of sections that are enabled and have no broker to take messages from."""
    enabled = {"mq": mq.enabled, "back": back.enabled}
    return [f"{name}.enabled: broker.urls names no broker" for name, on in enabled.items() if on and not broker.urls]
