"""Cross-origin requests of browser clients (Fetch standard, section 3.2): to some endpoints, from their own origins."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ringwall.identity.issuer.clients.registered import may_return_to
from ringwall.identity.issuer.directory import Directory, LiveDirectory
from ringwall.model.clients import RedirectUriError, check_redirect_uri
from ringwall.plan.client import ClientKind

PATHS: Final = frozenset(
    {
        "/token",
        "/revoke",
        "/par",
        "/userinfo",
        "/jwks",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-authorization-server",
    }
)
_PREFLIGHT: Final = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, content-type, dpop",
    "access-control-max-age": "600",
}


class BrowserClientOrigins:
    """Lets pages of browser clients read the answers of `PATHS`. Never with cookies, so no session is lent to them."""

    def __init__(self, app: ASGIApp, *, directory: LiveDirectory) -> None:
        self._app = app
        self._directory = directory
        self._known: tuple[Directory | None, frozenset[str]] = (None, frozenset())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a preflight, or add what lets the page read the answer; everybody else's requests pass unchanged."""
        if scope["type"] != "http" or scope["path"] not in PATHS:
            await self._app(scope, receive, send)
            return
        origin = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"origin"), None)
        if origin is None or not (origin in self._origins() or self._may_register(origin)):
            await self._app(scope, receive, send)
            return
        allowed = {"access-control-allow-origin": origin, "vary": "origin"}
        if scope["method"] == "OPTIONS" and "access-control-request-method" in Headers(scope=scope):
            raw = [(k.encode(), v.encode()) for k, v in {**allowed, **_PREFLIGHT}.items()]
            await send({"type": "http.response.start", "status": 204, "headers": raw})
            await send({"type": "http.response.body", "body": b""})
            return

        async def send_allowed(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                answered["access-control-allow-origin"] = origin
                answered["access-control-expose-headers"] = "www-authenticate, dpop-nonce"
                answered.add_vary_header("origin")
            await send(message)

        await self._app(scope, receive, send_allowed)

    def _may_register(self, origin: str) -> bool:
        """Return whether a browser client could register itself that has this origin.

        A preflight does not say who asks, and which have registered is not looked at for each: as no cookie of anybody
        counts at these endpoints, their answers tell a page nothing that it could not ask for without a browser.
        """
        policy = self._directory.current().registration
        if policy is None or ClientKind.BROWSER not in policy.kinds:
            return False
        try:
            check_redirect_uri(f"{origin}/")
        except RedirectUriError:
            return False
        return may_return_to(f"{origin}/", ClientKind.BROWSER, policy)

    def _origins(self) -> frozenset[str]:
        """Return the origins of all browser clients' redirect URIs; computed once for each plan."""
        directory = self._directory.current()
        if self._known[0] is not directory:
            found = {
                f"{parts.scheme}://{parts.netloc}"
                for client in directory.clients.values()
                if client.kind is ClientKind.BROWSER
                for parts in map(urlsplit, client.redirect_uris)
            }
            self._known = (directory, frozenset(found))
        return self._known[1]
