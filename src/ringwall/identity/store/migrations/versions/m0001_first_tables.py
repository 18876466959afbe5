"""Codes, refresh tokens, sessions, tickets, devices, consents, revocations, accounts, passwords."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0001"
down_revision: str | Sequence[str] | None = None

_TEXT: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "accounts",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("name_key", _TEXT, nullable=False),
        sa.Column("user_name", _TEXT, nullable=False),
        sa.Column("display_name", _TEXT, nullable=False),
        sa.Column("email", _TEXT, nullable=False),
        sa.Column("email_key", _TEXT, nullable=False),
        sa.Column("details", _TEXT, nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("changed", sa.Double(), nullable=False),
        sa.Column("disabled", sa.Double(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name_key"),
    )
    op.create_index("accounts_by_email", "accounts", ["email_key"])
    op.create_table(
        "codes",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("client", _TEXT, nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("session", _TEXT, nullable=False),
        sa.Column("family", _TEXT, nullable=False),
        sa.Column("payload", _TEXT, nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("taken", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("codes_by_expires", "codes", ["expires"])
    op.create_table(
        "consents",
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("client", _TEXT, nullable=False),
        sa.Column("scope", _TEXT, nullable=False),
        sa.Column("granted", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("account", "client", "scope"),
    )
    op.create_index("consents_by_client", "consents", ["client"])
    op.create_table(
        "counters",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "devices",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("user_digest", sa.LargeBinary(), nullable=False),
        sa.Column("client", _TEXT, nullable=False),
        sa.Column("payload", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("session", _TEXT, nullable=False),
        sa.Column("decision", _TEXT, nullable=False),
        sa.Column("family", _TEXT, nullable=False),
        sa.Column("pause", sa.BigInteger(), nullable=False),
        sa.Column("polled", sa.Double(), nullable=True),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        sa.UniqueConstraint("user_digest"),
    )
    op.create_index("devices_by_expires", "devices", ["expires"])
    op.create_table(
        "families",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("locator", sa.LargeBinary(), nullable=True),
        sa.Column("client", _TEXT, nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("session", _TEXT, nullable=False),
        sa.Column("binding", _TEXT, nullable=False),
        sa.Column("payload", _TEXT, nullable=False),
        sa.Column("current", sa.LargeBinary(), nullable=True),
        sa.Column("previous", sa.LargeBinary(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("rotated", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("final", sa.Double(), nullable=False),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.Column("reason", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("locator"),
    )
    op.create_index("families_by_account", "families", ["account", "created"])
    op.create_index("families_by_client", "families", ["client", "created"])
    op.create_index("families_by_expires", "families", ["expires"])
    op.create_index("families_by_session", "families", ["session"])
    op.create_table(
        "passwords",
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("encoded", _TEXT, nullable=False),
        sa.Column("changed", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "replay",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("replay_by_expires", "replay", ["expires"])
    op.create_table(
        "revocations",
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("subject", _TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("revoked", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "subject"),
        sa.UniqueConstraint("sequence"),
    )
    op.create_index("revocations_by_expires", "revocations", ["expires"])
    op.create_table(
        "sessions",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("payload", _TEXT, nullable=False),
        sa.Column("authenticated", sa.Double(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("seen", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("final", sa.Double(), nullable=False),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.Column("reason", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index("sessions_by_account", "sessions", ["account", "created"])
    op.create_index("sessions_by_expires", "sessions", ["expires"])
    op.create_table(
        "tickets",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("owner", _TEXT, nullable=False),
        sa.Column("payload", _TEXT, nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("tickets_by_expires", "tickets", ["expires"])
