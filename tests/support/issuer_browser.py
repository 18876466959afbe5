"""A browser and a relying party for the issuer in one process: real cookies, real forms, no JavaScript."""

import base64
import hashlib
import html.parser
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from starlette.applications import Starlette
from tests.support.issuer_plan import ISSUER, PORTAL

ORIGIN = "https://localhost:8443"
CALLBACK = PORTAL.redirect_uris[0]


class Edge(httpx.AsyncBaseTransport):
    """Stands for the edge: takes the issuer's prefix off the path."""

    def __init__(self, app: Starlette) -> None:
        self._inner = httpx.ASGITransport(app=app)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path.startswith("/auth/"), request.url
        request.url = request.url.copy_with(raw_path=request.url.raw_path.removeprefix(b"/auth"))
        return await self._inner.handle_async_request(request)


def browser(app: Starlette) -> httpx.AsyncClient:
    """Return a browser; it follows no redirect by itself."""
    return httpx.AsyncClient(transport=Edge(app), base_url=ORIGIN)


@dataclass
class Form:
    """A form of a page, as a browser would send it."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given["action"]))
        elif tag == "input":
            self.forms[-1].fields[given["name"]] = given.get("value", "")
        elif tag == "button" and "name" in given:
            self.forms[-1].buttons.append((given["name"], given["value"]))


def forms_of(response: httpx.Response) -> list[Form]:
    reader = _Forms()
    reader.feed(response.text)
    return reader.forms


@dataclass
class RelyingParty:
    """What a client keeps of one authorization request."""

    client: str = PORTAL.name
    callback: str = CALLBACK
    scope: str = "openid profile"
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(12))

    def parameters(self, **changes: str | None) -> dict[str, str]:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        given: dict[str, str | None] = {
            "client_id": self.client,
            "redirect_uri": self.callback,
            "response_type": "code",
            "scope": self.scope,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in given.items() if value is not None}

    def url(self, **changes: str | None) -> str:
        return f"{ISSUER}/authorize?{urlencode(self.parameters(**changes))}"

    def redemption(self, code: str, **changes: str | None) -> dict[str, str]:
        given: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.callback,
            "code_verifier": self.verifier,
            **changes,
        }
        return {name: value for name, value in given.items() if value is not None}


async def pick(page: httpx.AsyncClient, shown: httpx.Response, person: str = "alice", **headers: str) -> httpx.Response:
    """Sign in on the page that is shown, by picking a development user."""
    form = next(form for form in forms_of(shown) if ("person", person) in form.buttons)
    return await send(page, form, {"person": person}, **headers)


async def send(page: httpx.AsyncClient, form: Form, values: dict[str, str], **headers: str) -> httpx.Response:
    """Send a form as a browser does from a page of the issuer."""
    return await page.post(form.action, data={**form.fields, **values}, headers={"origin": ORIGIN, **headers})


def sent_back(response: httpx.Response, callback: str = CALLBACK) -> dict[str, str]:
    """Return the parameters with which a response sends the person back to the client."""
    assert response.status_code == 303, response.text
    location = response.headers["location"]
    assert location.startswith(callback + "?"), location
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query, strict_parsing=True).items()}


async def sign_in(page: httpx.AsyncClient, party: RelyingParty, person: str = "alice", **changes: str | None) -> str:
    """Let somebody sign in for a client; return the code."""
    shown = await page.get(party.url(**changes))
    assert shown.status_code == 200, shown.text
    return sent_back(await pick(page, shown, person), party.callback)["code"]


async def redeem(page: httpx.AsyncClient, form: dict[str, Any], secret: tuple[str, str] | None) -> httpx.Response:
    """Ask for tokens, as the client does by itself: without the browser's cookies."""
    async with httpx.AsyncClient(transport=page._transport, base_url=ORIGIN) as client:
        auth = httpx.BasicAuth(*secret) if secret else httpx.Auth()
        return await client.post(f"{ISSUER}/token", data=form, auth=auth)
