"""What several areas of the administration need of accounts."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from starlette.responses import Response

from ringwall.identity.issuer.administration import bodies, schemas
from ringwall.identity.issuer.administration.escalation import NEW, Escalation
from ringwall.identity.issuer.administration.problems import ProblemError, missing
from ringwall.identity.issuer.administration.reading import tell
from ringwall.identity.issuer.administration.routes import Asked
from ringwall.identity.issuer.context import IssuerContext

if TYPE_CHECKING:
    from ringwall.identity.people.endings import Ended
    from ringwall.identity.people.profile import Profile
    from ringwall.identity.store.accounts import Account
    from ringwall.identity.store.family import Family
    from ringwall.identity.store.sessions import LoginSession


async def account_of(context: IssuerContext, asked: Asked, parameter: str = "user") -> "Account":
    """Return the account that a request's path names by its id; ProblemError where there is none."""
    services = await context.people.services()
    found = await services.database.accounts.get(asked.named(parameter))
    if found is None:
        raise missing("account")
    return found


def known_roles(context: IssuerContext, roles: Iterable[str]) -> tuple[str, ...]:
    """Return roles that the plan has, all of them; ProblemError for another."""
    known = context.directory.current().roles
    for role in roles:
        if role not in known:
            there = ", ".join(sorted(known)[:20]) or "none"
            raise ProblemError(400, "unknown-role", f"there is no role {role[:80]!r} in the plan; its roles: {there}")
    return tuple(roles)


def told(account: "Account") -> schemas.User:
    """Return an account as it is told."""
    return schemas.User(
        id=account.id,
        version=account.version,
        user_name=account.user_name,
        display_name=account.display_name,
        email=account.email,
        roles=list(account.roles),
        groups=list(account.groups),
        effective_roles=list(account.effective_roles),
        managed_by=account.manager,
        attributes=dict(account.attributes),
        created=account.created,
        disabled=account.disabled,
    )


async def told_details(context: IssuerContext, account: "Account") -> schemas.UserDetails:
    """Return an account with how its person can sign in, and where they are signed in; no secret is among it."""
    services = await context.people.services()
    now = context.clock.now()
    overview = await services.credentials.overview(account.id)
    sessions = await services.database.sessions.of_account(account.id, now=now)
    families = await services.database.families.of_account(account.id, now=now)
    return schemas.UserDetails(
        **told(account).model_dump(),
        password_changed=overview.password_changed,
        totp=overview.totp,
        recovery_codes=overview.recovery_codes,
        passkeys=[schemas.Passkey(name=each.label, created=each.created, used=each.used) for each in overview.passkeys],
        sessions=[told_session(each) for each in sessions],
        grants=[told_grant(each) for each in families],
    )


def told_session(session: "LoginSession") -> schemas.Session:
    """Return a login session as it is told; its handle is known to nobody but the browser."""
    return schemas.Session(
        id=session.id,
        user=session.account,
        created=session.created,
        seen=session.seen,
        expires=session.expires,
        signed_in=session.authenticated,
        acr=str(session.payload.get("acr", "")),
    )


def told_grant(family: "Family") -> schemas.Grant:
    """Return what a client may do, as it is told."""
    scopes = family.payload.get("scopes", [])
    return schemas.Grant(
        id=family.id,
        client=family.client,
        user=family.account,
        session=family.session,
        scopes=[str(scope) for scope in scopes] if isinstance(scopes, list) else [],
        created=family.created,
        used=family.rotated,
        expires=family.expires,
    )


def ended(done: "Ended") -> Response:
    """Answer with what was ended."""
    return tell(schemas.Ended(sessions=done.sessions, grants=done.families))


def profile_of(wanted: bodies.Profile, roles: tuple[str, ...]) -> "Profile":
    """Return a profile as somebody wrote it, checked, with these roles."""
    from ringwall.identity.people.profile import Profile  # noqa: PLC0415  # not on the way to a start

    return Profile.checked(
        user_name=wanted.user_name,
        display_name=wanted.display_name,
        email=wanted.email,
        roles=roles,
        groups=tuple(wanted.groups),
        attributes=wanted.attributes,
    )


async def require_profile(context: IssuerContext, escalation: Escalation, asked: Asked, profile: "Profile") -> None:
    """Raise ProblemError unless whoever asks may give a new account all that is in its profile."""
    from ringwall.identity.people.profile import checked_group_name  # noqa: PLC0415  # not on the way to a start

    actor, groups = asked.actor, (await context.people.services()).database.groups
    escalation.require_giving(actor, profile.roles)
    if profile.attributes:
        escalation.require(actor, "users.set-attributes", f"/admin/users/{NEW}/attributes")
    for name in profile.groups:
        group = await groups.by_name(checked_group_name(name)[1])
        if group is not None:
            escalation.require(actor, "groups.join", f"/admin/users/{NEW}/groups/{group.id}")
            escalation.require_giving(actor, group.roles)
