"""The page on which people sign in for a client's request, and the one that asks for a second factor."""

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.assurance import satisfies
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.oauth.authorization_request import AuthorizationRequest
from ringwall.identity.issuer.oauth.own_pages import NAME
from ringwall.identity.issuer.oauth.visitor import binding_of
from ringwall.identity.issuer.pages.forms import FormTokens, give_cookie, held_by
from ringwall.identity.issuer.pages.render import Pages
from ringwall.identity.tokens.encoding import encode_json
from ringwall.model.secret import Secret
from ringwall.plan.client import Client
from ringwall.plan.model import EDGE
from ringwall.plan.upstream import Upstream

_LINKS: Final = {
    "client_uri": "home page",
    "policy_uri": "privacy policy",
    "tos_uri": "terms of use",
    "logo_uri": "logo",
}
_LONGEST_NAME: Final = 200
_BEST_WITHOUT_PASSKEY: Final = "mfa"


class SignInPage:
    """Shows both pages. Their forms are bound to this browser and to this very request."""

    def __init__(self, context: IssuerContext, *, pages: Pages, forms: FormTokens) -> None:
        self._context = context
        self._pages = pages
        self._forms = forms

    async def ask(
        self,
        request: Request,
        query: bytes,
        asked: AuthorizationRequest,
        *,
        status: int = 200,
        message: str = "",
        typed: str = "",
    ) -> Response:
        """Return the page on which people sign in for this request; with the name that somebody has `typed` already."""
        token, cookie = self._forms.issue(request, login_purpose(query))
        response = self._pages.show(
            "login",
            status=status,
            form_targets=(asked.reply.uri.origin,),
            script=True,
            client=self.shown(asked.reply.client),
            links=links_about(asked.reply.client),
            action=f"/login?{query.decode('ascii')}",
            form_token=token,
            hint=typed[:_LONGEST_NAME] or asked.login_hint,
            passkey_options=await self._passkey_options(request, cookie),
            only_passkey=not satisfies(_BEST_WITHOUT_PASSKEY, asked.acr_values),
            needs_more=not satisfies("pwd", asked.acr_values),
            upstreams=self._upstreams(asked.login_hint),
            query=query.decode("ascii"),
            people=self._context.people.pickable(),
            message=message,
        )
        give_cookie(response, cookie)
        return response

    async def ask_more(
        self,
        request: Request,
        query: bytes,
        asked: AuthorizationRequest,
        *,
        step: Secret,
        ways: frozenset[str],
        message: str = "",
    ) -> Response:
        """Return the page that asks for a second factor; the `step` before it is kept here."""
        token, _ = self._forms.issue(request, login_purpose(query))
        return self._pages.show(
            "second_factor",
            status=403 if message else 200,
            form_targets=(asked.reply.uri.origin,),
            script=True,
            client=self.shown(asked.reply.client),
            action=f"/login?{query.decode('ascii')}",
            form_token=token,
            step=step.reveal().decode("ascii"),
            ways=ways,
            passkey_options=await self._passkey_options(request, None) if "passkey" in ways else "",
            message=message,
        )

    def shown(self, client: Client) -> str:
        """Return what people call a client; the edge and the issuer's own pages are the system itself."""
        if client.name in {EDGE, NAME}:
            directory = self._context.directory.current()
            return directory.appearance.title or directory.audience
        return client.title or client.name

    def _upstreams(self, hint: str) -> tuple[Upstream, ...]:
        """Return the providers to show; first those that have the say over the domain of who may be there."""
        found = self._context.directory.current().upstreams.values()
        domain = hint.rpartition("@")[2].casefold()
        return tuple(sorted(found, key=lambda upstream: (domain not in upstream.authoritative_for, upstream.name)))

    async def _passkey_options(self, request: Request, cookie: Secret | None) -> str:
        """Return the options as JSON, with a challenge for this browser; empty where there are no passkeys."""
        held = held_by(request) or cookie
        options = None if held is None else await self._context.people.passkey_options(binding_of(held))
        return "" if options is None else encode_json(options).decode("utf-8")


def links_about(client: Client) -> tuple[tuple[str, str, str], ...]:
    """Return what people may read about a client: what it is called, where it lies, and whose host that is.

    A client that has registered itself wrote this, so each link says where it leads, and nothing of it is embedded.
    """
    return tuple((_LINKS[kind], uri, urlsplit(uri).netloc) for kind, uri in client.links)


def login_purpose(query: bytes) -> str:
    """Return what the form for signing in is for: one request of one client."""
    return f"login\0{query.decode('latin-1')}"
