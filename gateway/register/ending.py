"""How does a role end, and an account with the last of its roles?

Whether the actor may was asked before; nothing is removed.  An account that ends has no password and no token any more.
"""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register import passwords
from gateway.register.actor import Actor
from gateway.register.history import record
from gateway.register.persons import DELETED, set_state
from gateway.register.standing import Holding, holdings
from spool.journal import now
from spool.register_tables import api_tokens, roles


def end_role(connection: Connection, actor: Actor, holding: Holding, reason: str) -> None:
    """Let a role be over."""
    connection.execute(sa.update(roles).where(roles.c.number == holding.number).values(ended_at=now()))
    record(connection, actor, "role.ended", f"person:{holding.username}", reason, facts(holding), None)


def close_without_role(connection: Connection, actor: Actor, username: str, reason: str) -> None:
    """Delete an account whose last role has ended."""
    if holdings(connection, username=username):
        return
    void(connection, username)
    set_state(connection, actor, username, DELETED, reason)


def void(connection: Connection, username: str) -> None:
    """Let neither the password nor any token of a person be good any more."""
    passwords.void(connection, username)
    good = (api_tokens.c.username == username) & api_tokens.c.revoked_at.is_(None)
    connection.execute(sa.update(api_tokens).where(good).values(revoked_at=now()))


def facts(holding: Holding) -> dict[str, object]:
    """A role as the history writes it."""
    return {
        "role": holding.role,
        "enterprise": holding.enterprise,
        "quality": holding.quality,
        "applications": sorted(holding.applications),
    }
