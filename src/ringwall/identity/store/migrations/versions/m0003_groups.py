"""Groups as things of their own: the names that accounts listed become groups with members."""

import json
import secrets
import time
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | Sequence[str] | None = "0002"

_TEXT: Final = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_LOT: Final = 1000


def upgrade() -> None:
    """Make the tables, and fill them with what accounts say."""
    op.create_table(
        "groups",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("name_key", _TEXT, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("roles", _TEXT, nullable=False),
        sa.Column("manager", _TEXT, nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("changed", sa.Double(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name_key"),
    )
    op.create_table(
        "memberships",
        sa.Column("group_id", _TEXT, nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("group_id", "account"),
    )
    op.create_index("memberships_by_account", "memberships", ["account"])
    op.create_table(
        "external_ids",
        sa.Column("client", _TEXT, nullable=False),
        sa.Column("subject", _TEXT, nullable=False),
        sa.Column("external_id", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("client", "subject"),
    )
    op.create_index("external_ids_by_external_id", "external_ids", ["client", "external_id"])
    op.create_index("external_ids_by_subject", "external_ids", ["subject"])
    _move(op.get_bind())


def _move(connection: sa.Connection) -> None:
    groups: dict[str, str] = {}
    keys: set[str] = set()
    after = ""
    while True:
        rows = connection.execute(
            sa.text("SELECT id, details FROM accounts WHERE id > :after ORDER BY id LIMIT :lot"),
            {"after": after, "lot": _LOT},
        ).all()
        if not rows:
            return
        after = rows[-1][0]
        for account, text in rows:
            details = json.loads(text)
            for name in sorted(set(details.pop("groups", ()))):
                if name not in groups:
                    groups[name] = _make(connection, name, keys)
                connection.execute(
                    sa.text("INSERT INTO memberships (group_id, account) VALUES (:group_id, :account)"),
                    {"group_id": groups[name], "account": account},
                )
            connection.execute(
                sa.text("UPDATE accounts SET details = :details WHERE id = :id"),
                {"details": json.dumps(details, ensure_ascii=False, separators=(",", ":")), "id": account},
            )


def _make(connection: sa.Connection, name: str, keys: set[str]) -> str:
    """Make a group; one whose name differs only in case gets another name, so that nobody gains what it means."""
    shown, number = name, 1
    while (key := unicodedata.normalize("NFKC", shown).casefold()) in keys:
        number += 1
        shown = f"{name}-{number}"
    keys.add(key)
    made: dict[str, Any] = {"id": secrets.token_urlsafe(16), "key": key, "name": shown, "now": time.time()}
    connection.execute(
        sa.text(
            "INSERT INTO groups (id, name_key, name, roles, manager, created, changed, version) "
            "VALUES (:id, :key, :name, '[]', '', :now, :now, 1)"
        ),
        made,
    )
    return str(made["id"])
