"""Which revisions of the tables this Ringwall knows, so that Alembic need not be imported to tell.

A test holds these to the migrations' own chain.
"""

from typing import Final

from ringwall.identity.store.driver import Statement

REVISIONS: Final = ("0001",)
"""From the first to the current one."""
HEAD: Final = REVISIONS[-1]
VERSION_TABLE: Final = "ringwall_issuer_version"
REVISION: Final = Statement("SELECT version_num FROM {version_table}", version_table=VERSION_TABLE)
STAMP: Final = Statement("INSERT INTO {version_table} (version_num) VALUES (:revision)", version_table=VERSION_TABLE)
