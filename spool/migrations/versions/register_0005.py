"""The register: enterprises, qualities, persons and their roles, channels, mandates, and what comes back where."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CHANNELS = (
    "INSERT INTO sender_channels (sender, channel, environment) "
    "SELECT number, 'sftp', :environment FROM senders WHERE environments LIKE :holding"
)
_TABLES = (
    "enterprises",
    "qualities",
    "persons",
    "roles",
    "sender_channels",
    "mandates",
    "routing_choices",
    "register_changes",
    "api_tokens",
    "disclosures",
    "expiry_warnings",
)
_USER = "fk_ssh_keys_username_technical_users"


def upgrade() -> None:
    """Build it; every sender keeps the channel it has, and may send for any employer as before."""
    with op.batch_alter_table("passwords") as passwords:
        passwords.drop_constraint(op.f("fk_passwords_username_technical_users"), type_="foreignkey")
    _remake_users(waiting=True)
    op.add_column("senders", sa.Column("quality", sa.BigInteger(), nullable=True))
    op.add_column("senders", sa.Column("any_employer", sa.Boolean(), server_default=sa.true(), nullable=False))
    op.create_index(op.f("ix_senders_quality"), "senders", ["quality"], unique=False)
    _build_enterprises()
    _build_choices()
    for environment in "RTS":
        op.execute(sa.text(_CHANNELS).bindparams(environment=environment, holding=f"%{environment}%"))


def downgrade() -> None:
    """Take it back: who waits for a sender number, and the passwords of persons, are gone with the register."""
    for table in reversed(_TABLES):
        op.drop_table(table)
    op.drop_index(op.f("ix_senders_quality"), "senders")
    op.drop_column("senders", "any_employer")
    op.drop_column("senders", "quality")
    waiting = "(SELECT username FROM technical_users WHERE sender IS NULL)"
    op.execute(sa.text(f"DELETE FROM ssh_keys WHERE username IN {waiting}"))  # noqa: S608 - words of our own
    op.execute(sa.text("DELETE FROM technical_users WHERE sender IS NULL"))
    op.execute(sa.text("DELETE FROM passwords WHERE username NOT IN (SELECT username FROM technical_users)"))
    _remake_users(waiting=False)
    with op.batch_alter_table("passwords") as passwords:
        passwords.create_foreign_key(
            op.f("fk_passwords_username_technical_users"), "technical_users", ["username"], ["username"]
        )


def _remake_users(*, waiting: bool) -> None:
    """Technical users with a quality, and perhaps without a sender; or neither."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("technical_users", "sender", existing_type=sa.String(length=6), nullable=waiting)
        if waiting:
            op.add_column("technical_users", sa.Column("quality", sa.BigInteger(), nullable=True))
            op.create_index(op.f("ix_technical_users_quality"), "technical_users", ["quality"], unique=False)
        else:
            op.drop_column("technical_users", "quality")
        return
    # SQLite makes a changed table anew, and the keys point at its rows: they move to the new one before the old goes.
    if not waiting:
        op.drop_index(op.f("ix_technical_users_quality"), "technical_users")
    op.drop_index(op.f("ix_technical_users_sender"), "technical_users")
    op.rename_table("technical_users", "users_before")
    op.create_table(
        "technical_users",
        sa.Column("username", sa.String(length=64), nullable=False),
        sa.Column("sender", sa.String(length=6), nullable=waiting),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), server_default="active", nullable=False),
        sa.Column("authentication", sa.String(length=8), server_default="key", nullable=False),
        *((sa.Column("quality", sa.BigInteger(), nullable=True),) if waiting else ()),
        sa.ForeignKeyConstraint(["sender"], ["senders.number"], name=op.f("fk_technical_users_sender_senders")),
        sa.PrimaryKeyConstraint("username", name=op.f("pk_technical_users")),
    )
    op.create_index(op.f("ix_technical_users_sender"), "technical_users", ["sender"], unique=False)
    if waiting:
        op.create_index(op.f("ix_technical_users_quality"), "technical_users", ["quality"], unique=False)
    columns = "username, sender, created_at, state, authentication"
    op.execute(sa.text(f"INSERT INTO technical_users ({columns}) SELECT {columns} FROM users_before"))  # noqa: S608 - words of our own
    with op.batch_alter_table("ssh_keys") as keys:
        keys.drop_constraint(op.f(_USER), type_="foreignkey")
        keys.create_foreign_key(op.f(_USER), "technical_users", ["username"], ["username"])
    op.drop_table("users_before")


def _build_enterprises() -> None:
    op.create_table(
        "enterprises",
        sa.Column("number", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_enterprises")),
    )
    op.create_table(
        "qualities",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("enterprise", sa.String(length=10), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("registration", sa.String(length=10), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["enterprise"], ["enterprises.number"], name=op.f("fk_qualities_enterprise_enterprises")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_qualities")),
        sa.UniqueConstraint(
            "enterprise", "kind", "registration", name=op.f("uq_qualities_enterprise_kind_registration")
        ),
    )
    op.create_index(op.f("ix_qualities_registration"), "qualities", ["registration"], unique=False)
    op.create_table(
        "persons",
        sa.Column("username", sa.String(length=30), nullable=False),
        sa.Column("enterprise", sa.String(length=10), nullable=False),
        sa.Column("last_name", sa.String(length=100), nullable=False),
        sa.Column("first_name", sa.String(length=100), nullable=False),
        sa.Column("title", sa.String(length=20), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("emails", sa.JSON(), nullable=False),
        sa.Column("inss_mark", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["enterprise"], ["enterprises.number"], name=op.f("fk_persons_enterprise_enterprises")),
        sa.PrimaryKeyConstraint("username", name=op.f("pk_persons")),
    )
    op.create_index(op.f("ix_persons_enterprise"), "persons", ["enterprise"], unique=False)
    op.create_index(op.f("ix_persons_inss_mark"), "persons", ["inss_mark"], unique=False)
    op.create_table(
        "roles",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("username", sa.String(length=30), nullable=False),
        sa.Column("role", sa.String(length=8), nullable=False),
        sa.Column("enterprise", sa.String(length=10), nullable=False),
        sa.Column("quality", sa.BigInteger(), nullable=True),
        sa.Column("applications", sa.JSON(), nullable=False),
        sa.Column("given_by", sa.String(length=80), nullable=False),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["enterprise"], ["enterprises.number"], name=op.f("fk_roles_enterprise_enterprises")),
        sa.ForeignKeyConstraint(["quality"], ["qualities.number"], name=op.f("fk_roles_quality_qualities")),
        sa.ForeignKeyConstraint(["username"], ["persons.username"], name=op.f("fk_roles_username_persons")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_roles")),
    )
    op.create_index(op.f("ix_roles_enterprise"), "roles", ["enterprise"], unique=False)
    op.create_index(op.f("ix_roles_quality"), "roles", ["quality"], unique=False)
    op.create_index(op.f("ix_roles_username"), "roles", ["username"], unique=False)
    op.create_index(
        "uq_roles_one_gl",
        "roles",
        ["quality"],
        unique=True,
        sqlite_where=sa.text("role = 'gl' AND ended_at IS NULL"),
        postgresql_where=sa.text("role = 'gl' AND ended_at IS NULL"),
    )
    op.create_index(
        "uq_roles_one_rae",
        "roles",
        ["enterprise"],
        unique=True,
        sqlite_where=sa.text("role = 'rae' AND ended_at IS NULL"),
        postgresql_where=sa.text("role = 'rae' AND ended_at IS NULL"),
    )
    op.create_table(
        "sender_channels",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sender", sa.String(length=6), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("environment", sa.String(length=1), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=True),
        sa.Column("valid_to", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["sender"], ["senders.number"], name=op.f("fk_sender_channels_sender_senders")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_sender_channels")),
    )
    op.create_index("ix_sender_channels", "sender_channels", ["sender", "channel", "environment"], unique=False)


def _build_choices() -> None:
    op.create_table(
        "mandates",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("employer", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=True),
        sa.Column("given_by", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employer"], ["qualities.number"], name=op.f("fk_mandates_employer_qualities")),
        sa.ForeignKeyConstraint(["provider"], ["qualities.number"], name=op.f("fk_mandates_provider_qualities")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_mandates")),
    )
    op.create_index(op.f("ix_mandates_employer_mandates_kind"), "mandates", ["employer", "kind"], unique=False)
    op.create_index(op.f("ix_mandates_provider_mandates_employer"), "mandates", ["provider", "employer"], unique=False)
    op.create_table(
        "routing_choices",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("employer", sa.BigInteger(), nullable=False),
        sa.Column("recipient", sa.BigInteger(), nullable=False),
        sa.Column("purpose", sa.String(length=4), nullable=False),
        sa.Column("environment", sa.String(length=1), nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=True),
        sa.Column("given_by", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["employer"], ["qualities.number"], name=op.f("fk_routing_choices_employer_qualities")),
        sa.ForeignKeyConstraint(
            ["recipient"], ["qualities.number"], name=op.f("fk_routing_choices_recipient_qualities")
        ),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_routing_choices")),
    )
    op.create_index("ix_routing_choices", "routing_choices", ["employer", "purpose", "environment"], unique=False)
    op.create_table(
        "register_changes",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("act", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_register_changes")),
    )
    op.create_index(op.f("ix_register_changes_subject"), "register_changes", ["subject"], unique=False)
    op.create_table(
        "api_tokens",
        sa.Column("mark", sa.String(length=64), nullable=False),
        sa.Column("username", sa.String(length=30), nullable=True),
        sa.Column("label", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["username"], ["persons.username"], name=op.f("fk_api_tokens_username_persons")),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_api_tokens")),
    )
    op.create_index(op.f("ix_api_tokens_username"), "api_tokens", ["username"], unique=False)
    op.create_table(
        "disclosures",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("inss_mark", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("ticket", sa.String(length=13), nullable=False),
        sa.Column("form", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_disclosures")),
    )
    op.create_index(op.f("ix_disclosures_inss_mark_disclosures_at"), "disclosures", ["inss_mark", "at"], unique=False)
    op.create_index(op.f("ix_disclosures_ticket"), "disclosures", ["ticket"], unique=False)
    op.create_table(
        "expiry_warnings",
        sa.Column("subject", sa.String(length=160), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("days", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", "expires_at", "days", name=op.f("pk_expiry_warnings")),
    )
