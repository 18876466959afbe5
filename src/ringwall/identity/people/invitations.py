"""Invitations: a link that is used once, by which somebody new gets an account, or somebody known begins anew.

The first administrator comes in by one too; there is no default password anywhere.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.people.accounts import Accounts
from ringwall.identity.people.credentials import Credentials
from ringwall.identity.people.errors import AccountTakenError, InvitationRefusedError
from ringwall.identity.people.journal import Journal
from ringwall.identity.people.known_devices import KnownDevices
from ringwall.identity.people.profile import Profile
from ringwall.identity.people.sign_in import Acr, SignedIn, Visitor
from ringwall.identity.people.throttle import Throttle
from ringwall.identity.store.accounts import Account
from ringwall.identity.store.database import Database
from ringwall.identity.store.errors import HandleRefusedError
from ringwall.identity.store.invitations import Invitation as KeptInvitation
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret

PATH: Final = "/invitation?code="
"""Where under the issuer's URL an invitation's handle is taken: in the query, as no proxy writes that to its log."""
SECONDS: Final = 3 * 86_400.0
MAX_SECONDS: Final = 30 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """An invitation as it was made.

    Attributes:
        id: names it in lists.
        link: for the person who is invited, and for nobody else; cannot be seen again.
        expires: seconds since the epoch.
    """

    id: str
    link: Secret
    expires: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """An invitation that waits.

    Attributes:
        id: names it.
        profile: who is invited to have an account.
        account: id of the account whose person is invited to begin anew; empty for a new one.
        by: who invited.
        created: seconds since the epoch.
        expires: seconds since the epoch.
    """

    id: str
    profile: Profile
    account: str
    by: str
    created: float
    expires: float


class Invitations:
    """Makes invitations, and takes them."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        clock: Clock,
        *,
        accounts: Accounts,
        credentials: Credentials,
        throttle: Throttle,
        devices: KnownDevices,
        issuer: str,
    ) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._accounts = accounts
        self._credentials = credentials
        self._throttle = throttle
        self._devices = devices
        self._issuer = issuer

    async def invite(self, profile: Profile, *, by: str, seconds: float = SECONDS) -> Invited:
        """Invite somebody new; AccountTakenError where the user name is taken already."""
        if await self._database.accounts.by_name(profile.name_key) is not None:
            raise AccountTakenError(
                f"there is already an account {profile.user_name[:80]!r}",
                hint="choose another user name; or let its person begin anew",
            )
        return await self._put({"account": "", **_payload(profile)}, by=by, seconds=seconds)

    async def invite_anew(self, account: str, *, by: str, seconds: float = SECONDS) -> Invited:
        """Invite the person of an account to set new credentials; taking it removes all former ones."""
        found = await self._accounts.get(account)
        return await self._put({"account": found.id, **_payload(_profile_of(found))}, by=by, seconds=seconds)

    async def pending(self) -> Sequence[Invitation]:
        """Return the invitations that wait, those that end first at the front."""
        return [_invitation(kept) for kept in await self._database.invitations.pending(now=self._clock.now())]

    async def withdraw(self, invitation: str, *, by: str) -> None:
        """Make an invitation useless; InvitationRefusedError where there is none of that id."""
        if not await self._database.invitations.cancel(invitation):
            raise InvitationRefusedError("there is no such invitation", hint="it may have been used meanwhile")
        await self._journal.note("invitation-withdrawn", by=by, invitation=invitation)

    async def look(self, handle: Secret, visitor: Visitor) -> Invitation:
        """Return the invitation of a link, and leave it there; InvitationRefusedError."""
        admission = await self._throttle.admit_source(source=visitor.source)
        try:
            kept = await self._database.invitations.read(handle, now=self._clock.now())
        except HandleRefusedError:
            raise _refused() from None
        await admission.was_right()
        return _invitation(kept)

    async def accept(self, handle: Secret, visitor: Visitor, *, password: Secret | None = None) -> SignedIn:
        """Take an invitation, and sign its person in.

        1. Look at it, and at the password, so that one that is refused costs nobody their invitation.
        2. Use the invitation up; of two who hold the link one gets in.
        3. Make the account; or, for one that is there, remove all its credentials and end its sessions.
        4. Set the password. Without one, the person is signed in only to make a passkey or to set a password.

        Raises:
            InvitationRefusedError: unknown, used, or over; or its account has gone.
            PasswordRefusedError: the password is not to be used; the invitation still waits.
        """
        invitation = await self.look(handle, visitor)  # 1
        about = (invitation.profile.user_name, invitation.profile.display_name, invitation.profile.email)
        encoded = None if password is None else await self._credentials.checked_password(password, about)
        try:
            await self._database.invitations.take(handle, now=self._clock.now())  # 2
        except HandleRefusedError:
            raise _refused() from None
        account = await self._account_of(invitation)  # 3
        await self._journal.note("invitation-accepted", by=account, account=account, invitation=invitation.id)
        if encoded is not None:  # 4
            await self._database.passwords.set(account, Secret(encoded), now=self._clock.now())
            await self._journal.note("password-set", by=account, account=account)
        acr = Acr.INVITATION if encoded is None else Acr.PASSWORD
        amr = ("otp",) if encoded is None else ("pwd",)
        await self._journal.note("signed-in", by=account, account=account, acr=acr.value, amr=list(amr))
        return SignedIn(
            account=account,
            acr=acr,
            amr=amr,
            auth_time=self._clock.now(),
            device_token=self._devices.issue(account),
        )

    async def _account_of(self, invitation: Invitation) -> str:
        if not invitation.account:
            return (await self._accounts.create(invitation.profile, by=invitation.by)).id
        found = await self._database.accounts.get(invitation.account)
        if found is None or found.disabled is not None:
            raise _refused()
        await self._credentials.remove_all(found.id, by=found.id)
        await self._accounts.end_sessions(found.id, by=found.id)
        return found.id

    async def _put(self, payload: Mapping[str, Any], *, by: str, seconds: float) -> Invited:
        if not 0 < seconds <= MAX_SECONDS:
            raise InvitationRefusedError(f"an invitation lasts at most {int(MAX_SECONDS // 86_400)} days")
        now = self._clock.now()
        handle, kept = await self._database.invitations.put(author=by, payload=dict(payload), now=now, seconds=seconds)
        await self._journal.note(
            "invited", by=by, account=payload["account"], invitation=kept.id, user_name=payload["user_name"]
        )
        link = Secret(self._issuer.rstrip("/").encode() + PATH.encode() + handle.reveal())
        return Invited(id=kept.id, link=link, expires=kept.expires)


def _refused() -> InvitationRefusedError:
    return InvitationRefusedError(
        "this invitation is unknown, was used, or is over", hint="ask whoever invited you for another one"
    )


def _payload(profile: Profile) -> dict[str, Any]:
    return {
        "user_name": profile.user_name,
        "display_name": profile.display_name,
        "email": profile.email,
        "roles": list(profile.roles),
        "groups": list(profile.groups),
        "attributes": dict(profile.attributes),
    }


def _profile_of(account: Account) -> Profile:
    return Profile.checked(
        user_name=account.user_name,
        display_name=account.display_name,
        email=account.email,
        roles=account.roles,
        groups=account.groups,
        attributes=account.attributes,
    )


def _invitation(kept: KeptInvitation) -> Invitation:
    told = dict(kept.payload)
    account = str(told.pop("account"))
    told["roles"], told["groups"] = tuple(told["roles"]), tuple(told["groups"])
    return Invitation(
        id=kept.id,
        profile=Profile.checked(**told),
        account=account,
        by=kept.author,
        created=kept.created,
        expires=kept.expires,
    )
