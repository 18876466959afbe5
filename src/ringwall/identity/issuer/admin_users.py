"""What the operator may ask about people: on the administration socket, under `/users` and `/invitations`.

A user is named by user name in the path. Every act is an event, done by `operator`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from ringwall.identity.issuer.accounts import IssuerPeople
from ringwall.identity.issuer.admin_request import known_roles, page_limit, read_object, texts
from ringwall.identity.issuer.answers import answer
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.identity.people.errors import PeopleError
from ringwall.identity.people.journal import OPERATOR
from ringwall.identity.people.names import normalised
from ringwall.model.clock import Clock

if TYPE_CHECKING:
    from ringwall.identity.people.endings import Ended
    from ringwall.identity.people.invitations import Invited
    from ringwall.identity.people.people import People
    from ringwall.identity.people.profile import Profile
    from ringwall.identity.store.accounts import Account

_EVENTS: Final = 50
_HOUR: Final = 3600.0
_PROFILE: Final = {"display_name": str, "email": str, "roles": list, "groups": list, "attributes": dict}
_IMPORTED: Final = {"password": str, "totp": str, "disabled": bool, "dry_run": bool}
_CHANGES: Final = {
    "user_name": str,
    "display_name": str,
    "email": str,
    "give_roles": list,
    "take_roles": list,
    "give_groups": list,
    "take_groups": list,
    "set_attributes": dict,
    "remove_attributes": list,
    "managed_by": str,
}


class UserAdministration:
    """What answers; one method per endpoint."""

    def __init__(self, people: IssuerPeople, *, directory: LiveDirectory, clock: Clock) -> None:
        self._people = people
        self._directory = directory
        self._clock = clock

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [
            Route("/users", self.page, methods=["GET"]),
            Route("/users", self.invite, methods=["POST"]),
            Route("/users/import", self.take_over, methods=["POST"]),
            Route("/users/{name}", self.show, methods=["GET"]),
            Route("/users/{name}", self.change, methods=["PATCH"]),
            Route("/users/{name}", self.delete, methods=["DELETE"]),
            Route("/users/{name}/disable", self.disable, methods=["POST"]),
            Route("/users/{name}/enable", self.enable, methods=["POST"]),
            Route("/users/{name}/invite", self.invite_anew, methods=["POST"]),
            Route("/users/{name}/sessions", self.end_sessions, methods=["DELETE"]),
            Route("/users/{name}/events", self.events, methods=["GET"]),
            Route("/invitations", self.invitations, methods=["GET"]),
            Route("/invitations/{id}", self.withdraw, methods=["DELETE"]),
        ]

    async def page(self, request: Request) -> Response:
        """Answer with accounts in the order of their names: `?after=NAME&limit=N`; `next` is the next `after`."""
        services = await self._people.services()
        limit = page_limit(request)
        after = request.query_params.get("after", "")
        found = await services.accounts.page(after=normalised(after) if after else "", limit=limit)
        following = found[-1].name_key if len(found) == limit else None
        return answer({"users": [_told(account) for account in found], "next": following})

    async def show(self, request: Request) -> Response:
        """Answer with one account: who it is, how its person can sign in, and where they are signed in."""
        services, account = await self._named(request)
        now = self._clock.now()
        overview = await services.credentials.overview(account.id)
        sessions = await services.database.sessions.of_account(account.id, now=now)
        families = await services.database.families.of_account(account.id, now=now)
        return answer(
            {
                **_told(account),
                "password_changed": overview.password_changed,
                "totp": overview.totp,
                "recovery_codes": overview.recovery_codes,
                "passkeys": [
                    {"name": each.label, "created": each.created, "used": each.used} for each in overview.passkeys
                ],
                "sessions": [
                    {"id": each.id, "created": each.created, "seen": each.seen, "expires": each.expires}
                    for each in sessions
                ],
                "clients": [{"client": each.client, "created": each.created} for each in families],
            }
        )

    async def invite(self, request: Request) -> Response:
        """Invite somebody new: `{"user_name", "display_name"?, …, "hours"?}`. Answers with the link, once."""
        asked = await read_object(request, {"user_name": str, **_PROFILE, "hours": int})
        profile = _profile(asked, known_roles(texts(asked, "roles"), self._directory.current().roles))
        services = await self._people.services()
        for group in profile.groups:
            await services.groups.named(group)
        invited = await services.invitations.invite(profile, by=OPERATOR, **_lasting(asked))
        return _link(invited)

    async def take_over(self, request: Request) -> Response:
        """Make an account as another system has it: `{"user_name", …, "password"?, "totp"?, "disabled"?, "dry_run"?}`.

        Roles that the plan has not are left out, and named in the answer.
        """
        asked = await read_object(request, {"user_name": str, **_PROFILE, **_IMPORTED})
        known = self._directory.current().roles
        wanted = texts(asked, "roles")
        profile = _profile(asked, tuple(role for role in wanted if role in known))
        services = await self._people.services()
        await services.importer.add(
            profile,
            by=OPERATOR,
            password=asked.get("password"),
            app=asked.get("totp"),
            disabled=asked.get("disabled", False),
            dry_run=asked.get("dry_run", False),
        )
        return answer({"unknown_roles": [role for role in wanted if role not in known]})

    async def invite_anew(self, request: Request) -> Response:
        """Invite a person to set new credentials in place of all they have: `{"hours"?}`. Answers with the link."""
        asked = await read_object(request, {"hours": int})
        services, account = await self._named(request)
        return _link(await services.invitations.invite_anew(account.id, by=OPERATOR, **_lasting(asked)))

    async def change(self, request: Request) -> Response:
        """Change what an account says: any of `user_name`, `give_roles`, `set_attributes` and their like."""
        asked = await read_object(request, dict(_CHANGES))
        services, account = await self._named(request)
        known_roles(texts(asked, "give_roles"), self._directory.current().roles)
        given, taken = [
            [(await services.groups.named(name)).id for name in texts(asked, what)]
            for what in ("give_groups", "take_groups")
        ]
        await services.accounts.change(account.id, lambda was: _changed(was, asked), by=OPERATOR)
        for group in given:
            await services.groups.change_members(group, add=[account.id], by=OPERATOR)
        for group in taken:
            await services.groups.change_members(group, remove=[account.id], by=OPERATOR)
        return answer(_told(await services.accounts.get(account.id)))

    async def disable(self, request: Request) -> Response:
        """Disable an account and end what was begun with it: `{"reason"?}`."""
        asked = await read_object(request, {"reason": str})
        services, account = await self._named(request)
        reason = asked.get("reason", "")[:200]
        return _ended(await services.accounts.disable(account.id, by=OPERATOR, reason=reason))

    async def enable(self, request: Request) -> Response:
        """Enable an account again."""
        services, account = await self._named(request)
        await services.accounts.enable(account.id, by=OPERATOR)
        return answer({})

    async def delete(self, request: Request) -> Response:
        """Delete an account, and end what was begun with it."""
        services, account = await self._named(request)
        return _ended(await services.accounts.delete(account.id, by=OPERATOR))

    async def end_sessions(self, request: Request) -> Response:
        """End a person's sessions, everywhere."""
        services, account = await self._named(request)
        return _ended(await services.accounts.end_sessions(account.id, by=OPERATOR))

    async def events(self, request: Request) -> Response:
        """Answer with what was done to an account, the newest first: `?limit=N`."""
        services, account = await self._named(request)
        found = await services.database.events.by_subject(account.id, limit=page_limit(request, _EVENTS))
        return answer(
            {
                "events": [
                    {"time": each.time, "act": each.act, "by": each.actor, "detail": each.payload} for each in found
                ]
            }
        )

    async def invitations(self, _: Request) -> Response:
        """Answer with the invitations that wait; their links cannot be seen again."""
        services = await self._people.services()
        waiting = await services.invitations.pending()
        return answer(
            {
                "invitations": [
                    {
                        "id": each.id,
                        "user_name": each.profile.user_name,
                        "roles": list(each.profile.roles),
                        "anew": bool(each.account),
                        "by": each.by,
                        "expires": each.expires,
                    }
                    for each in waiting
                ]
            }
        )

    async def withdraw(self, request: Request) -> Response:
        """Make an invitation useless."""
        services = await self._people.services()
        await services.invitations.withdraw(request.path_params["id"], by=OPERATOR)
        return answer({})

    async def _named(self, request: Request) -> "tuple[People, Account]":
        services = await self._people.services()
        return services, await services.accounts.named(request.path_params["name"])


async def on_people(_: Request, error: Exception) -> Response:
    """Tell the operator what is refused, and what to do about it."""
    assert isinstance(error, PeopleError)  # noqa: S101  # registered for this type only
    return answer({"error": error.code, "error_description": error.message, "hint": error.hint}, status=400)


USER_HANDLERS: Final[dict[Any, ExceptionHandler]] = {PeopleError: on_people}
"""For the administration socket only: to the public, these errors tell less."""


def _told(account: "Account") -> dict[str, Any]:
    return {
        "id": account.id,
        "user_name": account.user_name,
        "display_name": account.display_name,
        "email": account.email,
        "roles": list(account.roles),
        "groups": list(account.groups),
        "effective_roles": list(account.effective_roles),
        "managed_by": account.manager,
        "attributes": dict(account.attributes),
        "created": account.created,
        "disabled": account.disabled,
    }


def _profile(asked: dict[str, Any], roles: tuple[str, ...]) -> "Profile":
    from ringwall.identity.people.profile import Profile  # noqa: PLC0415  # not on the way to a start

    if "user_name" not in asked:
        raise RequestRefusedError(400, "invalid_request", "`user_name` is missing")
    return Profile.checked(
        user_name=asked["user_name"],
        display_name=asked.get("display_name", ""),
        email=asked.get("email", ""),
        roles=roles,
        groups=texts(asked, "groups"),
        attributes=asked.get("attributes", {}),
    )


def _changed(was: "Account", asked: Mapping[str, Any]) -> "Account":
    """Return an account with what was asked for, checked."""
    from ringwall.identity.people.accounts import with_profile  # noqa: PLC0415  # not on the way to a start
    from ringwall.identity.people.profile import Profile  # noqa: PLC0415

    attributes = {**was.attributes, **asked.get("set_attributes", {})}
    for name in texts(dict(asked), "remove_attributes"):
        attributes.pop(name, None)
    profile = Profile.checked(
        user_name=asked.get("user_name", was.user_name),
        display_name=asked.get("display_name", was.display_name),
        email=asked.get("email", was.email),
        roles=_given_and_taken(was.roles, asked, "roles"),
        attributes=attributes,
    )
    return replace(with_profile(was, profile), manager=asked.get("managed_by", was.manager))


def _given_and_taken(was: tuple[str, ...], asked: Mapping[str, Any], what: str) -> tuple[str, ...]:
    given, taken = texts(dict(asked), f"give_{what}"), texts(dict(asked), f"take_{what}")
    return tuple(sorted({*was, *given} - set(taken)))


def _lasting(asked: Mapping[str, Any]) -> dict[str, float]:
    return {"seconds": asked["hours"] * _HOUR} if "hours" in asked else {}


def _link(invited: "Invited") -> Response:
    return answer({"id": invited.id, "link": invited.link.reveal().decode(), "expires": invited.expires})


def _ended(ended: "Ended") -> Response:
    return answer({"sessions": ended.sessions, "clients": ended.families})
