"""The tables as they are now, for Alembic: what the migrations lead to, and what `schema/*.sql` is made from.

Times are seconds since the epoch. A NULL time means: not yet, or never. Payloads are JSON objects.
"""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Double, Index, LargeBinary, MetaData, Table, Text
from sqlalchemy import text as sql
from sqlalchemy.dialects import postgresql

METADATA: Final = MetaData()

_TEXT: Final = Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
"""Compared by code point on both, whatever the locale of the PostgreSQL server is, or becomes."""


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, _TEXT, **{"nullable": False, **options})


def _time(name: str, **options: Any) -> Column[float]:
    return Column(name, Double, **{"nullable": False, **options})


def _number(name: str, **options: Any) -> Column[int]:
    return Column(name, BigInteger, **{"nullable": False, **options})


def _bytes(name: str, **options: Any) -> Column[bytes]:
    return Column(name, LargeBinary, **{"nullable": False, **options})


def _known_index(table: str, name: str) -> Index:
    """Return an index of the rows in which a column is not empty, which are few."""
    known = sql(f"{name} IS NOT NULL")
    return Index(f"{table}_by_{name}", name, sqlite_where=known, postgresql_where=known)


Table(
    "codes",
    METADATA,
    _bytes("digest", primary_key=True),
    _text("client"),
    _text("account"),
    _text("session"),
    _text("family"),
    _text("payload"),
    _time("created"),
    _time("expires"),
    _time("taken", nullable=True),
    Index("codes_by_expires", "expires"),
)

Table(
    "families",
    METADATA,
    _text("id", primary_key=True),
    _bytes("locator", unique=True, nullable=True),
    _text("client"),
    _text("account"),
    _text("session"),
    _text("binding"),
    _text("payload"),
    _bytes("current", nullable=True),
    _bytes("previous", nullable=True),
    _bytes("sealed", nullable=True),
    _number("generation"),
    _time("created"),
    _time("rotated"),
    _time("expires"),
    _time("final"),
    _time("ended", nullable=True),
    _text("reason"),
    Column("due", Double, nullable=False, server_default="0"),
    Index("families_by_account", "account", "created"),
    Index("families_by_client", "client", "created"),
    Index("families_by_session", "session"),
    Index("families_by_due", "due"),
)

Table(
    "sessions",
    METADATA,
    _text("id", primary_key=True),
    _bytes("digest", unique=True),
    _text("account"),
    _text("payload"),
    _time("authenticated"),
    _time("created"),
    _time("seen"),
    _time("expires"),
    _time("final"),
    _time("ended", nullable=True),
    _text("reason"),
    _text("origin_person", nullable=True),
    _text("origin_session", nullable=True),
    Index("sessions_by_account", "account", "created"),
    Index("sessions_by_expires", "expires"),
    _known_index("sessions", "origin_person"),
    _known_index("sessions", "origin_session"),
)

Table(
    "logouts",
    METADATA,
    _text("session", primary_key=True),
    _text("client", primary_key=True),
    _text("account"),
    _time("since", nullable=True),
    _time("due", nullable=True),
    _number("attempts"),
    Index("logouts_by_due", "due", "client"),
)

Table(
    "replay",
    METADATA,
    _bytes("digest", primary_key=True),
    _time("expires"),
    Index("replay_by_expires", "expires"),
)

Table(
    "tickets",
    METADATA,
    _bytes("digest", primary_key=True),
    _text("kind"),
    _text("owner"),
    _text("payload"),
    _time("created"),
    _time("expires"),
    Index("tickets_by_expires", "expires"),
)

Table(
    "devices",
    METADATA,
    _bytes("digest", primary_key=True),
    _bytes("user_digest", unique=True),
    _text("client"),
    _text("payload"),
    _text("state"),
    _text("account"),
    _text("session"),
    _text("decision"),
    _text("family"),
    _number("pause"),
    _time("polled", nullable=True),
    _time("created"),
    _time("expires"),
    Index("devices_by_expires", "expires"),
)

Table(
    "consents",
    METADATA,
    _text("account", primary_key=True),
    _text("client", primary_key=True),
    _text("scope", primary_key=True),
    _time("granted"),
    Index("consents_by_client", "client"),
)

Table(
    "revocations",
    METADATA,
    _text("kind", primary_key=True),
    _text("subject", primary_key=True),
    _number("sequence", unique=True),
    _text("reason"),
    _time("revoked"),
    _time("expires"),
    Index("revocations_by_expires", "expires"),
)

Table(
    "counters",
    METADATA,
    _text("name", primary_key=True),
    _number("value"),
)

Table(
    "accounts",
    METADATA,
    _text("id", primary_key=True),
    _text("name_key", unique=True),
    _text("user_name"),
    _text("display_name"),
    _text("email"),
    _text("email_key"),
    _text("details"),
    _time("created"),
    _time("changed"),
    _time("disabled", nullable=True),
    _number("version"),
    Index("accounts_by_email", "email_key"),
)

Table(
    "groups",
    METADATA,
    _text("id", primary_key=True),
    _text("name_key", unique=True),
    _text("name"),
    _text("roles"),
    _text("manager"),
    _time("created"),
    _time("changed"),
    _number("version"),
)

Table(
    "memberships",
    METADATA,
    _text("group_id", primary_key=True),
    _text("account", primary_key=True),
    Index("memberships_by_account", "account"),
)

Table(
    "external_ids",
    METADATA,
    _text("client", primary_key=True),
    _text("subject", primary_key=True),
    _text("external_id"),
    Index("external_ids_by_external_id", "client", "external_id"),
    Index("external_ids_by_subject", "subject"),
)

Table(
    "passwords",
    METADATA,
    _text("account", primary_key=True),
    _text("encoded"),
    _time("changed"),
    _time("expires", nullable=True),
)

Table(
    "passkeys",
    METADATA,
    _bytes("credential", primary_key=True),
    _text("account"),
    _bytes("public_key"),
    _number("sign_count"),
    _text("label"),
    _text("payload"),
    _time("created"),
    _time("used", nullable=True),
    Index("passkeys_by_account", "account"),
)

Table(
    "totp",
    METADATA,
    _text("account", primary_key=True),
    _bytes("secret"),
    _number("counter"),
    _time("created"),
)

Table(
    "recovery",
    METADATA,
    _text("account", primary_key=True),
    _bytes("digest", primary_key=True),
    _time("created"),
)

Table(
    "links",
    METADATA,
    _text("issuer", primary_key=True),
    _text("subject", primary_key=True),
    _text("account"),
    _text("upstream"),
    _text("payload"),
    _time("created"),
    _time("used", nullable=True),
    Index("links_by_account", "account"),
)

Table(
    "invitations",
    METADATA,
    _text("id", primary_key=True),
    _bytes("digest", unique=True),
    _text("author"),
    _text("payload"),
    _time("created"),
    _time("expires"),
    Index("invitations_by_expires", "expires"),
)

Table(
    "attempts",
    METADATA,
    _bytes("digest", primary_key=True),
    _number("count"),
    _time("first"),
    _time("last"),
    _time("expires"),
    Index("attempts_by_expires", "expires"),
)

Table(
    "clients",
    METADATA,
    _text("id", primary_key=True),
    _bytes("token", unique=True),
    _bytes("secret", nullable=True),
    _text("payload"),
    _time("created"),
    _time("changed"),
    _number("version"),
)

Table(
    "events",
    METADATA,
    _text("id", primary_key=True),
    _time("time"),
    _text("act"),
    _text("actor"),
    _text("subject"),
    _text("payload"),
    Index("events_by_time", "time", "id"),
    Index("events_by_actor", "actor", "time", "id"),
    Index("events_by_subject", "subject", "time", "id"),
)
