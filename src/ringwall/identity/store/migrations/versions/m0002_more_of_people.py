"""Passkeys, one-time and recovery codes, invitations, attempts, registered clients, events."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | Sequence[str] | None = "0001"

_TEXT: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "attempts",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.Double(), nullable=False),
        sa.Column("last", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("attempts_by_expires", "attempts", ["expires"])
    op.create_table(
        "clients",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("payload", _TEXT, nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("changed", sa.Double(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("token"),
    )
    op.create_table(
        "events",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("act", _TEXT, nullable=False),
        sa.Column("actor", _TEXT, nullable=False),
        sa.Column("subject", _TEXT, nullable=False),
        sa.Column("payload", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("events_by_actor", "events", ["actor", "time", "id"])
    op.create_index("events_by_subject", "events", ["subject", "time", "id"])
    op.create_index("events_by_time", "events", ["time", "id"])
    op.create_table(
        "invitations",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("author", _TEXT, nullable=False),
        sa.Column("payload", _TEXT, nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index("invitations_by_expires", "invitations", ["expires"])
    op.create_table(
        "passkeys",
        sa.Column("credential", sa.LargeBinary(), nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("label", _TEXT, nullable=False),
        sa.Column("payload", _TEXT, nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("used", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("credential"),
    )
    op.create_index("passkeys_by_account", "passkeys", ["account"])
    op.create_table(
        "recovery",
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("account", "digest"),
    )
    op.create_table(
        "totp",
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
