"""Which clients must be told that a session has ended."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0005"
down_revision: str | Sequence[str] | None = "0004"

_TEXT: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "logouts",
        sa.Column("session", _TEXT, nullable=False),
        sa.Column("client", _TEXT, nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("since", sa.Double(), nullable=True),
        sa.Column("due", sa.Double(), nullable=True),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session", "client"),
    )
    op.create_index("logouts_by_due", "logouts", ["due", "client"])
