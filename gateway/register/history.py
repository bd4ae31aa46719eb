"""What was changed in the register, by whom, when, why, from what to what?

Every act writes one line in its own transaction; no line is ever changed or removed.  Neither an INSS nor a password
nor a hash of one may be in it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.register import inss
from gateway.register.actor import Actor, label
from spool.journal import now
from spool.register_tables import register_changes

_LONGEST_LABEL: Final = 80
_LONGEST_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Change:
    """One line: ``at`` in microseconds, ``actor`` as :func:`gateway.register.actor.label` says it."""

    number: int
    at: int
    actor: str
    act: str
    subject: str
    reason: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def record(  # noqa: PLR0913, PLR0917 - who, what, to what, why, before and after are what a line consists of
    connection: Connection,
    actor: Actor,
    act: str,
    subject: str,
    reason: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """Write down an act.

    Args:
        connection: the transaction in which the act is done.
        actor: who did it.
        act: what, in a word such as ``person.blocked``; 40 characters at most.
        subject: to what, as ``kind:key``, such as ``enterprise:0123456749``, ``quality:12`` or ``person:annemie01``.
        reason: why, in the actor's words.
        before: what changed of it as it was; None if it wasn't there.
        after: what changed of it as it is; None if it is gone.
    """
    values = {"before": None if before is None else dict(before), "after": None if after is None else dict(after)}
    connection.execute(
        sa.insert(register_changes).values(
            at=now(),
            actor=label(actor)[:_LONGEST_LABEL],
            act=act,
            subject=subject,
            reason=inss.veiled(reason)[:_LONGEST_REASON],
            **values,
        )
    )


def changes(
    connection: Connection,
    *,
    subjects: Collection[str] | sa.CompoundSelect[tuple[str]] | None = None,
    since: int = 0,
    limit: int | None = None,
) -> Iterator[Change]:
    """The changes of these subjects, or of all, from ``since`` (microseconds) on: newest first, ``limit`` at most."""
    columns = register_changes.c
    query = sa.select(
        columns.number,
        columns.at,
        columns.actor,
        columns.act,
        columns.subject,
        columns.reason,
        columns.before,
        columns.after,
    ).order_by(columns.number.desc())
    if since:
        query = query.where(columns.at >= since)
    if subjects is not None:
        query = query.where(columns.subject.in_(subjects))
    for row in connection.execute(query if limit is None else query.limit(limit)):
        yield Change(*row)
