"""What the operator may ask about groups: on the administration socket, under `/groups`.

A group is named by its name in the path, and so are its members by their user names. Every act is an event.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringwall.identity.issuer.accounts import IssuerPeople
from ringwall.identity.issuer.admin_request import known_roles, page_limit, read_object, texts
from ringwall.identity.issuer.answers import answer
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.identity.people.journal import OPERATOR

if TYPE_CHECKING:
    from ringwall.identity.people.people import People
    from ringwall.identity.store.groups import Group

_CHANGES: Final = {
    "name": str,
    "give_roles": list,
    "take_roles": list,
    "add": list,
    "remove": list,
    "managed_by": str,
}


class GroupAdministration:
    """What answers; one method per endpoint."""

    def __init__(self, people: IssuerPeople, *, directory: LiveDirectory) -> None:
        self._people = people
        self._directory = directory

    def routes(self) -> list[Route]:
        """Return the endpoints."""
        return [
            Route("/groups", self.page, methods=["GET"]),
            Route("/groups", self.create, methods=["POST"]),
            Route("/groups/{name:path}", self.show, methods=["GET"]),
            Route("/groups/{name:path}", self.change, methods=["PATCH"]),
            Route("/groups/{name:path}", self.delete, methods=["DELETE"]),
        ]

    async def page(self, request: Request) -> Response:
        """Answer with groups in the order of their names: `?after=KEY&limit=N`; `next` is the next `after`."""
        services = await self._people.services()
        limit = page_limit(request)
        found = await services.groups.page(after=request.query_params.get("after", ""), limit=limit)
        following = found[-1].name_key if len(found) == limit else None
        return answer({"groups": [await _told(services, group) for group in found], "next": following})

    async def create(self, request: Request) -> Response:
        """Make a group: `{"name", "roles"?, "managed_by"?}`."""
        asked = await read_object(request, {"name": str, "roles": list, "managed_by": str})
        if "name" not in asked:
            raise RequestRefusedError(400, "invalid_request", "`name` is missing")
        roles = known_roles(texts(asked, "roles"), self._directory.current().roles)
        services = await self._people.services()
        made = await services.groups.create(
            asked["name"], roles=roles, manager=asked.get("managed_by", ""), by=OPERATOR
        )
        return answer(await _told(services, made))

    async def show(self, request: Request) -> Response:
        """Answer with one group, and with some of its members: `?after=ID&limit=N`."""
        services, group = await self._named(request)
        limit = page_limit(request)
        members = await services.groups.members(group.id, after=request.query_params.get("after", ""), limit=limit)
        return answer(
            {
                **await _told(services, group),
                "members": [{"user_name": each.user_name, "display_name": each.display_name} for each in members],
                "next": members[-1].id if len(members) == limit else None,
            }
        )

    async def change(self, request: Request) -> Response:
        """Change `name` or `managed_by`, `give_roles`, `take_roles`; `add` and `remove` people by user name."""
        asked = await read_object(request, dict(_CHANGES))
        services, group = await self._named(request)
        given = known_roles(texts(asked, "give_roles"), self._directory.current().roles)
        taken = texts(asked, "take_roles")
        add, remove = [
            [(await services.accounts.named(name)).id for name in texts(asked, what)] for what in ("add", "remove")
        ]

        def changed(was: "Group") -> "Group":
            return replace(
                was,
                name=asked.get("name", was.name),
                roles=tuple({*was.roles, *given} - set(taken)),
                manager=asked.get("managed_by", was.manager),
            )

        await services.groups.change(group.id, changed, by=OPERATOR)
        if add or remove:
            await services.groups.change_members(group.id, add=add, remove=remove, by=OPERATOR)
        return answer(await _told(services, await services.groups.get(group.id)))

    async def delete(self, request: Request) -> Response:
        """Delete a group; its members stay."""
        services, group = await self._named(request)
        await services.groups.delete(group.id, by=OPERATOR)
        return answer({})

    async def _named(self, request: Request) -> "tuple[People, Group]":
        services = await self._people.services()
        return services, await services.groups.named(request.path_params["name"])


async def _told(services: "People", group: "Group") -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "roles": list(group.roles),
        "managed_by": group.manager,
        "size": await services.database.groups.size(group.id),
        "created": group.created,
    }
