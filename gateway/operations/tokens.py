"""Who is it that shows a token at the interface for programs?

A token is a random number of 256 bits, shown once, when it is given; only its SHA-256 is kept, for nobody can find a
number of that size by trying.  It acts as a person of the register, with that person's rights and no others, or as an
operator.  It stops when it is revoked, when it expires, and at once when its person is blocked or deleted, or the
person's enterprise ends.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register.actor import Actor, Operator, Person, Refusal, Why, unknown_person
from gateway.register.history import record
from gateway.register.standing import ACTIVE, own_enterprise
from spool.journal import now
from spool.register_tables import api_tokens, enterprises, persons

_BEGINNING: Final = "gwt_"
_BYTES: Final = 32
_NAME: Final = re.compile("[0-9a-f]{8,64}")
LONGEST_LABEL: Final = 60


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token: its SHA-256 in hex, the person it acts as or None for an operator, times (microseconds).

    ``label`` is what it is for; an operator's acts are written down under it.
    """

    mark: str
    username: str | None
    label: str
    created_at: int
    valid_to: int
    revoked_at: int | None

    @property
    def name(self) -> str:
        """What a token is called in listings and logs: the beginning of its mark, which opens nothing."""
        return self.mark[:12]

    def state(self, at: int) -> Literal["active", "expired", "revoked"]:
        """Whether it is good at ``at``, as far as it alone says: ``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if at < self.valid_to else "expired"


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who shows a token, and which one it is."""

    actor: Actor
    token: Token


def give(
    connection: Connection, actor: Actor, username: str | None, label: str, valid_to: int, *, reason: str
) -> str | Refusal:
    """A new token, which is told here and never again.

    Args:
        connection: the transaction in which it is given.
        actor: who gives it.
        username: the person it acts as; None for an operator's.
        label: what it is for; an operator's acts are written down under it.
        valid_to: when it stops (microseconds).
        reason: why it is given.
    """
    if username is not None and own_enterprise(connection, username) is None:
        return unknown_person(username)
    if not 0 < len(label) <= LONGEST_LABEL or not label.isprintable():
        return Refusal(Why.INVALID, f"a label has 1 to {LONGEST_LABEL} characters, all of which can be printed")
    word = _BEGINNING + secrets.token_urlsafe(_BYTES)
    token = Token(_mark(word), username, label, now(), valid_to, None)
    connection.execute(sa.insert(api_tokens).values(**asdict(token)))
    record(connection, actor, "token.given", f"token:{token.name}", reason, None, _facts(token))
    return word


def bearer(connection: Connection, word: str, at: int) -> Bearer | None:
    """Who shows ``word`` at ``at`` (microseconds), or None; the same question of the database whatever the answer."""
    return holder(connection, _mark(word), at)


def holder(connection: Connection, mark: str, at: int) -> Bearer | None:
    """Whom the token of this mark stands for at ``at`` (microseconds), or None if it is not good, or there is none."""
    query = (
        sa.select(
            api_tokens.c.mark,
            api_tokens.c.username,
            api_tokens.c.label,
            api_tokens.c.created_at,
            api_tokens.c.valid_to,
            api_tokens.c.revoked_at,
            persons.c.state,
            enterprises.c.state,
        )
        .join(persons, persons.c.username == api_tokens.c.username, isouter=True)
        .join(enterprises, enterprises.c.number == persons.c.enterprise, isouter=True)
        .where(api_tokens.c.mark == mark)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    token = Token(*row[:6])
    if not hmac.compare_digest(token.mark, mark) or token.state(at) != "active":
        return None
    if token.username is None:
        return Bearer(Operator(token.label), token)
    return Bearer(Person(token.username), token) if row[6] == row[7] == ACTIVE else None


def tokens(
    connection: Connection, *, username: str | None = None, after: str = "", limit: int | None = None
) -> Iterator[Token]:
    """Every token, or those of a person, in order of their giving.

    Args:
        connection: a transaction's.
        username: only those of this person.
        after: only those given after the one of this name (12 digits); for reading page by page.
        limit: so many at most.
    """
    order = sa.tuple_(api_tokens.c.created_at, api_tokens.c.mark)
    mine = sa.true() if username is None else api_tokens.c.username == username
    query = _TOKENS.where(mine).order_by(api_tokens.c.created_at, api_tokens.c.mark).limit(limit)
    if after:
        last = connection.execute(_TOKENS.where(mine, _begins(after)).limit(1)).first()
        if last is None:
            return
        query = query.where(order > sa.tuple_(sa.literal(last.created_at), sa.literal(last.mark)))
    for row in connection.execute(query):
        yield Token(*row)


_TOKENS: Final = sa.select(
    api_tokens.c.mark,
    api_tokens.c.username,
    api_tokens.c.label,
    api_tokens.c.created_at,
    api_tokens.c.valid_to,
    api_tokens.c.revoked_at,
)


def _begins(name: str) -> sa.ColumnElement[bool]:
    """That the mark of a token begins so, in hex; as a range, for which an index is good."""
    return (api_tokens.c.mark >= name) & (api_tokens.c.mark < f"{name}g")


def revoke(connection: Connection, actor: Actor, name: str, *, at: int, reason: str) -> Token | Refusal:
    """Let a token stop now; one that was revoked stays revoked since then.

    Args:
        connection: the transaction.
        actor: who does it; a person only with tokens of its own.
        name: the beginning of its mark, eight characters or more.
        at: now (microseconds).
        reason: why.
    """
    mine = api_tokens.c.username == actor.username if isinstance(actor, Person) else sa.true()
    query = _TOKENS.where(mine, _begins(name)).limit(2)
    found = [Token(*row) for row in connection.execute(query)] if _NAME.fullmatch(name) else []
    if len(found) != 1:
        return Refusal(Why.UNKNOWN, f"there is no token {name}")
    token = found[0]
    if token.revoked_at is None:
        connection.execute(sa.update(api_tokens).where(api_tokens.c.mark == token.mark).values(revoked_at=at))
        record(connection, actor, "token.revoked", f"token:{token.name}", reason, _facts(token), None)
        token = replace(token, revoked_at=at)
    return token


def _facts(token: Token) -> dict[str, object]:
    return {"username": token.username, "label": token.label, "valid_to": token.valid_to}


def _mark(word: str) -> str:
    return hashlib.sha256(word.encode("utf-8", "surrogateescape")).hexdigest()
