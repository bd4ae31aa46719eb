"""Who is a person of the register, and what may be changed of his data and his password?

A person belongs to one enterprise and stands in the register by a role, which ``roles`` gives; nobody is entered
without one.  User names are those of technical users too, and never given again.  Of an INSS only the mark is kept.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register import passwords, standing
from gateway.register.actor import Actor, Operator, Refusal, Why, unknown_person
from gateway.register.history import record
from gateway.register.passwords import FirstPassword
from gateway.register.rights import Act, Role
from gateway.register.standing import ACTIVE, Holding, holdings
from gateway.user_names import NAME_RULE, is_user_name
from schemas.wording import Language
from spool.journal import now
from spool.register_tables import persons
from spool.tables import technical_users

BLOCKED: Final = "blocked"
LOST: Final = "lost"
DELETED: Final = "deleted"

_LONGEST_NAME: Final = 100
_LONGEST_TITLE: Final = 20
_MOST_EMAILS: Final = 5
_EMAIL: Final = re.compile(r"[^\s@\x00-\x1f\x7f<>(),;:\\\"]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody to be entered, with a role; ``inss_mark`` is that of :func:`gateway.register.inss.mark`."""

    username: str
    last_name: str
    first_name: str
    title: str = ""
    language: str = Language.FR
    emails: tuple[str, ...] = ()
    inss_mark: str | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """A person as the register has him; ``state`` is active, blocked, lost or deleted."""

    username: str
    enterprise: str
    last_name: str
    first_name: str
    title: str
    language: str
    emails: tuple[str, ...]
    state: str
    created_at: int
    has_inss: bool


@dataclass(frozen=True, slots=True)
class Edits:
    """What is to be changed of a person's data; None stays.  Names and title are changed by operators only."""

    language: str | None = None
    emails: tuple[str, ...] | None = None
    last_name: str | None = None
    first_name: str | None = None
    title: str | None = None


def find(connection: Connection, username: str) -> Registered | None:
    """The person of this user name, deleted ones included, or None."""
    row = connection.execute(PERSONS.where(persons.c.username == username)).first()
    return None if row is None else registered(row)


def faults_of(who: Candidate) -> Iterator[str]:
    """Everything that is wrong with what is said of a person, each as a sentence."""
    if not is_user_name(who.username):
        yield NAME_RULE
    for name, what in ((who.last_name, "last name"), (who.first_name, "first name")):
        if not 0 < len(name.strip()) <= _LONGEST_NAME or not name.isprintable():
            yield f"a {what} has 1 to {_LONGEST_NAME} characters"
    if len(who.title.strip()) > _LONGEST_TITLE or not who.title.isprintable():
        yield f"a title has {_LONGEST_TITLE} characters at most"
    if who.language not in list(Language):
        yield f"a language is one of {', '.join(Language)}"
    if len(who.emails) > _MOST_EMAILS or not all(map(_EMAIL.fullmatch, who.emails)):
        yield f"e-mail addresses look like name@example.org, and are {_MOST_EMAILS} at most"


def entry_refusal(connection: Connection, enterprise: str, who: str | Candidate) -> Refusal | None:
    """Why this person cannot get a role in the enterprise, or None; nothing is changed.

    Args:
        connection: a transaction's.
        enterprise: the number of the enterprise; a third party can hold no role in it.
        who: a known user name, or somebody to be entered.
    """
    if isinstance(who, str):
        known = find(connection, who)
        if known is None or known.enterprise != enterprise:
            return Refusal(Why.UNKNOWN, f"there is no person {who} in enterprise {enterprise}")
        return Refusal(Why.CONFLICT, f"{who} is blocked") if known.state in {BLOCKED, LOST} else None
    wrong = tuple(faults_of(who))
    if wrong:
        return Refusal(Why.INVALID, "; ".join(wrong))
    if is_taken(connection, who.username):
        return Refusal(Why.CONFLICT, f"the user name {who.username} is taken")
    again = (persons.c.inss_mark == who.inss_mark) & (persons.c.enterprise == enterprise)
    if who.inss_mark and connection.execute(PERSONS.where(again, persons.c.state != DELETED)).first() is not None:
        return Refusal(Why.CONFLICT, "this person has a user name in the enterprise already")
    return None


def enter(connection: Connection, actor: Actor, enterprise: str, who: str | Candidate, reason: str) -> str:
    """Enter a person to whom :func:`entry_refusal` had nothing to say; answers the user name.

    A deleted one comes back by a new role, with no password: a first one has to be given.
    """
    if isinstance(who, str):
        known = find(connection, who)
        if known is not None and known.state == DELETED:
            set_state(connection, actor, who, ACTIVE, reason)
        return who
    data = {
        "enterprise": enterprise,
        "last_name": who.last_name.strip(),
        "first_name": who.first_name.strip(),
        "title": who.title.strip(),
        "language": who.language,
        "emails": list(who.emails),
    }
    values = {"username": who.username, "inss_mark": who.inss_mark, "state": ACTIVE, "created_at": now()}
    connection.execute(sa.insert(persons).values(**data, **values))
    after = {**data, "has_inss": who.inss_mark is not None}
    record(connection, actor, "person.registered", f"person:{who.username}", reason, None, after)
    return who.username


def set_state(connection: Connection, actor: Actor, username: str, state: str, reason: str) -> None:
    """Write down the state of an account; whether the actor may was asked before."""
    before = connection.execute(sa.select(persons.c.state).where(persons.c.username == username)).scalar()
    if before == state:
        return
    connection.execute(sa.update(persons).where(persons.c.username == username).values(state=state))
    act = "person.unblocked" if state == ACTIVE else f"person.{state}"
    record(connection, actor, act, f"person:{username}", reason, {"state": before}, {"state": state})


def is_taken(connection: Connection, username: str) -> bool:
    """Whether a user name is, or ever was, a person's or a technical user's."""
    names = (
        sa.select(persons.c.username).where(persons.c.username == username),
        sa.select(technical_users.c.username).where(technical_users.c.username == username),
    )
    return any(connection.execute(query).first() is not None for query in names)


# --- acts


def see(connection: Connection, actor: Actor, username: str) -> tuple[Registered, list[Holding]] | Refusal:
    """A person's data and roles: his own, or those of somebody whose roles the actor manages."""
    known = find(connection, username)
    if known is None:
        return unknown_person(username)
    refused = _own_or(connection, actor, known) and standing.refusal_over(connection, actor, username)
    return refused or (known, holdings(connection, username=username))


def edit(connection: Connection, actor: Actor, username: str, edits: Edits, *, reason: str) -> Registered | Refusal:
    """Change a person's data: one's own, or those of somebody who is nothing but a user where the actor manages users.

    Language and e-mail addresses; an operator changes names and title too.
    """
    known = find(connection, username)
    if known is None or known.state == DELETED:
        return unknown_person(username)
    refused = _own_or(connection, actor, known) and _edit_refusal(connection, actor, username)
    if refused is not None:
        return refused
    if not isinstance(actor, Operator) and (edits.last_name or edits.first_name or edits.title is not None):
        return Refusal(Why.NOT_ALLOWED, "only an operator of the gateway changes names and titles")
    wanted = {name: value for name in _EDITABLE if (value := getattr(edits, name)) is not None}
    names = {name: wanted.get(name, getattr(known, name)) for name in _EDITABLE}
    wrong = tuple(faults_of(Candidate(username, **names)))
    if wrong:
        return Refusal(Why.INVALID, "; ".join(wrong))
    before = {name: getattr(known, name) for name in wanted if getattr(known, name) != wanted[name]}
    if before:
        after = {name: list(wanted[name]) if name == "emails" else wanted[name] for name in before}
        connection.execute(sa.update(persons).where(persons.c.username == username).values(**after))
        record(connection, actor, "person.changed", f"person:{username}", reason, _listed(before), after)
    return find(connection, username) or unknown_person(username)


def give_password(
    connection: Connection, actor: Actor, username: str, first: FirstPassword, *, reason: str
) -> Registered | Refusal:
    """Give a person a first password; who gives it manages every role of the person.  A blocked account gets none."""
    known = find(connection, username)
    if known is None or known.state == DELETED:
        return unknown_person(username)
    refused = standing.refusal_over(connection, actor, username)
    if refused is not None:
        return refused
    if known.state != ACTIVE:
        return Refusal(Why.CONFLICT, f"{username} is blocked: unblock it first, on a written request")
    passwords.give(connection, username, first)
    record(connection, actor, "person.password_given", f"person:{username}", reason, None, None)
    return known


def change_password(connection: Connection, actor: Actor, username: str, kept: str) -> Registered | Refusal:
    """Take the password that a person has chosen, of which ``kept`` is kept; nobody chooses another's.

    That he knew the old one, and that the new one fits the rules, :class:`gateway.register.passwords.Passwords` has
    found out before.
    """
    known = find(connection, username)
    if known is None or known.state == DELETED:
        return unknown_person(username)
    if isinstance(actor, Operator):
        return Refusal(Why.NOT_ALLOWED, "a password is chosen by the person alone; an operator gives a first one")
    refused = standing.refusal(connection, actor, Act.OWN, enterprise=known.enterprise, own=username)
    if refused is not None:
        return refused
    passwords.choose(connection, username, kept)
    record(connection, actor, "person.password_changed", f"person:{username}", "own password", None, None)
    return known


# --- inside


def registered(row: sa.Row[*tuple[Any, ...]]) -> Registered:
    """A row of ``PERSONS``."""
    username, enterprise, last_name, first_name, title, language, emails, state, created_at, mark = row
    return Registered(
        username,
        enterprise,
        last_name,
        first_name,
        title,
        language,
        tuple(emails),
        state,
        created_at,
        has_inss=mark is not None,
    )


PERSONS: Final = sa.select(
    persons.c.username,
    persons.c.enterprise,
    persons.c.last_name,
    persons.c.first_name,
    persons.c.title,
    persons.c.language,
    persons.c.emails,
    persons.c.state,
    persons.c.created_at,
    persons.c.inss_mark,
)

_EDITABLE: Final = ("language", "emails", "last_name", "first_name", "title")


def _own_or(connection: Connection, actor: Actor, known: Registered) -> Refusal | None:
    return standing.refusal(connection, actor, Act.OWN, enterprise=known.enterprise, own=known.username)


def _edit_refusal(connection: Connection, actor: Actor, username: str) -> Refusal | None:
    refused = standing.refusal_over(connection, actor, username)
    if refused is None and any(item.role is not Role.USER for item in holdings(connection, username=username)):
        return Refusal(Why.NOT_ALLOWED, f"{username} is more than a user, and changes his own data himself")
    return refused


def _listed(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
