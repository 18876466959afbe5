"""When a family is to be looked at by who sweeps, apart from when it expires, which every use of a token changes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | Sequence[str] | None = "0006"


def upgrade() -> None:
    """Make the column; all that there are will be looked at next."""
    op.add_column("families", sa.Column("due", sa.Double(), nullable=False, server_default="0"))
    op.drop_index("families_by_expires", "families")
    op.create_index("families_by_due", "families", ["due"])
