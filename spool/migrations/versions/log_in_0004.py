"""Users have a state, a way to log in, keys for a time and passwords; failed log-ins are counted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Not as batches: SQLite would make the tables anew, and other tables point at their rows.
_COLUMNS = (
    ("senders", lambda: sa.Column("sources", sa.JSON(), server_default="[]", nullable=False)),
    ("senders", lambda: sa.Column("login_leniencies", sa.JSON(), server_default="[]", nullable=False)),
    ("technical_users", lambda: sa.Column("state", sa.String(length=8), server_default="active", nullable=False)),
    ("technical_users", lambda: sa.Column("authentication", sa.String(length=8), server_default="key", nullable=False)),
    ("ssh_keys", lambda: sa.Column("valid_from", sa.BigInteger(), nullable=True)),
    ("ssh_keys", lambda: sa.Column("valid_to", sa.BigInteger(), nullable=True)),
)


def upgrade() -> None:
    """Build it; every user logs in as before."""
    for table, column in _COLUMNS:
        op.add_column(table, column())
    op.create_table(
        "passwords",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=255), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.Column("must_change", sa.Boolean(), nullable=False),
        sa.Column("usable_until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["username"], ["technical_users.username"], name=op.f("fk_passwords_username_technical_users")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_passwords")),
    )
    op.create_index(op.f("ix_passwords_username_passwords_number"), "passwords", ["username", "number"], unique=False)
    op.create_table(
        "failed_logins",
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
        sa.Column("succeeded_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("username", "source", name=op.f("pk_failed_logins")),
    )
    op.create_index(op.f("ix_failed_logins_locked_until"), "failed_logins", ["locked_until"], unique=False)


def downgrade() -> None:
    """Take it back; who is blocked, or not to come in by a key of today alone, loses every key."""
    op.execute(
        sa.text(
            "DELETE FROM ssh_keys WHERE valid_from IS NOT NULL OR valid_to IS NOT NULL OR username IN "
            "(SELECT username FROM technical_users WHERE state <> 'active' OR authentication <> 'key')"
        )
    )
    op.drop_table("failed_logins")
    op.drop_table("passwords")
    for table, column in reversed(_COLUMNS):
        op.drop_column(table, column().name)
