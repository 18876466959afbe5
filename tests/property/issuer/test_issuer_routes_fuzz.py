"""Whatever is sent to any route of the issuer, public or of its administration, it answers, and never with a failure.

Requests begin as right ones, so that they get past the first checks, and are then bent: parameters doubled, left out,
huge, of another type, with NULs and broken UTF-8, JSON nested without end. Anything at all is sent as well.
"""

import asyncio
import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote_from_bytes, urlencode

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route
from tests.support.administered import admin_plan
from tests.support.asgi_request import Answer, no_failure_is_logged, send_request
from tests.support.issuer_browser import CALLBACK, RelyingParty, browser, forms_of, redeem, send, sent_back
from tests.support.issuer_plan import AUDIENCE, ISSUER
from tests.support.issuer_world import IssuerWorld

import ringwall.identity.issuer as package
from ringwall.identity.issuer.host_cookies import SESSION
from ringwall.model.administration import CLOSED, OPERATIONS

QUICK, DEEP = 150, 20_000
STEP_SECONDS = 5.0
"""Between two requests, so that most are not refused for being too many."""
MACHINE = re.compile(rb"Traceback|File \"|\.py\b|sqlite|asyncpg|sqlalchemy", re.IGNORECASE)
BLUEPRINT = f"""
ringwall: 1
system: {AUDIENCE}
roles: {{admin: , patient: }}
claims: {{ward: string, groups: set<string>}}
people: {{alice: {{roles: [patient]}}}}
clients:
  batch: {{roles: [admin], scopes: [read]}}
  portal: {{kind: web, redirect_uris: ["{CALLBACK}"], post_logout_redirect_uris: ["https://portal.example/"],
    scopes: ["orders:read", offline_access], backchannel_logout_uri: "https://portal.example/out"}}
  partner: {{kind: web, third_party: true, redirect_uris: ["https://partner.example/callback"]}}
  spa: {{kind: browser, redirect_uris: ["https://spa.example/callback"]}}
  tv: {{kind: native, redirect_uris: ["http://127.0.0.1/cb"], device_flow: true}}
issuers:
  local:
    registration: {{open: true, kinds: [web, native, browser, machine], device_flow: true}}
    administration: [{{roles: [admin]}}]
services:
  web: {{run: python web.py, operations: [home: GET /], expose: /, login: true, allow: [{{public: true}}]}}
"""
PASSWORD = "correct horse battery staple"
VERIFIER = "v" * 43
PARTY = RelyingParty(verifier=VERIFIER, state="s", nonce="n")


def _jwt(*parts: object) -> str:
    """Return something that looks like a token."""
    return ".".join(
        base64.urlsafe_b64encode(part if isinstance(part, bytes) else json.dumps(part).encode()).decode().rstrip("=")
        for part in parts
    )


_NAMES = sorted(
    {
        found
        for file in Path(package.__file__).parent.rglob("*.py")
        for found in re.findall(r'"([a-z][a-z_]{1,40})"', file.read_text())
    }
)
"""Every word of the issuer's own code that could be a parameter's or a member's name."""
_ODD = [
    *(
        b"",
        b"\0",
        b"a\0b",
        b"\xff\xfe",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        "😀ü".encode(),
        "\u202eadmin".encode(),
        b"%",
        b"%zz",
    ),
    *(b"\r\nSet-Cookie: a=b", b"../../etc/passwd", b"' OR 1=1 --", b"<script>", b"{{7*7}}", b"null", b"[]", b"{}"),
    *(b"-1", b"0", b"9" * 400, b"1e999", b"NaN", b"A" * 3000, b" ", b"+", b"&&==", b"a" * 40 + b"=" * 40),
    *(
        b"https://portal.example/callback@evil.example",
        b"//evil.example",
        b"javascript:alert(1)",
        b"urn:x:" + b"y" * 300,
    ),
    *(b"[" * 2000, b'{"a":' * 500, b".....", b".." * 50, b"eyJ" * 300),
    _jwt({"alg": "none"}, {"sub": "alice"}, b"").encode(),
    _jwt({"alg": "ES256", "kid": "x", "crit": ["b64"], "b64": False}, {"sub": "a"}, b"0" * 64).encode(),
    _jwt({"alg": "RSA1_5", "enc": "A128GCM", "zip": "DEF"}, b"k", b"i", b"c", b"t").encode(),
    _jwt(
        {"typ": "dpop+jwt", "alg": "ES256", "jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}, {}, b"s"
    ).encode(),
    _jwt({"alg": {"a": []}}, [], b"").encode(),
]
VALUES = (
    st.sampled_from(_ODD)
    | st.binary(max_size=12)
    | st.text(max_size=12).map(partial(str.encode, errors="surrogatepass"))
)
NAMES = st.sampled_from(_NAMES).map(str.encode) | VALUES
PAIRS = st.lists(st.tuples(NAMES, VALUES), max_size=5)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["\0", "a\0b", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            "authorization content-type cookie origin host dpop accept referer sec-fetch-site x-forwarded-for".split()  # noqa: SIM905
        ).map(str.encode),
        VALUES
        | st.sampled_from([b"Bearer x", b"Basic eA==", b"DPoP y", b"null", b"https://evil.example", b"text/html;q=2"]),
    ),
    max_size=3,
)
Draw = Callable[..., Any]
METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "x\0y"])


@dataclass
class World:
    """An issuer with somebody signed in, and requests that it would grant."""

    issuer: IssuerWorld
    runner: asyncio.Runner
    cookies: bytes = b""
    until: float = 0.0
    secret: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    def right(self) -> Mapping[str, list[dict[str, str]]]:
        """Return right parameters, by path."""
        client = {"client_id": "portal", "client_secret": self.secret}
        asked = PARTY.parameters()
        token = {"token": self.tokens["access_token"]}
        exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
        kind = "urn:ietf:params:oauth:token-type:access_token"
        return {
            "/token": [
                {**client, "grant_type": "client_credentials"},
                {
                    **client,
                    "grant_type": "authorization_code",
                    "code": "x" * 43,
                    "redirect_uri": CALLBACK,
                    "code_verifier": VERIFIER,
                },
                {**client, "grant_type": "refresh_token", "refresh_token": self.tokens["refresh_token"]},
                {
                    **client,
                    "grant_type": exchange,
                    "subject_token": token["token"],
                    "subject_token_type": kind,
                    "audience": "x",
                },
                {
                    "client_id": "tv",
                    "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
                    "device_code": "x" * 43,
                },
                {
                    "grant_type": "client_credentials",
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                    "client_assertion": token["token"],
                },
            ],
            "/par": [{**client, **asked}],
            "/device_authorization": [{"client_id": "tv", "scope": "openid"}],
            "/introspect": [{**client, **token}, {**client, "token": self.tokens["refresh_token"]}],
            "/revoke": [{**client, "token": self.tokens["id_token"]}],
            "/authorize": [
                asked,
                {**asked, "client_id": "partner", "redirect_uri": "https://partner.example/callback"},
            ],
            "/login": [asked],
            "/consent": [asked],
            "/end_session": [
                {"id_token_hint": self.tokens["id_token"], "post_logout_redirect_uri": "https://portal.example/"}
            ],
            "/session": [{"return_to": "/x"}, {"code": "x" * 43, "state": "s", "iss": ISSUER}],
            "/invitation": [{"code": "x" * 43}],
            "/device": [{"user_code": "BCDF-GHJK"}],
            "/register": [{"redirect_uris": '["https://a.example/cb"]', "client_name": "Tea"}],
        }

    def refresh(self) -> None:
        """See to it that somebody is signed in who may administer."""
        if self.issuer.clock.now() >= self.until:
            self.runner.run(_sign_in(self))
            self.until = self.issuer.clock.now() + 600

    def send(self, app: Starlette, *asked: Any, **more: Any) -> Answer:
        self.issuer.clock.advance(STEP_SECONDS)
        return self.runner.run(send_request(app, *asked, **more))


async def _sign_in(world: World) -> None:
    async with browser(world.issuer.app) as page:
        shown = await page.get(PARTY.url(scope="openid profile orders:read offline_access"))
        form = next(form for form in forms_of(shown) if "password" in form.fields)
        back = sent_back(await send(page, form, {"user_name": "ann", "password": PASSWORD}))
        world.secret = world.issuer.new_secret("portal")  # an operation may have ended the former
        answered = await redeem(page, PARTY.redemption(back["code"]), ("portal", world.secret))
        world.tokens = answered.json()
        world.cookies = "; ".join(f"{name}={value}" for name, value in page.cookies.items()).encode()
        assert SESSION.encode() in world.cookies


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with TemporaryDirectory() as folder, asyncio.Runner() as runner:
        made = World(IssuerWorld(Path(folder), plan=admin_plan(blueprint=BLUEPRINT)), runner)
        made.secret = made.issuer.new_secret("portal")
        runner.run(made.issuer.new_account("ann", PASSWORD, roles=["admin"]))
        runner.run(made.issuer.new_account("bob", PASSWORD))
        made.refresh()
        yield made
        made.issuer.context.people.close()
        runner.run(made.issuer.context.storage.close())


def _routes(app: Starlette) -> list[tuple[str, str]]:
    found = []
    for route in app.routes:
        assert isinstance(route, Route)
        found += [(method, route.path) for method in sorted(route.methods or ())]
    return found


def _check(answer: Answer, *, asks_control_plane: bool = False) -> None:
    """Look at an answer; there is no control plane here, which is said where it would have to be asked."""
    assert 200 <= answer.status < 500 or (asks_control_plane and answer.status == 503), (answer.status, answer.body)
    if not answer.header("content-type").startswith("text/javascript"):
        assert not MACHINE.search(answer.body), answer.body
    for name, value in answer.headers:
        assert b"\r" not in value, name
        assert b"\n" not in value, name
    if answer.header("location"):
        assert answer.header("location").startswith(
            (ISSUER, CALLBACK, "https://portal.example/", "https://partner.example/", "/")
        )
        assert not answer.header("location").startswith(("//", "/\\"))


def _encoded(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return "&".join(f"{quote_from_bytes(name)}={quote_from_bytes(value)}" for name, value in pairs).encode()


BENDS = st.tuples(
    st.lists(st.tuples(st.sampled_from(["replace", "drop", "double", "cut"]), st.integers(0, 60), VALUES), max_size=2),
    st.just([]) | st.just([]) | PAIRS,
)
"""What is done to right parameters, whichever they are, and what is sent beside them."""


def _bent(right: Mapping[str, str], bends: Any) -> list[tuple[bytes, bytes]]:
    pairs = [(name.encode(), value.encode()) for name, value in right.items()]
    for what, number, value in bends[0]:
        if not pairs:
            break
        place = number % len(pairs)
        name, former = pairs[place]
        match what:
            case "replace":
                pairs[place] = (name, value)
            case "drop":
                del pairs[place]
            case "double":
                pairs.append((name, value))
            case _:
                pairs[place] = (name, former[:number])
    return [*pairs, *bends[1]]


def _path(draw: Draw, template: str) -> bytes:
    def fill(_: re.Match[str]) -> str:
        odd = draw(st.sampled_from([b"bob", b"portal", b"admin", b"x"]) | VALUES)
        return quote_from_bytes(odd[:200], safe="")

    return re.sub(r"\{[^}]*\}", fill, template).encode()


@st.composite
def _requests(draw: st.DrawFn, world: World, routes: list[tuple[str, str]]) -> dict[str, Any]:
    method, template = draw(st.sampled_from(routes))
    if draw(st.integers(0, 9)) == 0:
        method = draw(METHODS)
    right = draw(st.sampled_from(world.right().get(template, [{}])))
    pairs = _bent(right, draw(BENDS))
    headers: list[tuple[bytes, bytes]] = [(b"origin", b"https://localhost:8443")]
    query, body = b"", b""
    match draw(st.sampled_from(["form", "form", "query", "json", "both", "anything"])):
        case "query":
            query = _encoded(pairs)
        case "json":
            members = {name.decode("utf-8", "replace"): draw(JSON) for name, _ in pairs}
            if draw(st.booleans()):
                members |= dict(right)
            body = json.dumps(members).encode("utf-8", "surrogatepass")
            headers.append((b"content-type", b"application/json"))
        case "anything":
            query, body = draw(st.binary(max_size=60)), draw(VALUES) * draw(st.integers(1, 5))
        case both:
            body = _encoded(pairs)
            headers.append((b"content-type", b"application/x-www-form-urlencoded"))
            query = _encoded(pairs) if both == "both" else b""
    if method in {"GET", "HEAD"} and not query:
        query, body = (body if body.isascii() else b""), b""
    if draw(st.booleans()):
        headers.append((b"cookie", world.cookies))
    if template.startswith(CLOSED) or draw(st.integers(0, 3)) == 0:
        headers.append((b"authorization", f"Bearer {world.tokens['access_token']}".encode()))
    headers += draw(HEADERS)
    return {"method": method, "path": _path(draw, template), "query": query, "headers": headers, "body": body}


def _fuzz(world: World, app: Starlette, examples: int, routes: list[tuple[str, str]] | None = None) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        world.refresh()
        request = data.draw(_requests(world, routes or _routes(app)))
        method, path = request.pop("method"), request.pop("path")
        with no_failure_is_logged():
            answer = world.send(app, method, path, **request)
        _check(answer, asks_control_plane=path.startswith(b"/admin/revocations"))

    run()


OPERATED = [(operation.method, operation.template) for operation in OPERATIONS]
PAGES = [
    "/account",
    "/account/password",
    "/account/passkeys",
    "/account/app",
    "/account/set-up",
    "/device",
    f"/login?{urlencode(PARTY.parameters(prompt='login'))}",
    f"/consent?{urlencode(PARTY.parameters(prompt='consent'))}",
    "/end_session",
]


def _fuzz_forms(world: World, examples: int) -> None:
    """Send the forms of every page as their browser would, with what it must not send."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def run(data: st.DataObject) -> None:
        app = world.issuer.app
        if world.send(app, "GET", b"/account", headers=[(b"cookie", world.cookies)]).status != 200:
            world.until = 0.0  # somebody signed out
            world.refresh()
        page, which, pressed, bends = data.draw(
            st.tuples(st.sampled_from(PAGES), st.integers(0, 20), st.integers(0, 5), BENDS)
        )
        path, _, query = page.partition("?")
        shown = world.send(app, "GET", path.encode(), query=query.encode(), headers=[(b"cookie", world.cookies)])
        forms = forms_of(httpx.Response(200, content=shown.body))
        if not forms:
            return
        form = forms[which % len(forms)]
        buttons = [form.buttons[pressed % len(form.buttons)]] if form.buttons else []
        token = [(b"form_token", form.fields.pop("form_token", "").encode())]
        bent = _bent({**form.fields, **dict(buttons)}, bends)
        to, _, asked = form.action.removeprefix(ISSUER).partition("?")
        headers = [
            (b"cookie", world.cookies),
            (b"origin", b"https://localhost:8443"),
            (b"content-type", b"application/x-www-form-urlencoded"),
        ]
        body = _encoded(token + bent)
        with no_failure_is_logged():
            answer = world.send(app, "POST", to.encode(), query=asked.encode(), headers=headers, body=body)
        _check(answer)

    run()


def test_forms_of_pages(world: World) -> None:
    _fuzz_forms(world, QUICK)


def test_public_routes(world: World) -> None:
    _fuzz(world, world.issuer.app, QUICK)


def test_operations_of_administrators(world: World) -> None:
    _fuzz(world, world.issuer.app, QUICK, OPERATED)


def test_routes_of_the_administration(world: World) -> None:
    _fuzz(world, world.issuer.admin, QUICK)


@pytest.mark.deep
@pytest.mark.parametrize("app", ["app", "admin"])
def test_every_route_for_longer(world: World, app: str) -> None:
    _fuzz(world, getattr(world.issuer, app), DEEP)


@pytest.mark.deep
def test_operations_of_administrators_for_longer(world: World) -> None:
    _fuzz(world, world.issuer.app, DEEP, OPERATED)


@pytest.mark.deep
def test_forms_of_pages_for_longer(world: World) -> None:
    _fuzz_forms(world, DEEP)
