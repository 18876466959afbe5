"""A client as the OpenID Foundation's conformance suite is one: registers itself, signs somebody in, checks everything.

The suite itself sends PKCE in one module only, and this issuer asks for it always, unless its profile is
`oidc_certification`: `Suite.pkce` says whether it is sent.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import KeySet
from tests.support.issuer_browser import RelyingParty, browser, forms_of, redeem, send
from tests.support.issuer_plan import BATCH, BUILTIN, ISSUER, PORTAL, login_plan
from tests.support.issuer_world import IssuerWorld, ask

from ringwall.plan.client import ClientKind, Profile
from ringwall.plan.identity import Registration

CALLBACK = "https://suite.example/test/a/ringwall/callback"
AFTER = "https://suite.example/test/a/ringwall/post_logout_redirect"
PASSWORD = "Quartz-tablecloth 4711"


def conformance_world(folder: Path, *, profile: Profile | None = None) -> IssuerWorld:
    """An issuer that lets anybody register, and trusts a `document_server` of this machine."""
    policy = Registration(
        open=True,
        kinds=(ClientKind.WEB,),
        scopes=("offline_access",),
        document_hosts=("127.0.0.1",),
        private_documents=True,
    )
    issuer = BUILTIN.model_copy(update={"registration": policy, "profile": profile})
    plan = login_plan(issuers=(issuer,), clients=(BATCH, PORTAL), development=True)
    return IssuerWorld(folder, plan=plan)


@dataclass
class Suite:
    """One client, and the browser of one person, Carol, who has an e-mail address."""

    world: IssuerWorld
    page: httpx.AsyncClient
    client: dict[str, Any] = field(default_factory=dict)
    subject: str = ""
    party: RelyingParty = field(default_factory=RelyingParty)
    pkce: bool = True

    async def register(self, **metadata: Any) -> httpx.Response:
        """Register as the suite does, with whatever a module changes."""
        asked = {
            "client_name": "conformance module",
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "redirect_uris": [CALLBACK],
            "post_logout_redirect_uris": [AFTER],
            "token_endpoint_auth_method": "client_secret_basic",
            "contacts": ["certification@oidf.example"],
            **metadata,
        }
        return await ask(self.world.app, "POST", "/register", json=asked)

    async def begin(self, **metadata: Any) -> None:
        """Register, and make Carol's account."""
        response = await self.register(**metadata)
        assert response.status_code == 201, response.text
        self.client = response.json()
        if not self.subject:
            self.subject = await self.world.new_account(
                "carol", PASSWORD, email="carol@clinic.example", display_name="Carol"
            )

    @property
    def auth(self) -> tuple[str, str]:
        return self.client["client_id"], self.client["client_secret"]

    async def ask(self, *, method: str = "GET", **changes: str | None) -> httpx.Response:
        """Send the browser to the authorization endpoint; return the first page, or where it is sent back."""
        self.party = RelyingParty(client=self.client["client_id"], callback=CALLBACK, scope="openid")
        without = {"code_challenge": None, "code_challenge_method": None}
        parameters = self.party.parameters(**({} if self.pkce else without), **changes)
        if method == "POST":
            response = await self.page.post(f"{ISSUER}/authorize", data=parameters)
        else:
            response = await self.page.get(f"{ISSUER}/authorize", params=parameters)
        return await self.follow(response)

    async def follow(self, response: httpx.Response) -> httpx.Response:
        while response.status_code == 303 and response.headers["location"].startswith(ISSUER):
            response = await self.page.get(response.headers["location"])
        return response

    async def authorize(self, **changes: Any) -> dict[str, str]:
        """Do what Carol is asked for, and return what the browser brings back."""
        back = await self.through(await self.ask(**changes))
        assert back["state"] == self.party.state
        return back

    async def through(self, response: httpx.Response) -> dict[str, str]:
        """Do what Carol is asked for on the pages that follow one."""
        for _ in range(3):
            if response.status_code == 303:
                break
            assert response.status_code == 200, response.text
            forms = forms_of(response)
            consent = next((form for form in forms if ("decision", "allow") in form.buttons), None)
            if consent is not None:
                response = await send(self.page, consent, {"decision": "allow"})
                continue
            login = next(form for form in forms if "password" in form.fields)
            response = await send(self.page, login, {"user_name": "carol", "password": PASSWORD})
        back = dict(httpx.URL(response.headers["location"]).params)
        assert response.headers["location"].startswith(f"{CALLBACK}?"), response.headers["location"]
        assert back["iss"] == ISSUER
        return back

    async def tokens(self, **changes: Any) -> dict[str, Any]:
        """Sign in; return the answer of the token endpoint with `claims` of the ID token, checked."""
        back = await self.authorize(**changes)
        response = await redeem(self.page, self.redemption(back["code"]), self.auth)
        assert response.status_code == 200, response.text
        assert response.headers["cache-control"] == "no-store"
        given: dict[str, Any] = response.json()
        assert given["token_type"] == "Bearer"
        return {**given, "claims": await self.check(given["id_token"], changes.get("nonce", self.party.nonce))}

    def redemption(self, code: str, **changes: str | None) -> dict[str, str]:
        """Return what redeems a code of the last request."""
        return self.party.redemption(code, **({} if self.pkce else {"code_verifier": None}), **changes)

    async def check(self, id_token: str, nonce: str | None) -> dict[str, Any]:
        """Check an ID token as OpenID Connect Core 1.0, section 3.1.3.7, says; return what it tells."""
        keys = KeySet.import_key_set((await ask(self.world.app, "GET", "/jwks")).json())
        algorithm = self.client["id_token_signed_response_alg"]
        decoded = jwt.decode(id_token, keys, algorithms=[algorithm])
        assert decoded.header["kid"]
        claims, now = dict(decoded.claims), self.world.clock.now()
        assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, self.client["client_id"], self.subject)
        assert claims["iat"] <= now < claims["exp"]
        assert claims.get("nonce") == nonce
        assert isinstance(claims["auth_time"], int)
        return claims

    async def userinfo(self, token: str, method: str = "GET") -> dict[str, Any]:
        response = await self.page.request(method, f"{ISSUER}/userinfo", headers={"authorization": f"Bearer {token}"})
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "application/json"
        about: dict[str, Any] = response.json()
        assert about["sub"] == self.subject
        return about

    async def end_session(self, **asked: str) -> httpx.Response:
        return await self.page.get(f"{ISSUER}/end_session", params=asked)


def play(world: IssuerWorld, module: Callable[[Suite], Awaitable[None]], **metadata: Any) -> None:
    """Run what a module does, with a client of its own; with PKCE wherever the issuer asks for it."""

    async def run() -> None:
        async with browser(world.app) as page:
            pkce = world.directory.current().profile is not Profile.OIDC_CERTIFICATION
            suite = Suite(world, page, pkce=pkce)
            await suite.begin(**metadata)
            await module(suite)

    asyncio.run(run())


def unsigned(id_token: str) -> str:
    """Return an ID token with `alg` `none` and no signature."""
    return f"{encoded({'alg': 'none'})}.{id_token.split('.')[1]}."


def encoded(value: dict[str, Any]) -> str:
    from ringwall.identity.tokens.encoding import encode_base64url  # noqa: PLC0415  # for this alone

    return encode_base64url(json.dumps(value).encode())
