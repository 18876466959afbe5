"""The few files that pages refer to."""

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import refusal
from ringwall.identity.issuer.pages.render import asset


async def get_asset(request: Request) -> Response:
    """Answer with one of them."""
    return asset(request.path_params["name"]) or refusal(404, "not_found", "there is nothing here")
