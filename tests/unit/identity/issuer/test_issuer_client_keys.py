"""Clients that authenticate with a key of their own (RFC 7523) or with the identity of a workload."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey
from tests.support.enforce_plans import service
from tests.support.issuer_browser import Edge
from tests.support.issuer_plan import ISSUER, issuer_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.clients.assertion import BEARER, SPIFFE
from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.tokens.signing import SigningKey
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.model.durable import replace_file
from ringwall.plan.client import Client, ClientKind

KEY, OTHER = SigningKey.generate(), SigningKey.generate()
JWKS = json.dumps({"keys": [KEY.public_jwk()]})
ROBOT = Client(name="robot", scopes=("read",), jwks=JWKS)
SECOND = Client(name="second", jwks=json.dumps({"keys": [OTHER.public_jwk()]}))
KEYLESS = Client(name="batch")
PUBLIC = Client(name="phone", kind=ClientKind.NATIVE, redirect_uris=("http://127.0.0.1/cb",), jwks=JWKS)
DOMAIN = "test"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


class World(IssuerWorld):
    def __init__(self, state: Path) -> None:
        plan = issuer_plan(
            trust_domain=DOMAIN,
            clients=(ROBOT, SECOND, KEYLESS, PUBLIC),
            services=(service("portal", calls=("patients",)), service("ringwall-issuer", builtin=True)),
        )
        super().__init__(state, plan=plan)

    def assertion(self, key: SigningKey = KEY, typ: str = "JWT", **changes: Any) -> str:
        now = int(self.clock.now())
        claims: dict[str, Any] = {
            "iss": "robot",
            "sub": "robot",
            "aud": ISSUER,
            "iat": now,
            "exp": now + 60,
            "jti": str(time.monotonic_ns()),
            **changes,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return key.sign(claims, typ=typ)

    def show(self, assertion: str, **form: str) -> httpx.Response:
        shown = {
            "grant_type": "client_credentials",
            "client_assertion_type": BEARER,
            "client_assertion": assertion,
            **form,
        }
        return self.ask("POST", "/token", data=shown)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def _refused(response: httpx.Response) -> None:
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client"), response.text
    assert response.json()["error_description"] == "the client could not be authenticated", "nothing is given away"


@pytest.mark.parametrize("audience", [ISSUER, f"{ISSUER}/token", [ISSUER], ["x", f"{ISSUER}/token"]])
def test_a_client_proves_by_its_key_who_it_is(world: World, audience: Any) -> None:
    response = world.show(world.assertion(aud=audience))
    assert response.status_code == 200, response.text
    claims = world.verify(response.json()["access_token"]).claims
    assert (claims["sub"], claims["client_id"], claims["scope"]) == ("robot", "robot", "read")


def test_an_assertion_works_once(world: World) -> None:
    assertion = world.assertion()
    assert world.show(assertion).status_code == 200
    _refused(world.show(assertion))
    assert world.show(world.assertion(jti="same")).status_code == 200
    _refused(world.show(world.assertion(jti="same", nbf=0)))


def test_one_client_s_identifiers_are_not_another_s(world: World) -> None:
    assert world.show(world.assertion(jti="same")).status_code == 200
    assert world.show(world.assertion(OTHER, jti="same", iss="second", sub="second")).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "second"},
        {"sub": "second"},
        {"sub": "batch", "iss": "batch"},
        {"sub": "phone", "iss": "phone"},
        {"sub": "nobody", "iss": "nobody"},
        {"aud": "https://other.test"},
        {"aud": f"{ISSUER}/token/"},
        {"aud": None},
        {"exp": None},
        {"exp": -60},
        {"exp": 3700},
        {"iat": -3600},
        {"iat": 60},
        {"nbf": 60},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 257},
    ],
)
def test_an_assertion_must_hold_in_every_respect(world: World, changes: Mapping[str, Any]) -> None:
    now = int(world.clock.now())
    at: dict[str, Any] = {name: now + value if isinstance(value, int) else value for name, value in changes.items()}
    _refused(world.show(world.assertion(**at)))


def test_another_key_or_kind_of_token_is_refused(world: World) -> None:
    _refused(world.show(world.assertion(OTHER)))
    _refused(world.show(world.assertion(typ="at+jwt")))
    _refused(world.show(world.assertion()[:-4] + "AAAA"))
    for nonsense in ("x", "a.b.c", ""):
        _refused(world.show(nonsense))


def test_only_known_types_of_assertion_are_taken(world: World) -> None:
    _refused(world.show(world.assertion(), client_assertion_type="urn:ietf:params:oauth:client-assertion-type:saml2"))
    response = world.ask("POST", "/token", data={"grant_type": "client_credentials", "client_assertion": "a.b.c"})
    _refused(response)


def test_a_client_authenticates_in_one_way(world: World) -> None:
    response = world.show(world.assertion(), client_id="robot", client_secret="x")
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    _refused(world.show(world.assertion(), client_id="second"))


def test_authlib_gets_a_token_by_its_key(world: World) -> None:
    world.clock.advance(time.time() - world.clock.now())  # authlib looks at the machine's clock
    key = ECKey.import_key(KEY.to_pem().reveal())

    async def run() -> dict[str, Any]:
        async with AsyncOAuth2Client(
            client_id="robot",
            client_secret=key,
            token_endpoint_auth_method="private_key_jwt",
            transport=Edge(world.app),
        ) as client:
            client.register_client_auth_method(PrivateKeyJWT(f"{ISSUER}/token", alg="ES256"))
            found: dict[str, Any] = await client.fetch_token(f"{ISSUER}/token", grant_type="client_credentials")
            return found

    assert world.verify(asyncio.run(run())["access_token"]).subject == "robot"


def test_a_client_with_keys_has_a_secret_only_where_one_was_made(world: World) -> None:
    """Its keys may be for request objects only (RFC 9101)."""
    _refused(world.token("", client="robot"))
    assert world.token(world.new_secret("robot"), client="robot").status_code == 200


# --- workloads ---


@pytest.fixture
def authority(world: World) -> WorkloadAuthority:
    made = WorkloadAuthority(MemoryKeyStore(), DOMAIN, world.clock)
    replace_file(world.settings.bindings.jwt_bundle, made.jwt_bundle())
    return made


def _svid(authority: WorkloadAuthority, name: str = "portal", *audience: str) -> str:
    return authority.jwt_svid(f"spiffe://{DOMAIN}/service/{name}", list(audience) or [ISSUER])


@pytest.mark.parametrize("kind", [SPIFFE, BEARER])
def test_a_service_needs_no_secret(world: World, authority: WorkloadAuthority, kind: str) -> None:
    form = {"client_assertion_type": kind, "client_assertion": _svid(authority), "token": "x"}
    for _ in range(2):
        response = world.ask("POST", "/introspect", data=form)
        assert (response.status_code, response.json()) == (200, {"active": False})


def test_a_service_gets_no_token_of_its_own(world: World, authority: WorkloadAuthority) -> None:
    response = world.show(_svid(authority), client_assertion_type=SPIFFE)
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")


def test_only_identities_that_hold_for_the_issuer_alone_are_taken(world: World, authority: WorkloadAuthority) -> None:
    def show(assertion: str) -> httpx.Response:
        return world.show(assertion, client_assertion_type=SPIFFE)

    _refused(show(_svid(authority, "portal", "https://other.test")))
    _refused(show(_svid(authority, "portal", ISSUER, "https://other.test")))
    _refused(show(_svid(authority, "nobody")))
    _refused(show(_svid(authority, "ringwall-issuer")))
    _refused(show(authority.jwt_svid(f"spiffe://{DOMAIN}/edge", [ISSUER])))
    _refused(show(world.assertion(sub=f"spiffe://{DOMAIN}/service/portal")))
    stranger = WorkloadAuthority(MemoryKeyStore(), DOMAIN, world.clock)
    _refused(show(_svid(stranger)))
    expired = _svid(authority)
    world.clock.advance(400)
    _refused(show(expired))


def test_without_keys_of_the_control_plane_no_workload_is_believed(world: World) -> None:
    made = WorkloadAuthority(MemoryKeyStore(), DOMAIN, world.clock)
    _refused(world.show(_svid(made), client_assertion_type=SPIFFE))


def test_the_metadata_says_how_clients_authenticate(world: World) -> None:
    told = world.ask("GET", "/.well-known/oauth-authorization-server").json()
    assert {"private_key_jwt", "spiffe_jwt"} <= set(told["token_endpoint_auth_methods_supported"])
    assert "ES256" in told["token_endpoint_auth_signing_alg_values_supported"]
    assert "RS512" not in told["token_endpoint_auth_signing_alg_values_supported"]
