"""Messages in and out: what came by message and goes back by one, what waits to be tried again, the e-Box."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build it; answers go by SFTP as before, and a ticket may be that of an institution's message."""
    op.add_column("submissions", sa.Column("message_id", sa.String(length=255), nullable=True))
    with op.batch_alter_table("answers") as answers:
        answers.add_column(sa.Column("channel", sa.String(length=8), server_default="sftp", nullable=False))
        answers.add_column(sa.Column("correlation", sa.String(length=255), nullable=True))
        answers.drop_constraint(op.f("fk_answers_ticket_submissions"), type_="foreignkey")
    with op.batch_alter_table("effects") as effects:
        effects.add_column(sa.Column("attempts", sa.Integer(), server_default="0", nullable=False))
        effects.add_column(sa.Column("next_attempt_at", sa.BigInteger(), server_default="0", nullable=False))
        effects.add_column(sa.Column("reason", sa.String(length=200), nullable=True))
        effects.drop_constraint(op.f("fk_effects_ticket_submissions"), type_="foreignkey")
    with op.batch_alter_table("routing_queue") as queue:
        queue.alter_column("routing_key", existing_type=sa.String(length=16), type_=sa.String(length=255))
        queue.add_column(sa.Column("exchange", sa.String(length=255), nullable=True))
    op.create_index("ix_effects_due", "effects", ["state", "kind", "next_attempt_at", "number"], unique=False)
    _build_tables()


def downgrade() -> None:
    """Take it back; what institutions sent is gone, and what was put aside is to do again."""
    op.drop_table("ebox")
    op.drop_table("institution_messages")
    for table in ("answers", "effects"):
        op.execute(sa.text(f"DELETE FROM {table} WHERE ticket NOT IN (SELECT ticket FROM submissions)"))  # noqa: S608 - words of our own
    op.execute(sa.text("UPDATE effects SET state = 'pending' WHERE state = 'parked'"))
    op.execute(sa.text("UPDATE routing_queue SET routing_key = substr(routing_key, 1, 16)"))
    op.drop_index("ix_effects_due", "effects")
    with op.batch_alter_table("routing_queue") as queue:
        queue.drop_column("exchange")
        queue.alter_column("routing_key", existing_type=sa.String(length=255), type_=sa.String(length=16))
    with op.batch_alter_table("effects") as effects:
        for column in ("attempts", "next_attempt_at", "reason"):
            effects.drop_column(column)
        effects.create_foreign_key(op.f("fk_effects_ticket_submissions"), "submissions", ["ticket"], ["ticket"])
    with op.batch_alter_table("answers") as answers:
        for column in ("channel", "correlation"):
            answers.drop_column(column)
        answers.create_foreign_key(op.f("fk_answers_ticket_submissions"), "submissions", ["ticket"], ["ticket"])
    op.drop_column("submissions", "message_id")


def _build_tables() -> None:
    op.create_table(
        "institution_messages",
        sa.Column("ticket", sa.String(length=13), nullable=False),
        sa.Column("publisher", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=4), nullable=False),
        sa.Column("environment", sa.String(length=1), nullable=False),
        sa.Column("sender", sa.String(length=6), nullable=True),
        sa.Column("about", sa.String(length=13), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=True),
        sa.PrimaryKeyConstraint("ticket", name=op.f("pk_institution_messages")),
        sa.UniqueConstraint("publisher", "message_id", name=op.f("uq_institution_messages_publisher_message_id")),
    )
    op.create_index(op.f("ix_institution_messages_about"), "institution_messages", ["about"], unique=False)
    op.create_index("ix_institution_messages_sender", "institution_messages", ["sender", "received_at"], unique=False)
    op.create_index("ix_institution_messages_content", "institution_messages", ["sha256", "publisher"], unique=False)
    op.create_table(
        "ebox",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("quality", sa.BigInteger(), nullable=False),
        sa.Column("environment", sa.String(length=1), nullable=False),
        sa.Column("ticket", sa.String(length=13), nullable=False),
        sa.Column("prefix", sa.String(length=2), nullable=False),
        sa.Column("stem", sa.String(length=64), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("placed_at", sa.BigInteger(), nullable=False),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["quality"], ["qualities.number"], name=op.f("fk_ebox_quality_qualities")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ebox")),
        sa.UniqueConstraint("stem", name=op.f("uq_ebox_stem")),
    )
    op.create_index("ix_ebox_quality", "ebox", ["quality", "environment", "placed_at"], unique=False)
    op.create_index(op.f("ix_ebox_ticket"), "ebox", ["ticket"], unique=False)
