"""Events become a chain, and checkpoints over it are recorded."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from spool.chain import BEGINNING, Link, digest_of

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BATCH: Final = 1000


def upgrade() -> None:
    """Build it; the events there are get the digests that they would have got."""
    op.add_column("events", sa.Column("content", sa.String(length=64), nullable=True))
    op.add_column("events", sa.Column("digest", sa.String(length=64), server_default="", nullable=False))
    op.create_table(
        "checkpoints",
        sa.Column("ordinal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_event", sa.BigInteger(), nullable=False),
        sa.Column("last_event", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ordinal", name=op.f("pk_checkpoints")),
    )
    op.create_index(op.f("ix_checkpoints_last_event"), "checkpoints", ["last_event"], unique=False)
    _chain()


def downgrade() -> None:
    """Take it back; the files of checkpoints stay where they are."""
    op.drop_index(op.f("ix_checkpoints_last_event"), "checkpoints")
    op.drop_table("checkpoints")
    op.drop_column("events", "digest")
    op.drop_column("events", "content")


def _chain() -> None:
    """Chain what there is, in parts that memory has room for."""
    connection = op.get_bind()
    events = sa.table(
        "events",
        *(sa.column(name) for name in ("number", "ticket", "at", "name", "digest")),
        sa.column("facts", sa.JSON()),
    )
    last, digest = 0, BEGINNING
    page = sa.select(*(events.c[name] for name in ("number", "ticket", "at", "name", "facts")))
    write = sa.update(events).where(events.c.number == sa.bindparam("which"))
    while rows := connection.execute(page.where(events.c.number > last).order_by(events.c.number).limit(_BATCH)).all():
        chained = []
        for row in rows:
            last, digest = row.number, digest_of(digest, Link(*row))
            chained.append({"which": last, "digest": digest})
        connection.execute(write, chained)
