"""The journal's tables, defined once for every database.

Times are whole microseconds since the epoch, UTC: a database that forgets time zones cannot harm them.
Migrations under ``spool/migrations`` build exactly this; a test compares the two.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    text,
    true,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts by itself only in a column that is exactly INTEGER PRIMARY KEY.
Serial: Final = BigInteger().with_variant(Integer, "sqlite")

OPEN: Final = "state || '' IN ('received', 'held')"
"""Submissions without a verdict, in the words of their index: a database uses it for these words only.

The empty string keeps SQLite from the index on the state, by which it would read all that waits.
"""

submissions: Final = Table(
    "submissions",
    metadata,
    Column("ticket", String(13), primary_key=True),
    Column("received_at", BigInteger, nullable=False),
    Column("channel", String(8), nullable=False),
    Column("sender", String(6), nullable=False),
    Column("username", String(64), nullable=False),
    Column("directory", String(16), nullable=False),
    Column("name", String(100), nullable=False),
    Column("stem", String(100), nullable=False),
    Column("content", String(64), nullable=False),
    Column("state", String(12), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", BigInteger, nullable=False),
    Column("verdict_at", BigInteger),
    Column("findings", JSON),
    Column("certificate", String(64)),
    Column("schema_version", String(16)),
    Column("forms", Integer),
    Column("closed_at", BigInteger),
    # What the sender of a message called it; of an upload there is none.
    Column("message_id", String(255)),
    # Which process judges it, and for how long nobody else does, where several may (spool/claims.py).
    Column("claimed_by", String(64)),
    Column("claimed_until", BigInteger),
    Index(None, "state", "next_attempt_at"),
    Index(
        "ix_submissions_open",
        "sender",
        "next_attempt_at",
        "received_at",
        sqlite_where=text(OPEN),
        postgresql_where=text(OPEN),
    ),
    Index(None, "sender", "directory", "stem"),
    Index(None, "received_at"),
)

files: Final = Table(
    "files",
    metadata,
    Column("ticket", String(13), ForeignKey("submissions.ticket"), primary_key=True),
    Column("name", String(100), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
)

events: Final = Table(
    "events",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("ticket", String(13), index=True),
    Column("at", BigInteger, nullable=False),
    Column("name", String(64), nullable=False),
    Column("facts", JSON, nullable=False),
    # SHA-256 of what the event was, where its facts are gone.
    Column("content", String(64)),
    # Its place in the chain (spool/chain.py).
    Column("digest", String(64), nullable=False, server_default=""),
)

checkpoints: Final = Table(
    "checkpoints",
    metadata,
    Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
    Column("first_event", BigInteger, nullable=False),
    Column("last_event", BigInteger, nullable=False, index=True),
    # The digest of the last event, and that of the checkpoint's statement.
    Column("chain", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("sealed_at", BigInteger, nullable=False),
)

# What is done by one process at a time, where several could (spool/leases.py).
leases: Final = Table(
    "leases",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", BigInteger, nullable=False),
)

# A ticket is that of a submission or of an institution's message.
answers: Final = Table(
    "answers",
    metadata,
    Column("ticket", String(13), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("sender", String(6), nullable=False),
    Column("directory", String(16), nullable=False),
    Column("prefix", String(2), nullable=False),
    Column("stem", String(64), nullable=False, unique=True),
    Column("data", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("channel", String(8), nullable=False, server_default="sftp"),
    Column("correlation", String(255)),
)

answer_numbers: Final = Table(
    "answer_numbers",
    metadata,
    Column("day", String(8), primary_key=True),
    Column("environment", String(1), primary_key=True),
    Column("last", Integer, nullable=False),
)

effects: Final = Table(
    "effects",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("ticket", String(13), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("facts", JSON, nullable=False),
    Column("state", String(8), nullable=False),
    Column("done_at", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", BigInteger, nullable=False, server_default="0"),
    Column("reason", String(200)),
    UniqueConstraint("ticket", "kind", "ordinal"),
    Index(None, "ticket", "state"),
    Index(None, "state", "kind", "number"),
    Index("ix_effects_due", "state", "kind", "next_attempt_at", "number"),
)

routing_queue: Final = Table(
    "routing_queue",
    metadata,
    Column("position", Serial, primary_key=True),
    Column("message_id", String(32), nullable=False, unique=True),
    Column("exchange", String(255)),
    Column("routing_key", String(255), nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("queued_at", BigInteger, nullable=False),
    Column("taken_at", BigInteger),
    Index(None, "taken_at", "position"),
)

senders: Final = Table(
    "senders",
    metadata,
    Column("number", String(6), primary_key=True),
    Column("signature", String(12), nullable=False),
    Column("environments", String(8), nullable=False),
    Column("purposes", JSON, nullable=False),
    Column("state", String(8), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("formats", JSON, nullable=False, server_default="[]"),
    Column("leniencies", JSON, nullable=False, server_default="[]"),
    Column("language", String(2), nullable=False, server_default="fr"),
    Column("sources", JSON, nullable=False, server_default="[]"),
    Column("login_leniencies", JSON, nullable=False, server_default="[]"),
    Column("quality", BigInteger, index=True),
    Column("any_employer", Boolean, nullable=False, server_default=true()),
)

technical_users: Final = Table(
    "technical_users",
    metadata,
    Column("username", String(64), primary_key=True),
    # None until the quality it was named for has its first channel, and so a sender number.
    Column("sender", String(6), ForeignKey("senders.number"), index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("state", String(8), nullable=False, server_default="active"),
    Column("authentication", String(8), nullable=False, server_default="key"),
    Column("quality", BigInteger, index=True),
)

ssh_keys: Final = Table(
    "ssh_keys",
    metadata,
    Column("username", String(64), ForeignKey("technical_users.username"), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    Column("line", String(2048), nullable=False),
    Column("valid_from", BigInteger),
    Column("valid_to", BigInteger),
)

certificates: Final = Table(
    "certificates",
    metadata,
    Column("sender", String(6), ForeignKey("senders.number"), primary_key=True),
    Column("fingerprint", String(64), primary_key=True),
    # Not kept of a certificate registered by its holder, whose national number it may have.
    Column("der", LargeBinary),
    Column("registered_at", BigInteger, nullable=False),
    Column("valid_from", BigInteger),
    Column("valid_to", BigInteger),
    Column("not_after", BigInteger, nullable=False),
    Column("holder", String(64)),
    Column("issuer", String(1024)),
)

passwords: Final = Table(
    "passwords",
    metadata,
    Column("number", Serial, primary_key=True),
    # Of a technical user or of a person: user names are one name space.
    Column("username", String(64), nullable=False),
    # A hash (argon2id), with its parameters and its salt.
    Column("hash", String(255), nullable=False),
    Column("set_at", BigInteger, nullable=False),
    Column("must_change", Boolean, nullable=False),
    Column("usable_until", BigInteger),
    Index(None, "username", "number"),
)

# Of everybody at a source (no name), of a user name wherever it is tried from (no source), or of a name at a source.
failed_logins: Final = Table(
    "failed_logins",
    metadata,
    Column("username", String(64), primary_key=True),
    Column("source", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed_at", BigInteger, nullable=False),
    Column("locked_until", BigInteger, nullable=False, index=True),
    Column("succeeded_at", BigInteger, nullable=False),
)
