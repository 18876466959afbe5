"""Errors for people: a browser that goes to an address gets a page, every program what its protocol says."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import Handler
from ringwall.identity.issuer.pages.forms import FormRefusedError, held_by
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.issuer.request import sent_path

_MESSAGES: Final = {
    403: "You may not do this.",
    404: "There is nothing at this address.",
    405: "There is nothing at this address.",
    413: "What was sent is too large.",
    429: "There were too many requests. Wait a minute.",
    503: "This does not work at the moment. Try again in a few seconds.",
}
_STALE: Final = (
    "This page was open for too long, or somebody has signed in or out in this browser meanwhile. Nothing was done."
)
_FOREIGN: Final = "What was sent came from another site, so nothing was done."
_NO_COOKIE: Final = (
    "Your browser kept no cookie of this page, so nothing was done. Signing in needs cookies: allow them for this site."
)
_ACCOUNT: Final = "/account"
_OWN_PAGES: Final = (f"{_ACCOUNT}/set-up", f"{_ACCOUNT}/password", f"{_ACCOUNT}/passkeys", f"{_ACCOUNT}/app")
_SIGN_OUT: Final = "/sign-out"
_END_SESSION: Final = "/end_session"
_ELSE: Final = "The request is malformed."

_log = logging.getLogger(__name__)


class ErrorPages:
    """Puts pages in the place of what programs are told."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def over(self, handlers: Mapping[Any, Handler]) -> dict[Any, Handler]:
        """Return handlers that answer browsers with pages."""
        return {**{kind: self._instead_of(each) for kind, each in handlers.items()}, FormRefusedError: self._on_form}

    async def _on_form(self, request: Request, error: Exception) -> Response:
        """Answer a form that is not taken, for the person who sent it, with a way to begin again."""
        _log.warning("a form was refused: %s", error)
        own = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
        message = _FOREIGN if not own else _STALE if held_by(request) is not None else _NO_COOKIE
        return self._pages.show(
            "error", status=403, message=message, onwards=_page_of(request), onwards_says="Start again"
        )

    def _instead_of(self, handler: Handler) -> Handler:
        async def answer(request: Request, error: Exception) -> Response:
            told = await handler(request, error)
            # Only a browser that opens an address says so (W3C Fetch Metadata, section 2.1), whatever else it accepts.
            if request.headers.get("sec-fetch-dest") != "document":
                return told
            page = self._pages.show("error", status=told.status_code, message=_MESSAGES.get(told.status_code, _ELSE))
            for name in ("retry-after", "allow"):
                if name in told.headers:
                    page.headers[name] = told.headers[name]
            return page

        return answer


def _page_of(request: Request) -> str:
    """Return the page that a form was on: what takes it shows it, but for the buttons of an account's page."""
    path = sent_path(request)
    if path.startswith(_ACCOUNT) and path not in _OWN_PAGES:
        return _ACCOUNT
    path = _END_SESSION if path == _SIGN_OUT else path
    query = request.scope["query_string"].decode("ascii", "replace")
    return f"{path}?{query}" if query else path
