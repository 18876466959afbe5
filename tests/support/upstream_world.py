"""An issuer in one process at which people sign in by a scripted provider, and a browser for them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from tests.support.issuer_browser import RelyingParty, browser, redeem, sent_back
from tests.support.issuer_plan import login_plan, write_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.scripted_provider import CLIENT, SECRET, Begun, ScriptedProvider, scripted_provider

from ringwall.plan.identity import Role
from ringwall.plan.model import Plan
from ringwall.plan.upstream import AttributeRule, OidcProvider, RoleRule, Upstream

ROLES = (
    RoleRule(role="guest", at="ringwall.yaml:10"),
    RoleRule(claim=("groups",), value="doctors", role="clinician", at="ringwall.yaml:12"),
    RoleRule(claim=("groups",), value="staff", role="clerk", at="ringwall.yaml:13"),
)


def upstream_of(provider: ScriptedProvider, name: str = "hospital", **changes: Any) -> Upstream:
    oidc = {
        "issuer": provider.issuer,
        "discovery": f"{provider.url}/.well-known/openid-configuration",
        "client_id": CLIENT,
        "secret_file": "secrets/hospital",
        "scopes": ("openid", "profile"),
        "algorithms": ("ES256", "RS256"),
        **changes.pop("oidc", {}),
    }
    fields = {
        "create": True,
        "roles": ROLES,
        "attributes": (AttributeRule(claim=("ward", "level"), attribute="level", at="ringwall.yaml:15"),),
        **changes,
    }
    return Upstream(name=name, title=f"The {name}", oidc=OidcProvider(**oidc), **fields)


def upstream_plan(*upstreams: Upstream, **changes: Any) -> Plan:
    roles = tuple(Role(name=name) for name in ("admin", "clerk", "clinician", "guest", "patient"))
    return login_plan(**{"upstreams": upstreams, "roles": roles, **changes})


@dataclass
class UpstreamWorld:
    """The issuer, its provider, and what a browser does between them."""

    world: IssuerWorld
    provider: ScriptedProvider
    party: RelyingParty = field(default_factory=RelyingParty)

    def put(self, *upstreams: Upstream, **changes: Any) -> None:
        """Put another plan in force."""
        write_plan(self.world.settings.state, upstream_plan(*upstreams, **changes))

    async def leave(self, page: httpx.AsyncClient, name: str = "hospital", **changes: str | None) -> Begun:
        """Go to the provider; return what the browser brings there."""
        left = await page.get(f"/auth/upstream/{name}?{urlencode(self.party.parameters(**changes))}")
        assert left.status_code == 303, left.text
        assert left.headers["location"].startswith(f"{self.provider.url}/authorize?realm=1&"), left.headers["location"]
        return Begun.of(left.headers["location"])

    async def come_back(
        self, page: httpx.AsyncClient, answer: dict[str, str], name: str = "hospital"
    ) -> httpx.Response:
        return await page.get(f"/auth/upstream/{name}/callback?{urlencode(answer)}")

    async def sign_in(
        self, page: httpx.AsyncClient, subject: str = "ines", name: str = "hospital", **changes: str | None
    ) -> httpx.Response:
        begun = await self.leave(page, name, **changes)
        return await self.come_back(page, self.provider.answer(begun, subject), name)

    async def tokens(self, page: httpx.AsyncClient, back: httpx.Response) -> dict[str, Any]:
        """Redeem what the client was sent; return the claims of the access token."""
        code = sent_back(back, self.party.callback)["code"]
        secret = self.world.new_secret("portal")
        body = (await redeem(page, self.party.redemption(code), ("portal", secret))).json()
        return dict(self.world.verify(body["access_token"]).claims)

    async def claims(self, subject: str = "ines", **changes: str | None) -> dict[str, Any]:
        """Sign somebody in with a browser of their own; return the claims of the access token."""
        async with browser(self.world.app) as page:
            return await self.tokens(page, await self.sign_in(page, subject, "hospital", **changes))


@contextmanager
def upstream_world(folder: Path, **changes: Any) -> Iterator[UpstreamWorld]:
    (folder / "secrets").mkdir()
    (folder / "secrets" / "hospital").write_text(SECRET + "\n")
    world = IssuerWorld(folder / "state")
    with scripted_provider(world.clock) as provider:
        made = UpstreamWorld(world, provider)
        made.put(upstream_of(provider, **changes))
        yield made


def refused(response: httpx.Response) -> bool:
    """Return whether nobody was signed in: a page says so, nobody is sent anywhere, and no session is given."""
    assert urlsplit(response.headers.get("location", "")).path == "", response.headers
    assert response.status_code in {400, 403, 404, 503}, response.status_code
    assert "Something is wrong" in response.text or "Sign in" in response.text
    return "__Host-ringwall-issuer" not in response.headers.get("set-cookie", "")
