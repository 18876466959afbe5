"""The roles of the plan, and who has them."""

from starlette.responses import Response

from ringwall.identity.issuer.administration.routes import Asked, Handler
from ringwall.identity.issuer.answers import answer
from ringwall.identity.issuer.context import IssuerContext


class RoleAdministration:
    """What answers; one method per operation."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    def handlers(self) -> dict[str, Handler]:
        """Return the operations."""
        return {"roles.list": self.page}

    async def page(self, _: Asked) -> Response:
        """Answer with the roles that there are."""
        names = sorted(self._context.directory.current().roles)
        return answer({"roles": [{"name": name} for name in names]})
