"""What is kept no longer, and what must be kept all the same."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build it."""
    op.create_table(
        "purges",
        sa.Column("ticket", sa.String(length=13), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("planned_at", sa.BigInteger(), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ticket", "kind", name=op.f("pk_purges")),
    )
    op.create_index(op.f("ix_purges_done_at_purges_ticket"), "purges", ["done_at", "ticket"], unique=False)
    op.create_table(
        "legal_holds",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket", sa.String(length=13), nullable=True),
        sa.Column("sender", sa.String(length=6), nullable=True),
        sa.Column("purpose", sa.String(length=4), nullable=True),
        sa.Column("environment", sa.String(length=1), nullable=True),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_legal_holds")),
    )


def downgrade() -> None:
    """Take it back; what is gone stays gone, and its events say so."""
    op.drop_table("legal_holds")
    op.drop_index(op.f("ix_purges_done_at_purges_ticket"), "purges")
    op.drop_table("purges")
