"""What an operator's hand adds to the journal: holds, drops, maintenance."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build it."""
    op.create_table(
        "holds",
        _number(),
        sa.Column("ticket", sa.String(length=13), nullable=True),
        sa.Column("sender", sa.String(length=6), nullable=True),
        sa.Column("purpose", sa.String(length=4), nullable=True),
        sa.Column("environment", sa.String(length=1), nullable=True),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        *_by_whom(),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_holds")),
    )
    op.create_index(op.f("ix_holds_ticket"), "holds", ["ticket"], unique=False)
    op.create_table(
        "drops",
        sa.Column("ticket", sa.String(length=13), nullable=False),
        sa.Column("dropped_at", sa.BigInteger(), nullable=False),
        *_by_whom(),
        sa.PrimaryKeyConstraint("ticket", name=op.f("pk_drops")),
    )
    op.create_table(
        "maintenance_windows",
        _number(),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("announced_at", sa.BigInteger(), nullable=False),
        sa.Column("called_off_at", sa.BigInteger(), nullable=True),
        *_by_whom(),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_maintenance_windows")),
    )


def downgrade() -> None:
    """Take it back; what is held is judged again, for nobody would release it."""
    op.drop_table("maintenance_windows")
    op.drop_table("drops")
    op.drop_index(op.f("ix_holds_ticket"), "holds")
    op.drop_table("holds")
    op.execute("UPDATE submissions SET next_attempt_at = 0 WHERE state = 'held'")


def _number() -> sa.Column[int]:
    return sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False)


def _by_whom() -> tuple[sa.Column[str], sa.Column[str]]:
    return (
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
    )
