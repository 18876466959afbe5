"""Introspection (RFC 7662, RFC 9701) and revocation (RFC 7009) at the issuer's endpoints."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.issuer_browser import RelyingParty, browser, redeem, sign_in
from tests.support.issuer_plan import AUDIENCE, ISSUER, PORTAL, login_plan, write_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.revocation import REVOCATIONS_FILE
from ringwall.identity.revocation.revoked import RevocationList
from ringwall.identity.tokens.encoding import decode_json_object
from ringwall.identity.tokens.jws import UnverifiedToken, verify_signature
from ringwall.model.revocation import Revocation, Revoked
from ringwall.plan.client import Client, ClientKind

SIGNED = "application/token-introspection+jwt"


class World(IssuerWorld):
    def __init__(self, state: Path, *others: Client) -> None:
        super().__init__(state, plan=login_plan(clients=(*login_plan().clients, *others)))
        self.batch = ("batch", self.new_secret("batch"))
        self.portal = ("portal", self.new_secret("portal"))
        self.operator = RevocationList(state / REVOCATIONS_FILE, self.clock)

    def signed_in(self, scope: str = "openid orders:read", client: str = "portal") -> dict[str, Any]:
        """Let alice sign in; return what the client gets."""

        async def run() -> dict[str, Any]:
            async with browser(self.app) as page:
                party = RelyingParty(scope=scope)
                code = await sign_in(page, party)
                response = await redeem(page, party.redemption(code), self.portal if client == "portal" else None)
                assert response.status_code == 200, response.text
                found: dict[str, Any] = response.json()
                return found

        return asyncio.run(run())

    def own_token(self) -> str:
        return str(self.token(self.batch[1]).json()["access_token"])

    def introspect(self, token: str, auth: tuple[str, str] | None = None, **headers: str) -> httpx.Response:
        return self.ask("POST", "/introspect", data={"token": token}, auth=auth or self.batch, headers=headers)

    def active(self, token: str, auth: tuple[str, str] | None = None) -> bool:
        response = self.introspect(token, auth)
        assert response.status_code == 200, response.text
        told = response.json()
        assert told["active"] or told == {"active": False}, "nothing else is said about what is not good"
        return bool(told["active"])

    def revoke(self, token: str, auth: tuple[str, str] | None = None, **form: str) -> httpx.Response:
        return self.ask("POST", "/revoke", data={"token": token, **form}, auth=auth or self.batch)

    def refresh(self, token: str) -> httpx.Response:
        return self.ask(
            "POST", "/token", data={"grant_type": "refresh_token", "refresh_token": token}, auth=self.portal
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# --- introspection ---


def test_an_access_token_is_described(world: World) -> None:
    given = world.signed_in()
    response = world.introspect(given["access_token"])
    assert response.headers["cache-control"] == "no-store"
    told = response.json()
    assert told["active"] is True
    assert told["token_type"] == "Bearer"
    assert (told["iss"], told["sub"], told["aud"], told["client_id"]) == (ISSUER, "alice", AUDIENCE, "portal")
    assert told["scope"] == "openid orders:read"
    assert told == {"active": True, "token_type": "Bearer", **world.verify(given["access_token"]).claims}


def test_a_refresh_token_is_described_to_its_client_only(world: World) -> None:
    given = world.signed_in()
    told = world.introspect(given["refresh_token"], world.portal).json()
    assert (told["active"], told["sub"], told["client_id"]) == (True, "alice", "portal")
    assert told["scope"] == "openid orders:read"
    assert "token_type" not in told, "it is no token for requests"
    assert not world.active(given["refresh_token"], world.batch)
    assert not world.active(given["refresh_token"][:-4] + "AAAA", world.portal)


@pytest.mark.parametrize("token", ["x", "a.b.c", "rwrt_", "rwrt_" + "A" * 65, "\u00e9", "." * 4000])
def test_nonsense_is_not_active(world: World, token: str) -> None:
    assert not world.active(token)


def test_expired_foreign_and_other_tokens_are_not_active(world: World) -> None:
    given = world.signed_in()
    assert not world.active(given["id_token"]), "an ID token is no access token"
    world.clock.advance(world.settings.token_seconds + 10)
    assert not world.active(given["access_token"])


@pytest.mark.parametrize("endpoint", ["/introspect", "/revoke"])
def test_who_asks_must_be_authenticated(world: World, endpoint: str) -> None:
    token = world.own_token()
    for auth in (("batch", "wrong"), ("nobody", "x")):
        response = world.ask("POST", endpoint, data={"token": token}, auth=auth)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert world.ask("POST", endpoint, data={"token": token}).status_code == 401
    assert world.active(token)


def test_a_public_client_is_told_nothing(world: World) -> None:
    response = world.ask("POST", "/introspect", data={"token": world.own_token(), "client_id": "spa"})
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


def test_somebody_elses_client_is_told_of_its_own_tokens_alone(tmp_path: Path) -> None:
    other = Client(name="other", kind=ClientKind.WEB, redirect_uris=PORTAL.redirect_uris, third_party=True)
    world = World(tmp_path, other)
    auth = ("other", world.new_secret("other"))
    assert not world.active(world.signed_in()["access_token"], auth)
    ours = {**world.verify(world.own_token()).claims, "client_id": "other"}
    assert world.active(world.keys.sign(ours, typ="at+jwt"), auth)


def test_a_secret_of_a_client_that_has_become_public_is_worth_nothing(world: World) -> None:
    """Else what is told to nobody who cannot be authenticated would be told to whoever has kept it."""
    token = world.signed_in()["access_token"]
    assert world.active(token, world.portal)
    public = PORTAL.model_copy(update={"kind": ClientKind.BROWSER})
    others = tuple(client for client in login_plan().clients if client.name != PORTAL.name)
    write_plan(world.settings.state, login_plan(clients=(*others, public)))
    response = world.introspect(token, world.portal)
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("endpoint", ["/introspect", "/revoke"])
def test_the_token_must_be_there(world: World, endpoint: str) -> None:
    response = world.ask("POST", endpoint, data={"x": "y"}, auth=world.batch)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


def test_the_answer_is_signed_where_that_is_asked_for(world: World) -> None:
    token = world.own_token()
    response = world.introspect(token, accept=f"text/html, {SIGNED}; q=1")
    assert response.headers["content-type"] == SIGNED
    unverified = UnverifiedToken.parse(response.text)
    assert unverified.typ == "token-introspection+jwt"
    claims = decode_json_object(verify_signature(unverified, world.published()))
    assert claims == {
        "iss": ISSUER,
        "aud": "batch",
        "iat": int(world.clock.now()),
        "token_introspection": world.introspect(token).json(),
    }, "neither `sub` nor `exp` beside it, so that nobody takes it for another kind of token"
    assert not world.active(response.text)
    refused = decode_json_object(
        verify_signature(UnverifiedToken.parse(world.introspect("x", accept=SIGNED).text), world.published())
    )
    assert refused["token_introspection"] == {"active": False}


# --- revocation ---


def test_a_revoked_access_token_is_not_active_and_opens_nothing(world: World) -> None:
    given = world.signed_in()
    other = world.signed_in()
    response = world.revoke(given["access_token"], world.portal, token_type_hint="nonsense")
    assert (response.status_code, response.content) == (200, b"")
    assert not world.active(given["access_token"])
    bearer = {"authorization": f"Bearer {given['access_token']}"}
    assert world.ask("GET", "/userinfo", headers=bearer).status_code == 401
    assert world.active(other["access_token"])
    assert world.active(given["refresh_token"], world.portal), "an access token ends alone"


def test_a_revoked_refresh_token_ends_with_the_access_tokens_of_its_family(world: World) -> None:
    given, other = world.signed_in(), world.signed_in()
    renewed = world.refresh(given["refresh_token"]).json()
    assert world.revoke(renewed["refresh_token"], world.portal).status_code == 200
    assert world.refresh(renewed["refresh_token"]).json()["error"] == "invalid_grant"
    for token in (given["access_token"], renewed["access_token"]):
        assert not world.active(token)
    assert not world.active(renewed["refresh_token"], world.portal)
    assert world.active(other["access_token"])
    assert world.refresh(other["refresh_token"]).status_code == 200


def test_a_client_that_never_got_its_new_refresh_token_ends_the_grant_by_the_former(world: World) -> None:
    given = world.signed_in()
    fresh = world.refresh(given["refresh_token"]).json()
    assert not world.active(given["refresh_token"], world.portal)
    assert world.revoke(given["refresh_token"], world.batch).status_code == 200
    assert world.active(fresh["refresh_token"], world.portal), "another client's"
    assert world.revoke(given["refresh_token"], world.portal).status_code == 200
    assert not world.active(fresh["refresh_token"], world.portal)
    assert not world.active(fresh["access_token"])


def test_only_the_client_that_has_a_token_revokes_it(world: World) -> None:
    given = world.signed_in()
    response = world.revoke(given["access_token"], world.batch)
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")
    assert world.revoke(given["refresh_token"], world.batch).status_code == 200
    assert world.active(given["access_token"])
    assert world.refresh(given["refresh_token"]).status_code == 200


@pytest.mark.parametrize("token", ["x", "a.b.c", "rwrt_" + "A" * 65])
def test_what_is_no_token_is_as_good_as_revoked(world: World, token: str) -> None:
    assert world.revoke(token).status_code == 200


def test_a_revocation_is_forgotten_once_the_token_would_have_expired(world: World) -> None:
    token = world.own_token()
    world.revoke(token)

    async def left() -> int:
        database = await world.context.storage.database()
        await database.sweep(now=world.clock.now())
        return len(await database.revocations.since(0, now=0.0))

    assert asyncio.run(left()) == 1
    world.clock.advance(world.settings.token_seconds)
    assert asyncio.run(left()) == 1, "a proxy whose clock is late may still take it"
    world.clock.advance(61)
    assert asyncio.run(left()) == 0


@pytest.mark.parametrize(
    "of",
    [
        lambda claims: Revocation(Revoked.TOKEN, claims["jti"], ISSUER),
        lambda claims: Revocation(Revoked.SESSION, claims["sid"], ISSUER),
        lambda claims: Revocation(Revoked.GRANT, claims["grant_id"], ISSUER),
        lambda claims: Revocation(Revoked.USER, claims["sub"], ISSUER),
        lambda claims: Revocation(Revoked.USER, "alice", ISSUER, None, claims["iat"] + 1),
        lambda claims: Revocation(Revoked.CLIENT, claims["client_id"], ISSUER),
    ],
)
def test_what_the_operator_revokes_is_not_active(world: World, of: Callable[[Any], Revocation]) -> None:
    given = world.signed_in()
    revocation = of(world.verify(given["access_token"]).claims)
    world.operator.revoke([revocation])
    assert not world.active(given["access_token"])
    assert world.active(world.own_token())
    world.operator.lift(*_about(revocation))
    assert world.active(given["access_token"])


@pytest.mark.parametrize(
    "revocation",
    [
        Revocation(Revoked.USER, "alice", "https://other.test"),
        Revocation(Revoked.USER, "alice", ISSUER, 1.0),
        Revocation(Revoked.USER, "alice", ISSUER, None, 1),
        Revocation(Revoked.WORKLOAD, "alice"),
    ],
)
def test_what_is_about_others_does_not_matter(world: World, revocation: Revocation) -> None:
    given = world.signed_in()
    world.operator.revoke([revocation])
    assert world.active(given["access_token"])


def test_a_client_whose_tokens_were_ended_gets_new_ones(world: World) -> None:
    """As when an administrator signs it out, or it has revoked token after token."""
    token, now = world.own_token(), int(world.clock.now())
    world.operator.revoke([Revocation(Revoked.CLIENT, "batch", ISSUER, until=now + 900, before=now + 1)])
    world.clock.advance(1)
    assert not world.active(token, world.portal)
    assert world.active(world.own_token(), world.portal)


def test_a_revoked_client_is_nobody_to_the_issuer(world: World) -> None:
    token = world.own_token()
    world.operator.revoke([Revocation(Revoked.CLIENT, "batch", ISSUER)])
    assert world.token(world.batch[1]).json()["error"] == "invalid_client"
    assert world.introspect(token).json()["error"] == "invalid_client"


def test_an_account_that_was_signed_out_everywhere_can_sign_in_again(world: World) -> None:
    former = world.signed_in()

    world.clock.advance(1)

    async def end() -> None:
        now = world.clock.now()
        database = await world.context.storage.database()
        await database.revocations.add("account", "alice", reason="signed-out", now=now, expires=now + 960)

    asyncio.run(end())
    assert not world.active(former["access_token"])
    assert world.active(world.signed_in()["access_token"])


def test_the_metadata_names_the_endpoints(world: World) -> None:
    told = world.ask("GET", "/.well-known/oauth-authorization-server").json()
    assert told["introspection_endpoint"] == f"{ISSUER}/introspect"
    assert told["revocation_endpoint"] == f"{ISSUER}/revoke"
    assert "none" not in told["introspection_endpoint_auth_methods_supported"]
    assert told["introspection_signing_alg_values_supported"] == ["ES256"]


def _about(revocation: Revocation) -> tuple[Revoked, str, str]:
    return revocation.kind, revocation.value, revocation.issuer
