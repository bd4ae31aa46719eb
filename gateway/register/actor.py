"""Who asks for an act, and in what words is he refused?  Pure.

An operator of the gateway may do every act; a person what the table of rights says.  A refusal is a value: what is
refused has not happened, and nothing of it is written.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of the gateway, by the name he has on the machine or on his token."""

    name: str


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the register, by user name; that it is he indeed was found out before."""

    username: str


Actor = Operator | Person


def label(actor: Actor) -> str:
    """How the history calls an actor: ``operator:NAME``, or the user name, in which there is no colon."""
    match actor:
        case Operator(name):
            return f"operator:{name}"
        case Person(username):
            return username
    assert_never(actor)


class Why(StrEnum):
    """Of what kind a refusal is.

    ``UNKNOWN`` there is no such thing, or it is another's: the same words for both.  ``NOT_ALLOWED`` it is the actor's
    own enterprise, but the table says no.  ``CONFLICT`` as things stand it cannot be.  ``INVALID`` it is never right.
    """

    UNKNOWN = "unknown"
    NOT_ALLOWED = "not-allowed"
    CONFLICT = "conflict"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An act that was refused, and why, in a sentence for the actor."""

    why: Why
    words: str


def unknown_enterprise(number: str) -> Refusal:
    """What is answered for an enterprise that isn't there, and for one that is not the actor's."""
    return Refusal(Why.UNKNOWN, f"there is no enterprise {number}")


def unknown_quality(number: int) -> Refusal:
    """What is answered for a quality that isn't there, and for one that is not the actor's enterprise's."""
    return Refusal(Why.UNKNOWN, f"there is no quality {number}")


def unknown_person(username: str) -> Refusal:
    """What is answered for a person who isn't there, and for one that is not the actor's to see."""
    return Refusal(Why.UNKNOWN, f"there is no person {username}")
