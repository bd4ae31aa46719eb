"""Certificates have a period and may stand for their holder; senders have formats and leniencies of their own."""

import sqlalchemy as sa
from alembic import op
from cryptography import x509

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Build it; what is registered stays so, for ever, certificate by certificate."""
    # Not as a batch: SQLite would make the table anew, and other tables point at its rows.
    op.add_column("senders", sa.Column("formats", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("senders", sa.Column("leniencies", sa.JSON(), server_default="[]", nullable=False))
    with op.batch_alter_table("certificates", schema=None) as batch_op:
        batch_op.add_column(sa.Column("valid_from", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("valid_to", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("not_after", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("holder", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("issuer", sa.String(length=1024), nullable=True))
    _fill_not_after()
    with op.batch_alter_table("certificates", schema=None) as batch_op:
        batch_op.alter_column("not_after", existing_type=sa.BigInteger(), nullable=False)
        batch_op.alter_column("der", existing_type=sa.LargeBinary(), nullable=True)


def _fill_not_after() -> None:
    table = sa.table(
        "certificates",
        sa.column("sender", sa.String()),
        sa.column("fingerprint", sa.String()),
        sa.column("der", sa.LargeBinary()),
        sa.column("not_after", sa.BigInteger()),
    )
    connection = op.get_bind()
    for sender, fingerprint, der in connection.execute(
        sa.select(table.c.sender, table.c.fingerprint, table.c.der)
    ).all():
        not_after = int(x509.load_der_x509_certificate(der).not_valid_after_utc.timestamp()) * 1_000_000
        this = (table.c.sender == sender) & (table.c.fingerprint == fingerprint)
        connection.execute(sa.update(table).where(this).values(not_after=not_after))


def downgrade() -> None:
    """Take it back; registrations by holder or for a time go, for the first journal would take them for ever."""
    op.execute(sa.text("DELETE FROM certificates WHERE der IS NULL OR valid_from IS NOT NULL OR valid_to IS NOT NULL"))
    with op.batch_alter_table("certificates", schema=None) as batch_op:
        batch_op.alter_column("der", existing_type=sa.LargeBinary(), nullable=False)
        for name in ("valid_from", "valid_to", "not_after", "holder", "issuer"):
            batch_op.drop_column(name)
    for name in ("formats", "leniencies"):
        op.drop_column("senders", name)
