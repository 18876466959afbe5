"""What the services of this package need of the database besides accounts, passwords and sessions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ringwall.identity.people.throttle import Attempts
from ringwall.identity.store.accounts import Accounts
from ringwall.identity.store.families import Families
from ringwall.identity.store.passwords import Passwords
from ringwall.identity.store.replay import Replay
from ringwall.identity.store.revocations import Revocations
from ringwall.identity.store.sessions import LoginSessions
from ringwall.model.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPasskey:
    """A passkey as it is kept; the first six members are those of `passkeys.NewPasskey`.

    Attributes:
        account: id of the person whose it is.
        name: what they call it.
        created: seconds since the epoch.
        used: when it last signed in, or None.
    """

    credential: bytes
    public_key: bytes
    sign_count: int
    backup_eligible: bool
    backed_up: bool
    transports: tuple[str, ...]
    aaguid: str
    account: str
    name: str
    created: float
    used: float | None = None


class KeptPasskeys(Protocol):
    """Passkeys of all accounts."""

    async def add(self, passkey: KeptPasskey) -> None:
        """Keep one; ConflictError where its credential id is known, whoever's it is."""
        ...

    async def get(self, credential: bytes) -> KeptPasskey | None:
        """Return the passkey of a credential id."""
        ...

    async def of_account(self, account: str) -> Sequence[KeptPasskey]:
        """Return a person's passkeys, the oldest first."""
        ...

    async def used(self, credential: bytes, *, former: int, sign_count: int, backed_up: bool, now: float) -> bool:
        """Note a use; False, and nothing done, where the count kept is not `former` any more."""
        ...

    async def rename(self, account: str, credential: bytes, *, name: str) -> bool:
        """Give a person's passkey another name; return whether there is one."""
        ...

    async def remove(self, account: str, credential: bytes) -> bool:
        """Forget a person's passkey; return whether there was one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTotp:
    """An authenticator app of an account.

    Attributes:
        secret: sealed.
        confirmed: when its first code was typed, or None: until then it protects nothing.
        step: number of the last time step that was used; negative for none.
    """

    account: str
    secret: bytes
    confirmed: float | None
    step: int
    created: float


class KeptTotps(Protocol):
    """Authenticator apps, at most one for each account."""

    async def begin(self, account: str, *, secret: bytes, now: float) -> bool:
        """Keep an app that is not confirmed in place of another such; False where a confirmed one is there."""
        ...

    async def get(self, account: str) -> KeptTotp | None:
        """Return a person's app."""
        ...

    async def use(self, account: str, *, secret: bytes, step: int, now: float) -> bool:
        """Note that a step's code was used, which confirms the app; False where that step, or a later one, was used."""
        ...

    async def remove(self, account: str) -> bool:
        """Forget a person's app; return whether there was one."""
        ...


class KeptRecoveryCodes(Protocol):
    """Recovery codes, as slow hashes."""

    async def replace(self, account: str, digests: Sequence[bytes], *, now: float) -> None:
        """Keep these in place of all former ones."""
        ...

    async def take(self, account: str, digest: bytes) -> bool:
        """Use one up; of any number of callers exactly one gets True."""
        ...

    async def count(self, account: str) -> int:
        """Return how many are left."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptInvitation:
    """An invitation that waits.

    Attributes:
        id: names it in lists; no secret.
        payload: who is invited.
        by: who invited.
    """

    id: str
    payload: Mapping[str, Any]
    by: str
    created: float
    expires: float


class KeptInvitations(Protocol):
    """Invitations; each is taken once."""

    async def put(self, *, payload: Mapping[str, Any], by: str, now: float, seconds: float) -> tuple[Secret, str]:
        """Keep one, and return its handle and its id."""
        ...

    async def read(self, handle: Secret, *, now: float) -> KeptInvitation | None:
        """Return the invitation of a handle."""
        ...

    async def take(self, handle: Secret, *, now: float) -> KeptInvitation | None:
        """Use an invitation up; of any number of callers exactly one gets it."""
        ...

    async def pending(self, *, now: float, limit: int = 100) -> Sequence[KeptInvitation]:
        """Return those that wait, the newest first."""
        ...

    async def withdraw(self, invitation: str) -> bool:
        """Forget an invitation by its id; return whether it was there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that somebody did.

    Attributes:
        sequence: its place; later events have higher ones.
        time: seconds since the epoch.
        kind: such as `account-created`.
        by: who did it: an account's id, `operator`, or `nobody` for somebody who is not known.
        account: id of the account that it is about; empty for none.
        detail: what else there is to know; never a secret.
    """

    time: float
    kind: str
    by: str
    account: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    sequence: int = 0


class KeptEvents(Protocol):
    """What was done, in order."""

    async def add(self, event: Event) -> None:
        """Keep an event."""
        ...

    async def page(self, *, account: str = "", before: int | None = None, limit: int = 100) -> Sequence[Event]:
        """Return events, the newest first: those about an account, or all."""
        ...


class PeopleTables(Protocol):
    """The part of the database that the services of this package use."""

    @property
    def accounts(self) -> Accounts:
        """Who there is."""
        ...

    @property
    def passwords(self) -> Passwords:
        """Password hashes."""
        ...

    @property
    def sessions(self) -> LoginSessions:
        """Who is signed in where."""
        ...

    @property
    def families(self) -> Families:
        """Refresh tokens."""
        ...

    @property
    def revocations(self) -> Revocations:
        """What proxies refuse."""
        ...

    @property
    def replay(self) -> Replay:
        """What is seen once."""
        ...

    @property
    def passkeys(self) -> KeptPasskeys:
        """Passkeys."""
        ...

    @property
    def totp(self) -> KeptTotps:
        """Authenticator apps."""
        ...

    @property
    def recovery(self) -> KeptRecoveryCodes:
        """Recovery codes."""
        ...

    @property
    def invitations(self) -> KeptInvitations:
        """Invitations."""
        ...

    @property
    def attempts(self) -> Attempts:
        """Budgets of attempts."""
        ...

    @property
    def events(self) -> KeptEvents:
        """What was done."""
        ...
