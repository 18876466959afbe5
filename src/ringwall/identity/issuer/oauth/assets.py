"""The few files that pages refer to."""

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import refusal
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.issuer.pages.render import asset


class Assets:
    """The issuer's own, and the logo of the plan in force."""

    def __init__(self, directory: LiveDirectory) -> None:
        self._directory = directory

    async def get(self, request: Request) -> Response:
        """Answer with one of them."""
        found = asset(request.path_params["name"], self._directory.current().appearance)
        return found or refusal(404, "not_found", "there is nothing here")
