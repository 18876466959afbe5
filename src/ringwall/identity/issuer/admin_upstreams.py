"""What the operator may ask about providers at which people sign in: on the administration socket."""

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.accounts import IssuerPeople
from ringwall.identity.issuer.admin_request import read_object
from ringwall.identity.issuer.answers import answer
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.request import RequestRefusedError
from ringwall.identity.upstream.identity import UpstreamIdentity
from ringwall.model.clock import Clock


class UpstreamAdministration:
    """What answers."""

    def __init__(self, people: IssuerPeople, *, directory: LiveDirectory, clock: Clock) -> None:
        self._people = people
        self._directory = directory
        self._clock = clock

    async def look(self, request: Request) -> Response:
        """Say whose account somebody would get: `{"issuer", "subject", "claims"}`. Nothing is verified or changed."""
        from ringwall.identity.upstream.linking import Linking  # noqa: PLC0415  # not on the way to a start

        asked = await read_object(request, {"issuer": str, "subject": str, "claims": dict})
        upstream = self._directory.current().upstreams.get(request.path_params["name"])
        if upstream is None:
            raise RequestRefusedError(404, "not_found", "the plan in force has no such provider")
        services = await self._people.services()
        linking = Linking(services.database, services.journal, self._clock, accounts=services.accounts)
        identity = UpstreamIdentity(
            issuer=asked.get("issuer", ""), subject=asked.get("subject", ""), claims=asked.get("claims", {})
        )
        outcome = await linking.look(upstream, identity)
        told: dict[str, object] = {"how": outcome.how}
        if outcome.refused is not None:
            told["refused"] = outcome.refused.message
        if outcome.account is not None:
            given = set(outcome.link.payload.get("roles", ())) if outcome.link is not None else set()
            stays = sorted(set(outcome.account.roles) - given)
            told |= {"user_name": outcome.account.user_name, "id": outcome.account.id, "stays": stays}
        return answer(told)
