"""The first journal."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build it."""
    op.create_table(
        "answer_numbers",
        sa.Column("day", sa.String(length=8), nullable=False),
        sa.Column("environment", sa.String(length=1), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "environment", name=op.f("pk_answer_numbers")),
    )
    op.create_table(
        "events",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket", sa.String(length=13), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_events")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_events_ticket"), ["ticket"], unique=False)

    op.create_table(
        "routing_queue",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("routing_key", sa.String(length=16), nullable=False),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_routing_queue")),
        sa.UniqueConstraint("message_id", name=op.f("uq_routing_queue_message_id")),
    )
    with op.batch_alter_table("routing_queue", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_routing_queue_taken_at_routing_queue_position"), ["taken_at", "position"], unique=False
        )

    op.create_table(
        "senders",
        sa.Column("number", sa.String(length=6), nullable=False),
        sa.Column("signature", sa.String(length=12), nullable=False),
        sa.Column("environments", sa.String(length=8), nullable=False),
        sa.Column("purposes", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_senders")),
    )
    op.create_table(
        "submissions",
        sa.Column("ticket", sa.String(length=13), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("sender", sa.String(length=6), nullable=False),
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("directory", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("stem", sa.String(length=100), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("verdict_at", sa.BigInteger(), nullable=True),
        sa.Column("findings", sa.JSON(), nullable=True),
        sa.Column("certificate", sa.String(length=64), nullable=True),
        sa.Column("schema_version", sa.String(length=16), nullable=True),
        sa.Column("forms", sa.Integer(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("ticket", name=op.f("pk_submissions")),
    )
    with op.batch_alter_table("submissions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_submissions_received_at"), ["received_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_submissions_sender_submissions_directory_submissions_stem"),
            ["sender", "directory", "stem"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_submissions_state_submissions_next_attempt_at"), ["state", "next_attempt_at"], unique=False
        )

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
    op.create_table(
        "certificates",
        sa.Column("sender", sa.String(length=6), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("der", sa.LargeBinary(), nullable=False),
        sa.Column("registered_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sender"], ["senders.number"], name=op.f("fk_certificates_sender_senders")),
        sa.PrimaryKeyConstraint("sender", "fingerprint", name=op.f("pk_certificates")),
    )
    op.create_table(
        "effects",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ticket", sa.String(length=13), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("done_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["ticket"], ["submissions.ticket"], name=op.f("fk_effects_ticket_submissions")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_effects")),
        sa.UniqueConstraint("ticket", "kind", "ordinal", name=op.f("uq_effects_ticket_kind_ordinal")),
    )
    with op.batch_alter_table("effects", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_effects_state_effects_kind_effects_number"), ["state", "kind", "number"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_effects_ticket_effects_state"), ["ticket", "state"], unique=False)

    op.create_table(
        "files",
        sa.Column("ticket", sa.String(length=13), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["ticket"], ["submissions.ticket"], name=op.f("fk_files_ticket_submissions")),
        sa.PrimaryKeyConstraint("ticket", "name", name=op.f("pk_files")),
    )
    op.create_table(
        "technical_users",
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("sender", sa.String(length=6), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["sender"], ["senders.number"], name=op.f("fk_technical_users_sender_senders")),
        sa.PrimaryKeyConstraint("username", name=op.f("pk_technical_users")),
    )
    with op.batch_alter_table("technical_users", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_technical_users_sender"), ["sender"], unique=False)

    op.create_table(
        "ssh_keys",
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("line", sa.String(length=2048), nullable=False),
        sa.ForeignKeyConstraint(
            ["username"], ["technical_users.username"], name=op.f("fk_ssh_keys_username_technical_users")
        ),
        sa.PrimaryKeyConstraint("username", "fingerprint", name=op.f("pk_ssh_keys")),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("ssh_keys")
    with op.batch_alter_table("technical_users", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_technical_users_sender"))

    op.drop_table("technical_users")
    op.drop_table("files")
    with op.batch_alter_table("effects", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_effects_ticket_effects_state"))
        batch_op.drop_index(batch_op.f("ix_effects_state_effects_kind_effects_number"))

    op.drop_table("effects")
    op.drop_table("certificates")
    op.drop_table("answers")
    with op.batch_alter_table("submissions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_submissions_state_submissions_next_attempt_at"))
        batch_op.drop_index(batch_op.f("ix_submissions_sender_submissions_directory_submissions_stem"))
        batch_op.drop_index(batch_op.f("ix_submissions_received_at"))

    op.drop_table("submissions")
    op.drop_table("senders")
    with op.batch_alter_table("routing_queue", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_routing_queue_taken_at_routing_queue_position"))

    op.drop_table("routing_queue")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_events_ticket"))

    op.drop_table("events")
    op.drop_table("answer_numbers")
