"""May this user of the broker do that?  What RabbitMQ asks over HTTP, and the answers, which are pure.

A technical user may log in, write to the exchange of the door and to its own entrance, and read the queues of its
sender's answers and notices.  Nobody configures anything, and nobody gets a tag: a tag would open the management
interface, or let its holder write with another's name (``impersonator``).  Source: the protocol of
``rabbitmq_auth_backend_http`` 3.10: four paths with form fields, and the words ``allow`` and ``deny``.

Every question is refused that isn't exactly one of these: fields that are missing, said twice, or too long.  Routing
keys are the broker's business only where it asks about them, which it does for topic exchanges and not for CC headers;
what comes in over the wrong key is refused by who judges it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from channels.mq.topology import entrance, notice_queue, out_queue
from channels.ports import Authentication
from channels.sources import is_within

_LONGEST: Final = 2048
_LONGEST_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class LogIn:
    """May it log in?  Without ``password`` the broker has verified a certificate of that name."""

    username: str
    password: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Enter:
    """May it use a virtual host?  ``source`` is the address it comes from, empty where the broker doesn't know it."""

    username: str
    vhost: str
    source: str


@dataclass(frozen=True, slots=True)
class Use:
    """May it configure, write or read an exchange or a queue?"""

    username: str
    vhost: str
    resource: str
    name: str
    permission: str


@dataclass(frozen=True, slots=True)
class UseKey:
    """May it write or read this routing key of a topic exchange?"""

    username: str
    vhost: str
    name: str
    permission: str
    key: str


Question = LogIn | Enter | Use | UseKey


@dataclass(frozen=True, slots=True)
class Guest:
    """Who it is: a technical user that may log in now, with the environments it may send messages in now.

    ``sources`` are the networks it may come from (CIDR), none for all.
    """

    username: str
    sender: str
    authentication: Authentication
    sources: tuple[str, ...]
    environments: frozenset[str]


@dataclass(frozen=True, slots=True)
class Premises:
    """What the gateway has at the broker: the virtual host, the exchange that is written to, and that of answers."""

    vhost: str
    exchange: str
    answers: str


def read(path: str, fields: Sequence[tuple[str, str]]) -> Question | None:
    """The question that the broker asks at ``path`` with those form fields; None if it is none."""
    said = dict(fields)
    if len(said) != len(fields) or any(len(value) > _LONGEST for value in said.values()):
        return None
    if not 0 < len(said.get("username", "")) <= _LONGEST_NAME or "\0" in said["username"]:
        return None
    try:
        return _read(path, said)
    except KeyError:
        return None


def _read(path: str, said: Mapping[str, str]) -> Question | None:
    username = said["username"]
    match path:
        case "user":
            return LogIn(username, said.get("password"))
        case "vhost":
            return Enter(username, said["vhost"], said["ip"])
        case "resource":
            return Use(username, said["vhost"], said["resource"], said["name"], said["permission"])
        case "topic":
            return UseKey(username, said["vhost"], said["name"], said["permission"], said["routing_key"])
    return None


def allows(question: Enter | Use | UseKey, guest: Guest, premises: Premises) -> bool:
    """Whether ``guest``, whose name the question says, may do that."""
    if question.vhost != premises.vhost:
        return False
    match question:
        case Enter():
            return not guest.sources or is_within(question.source, guest.sources)
        case Use():
            return _may_use(question, guest, premises)
        case UseKey():
            ours = (question.name, question.permission) == (premises.exchange, "write")
            return ours and question.key in guest.environments
    assert_never(question)


def _may_use(question: Use, guest: Guest, premises: Premises) -> bool:
    wanted = (question.resource, question.name, question.permission)
    doors = (premises.exchange, entrance(premises.exchange, guest.username))
    if wanted in (("exchange", name, "write") for name in doors):
        return bool(guest.environments)
    queues = (out_queue(premises.answers, guest.sender), notice_queue(premises.answers, guest.sender))
    return wanted in (("queue", name, "read") for name in queues)


def by_certificate(guest: Guest) -> bool:
    """Whether a certificate of its name is enough for ``guest`` to log in: only where a key is all that it proves.

    The broker tells nothing of a certificate beside a password, so that who must prove both can't log in at all.
    """
    return guest.authentication is Authentication.KEY
