"""What is asked of the table of families of refresh tokens; `Families` says when and what for."""

from typing import Final

from ringwall.identity.store.driver import Statement
from ringwall.identity.store.family import COLUMNS, LIVE
from ringwall.identity.store.holders import HOLDER, MEMBERSHIPS

START: Final = Statement(
    """
    INSERT INTO families (id, locator, client, account, session, binding, payload, current, previous, sealed,
                          generation, created, rotated, expires, final, ended, reason, due)
    VALUES (:id, :locator, :client, :account, :session, :binding, :payload, :current, NULL, NULL,
            1, :now, :now, :expires, :final, NULL, '', :expires)
    ON CONFLICT (id) DO NOTHING RETURNING {columns}
""",
    columns=COLUMNS,
)
_PRESENTED: Final = """
    WHERE locator = :locator AND current = :presented AND client = :client AND binding = :binding AND {live}
    RETURNING {columns}, {holder}, {memberships}
"""
"""How a token that is used is found, and what is told of it then."""
ROTATE: Final = Statement(
    """
    UPDATE families SET previous = current, current = :next, sealed = :sealed, rotated = :now,
        generation = generation + 1, expires = CASE WHEN final < :idle THEN final ELSE :idle END
    {presented}
""",
    presented=_PRESENTED,
    live=LIVE,
    columns=COLUMNS,
    holder=HOLDER,
    memberships=MEMBERSHIPS,
    account="families.account",
)
KEEP: Final = Statement(
    """
    UPDATE families SET expires = CASE WHEN final < :idle THEN final ELSE :idle END
    {presented}
""",
    presented=_PRESENTED,
    live=LIVE,
    columns=COLUMNS,
    holder=HOLDER,
    memberships=MEMBERSHIPS,
    account="families.account",
)
FIND: Final = Statement(
    "SELECT {columns}, current, previous, sealed, {holder}, {memberships} FROM families WHERE locator = :locator",
    columns=COLUMNS,
    holder=HOLDER,
    memberships=MEMBERSHIPS,
    account="families.account",
)
BY_ID: Final = Statement("SELECT {columns} FROM families WHERE id = :id", columns=COLUMNS)
OF_ACCOUNT: Final = Statement(
    "SELECT {columns} FROM families WHERE account = :account AND {live} ORDER BY created DESC LIMIT :limit",
    columns=COLUMNS,
    live=LIVE,
)
OF_CLIENT: Final = Statement(
    "SELECT {columns} FROM families WHERE client = :client AND id > :after AND {live} ORDER BY id LIMIT :limit",
    columns=COLUMNS,
    live=LIVE,
)
_END: Final = "UPDATE families SET ended = :now, reason = :reason, sealed = NULL WHERE"
END_ONE: Final = Statement("{end} id = :id AND {live} RETURNING id", end=_END, live=LIVE)
END_ACCOUNT: Final = Statement("{end} account = :account AND {live} RETURNING id", end=_END, live=LIVE)
END_ACCOUNT_CLIENT: Final = Statement(
    "{end} account = :account AND client = :client AND {live} RETURNING id", end=_END, live=LIVE
)
END_CLIENT: Final = Statement("{end} client = :client AND {live} RETURNING id", end=_END, live=LIVE)
END_SESSION: Final = Statement("{end} session = :session AND {live} RETURNING id", end=_END, live=LIVE)
FORBID: Final = Statement("""
    INSERT INTO families (id, locator, client, account, session, binding, payload, current, previous, sealed,
                          generation, created, rotated, expires, final, ended, reason, due)
    VALUES (:id, NULL, :client, :account, :session, '', '{}', NULL, NULL, NULL,
            0, :now, :now, :expires, :expires, :now, :reason, :expires)
    ON CONFLICT (id) DO UPDATE SET ended = :now, reason = :reason, sealed = NULL WHERE families.ended IS NULL
""")
POSTPONE: Final = Statement("""
    UPDATE families SET due = expires
    WHERE id IN (SELECT id FROM families WHERE due <= :now AND expires > :now ORDER BY due LIMIT :batch)
""")
SWEEP: Final = Statement("""
    DELETE FROM families
    WHERE id IN (SELECT id FROM families WHERE due <= :now AND expires <= :now ORDER BY due LIMIT :batch)
""")
