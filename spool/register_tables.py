"""The tables of the register: enterprises, who acts for them, who may send for whom, and what comes back where.

Times are whole microseconds since the epoch, UTC; a period begins with its first moment and ends before its last, None
is open.  What has ended stays: nothing here is deleted by an act, and sender numbers are never given again.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    text,
)

from spool import operator_tables, retention_tables  # noqa: F401 - their tables belong to the schema too
from spool.tables import Serial, metadata

enterprises: Final = Table(
    "enterprises",
    metadata,
    Column("number", String(10), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("state", String(8), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

qualities: Final = Table(
    "qualities",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("enterprise", String(10), ForeignKey("enterprises.number"), nullable=False),
    Column("kind", String(40), nullable=False),
    # The ONSS number or another by which declarations name it; empty where the kind has none.
    Column("registration", String(10), nullable=False, index=True),
    Column("state", String(8), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("enterprise", "kind", "registration"),
)

persons: Final = Table(
    "persons",
    metadata,
    Column("username", String(30), primary_key=True),
    Column("enterprise", String(10), ForeignKey("enterprises.number"), nullable=False, index=True),
    Column("last_name", String(100), nullable=False),
    Column("first_name", String(100), nullable=False),
    Column("title", String(20), nullable=False),
    Column("language", String(2), nullable=False),
    Column("emails", JSON, nullable=False),
    # A keyed hash of the INSS, which itself is kept nowhere.
    Column("inss_mark", String(64), index=True),
    Column("state", String(8), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

_RUNNING = "ended_at IS NULL"

roles: Final = Table(
    "roles",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("username", String(30), ForeignKey("persons.username"), nullable=False, index=True),
    Column("role", String(8), nullable=False),
    Column("enterprise", String(10), ForeignKey("enterprises.number"), nullable=False, index=True),
    # None for RAE and Co-RAE, who act for the enterprise.
    Column("quality", BigInteger, ForeignKey("qualities.number"), index=True),
    # Purposes of messages and names of applications, or "*".
    Column("applications", JSON, nullable=False),
    Column("given_by", String(80), nullable=False),
    Column("given_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Index(
        "uq_roles_one_rae",
        "enterprise",
        unique=True,
        sqlite_where=text(f"role = 'rae' AND {_RUNNING}"),
        postgresql_where=text(f"role = 'rae' AND {_RUNNING}"),
    ),
    Index(
        "uq_roles_one_gl",
        "quality",
        unique=True,
        sqlite_where=text(f"role = 'gl' AND {_RUNNING}"),
        postgresql_where=text(f"role = 'gl' AND {_RUNNING}"),
    ),
)

sender_channels: Final = Table(
    "sender_channels",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("sender", String(6), ForeignKey("senders.number"), nullable=False),
    # sftp, mq or ebox.
    Column("channel", String(8), nullable=False),
    Column("environment", String(1), nullable=False),
    Column("valid_from", BigInteger),
    Column("valid_to", BigInteger),
    Index("ix_sender_channels", "sender", "channel", "environment"),
)

mandates: Final = Table(
    "mandates",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("employer", BigInteger, ForeignKey("qualities.number"), nullable=False),
    Column("provider", BigInteger, ForeignKey("qualities.number"), nullable=False),
    # secretariat (by affiliation) or provider (by notification).
    Column("kind", String(12), nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger),
    Column("given_by", String(80), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index(None, "employer", "kind"),
    Index(None, "provider", "employer"),
)

routing_choices: Final = Table(
    "routing_choices",
    metadata,
    Column("number", Serial, primary_key=True),
    # The employer whose messages they are, and who gets them: itself or its provider.
    Column("employer", BigInteger, ForeignKey("qualities.number"), nullable=False),
    Column("recipient", BigInteger, ForeignKey("qualities.number"), nullable=False),
    # A purpose, or "*".
    Column("purpose", String(4), nullable=False),
    Column("environment", String(1), nullable=False),
    Column("channel", String(8), nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("valid_to", BigInteger),
    Column("given_by", String(80), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("ix_routing_choices", "employer", "purpose", "environment"),
)

# Every change of the register: who, when, why, what it was and what it is.
register_changes: Final = Table(
    "register_changes",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("actor", String(80), nullable=False),
    Column("act", String(40), nullable=False),
    Column("subject", String(80), nullable=False, index=True),
    Column("reason", String(500), nullable=False),
    Column("before", JSON),
    Column("after", JSON),
)

# Tokens of the interface for programs, by their SHA-256; without a person a token acts as operator.
api_tokens: Final = Table(
    "api_tokens",
    metadata,
    Column("mark", String(64), primary_key=True),
    Column("username", String(30), ForeignKey("persons.username"), index=True),
    Column("label", String(80), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("valid_to", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
)

# Who exchanged data about a person: one row for each form that names the person, by a keyed hash of the INSS.
disclosures: Final = Table(
    "disclosures",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("inss_mark", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("ticket", String(13), nullable=False),
    Column("form", Integer, nullable=False),
    Index(None, "inss_mark", "at"),
    Index(None, "ticket"),
)

# Messages of institutions, each by the ticket it got here.
institution_messages: Final = Table(
    "institution_messages",
    metadata,
    Column("ticket", String(13), primary_key=True),
    Column("publisher", String(64), nullable=False),
    Column("message_id", String(255), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("purpose", String(4), nullable=False),
    Column("environment", String(1), nullable=False),
    # The sender it goes to, and the submission it is about, where they are known.
    Column("sender", String(6)),
    Column("about", String(13), index=True),
    Column("sha256", String(64), nullable=False),
    Column("state", String(12), nullable=False),
    Column("channel", String(8)),
    UniqueConstraint("publisher", "message_id"),
    Index("ix_institution_messages_sender", "sender", "received_at"),
    Index("ix_institution_messages_content", "sha256", "publisher"),
)

# The mailbox of a quality, for what is not sent over a channel of its own.
ebox: Final = Table(
    "ebox",
    metadata,
    Column("number", Serial, primary_key=True),
    Column("quality", BigInteger, ForeignKey("qualities.number"), nullable=False),
    Column("environment", String(1), nullable=False),
    Column("ticket", String(13), nullable=False, index=True),
    Column("prefix", String(2), nullable=False),
    Column("stem", String(64), nullable=False, unique=True),
    Column("data", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("placed_at", BigInteger, nullable=False),
    Column("read_at", BigInteger),
    Column("removed_at", BigInteger),
    Index("ix_ebox_quality", "quality", "environment", "placed_at"),
)

# Which warning of an expiry was given, so that each is given once; days before it.
expiry_warnings: Final = Table(
    "expiry_warnings",
    metadata,
    Column("subject", String(160), primary_key=True),
    Column("expires_at", BigInteger, primary_key=True, autoincrement=False),
    Column("days", Integer, primary_key=True, autoincrement=False),
    Column("given_at", BigInteger, nullable=False),
)

TABLES: Final = tuple(metadata.sorted_tables)
"""Every table of the journal, these and those of ``spool.tables``, each after the ones it points at."""
