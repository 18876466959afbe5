"""A client as the FAPI 2.0 Security Profile wants it: keys, pushed requests, proofs; and each of these made wrong."""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from joserfc.jwk import ECKey, OKPKey, RSAKey
from tests.support.certificate_authority import Certified, as_envoy_says
from tests.support.dpop_client import DpopClient
from tests.support.issuer_browser import RelyingParty, browser, pick, sent_back
from tests.support.issuer_plan import ISSUER
from tests.support.issuer_world import IssuerWorld, ask
from tests.support.joserfc_keys import make_key, public_jwk, sign

from ringwall.model.headers import CLIENT_CERTIFICATE, CLIENT_CERTIFICATE_CHAIN
from ringwall.plan.client import Client, ClientKind, Profile

Scene = Callable[["FapiClient"], Awaitable[None]]
Play = Callable[[Scene], None]
CALLBACK = "https://bank.example/callback"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def fapi_plan_client(*keys: ECKey | OKPKey | RSAKey, **changes: Any) -> Client:
    """The client as the compiler makes it of `profile: fapi2`."""
    fields: dict[str, Any] = {
        "name": "bank",
        "kind": ClientKind.WEB,
        "redirect_uris": (CALLBACK,),
        "scopes": ("accounts",),
        "jwks": json.dumps({"keys": [public_jwk(key) for key in keys]}),
        "pushed_requests": True,
        "bound_tokens": True,
        "profile": Profile.FAPI2,
    }
    return Client(**{**fields, **changes})


@dataclass
class FapiClient:
    """What the client has, and a browser that is at its service.

    With a certificate its tokens are bound to that, and it shows no proofs; where it is `keyless`, the certificate
    authenticates it as well.
    """

    world: IssuerWorld
    page: httpx.AsyncClient
    key: ECKey | OKPKey | RSAKey
    algorithm: str = "ES256"
    name: str = "bank"
    scope: str = "openid accounts"
    certificate: Certified | None = None
    keyless: bool = False
    holder: DpopClient = field(init=False)
    party: RelyingParty = field(init=False)

    def __post_init__(self) -> None:
        self.holder = DpopClient(self.world.clock, key=make_key("ES256"))
        self.begin()

    def begin(self) -> None:
        """Forget the former request."""
        self.party = RelyingParty(client=self.name, callback=CALLBACK, scope=self.scope)

    def assertion(self, *, header: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, str]:
        now = int(self.world.clock.now())
        claims = {
            "iss": self.name,
            "sub": self.name,
            "aud": ISSUER,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
            **changes,
        }
        payload = json.dumps({name: value for name, value in claims.items() if value is not None})
        head = {"alg": self.algorithm, "kid": public_jwk(self.key)["kid"], **(header or {})}
        return {"client_assertion_type": BEARER, "client_assertion": sign(head, payload, self.key)}

    def credentials(self) -> dict[str, str]:
        return {"client_id": self.name} if self.keyless else self.assertion()

    def on_connection(self) -> dict[str, str]:
        """What the edge tells the issuer of its certificate."""
        if self.certificate is None:
            return {}
        shown = as_envoy_says(self.certificate.shown)
        return {CLIENT_CERTIFICATE: self.certificate.thumbprint, CLIENT_CERTIFICATE_CHAIN: shown}

    async def post(
        self, path: str, form: Mapping[str, str], *, proof: bool = False, shown: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Send a form as the client, `shown` in place of a right assertion; a proof is made anew with its nonce."""
        for _ in range(2):
            headers = {"dpop": self.holder.proof("POST", f"{ISSUER}{path}")} if proof else {}
            headers |= self.on_connection()
            credentials = self.credentials() if shown is None else shown
            response = await ask(self.world.app, "POST", path, data={**form, **credentials}, headers=headers)
            self.holder.nonce = response.headers.get("dpop-nonce", self.holder.nonce)
            if not proof or response.json().get("error") != "use_dpop_nonce":
                return response
        raise AssertionError(response.text)

    async def push(self, *, proof: bool = False, shown: Mapping[str, str] | None = None, **changes: str | None) -> Any:
        return await self.post("/par", self.party.parameters(**changes), proof=proof, shown=shown)

    async def bring(self, uri: str) -> httpx.Response:
        """Let the browser bring a reference, as far as the issuer's first page."""
        return await self.follow(f"{ISSUER}/authorize?client_id={self.name}&request_uri={uri}")

    async def follow(self, url: str) -> httpx.Response:
        response = await self.page.get(url)
        if response.status_code == 303 and response.headers["location"].startswith(ISSUER):
            return await self.page.get(response.headers["location"])
        return response

    async def answered(self, *, proof: bool = False, **changes: Any) -> dict[str, str]:
        """Push, sign in, and return what the browser brings back."""
        pushed = await self.push(proof=proof, **changes)
        assert pushed.status_code == 201, pushed.text
        shown = await self.bring(pushed.json()["request_uri"])
        return sent_back(shown if shown.status_code == 303 else await pick(self.page, shown), CALLBACK)

    async def redeem(self, code: str, *, proof: bool | None = None, **more: Any) -> httpx.Response:
        proves = self.certificate is None if proof is None else proof
        return await self.post("/token", self.party.redemption(code), proof=proves, **more)

    async def tokens(self) -> dict[str, Any]:
        self.begin()
        response = await self.redeem((await self.answered())["code"])
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def refresh(self, token: str) -> httpx.Response:
        return await self.post(
            "/token", {"grant_type": "refresh_token", "refresh_token": token}, proof=self.certificate is None
        )


def player(world: IssuerWorld, key: ECKey | OKPKey | RSAKey, **fields: Any) -> Play:
    """What plays a scene with a client that has `key`, and a browser of its own."""

    def run(scene: Scene) -> None:
        async def main() -> None:
            async with browser(world.app) as page:
                await scene(FapiClient(world, page, key, **fields))

        asyncio.run(main())

    return run


def refused(response: httpx.Response, error: str, status: int = 400) -> None:
    assert (response.status_code, response.json()["error"]) == (status, error), response.text


async def uses_a_code_twice(client: FapiClient) -> None:
    """The second use is refused, and ends what came of the first."""
    code = (await client.answered())["code"]
    given = (await client.redeem(code)).json()
    refused(await client.redeem(code), "invalid_grant")
    refused(await client.refresh(given["refresh_token"]), "invalid_grant")
