"""A client that signs its authorization requests (RFC 9101), and the ways by which they reach the issuer."""

import json
import secrets
from typing import Final
from urllib.parse import urlencode

import httpx
from tests.support.issuer_browser import ORIGIN, RelyingParty
from tests.support.issuer_plan import ISSUER, PORTAL
from tests.support.issuer_world import IssuerWorld
from tests.support.joserfc_keys import make_key, public_jwk, sign

KEY: Final = make_key("ES256")
SIGNING: Final = PORTAL.model_copy(update={"jwks": json.dumps({"keys": [public_jwk(KEY)]})})
PARTY: Final = RelyingParty()


async def bring(page: httpx.AsyncClient, text: str, client: str = "portal", **beside: str) -> httpx.Response:
    """Have a browser bring a request object, and follow it within the issuer."""
    response = await page.get(f"{ISSUER}/authorize?{urlencode({'client_id': client, 'request': text, **beside})}")
    if response.status_code == 303 and response.headers["location"].startswith(ISSUER):
        response = await page.get(response.headers["location"])
    return response


def asserted(world: IssuerWorld) -> dict[str, str]:
    """Return what authenticates a client that has keys (RFC 7523, section 2.2)."""
    now = int(world.clock.now())
    claims = {"iss": "portal", "sub": "portal", "aud": ISSUER, "exp": now + 60, "jti": secrets.token_urlsafe(12)}
    text = sign({"typ": "JWT", "alg": "ES256", "kid": "k1"}, json.dumps(claims), KEY)
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {"client_assertion": text, "client_assertion_type": kind}


async def push(world: IssuerWorld, page: httpx.AsyncClient, text: str, **beside: str) -> httpx.Response:
    """Push a request object (RFC 9126, section 3)."""
    form = {"client_id": "portal", "request": text, **asserted(world), **beside}
    async with httpx.AsyncClient(transport=page._transport, base_url=ORIGIN) as client:
        return await client.post(f"{ISSUER}/par", data=form)
