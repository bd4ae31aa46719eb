"""Where does a declaration go, under which key, and as what: the form, its file, or a reference to it?  Pure.

Routes are data of the settings: the first all of whose conditions hold decides, and without one the declaration goes
to the exchange of declarations under ``<environment>.<purpose>.<form code>``.  What is chosen when the declaration is
accepted stays with it, however the settings change; `gateway route explain` says what would be chosen now.

Source: the settings (`config.messages.Route`); AMQP 0-9-1 for what names and keys may be, and for the words of a topic.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from string import Formatter
from typing import Final

from config.errors import ConfigurationError
from config.messages import Route, Routing
from schemas.message_type import MessageType

DEFAULT_KEY: Final = "{environment}.{purpose}.{form_code}"
UNNAMED: Final = "-"
"""The word of a form that has no Identification."""

_MAX_NAME: Final = 127
"""Bytes of an exchange's name."""
_MAX_KEY: Final = 255
_LONGEST_VALUES: Final = {"environment": 1, "purpose": 4, "form_code": 40, "sender": 6}
_EMPLOYER: Final = re.compile("(?=.*[1-9])[0-9]{1,10}")
_SENDER: Final = re.compile("[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Declared:
    """What routes look at of one declaration: ``employers`` are the numbers that it names, without zeros before."""

    environment: str
    purpose: str
    form_code: str
    sender: str
    employers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a declaration goes; ``route`` is the place of the route in the settings from 1, 0 if none fits."""

    route: int
    exchange: str
    key: str
    payload: str = "form"


def place(declared: Declared, routing: Routing) -> Place:
    """Where ``declared`` goes."""
    for number, route in enumerate(routing.routes, 1):
        if unmet(declared, route) is None:
            key = _filled(route.key or DEFAULT_KEY, declared)
            return Place(number, route.exchange or routing.exchange, key, route.payload)
    return Place(0, routing.exchange, _filled(DEFAULT_KEY, declared))


def unmet(declared: Declared, route: Route) -> str | None:
    """The first condition of ``route`` that ``declared`` does not meet, in words; None if it fits."""
    if route.environments and declared.environment not in route.environments:
        return f"environment {declared.environment} is none of {_listed(route.environments)}"
    if route.message_types and not {declared.purpose, declared.form_code} & set(route.message_types):
        return f"type {declared.purpose}, {declared.form_code} is none of {_listed(route.message_types)}"
    if route.senders and declared.sender not in route.senders:
        return f"sender {declared.sender} is none of {_listed(route.senders)}"
    if route.employers and not set(declared.employers) & {number.lstrip("0") for number in route.employers}:
        return f"it names none of the employers {_listed(route.employers)}"
    return None


def faults(routing: Routing, types: Collection[str]) -> list[str]:
    """Everything that is wrong with the settings of routes, each in words that name the setting.

    Args:
        routing: the settings.
        types: every purpose and form code that declarations may have.
    """
    found = [f"routing.exchange: {fault}" for fault in _name_faults(routing.exchange)]
    if routing.alternate:
        found += [f"routing.alternate: {fault}" for fault in _name_faults(routing.alternate)]
    if routing.alternate == routing.exchange:
        found.append("routing.alternate: has to be another exchange than routing.exchange")
    unconditional = 0
    for number, route in enumerate(routing.routes, 1):
        found += [f"routing.routes, number {number}: {fault}" for fault in _route_faults(route, types)]
        if unconditional:
            found.append(f"routing.routes, number {number}: never used, for number {unconditional} fits everything")
        elif not (route.message_types or route.environments or route.employers or route.senders):
            unconditional = number
    return found


def check(routing: Routing, types: Iterable[MessageType]) -> None:
    """Refuse settings of routes that cannot be meant.

    Raises:
        ConfigurationError: with every fault.
    """
    words = {word for kind in types for word in (kind.purpose, *kind.form_codes)}
    if found := faults(routing, words):
        raise ConfigurationError(found)


def _route_faults(route: Route, types: Collection[str]) -> Iterator[str]:
    for kind in route.message_types:
        if kind not in types:
            yield f"message_types: {kind!r} is neither a purpose nor the code of a form of a known type"
    employers = (number for number in route.employers if not _EMPLOYER.fullmatch(number))
    yield from (f"employers: {number!r} is no number of an employer" for number in employers)
    senders = (number for number in route.senders if not _SENDER.fullmatch(number))
    yield from (f"senders: {number!r} does not have six digits" for number in senders)
    if route.exchange is not None:
        yield from (f"exchange: {fault}" for fault in _name_faults(route.exchange))
    if route.key is not None:
        yield from (f"key: {fault}" for fault in _key_faults(route.key))


def _name_faults(name: str) -> Iterator[str]:
    if not name or not name.isprintable() or len(name.encode()) > _MAX_NAME:
        yield f"{name!r} is no name of an exchange: 1 to {_MAX_NAME} bytes that can be printed"
    elif name.startswith("amq."):
        yield f"{name!r} is the broker's own"


def _key_faults(template: str) -> Iterator[str]:
    try:
        pieces = list(Formatter().parse(template))
    except ValueError as fault:
        yield f"{template!r} cannot be read: {fault}"
        return
    longest = 0
    for text, name, specification, conversion in pieces:
        longest += len(text.encode()) + _LONGEST_VALUES.get(name or "", 0)
        if name is not None and name not in _LONGEST_VALUES:
            yield f"{template!r} has the unknown placeholder {{{name}}}; known are {_listed(_LONGEST_VALUES)}"
        elif specification or conversion:
            yield f"{template!r} may not say how {{{name}}} is written"
    if not template or not template.isprintable():
        yield f"{template!r} is no routing key"
    if longest > _MAX_KEY:
        yield f"{template!r} may become longer than {_MAX_KEY} bytes"


def _filled(template: str, declared: Declared) -> str:
    return template.format(
        environment=declared.environment,
        purpose=declared.purpose,
        form_code=declared.form_code or UNNAMED,
        sender=declared.sender,
    )


def _listed(words: Collection[str]) -> str:
    return ", ".join(words)
