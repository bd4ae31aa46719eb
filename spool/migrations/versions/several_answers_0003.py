"""A submission may have several answers, some of them compressed; senders have a language."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_UP = (
    "INSERT INTO answers (ticket, sender, directory, stem, data, signature, ordinal, prefix) "
    "SELECT ticket, sender, directory, stem, data, signature, 1, 'FO' FROM answers_before"
)
_DOWN = (
    "INSERT INTO answers (ticket, sender, directory, stem, data, signature) "
    "SELECT ticket, sender, directory, stem, data, signature FROM answers_before WHERE ordinal = 1"
)


def upgrade() -> None:
    """Build it; what was answered so far is the first answer of its submission."""
    # Not as a batch: SQLite would make the table anew, and other tables point at its rows.
    op.add_column("senders", sa.Column("language", sa.String(length=2), server_default="fr", nullable=False))
    _move_aside()
    op.create_table(
        "answers",
        sa.Column("ticket", sa.String(length=13), nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sender", sa.String(length=6), nullable=False),
        sa.Column("directory", sa.String(length=16), nullable=False),
        sa.Column("prefix", sa.String(length=2), nullable=False),
        sa.Column("stem", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["submissions.ticket"], name=op.f("fk_answers_ticket_submissions")),
        sa.PrimaryKeyConstraint("ticket", "ordinal", name=op.f("pk_answers")),
        sa.UniqueConstraint("stem", name=op.f("uq_answers_stem")),
    )
    op.execute(sa.text(_UP))
    op.drop_table("answers_before")


def downgrade() -> None:
    """Take it back; every submission keeps its first answer only, and what was still to do with others is dropped."""
    op.execute(sa.text("DELETE FROM effects WHERE kind = 'answer' AND ordinal > 1"))
    _move_aside()
    op.create_table(
        "answers",
        sa.Column("ticket", sa.String(length=13), nullable=False),
        sa.Column("sender", sa.String(length=6), nullable=False),
        sa.Column("directory", sa.String(length=16), nullable=False),
        sa.Column("stem", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["submissions.ticket"], name=op.f("fk_answers_ticket_submissions")),
        sa.PrimaryKeyConstraint("ticket", name=op.f("pk_answers")),
        sa.UniqueConstraint("stem", name=op.f("uq_answers_stem")),
    )
    op.execute(sa.text(_DOWN))
    op.drop_table("answers_before")
    op.drop_column("senders", "language")


def _move_aside() -> None:
    """Give the old table another name, and its constraints too where their names are those of the database."""
    op.rename_table("answers", "answers_before")
    if op.get_bind().dialect.name == "postgresql":
        for name in ("pk_answers", "uq_answers_stem", "fk_answers_ticket_submissions"):
            op.execute(sa.text(f"ALTER TABLE answers_before RENAME CONSTRAINT {name} TO {name}_before"))
