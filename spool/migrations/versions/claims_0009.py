"""Who works at what: claims on submissions, leases on rounds; and an index of what waits, by sender."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OPEN = sa.text("state || '' IN ('received', 'held')")


def upgrade() -> None:
    """Build it."""
    op.add_column("submissions", sa.Column("claimed_by", sa.String(length=64), nullable=True))
    op.add_column("submissions", sa.Column("claimed_until", sa.BigInteger(), nullable=True))
    op.create_index(
        "ix_submissions_open",
        "submissions",
        ["sender", "next_attempt_at", "received_at"],
        unique=False,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )


def downgrade() -> None:
    """Take it back: processes of the older version work alone."""
    op.drop_table("leases")
    op.drop_index("ix_submissions_open", "submissions")
    op.drop_column("submissions", "claimed_until")
    op.drop_column("submissions", "claimed_by")
