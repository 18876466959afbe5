"""What is believed no more although it has not expired: tokens, sessions, users, clients and workloads.

`identity` keeps the list and `enforce` brings it to the proxies; neither sees the other, both see these types.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol


class Revoked(StrEnum):
    """What a revocation is about, and where a request says it."""

    TOKEN = "token"  # noqa: S105  # the name of a kind
    """One token, by its `jti`."""
    SESSION = "session"
    """Every token of one sign-in, by their `sid`."""
    GRANT = "grant"
    """Every token that came of one authorization, by their `grant_id`, which only the built-in issuer writes."""
    USER = "user"
    """Everybody's token who is this `sub` of this `iss`."""
    CLIENT = "client"
    """Every token that was given to one client, by `client_id`, or `azp` where issuers write that."""
    WORKLOAD = "workload"
    """A workload, by the SPIFFE ID in its certificate."""


CLAIMS: Final[Mapping[Revoked, tuple[str, ...]]] = {
    Revoked.TOKEN: ("jti",),
    Revoked.SESSION: ("sid",),
    Revoked.GRANT: ("grant_id",),
    Revoked.USER: ("sub",),
    Revoked.CLIENT: ("client_id", "azp"),
}
"""The claims by which a token is recognised, for each kind that is about tokens."""


@dataclass(frozen=True, slots=True, order=True)
class Revocation:
    """One revocation.

    Attributes:
        kind: what it is about.
        value: `jti`, `sid`, `sub`, `client_id` or SPIFFE ID.
        issuer: `iss` of the tokens that it is about; empty for a workload.
        until: when all that it is about has expired anyway, seconds since the epoch; None for until it is lifted.
        before: only tokens whose `iat` is less; None for all, also those that are still to come.
    """

    kind: Revoked
    value: str
    issuer: str = ""
    until: float | None = None
    before: int | None = None

    @property
    def about(self) -> tuple[Revoked, str, str]:
        """What it is about, however long it lasts."""
        return self.kind, self.issuer, self.value


TOKEN_SECONDS: Final = 86_400 + 60.0
"""No token of the built-in issuer is believed for longer: a day at most, and the tolerance for clocks of proxies."""
MOST: Final = 2_000
"""As many revocations can be in force at once: proxies compare each request with every one."""


class RevocationSource(Protocol):
    """Knows what is revoked now."""

    def revocations(self) -> tuple[Revocation, ...]:
        """Return everything that is revoked now, sorted."""
        ...

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Call `changed`, from any thread, whenever that has changed."""
        ...


class NothingRevoked:
    """A source for where nothing can be revoked: previews and measurements."""

    def revocations(self) -> tuple[Revocation, ...]:
        """Nothing."""
        return ()

    def subscribe(self, changed: Callable[[], None]) -> None:
        """Never calls."""
