"""Token exchange (RFC 8693): along the plan's calls, and never for more than there was."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from tests.support.dpop_client import DpopClient
from tests.support.enforce_plans import service, spiffe
from tests.support.issuer_browser import Edge
from tests.support.issuer_plan import AUDIENCE, BATCH, ISSUER, issuer_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.access_tokens import MAX_BYTES
from ringwall.identity.issuer.clients.assertion import BEARER, SPIFFE
from ringwall.identity.issuer.grants.token_exchange import ACCESS_TOKEN_TYPE, NAME
from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.revocation import REVOCATIONS_FILE
from ringwall.identity.revocation.revoked import RevocationList
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.model.durable import replace_file
from ringwall.model.revocation import Revocation, Revoked

SERVICES = (
    service("portal", calls=("patients", "orders")),
    service("patients", calls=("store",)),
    service("orders"),
    service("store"),
    service("ringwall-issuer", builtin=True),
)


class World(IssuerWorld):
    def __init__(self, state: Path) -> None:
        super().__init__(state, plan=issuer_plan(trust_domain="test", services=SERVICES))
        self.authority = WorkloadAuthority(MemoryKeyStore(), "test", self.clock)
        replace_file(self.settings.bindings.jwt_bundle, self.authority.jwt_bundle())
        self.operator = RevocationList(state / REVOCATIONS_FILE, self.clock)
        self.secret = self.new_secret()

    def user_token(self) -> str:
        return self.development_token("alice", scopes=["read", "write"], lifetime=600)

    def form(self, subject: str, actor: str = "portal", **changes: Any) -> dict[str, Any]:
        form = {
            "grant_type": NAME,
            "subject_token": subject,
            "subject_token_type": ACCESS_TOKEN_TYPE,
            "audience": "patients",
            "client_assertion_type": SPIFFE,
            "client_assertion": self.authority.jwt_svid(spiffe(actor), [ISSUER]),
            **changes,
        }
        return {name: value for name, value in form.items() if value is not None}

    def exchange(self, subject: str, actor: str = "portal", **changes: Any) -> httpx.Response:
        return self.ask("POST", "/token", data=self.form(subject, actor, **changes))

    def exchanged(self, subject: str, actor: str = "portal", **changes: Any) -> dict[str, Any]:
        response = self.exchange(subject, actor, **changes)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _refused(response: httpx.Response, code: str) -> None:
    assert (response.status_code, response.json()["error"]) == (400, code), response.text


@pytest.mark.parametrize("named", ["patients", spiffe("patients")])
@pytest.mark.parametrize("parameter", ["audience", "resource"])
def test_a_service_gets_a_token_for_a_service_that_it_calls(world: World, named: str, parameter: str) -> None:
    subject = world.user_token()
    target: dict[str, Any] = {"audience": None, parameter: named}
    given = world.exchanged(subject, **target)
    assert given["issued_token_type"] == ACCESS_TOKEN_TYPE
    assert (given["token_type"], given["scope"], given["expires_in"]) == ("Bearer", "read write", 600)
    assert "refresh_token" not in given
    claims, before = (world.verify(token).claims for token in (given["access_token"], subject))
    assert claims["aud"] == [AUDIENCE, spiffe("patients")]
    assert claims["act"] == {"sub": spiffe("portal")}
    assert (claims["client_id"], claims["azp"]) == (spiffe("portal"), "ringwall-cli")
    assert claims["jti"] != before["jti"]
    changed = {"aud", "act", "client_id", "azp", "jti"}
    assert {k: v for k, v in claims.items() if k not in changed} == {
        k: v for k, v in before.items() if k not in changed
    }


def test_a_token_for_a_service_is_its_actors_and_no_keys(world: World) -> None:
    """Whoever shows a proof gets the same token: `act` binds it, and nobody asks for a proof inside."""
    subject, holder = world.user_token(), DpopClient(world.clock)
    url = f"{ISSUER}/token"
    first = world.ask("POST", "/token", data=world.form(subject), headers={"dpop": holder.proof("POST", url)})
    holder.nonce = first.headers["dpop-nonce"]
    given = world.ask("POST", "/token", data=world.form(subject), headers={"dpop": holder.proof("POST", url)}).json()
    assert given["token_type"] == "Bearer"
    assert "cnf" not in world.verify(given["access_token"]).claims


def _like(world: World, **more: Any) -> str:
    """A token such as the user's, that says more."""
    return world.keys.sign({**world.verify(world.user_token()).claims, **more}, typ="at+jwt")


def test_a_token_that_was_bound_to_a_key_is_bound_to_its_actor(world: World) -> None:
    """The service has not that key, so with it in the token it could show the token to nobody."""
    bound = _like(world, cnf={"jkt": "A" * 43})
    assert "cnf" not in world.verify(world.exchanged(bound)["access_token"]).claims


def test_no_chain_of_actors_grows_beyond_what_proxies_take(world: World) -> None:
    def filled(length: int) -> str:
        return _like(world, ward="x" * length)

    room = (MAX_BYTES - len(filled(0))) * 3 // 4  # of which base64 makes four thirds
    assert world.exchange(filled(room - 200)).status_code == 200
    token = filled(room - 20)
    assert len(token) < MAX_BYTES
    _refused(world.exchange(token), "invalid_request")


def test_actors_are_nested(world: World) -> None:
    first = world.exchanged(world.user_token())["access_token"]
    second = world.exchanged(first, "patients", audience="store")["access_token"]
    claims = world.verify(second).claims
    assert claims["act"] == {"sub": spiffe("patients"), "act": {"sub": spiffe("portal")}}
    assert claims["aud"] == [AUDIENCE, spiffe("store")]
    assert (claims["sub"], claims["azp"]) == ("alice", "ringwall-cli")


@pytest.mark.parametrize(
    ("actor", "target"),
    [
        ("portal", "store"),
        ("portal", "portal"),
        ("patients", "orders"),
        ("orders", "patients"),
        ("portal", "ringwall-issuer"),
        ("portal", "nobody"),
        ("portal", AUDIENCE),
        ("portal", "spiffe://other/service/patients"),
        ("portal", "https://localhost:8443/patients"),
    ],
)
def test_only_along_the_calls_of_the_plan(world: World, actor: str, target: str) -> None:
    _refused(world.exchange(world.user_token(), actor, audience=target), "invalid_target")


def test_one_target_is_named(world: World) -> None:
    _refused(world.exchange(world.user_token(), audience=None), "invalid_target")
    _refused(world.exchange(world.user_token(), audience=["patients", "orders"]), "invalid_target")
    _refused(world.exchange(world.user_token(), resource="orders"), "invalid_target")


def test_a_plan_that_changes_is_followed(world: World, tmp_path: Path) -> None:
    from tests.support.issuer_plan import write_plan  # noqa: PLC0415

    subject = world.user_token()
    world.exchanged(subject)
    less = (service("portal", calls=("orders",)), *SERVICES[1:])
    write_plan(tmp_path, issuer_plan(trust_domain="test", services=less))
    _refused(world.exchange(subject), "invalid_target")


def test_scopes_are_only_ever_narrowed(world: World) -> None:
    less = world.exchanged(world.user_token(), scope="read")
    assert less["scope"] == "read"
    assert world.verify(less["access_token"]).claims["scope"] == "read"
    _refused(world.exchange(less["access_token"], "patients", audience="store", scope="write"), "invalid_scope")
    _refused(world.exchange(world.user_token(), scope="read admin"), "invalid_scope")


def test_it_never_lasts_longer(world: World) -> None:
    subject = world.user_token()
    world.clock.advance(500)
    given = world.exchanged(subject)
    assert given["expires_in"] == 100
    assert world.verify(given["access_token"]).expires == world.verify(subject).expires
    long = world.development_token("alice", lifetime=80_000)
    assert world.exchanged(long)["expires_in"] == world.settings.token_seconds
    world.clock.advance(110)
    _refused(world.exchange(subject), "invalid_request")


def test_a_token_that_was_revoked_is_not_exchanged(world: World) -> None:
    own = world.token(world.secret).json()["access_token"]
    world.exchanged(own)
    world.ask("POST", "/revoke", data={"token": own}, auth=("batch", world.secret))
    _refused(world.exchange(own), "invalid_request")
    subject = world.user_token()
    world.operator.revoke([Revocation(Revoked.USER, "alice", ISSUER)])
    _refused(world.exchange(subject), "invalid_request")


def test_a_client_that_is_revoked_takes_what_came_of_its_token_along(world: World) -> None:
    given = world.exchanged(world.token(world.secret).json()["access_token"])["access_token"]
    world.operator.revoke([Revocation(Revoked.CLIENT, BATCH.name, ISSUER)])
    _refused(world.exchange(given, "patients", audience="store"), "invalid_request")


def test_a_token_for_another_service_is_not_exchanged(world: World) -> None:
    """Who finds a token that was meant for somebody else cannot make it its own."""
    for_orders = world.exchanged(world.user_token(), audience="orders")["access_token"]
    _refused(world.exchange(for_orders, "patients", audience="store"), "invalid_request")
    _refused(world.exchange(for_orders, "portal", audience="patients"), "invalid_request")


@pytest.mark.parametrize("token", ["x", "a.b.c", "rwrt_" + "A" * 65])
def test_nonsense_is_not_exchanged(world: World, token: str) -> None:
    _refused(world.exchange(token), "invalid_request")


def test_only_services_exchange(world: World) -> None:
    form = world.form(world.user_token(), client_assertion_type=None, client_assertion=None)
    response = world.ask("POST", "/token", data=form, auth=("batch", world.secret))
    _refused(response, "unauthorized_client")


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_token": None},
        {"subject_token_type": None},
        {"subject_token_type": "urn:ietf:params:oauth:token-type:id_token"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"actor_token": "a.b.c", "actor_token_type": ACCESS_TOKEN_TYPE},
        {"actor_token_type": ACCESS_TOKEN_TYPE},
    ],
)
def test_the_request_must_be_whole(world: World, changes: dict[str, Any]) -> None:
    _refused(world.exchange(world.user_token(), **changes), "invalid_request")


def test_a_revoked_workload_is_nobody(world: World) -> None:
    world.operator.revoke([Revocation(Revoked.CLIENT, spiffe("portal"), ISSUER)])
    response = world.exchange(world.user_token())
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


def test_authlib_exchanges_a_token(world: World) -> None:
    form = world.form(world.user_token(), client_assertion_type=BEARER)

    async def run() -> dict[str, Any]:
        async with AsyncOAuth2Client(
            client_id=spiffe("portal"), token_endpoint_auth_method="none", transport=Edge(world.app)
        ) as client:
            found: dict[str, Any] = await client.fetch_token(f"{ISSUER}/token", **form)
            return found

    assert world.verify(asyncio.run(run())["access_token"]).claims["act"] == {"sub": spiffe("portal")}
