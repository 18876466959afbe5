"""Which revisions of the tables this Ringwall knows, so that Alembic need not be imported to tell.

A test holds these to the migrations' own chain.
"""

from typing import Final

from ringwall.identity.store.driver import Statement
from ringwall.identity.store.errors import NewerDatabaseError

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""From the first to the current one; their names sort in this order."""
HEAD: Final = REVISIONS[-1]
VERSION_TABLE: Final = "ringwall_issuer_version"
REVISION: Final = Statement("SELECT version_num FROM {table}", table=VERSION_TABLE)
STAMP: Final = Statement("INSERT INTO {table} (version_num) VALUES (:revision)", table=VERSION_TABLE)


def check_known(revision: str) -> None:
    """Raise NewerDatabaseError for a revision that this Ringwall does not know."""
    if revision not in REVISIONS:
        raise NewerDatabaseError(
            f"the database has revision {revision[:40]!r}, and this Ringwall knows revisions up to {HEAD}",
            hint="use the Ringwall that upgraded it, or a later one",
        )
