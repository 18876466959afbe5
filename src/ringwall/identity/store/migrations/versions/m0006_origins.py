"""At which provider of others the person of a session has signed in, so that it can end that session."""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0006"
down_revision: str | Sequence[str] | None = "0005"

_TEXT: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the columns, which are empty for the sessions that there are."""
    for name in ("origin_person", "origin_session"):
        op.add_column("sessions", sa.Column(name, _TEXT, nullable=True))
        known = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"sessions_by_{name}", "sessions", [name], sqlite_where=known, postgresql_where=known)
