"""One family of refresh tokens, as the database knows it."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ringwall.identity.store.driver import Row, unpacked
from ringwall.identity.store.holders import Holder
from ringwall.model.secret import Secret

COLUMNS: Final = (
    "id, client, account, session, binding, payload, generation, created, rotated, expires, final, ended, reason"
)
"""What `family_of` reads."""
LIVE: Final = "ended IS NULL AND expires > :now"


class Family(NamedTuple):
    """One grant that lives on by refresh tokens; a tuple, since each refresh makes one.

    Attributes:
        id: names it in lists and in access tokens; not secret.
        client: who may use its tokens.
        account: id of the person, or an empty string.
        session: id of the login session that it came from, or an empty string.
        binding: what the client must prove to hold, such as `jkt:…` (RFC 9449, section 5); empty for nothing.
        payload: what was granted: scopes, resources, `auth_time`, `acr`, …
        generation: 1 for the first token, one more with each rotation.
        created: when it began.
        rotated: when its current token was made.
        expires: until when its current token can be used.
        final: when the family ends, however often it is used.
        ended: when it was ended, or None.
        reason: why it was ended.
    """

    id: str
    client: str
    account: str
    session: str
    binding: str
    payload: dict[str, Any]
    generation: int
    created: float
    rotated: float
    expires: float
    final: float
    ended: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """What a refresh token gave.

    Attributes:
        token: the token to answer with.
        family: as it is now.
        holder: the person whose account the family is of, as they are now; None where there is no such account.
        repeated: whether another request had the same token within the grace, and got the same answer.
    """

    token: Secret
    family: Family
    holder: Holder | None
    repeated: bool


def family_of(row: Row) -> Family:
    """Return what a row says that begins with COLUMNS."""
    return Family._make((*row[:5], unpacked(row[5]), *row[6:13]))
