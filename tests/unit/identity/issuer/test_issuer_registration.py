"""Clients register themselves (RFC 7591) and are looked after by who registered them (RFC 7592)."""

import asyncio
import ipaddress
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.issuer_browser import RelyingParty, browser, forms_of, pick, redeem, send, sent_back
from tests.support.issuer_plan import BATCH, BUILTIN, ISSUER, PORTAL, login_plan, write_plan
from tests.support.issuer_world import IssuerWorld, ask
from tests.support.joserfc_keys import make_key, public_jwk, sign

from ringwall.identity.issuer.clients.initial_access import LONGEST_SECONDS
from ringwall.identity.issuer.oauth.register import BURST
from ringwall.plan.client import ClientKind
from ringwall.plan.identity import Registration
from ringwall.plan.model import Plan

CALLBACK = "https://app.partner.example/callback"
POLICY = Registration(
    open=True,
    kinds=tuple(ClientKind),
    scopes=("orders:read",),
    hosts=("*.partner.example",),
    device_flow=True,
)
METADATA = {"redirect_uris": [CALLBACK], "client_name": "Tea shop"}


def registering(policy: Registration | None = POLICY, **changes: Any) -> Plan:
    clients = (BATCH, PORTAL.model_copy(update={"title": "Patient portal"}))
    issuer = BUILTIN.model_copy(update={"registration": policy})
    return login_plan(issuers=(issuer,), clients=clients, **changes)


def changed(**fields: Any) -> Plan:
    return registering(POLICY.model_copy(update=fields))


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=registering())


def register(
    world: IssuerWorld, metadata: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    return world.ask("POST", "/register", json=METADATA if metadata is None else metadata, headers=headers)


def registered(world: IssuerWorld, **metadata: Any) -> dict[str, Any]:
    response = register(world, {**METADATA, **metadata})
    assert response.status_code == 201, response.text
    assert response.headers["cache-control"] == "no-store"
    return dict(response.json())


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def own(client: dict[str, Any]) -> str:
    return str(client["registration_client_uri"]).removeprefix(ISSUER)


def refused(response: httpx.Response, status: int, error: str) -> None:
    assert (response.status_code, response.json()["error"]) == (status, error), response.text


# Registration


def test_nobody_registers_unless_the_plan_says_so(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=registering(None))
    assert register(world).status_code == 404
    assert "registration_endpoint" not in world.ask("GET", "/.well-known/openid-configuration").json()


def test_a_client_is_told_what_was_taken(world: IssuerWorld) -> None:
    told = registered(world, scope="openid orders:read admin", logo_uri="https://evil.example/x.png", contacts=["a@b"])
    token, secret, uri = (
        told.pop(n) for n in ("registration_access_token", "client_secret", "registration_client_uri")
    )
    assert secret.startswith("rwcs_")
    assert len(token) > 40
    assert uri == f"{ISSUER}/register/{told['client_id']}"
    assert told.pop("client_id").startswith("dyn-")
    assert told == {
        "client_id_issued_at": int(world.clock.now()),
        "client_secret_expires_at": 0,
        "application_type": "web",
        "client_name": "Tea shop",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "redirect_uris": [CALLBACK],
        "scope": "openid orders:read",
        "subject_type": "public",
        "id_token_signed_response_alg": "RS256",
        "token_endpoint_auth_method": "client_secret_basic",
    }
    assert world.ask("GET", "/.well-known/openid-configuration").json()["registration_endpoint"] == f"{ISSUER}/register"


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://evil.example/callback"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://partner.example.evil.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://evilpartner.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://app.partner.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["http://localhost/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": [CALLBACK + "#x"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://*.partner.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["https://a@app.partner.example/cb"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
        ({"redirect_uris": ["com.example.app:/cb"], "application_type": "native"}, "invalid_redirect_uri"),
        ({"redirect_uris": [7]}, "invalid_redirect_uri"),
        ({"redirect_uris": [CALLBACK] * 21}, "invalid_redirect_uri"),
        ({"redirect_uris": CALLBACK}, "invalid_client_metadata"),
        ({"post_logout_redirect_uris": ["https://evil.example/"]}, "invalid_redirect_uri"),
        ({"backchannel_logout_uri": "https://169.254.169.254/x"}, "invalid_redirect_uri"),
        ({"software_statement": "a.b.c"}, "unapproved_software_statement"),
        ({"grant_types": ["implicit"]}, "invalid_client_metadata"),
        ({"grant_types": ["password"]}, "invalid_client_metadata"),
        ({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"}, "invalid_client_metadata"),
        ({"response_types": ["id_token"]}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "invalid_client_metadata"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
        ({"application_type": "desktop"}, "invalid_client_metadata"),
        ({"subject_type": "ephemeral"}, "invalid_client_metadata"),
        ({"sector_identifier_uri": "https://app.partner.example/uris"}, "invalid_client_metadata"),
        ({"jwks_uri": "http://169.254.169.254/"}, "invalid_client_metadata"),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "invalid_client_metadata"),
        ({"jwks": {"keys": "x"}}, "invalid_client_metadata"),
        ({"jwks": {"keys": [{}] * 9}}, "invalid_client_metadata"),
        ({"id_token_signed_response_alg": "none"}, "invalid_client_metadata"),
        ({"id_token_signed_response_alg": "HS256"}, "invalid_client_metadata"),
        ({"id_token_encrypted_response_alg": "RSA-OAEP"}, "invalid_client_metadata"),
        ({"userinfo_encrypted_response_enc": "A128GCM"}, "invalid_client_metadata"),
        ({"request_object_encryption_alg": "RSA-OAEP"}, "invalid_client_metadata"),
        ({"userinfo_signed_response_alg": "HS256"}, "invalid_client_metadata"),
        ({"request_object_signing_alg": "none"}, "invalid_client_metadata"),
        ({"require_signed_request_object": True}, "invalid_client_metadata"),
        ({"tls_client_certificate_bound_access_tokens": True}, "invalid_client_metadata"),
        ({"scope": 'a"b'}, "invalid_client_metadata"),
        ({"client_name": ""}, "invalid_client_metadata"),
        ({"client_name": "x" * 81}, "invalid_client_metadata"),
        ({"client_name": "a\u202egro.knab"}, "invalid_client_metadata"),
        ({"client_name": "zero\u200bwidth"}, "invalid_client_metadata"),
        ({"client_name": "p\u0430ypal"}, "invalid_client_metadata"),
        ({"client_name": "Ringwall"}, "invalid_client_metadata"),
        ({"client_name": "PATIENT PORTAL"}, "invalid_client_metadata"),
        ({"client_name": "\uff30atient-portal"}, "invalid_client_metadata"),
        ({"client_name": "p\u00e0tient portal (portal.example)"}, "invalid_client_metadata"),
        ({"client_name": "Bank (bank.example)"}, "invalid_client_metadata"),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_is_refused(world: IssuerWorld, metadata: dict[str, Any], error: str) -> None:
    refused(register(world, {**METADATA, **metadata}), 400, error)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"a":1,"a":2}', b'{"client_name":"\\ud800"}', b"\xff", b"{}" * 9000]
)
def test_a_body_that_is_no_metadata_is_refused(world: IssuerWorld, body: bytes) -> None:
    response = world.ask("POST", "/register", content=body, headers={"content-type": "application/json"})
    assert response.status_code in {400, 413}
    refused(world.ask("POST", "/register", data={"client_name": "x"}), 400, "invalid_client_metadata")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12) | st.sampled_from([CALLBACK, "code", "none"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.sampled_from(
    (
        *("redirect_uris", "jwks", "grant_types", "scope", "client_name", "token_endpoint_auth_method"),
        *("response_types", "backchannel_logout_uri", "application_type", "software_statement", "subject_type"),
    )
)


@given(metadata=st.dictionaries(MEMBERS, JSON, max_size=5))
@settings(max_examples=150, deadline=None)
def test_no_metadata_break_it(fuzzed: IssuerWorld, metadata: dict[str, Any]) -> None:
    source = str(ipaddress.IPv4Address(hash(str(metadata)) % 2**32))  # each is somebody else, who need not wait
    response = register(fuzzed, {**METADATA, **metadata}, headers={"x-forwarded-for": source})
    assert response.status_code in {201, 400}, response.text


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> IssuerWorld:
    return IssuerWorld(tmp_path_factory.mktemp("fuzzed"), plan=registering())


def test_kinds_and_flows_are_those_of_the_policy(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=changed(kinds=(ClientKind.WEB,), device_flow=False))
    public = {**METADATA, "token_endpoint_auth_method": "none"}
    refused(register(world, public), 400, "invalid_client_metadata")
    refused(register(world, {"grant_types": ["client_credentials"]}), 400, "invalid_client_metadata")
    device = {"grant_types": ["urn:ietf:params:oauth:grant-type:device_code"]}
    refused(register(world, device), 400, "invalid_client_metadata")


# Who may register


def test_without_a_token_nobody_registers_where_one_is_needed(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=changed(open=False))
    token = world.ask_admin("POST", "/registration-tokens", content=b"{}").json()["initial_access_token"]
    for headers in (None, bearer("x"), bearer(token + "x"), {"authorization": f"Basic {token}"}):
        refused(register(world, headers=headers), 401, "invalid_token")
    refused(
        register(world, {"redirect_uris": []}, headers=bearer(token)), 400, "invalid_redirect_uri"
    )  # not used up by that
    assert register(world, headers=bearer(token)).status_code == 201
    refused(register(world, headers=bearer(token)), 401, "invalid_token")


def test_a_token_works_once_of_many_at_once_and_ends(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=changed(open=False))

    def token(**asked: Any) -> str:
        answered = world.ask_admin("POST", "/registration-tokens", content=json.dumps(asked))
        return str(answered.json()["initial_access_token"])

    async def race(token: str) -> list[int]:
        asked = [ask(world.app, "POST", "/register", json=METADATA, headers=bearer(token)) for _ in range(8)]
        return [response.status_code for response in await asyncio.gather(*asked)]

    assert sorted(asyncio.run(race(token()))) == [201] + [401] * 7
    many = token(reusable=True, lifetime=60)
    assert [register(world, headers=bearer(many)).status_code for _ in range(3)] == [201] * 3
    world.clock.advance(61)
    refused(register(world, headers=bearer(many)), 401, "invalid_token")
    for wrong in (0, LONGEST_SECONDS + 1):
        assert (
            world.ask_admin("POST", "/registration-tokens", content=json.dumps({"lifetime": wrong})).status_code == 400
        )


def test_no_initial_access_tokens_where_nobody_registers(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=registering(None))
    assert world.ask_admin("POST", "/registration-tokens", content=b"{}").status_code == 400


def test_whoever_registers_much_waits(world: IssuerWorld) -> None:
    one, other = {"x-forwarded-for": "192.0.2.1"}, {"x-forwarded-for": "192.0.2.2"}
    assert [register(world, headers=one).status_code for _ in range(BURST)] == [201] * BURST
    waiting = register(world, headers=one)
    refused(waiting, 429, "temporarily_unavailable")
    assert int(waiting.headers["retry-after"]) > 0
    assert register(world, headers=other).status_code == 201


def test_whoever_has_a_network_of_addresses_registers_no_more_by_it(world: IssuerWorld) -> None:
    """An IPv6 subscriber has 2^64 addresses at least (RFC 6177)."""
    addresses = [{"x-forwarded-for": f"2001:db8:1:2::{number}"} for number in range(BURST + 1)]
    assert [register(world, headers=each).status_code for each in addresses] == [201] * BURST + [429]
    assert register(world, headers={"x-forwarded-for": "2001:db8:9:9::1"}).status_code == 201


# What a registered client can do


async def sign_in(page: httpx.AsyncClient, client: dict[str, Any], party: RelyingParty) -> str:
    """Let alice sign in and allow; return the code."""
    shown = await page.get(party.url())
    consent = await pick(page, shown)
    assert "app.partner.example" in consent.text
    form = next(form for form in forms_of(consent) if ("decision", "allow") in form.buttons)
    return sent_back(await send(page, form, {"decision": "allow"}), CALLBACK)["code"]


def party_of(client: dict[str, Any], scope: str = "openid profile orders:read admin") -> RelyingParty:
    return RelyingParty(client=client["client_id"], callback=CALLBACK, scope=scope)


def test_a_registered_client_signs_people_in_who_are_always_asked(world: IssuerWorld) -> None:
    client = registered(world, client_name="Tea & shop")
    auth = (client["client_id"], client["client_secret"])

    async def run() -> None:
        async with browser(world.app) as page:
            party = party_of(client)
            shown = await page.get(party.url())
            assert "Tea &amp; shop (app.partner.example)" in shown.text
            code = await sign_in(page, client, party)
            tokens = (await redeem(page, party.redemption(code), auth)).json()
            assert tokens["scope"] == "openid profile orders:read"
            assert world.verify(tokens["access_token"]).claims["client_id"] == client["client_id"]
            about = await page.get(f"{ISSUER}/userinfo", headers=bearer(tokens["access_token"]))
            assert about.json()["sub"] == "alice"
            form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
            assert (await redeem(page, form, auth)).status_code == 200

            async with httpx.AsyncClient(transport=page._transport, base_url=ISSUER, auth=auth) as machine:
                own = await machine.post(f"{ISSUER}/introspect", data={"token": tokens["access_token"]})
                assert own.json()["active"] is True
                other = await asyncio.to_thread(world.development_token)
                others = await machine.post(f"{ISSUER}/introspect", data={"token": other})
                assert others.json() == {"active": False}
                revoked = await machine.post(f"{ISSUER}/revoke", data={"token": tokens["access_token"]})
                assert revoked.status_code == 200
                own = await machine.post(f"{ISSUER}/introspect", data={"token": tokens["access_token"]})
                assert own.json() == {"active": False}
                pushed = await machine.post(f"{ISSUER}/par", data=party.parameters())
                assert pushed.status_code == 201, pushed.text
            out = await page.get(f"{ISSUER}/end_session", params={"id_token_hint": tokens["id_token"]})
            assert out.status_code == 200

    asyncio.run(run())


def test_people_return_where_a_registered_client_said_after_signing_out(world: IssuerWorld) -> None:
    then = "https://app.partner.example/bye"
    client = registered(world, post_logout_redirect_uris=[then])

    async def run() -> None:
        async with browser(world.app) as page:
            party = party_of(client, "openid")
            code = await sign_in(page, client, party)
            tokens = (await redeem(page, party.redemption(code), (client["client_id"], client["client_secret"]))).json()
            asked = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": then}
            out = await page.get(f"{ISSUER}/end_session", params=asked)
            assert (out.status_code, out.headers["location"]) == (303, then)
            asked["post_logout_redirect_uri"] = "https://app.partner.example/other"
            assert (await page.get(f"{ISSUER}/end_session", params=asked)).status_code == 400

    asyncio.run(run())


def test_a_public_client_needs_no_secret_and_has_none(world: IssuerWorld) -> None:
    client = registered(world, token_endpoint_auth_method="none")
    assert "client_secret" not in client

    async def run() -> None:
        async with browser(world.app) as page:
            party = party_of(client)
            code = await sign_in(page, client, party)
            form = party.redemption(code, client_id=client["client_id"])
            assert (await redeem(page, form, None)).status_code == 200

    asyncio.run(run())
    refused(world.token("rwcs_x", client["client_id"]), 401, "invalid_client")


def test_a_native_client_may_take_any_port_of_loopback(world: IssuerWorld) -> None:
    client = registered(
        world,
        application_type="native",
        token_endpoint_auth_method="none",
        redirect_uris=["http://127.0.0.1/callback"],
    )

    async def run() -> None:
        async with browser(world.app) as page:
            party = RelyingParty(client=client["client_id"], callback="http://127.0.0.1:51234/callback")
            assert (await page.get(party.url())).status_code == 200

    asyncio.run(run())


def test_a_client_signs_with_its_own_key(world: IssuerWorld) -> None:
    key = make_key("ES256")
    metadata = {
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [{**public_jwk(key), "alg": "ES256", "use": "sig"}]},
        "scope": "orders:read",
    }
    client = register(world, metadata).json()
    assert "client_secret" not in client
    now = int(world.clock.now())
    claims = {"iss": client["client_id"], "sub": client["client_id"], "aud": ISSUER, "exp": now + 60, "jti": "1"}
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": sign({"alg": "ES256", "typ": "JWT"}, json.dumps(claims), key),
    }
    response = world.ask("POST", "/token", data=form)
    assert response.status_code == 200, response.text
    assert response.json()["scope"] == "orders:read"


def test_the_policy_in_force_counts_and_not_that_of_the_day(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=registering())
    machine = register(world, {"grant_types": ["client_credentials"], "scope": "orders:read"}).json()
    web = registered(world)

    def token() -> httpx.Response:
        return world.token(machine["client_secret"], machine["client_id"])

    def page() -> int:
        return world.ask("GET", party_of(web).url().removeprefix(ISSUER)).status_code

    assert token().json()["scope"] == "orders:read"
    assert page() == 200
    for plan, scope in ((changed(scopes=()), None), (changed(hosts=("other.example",)), "orders:read")):
        write_plan(tmp_path, plan)
        assert token().json().get("scope") == scope
        assert page() == (400 if scope else 200)
    for plan in (registering(None), changed(kinds=(ClientKind.BROWSER,))):
        write_plan(tmp_path, plan)
        refused(token(), 401, "invalid_client")
        assert page() == 400


def test_a_registration_ends_where_the_policy_says_when(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=changed(seconds=1000))
    client = register(world, {"grant_types": ["client_credentials"]}).json()
    world.clock.advance(999)
    assert world.token(client["client_secret"], client["client_id"]).status_code == 200
    world.clock.advance(2)
    refused(world.token(client["client_secret"], client["client_id"]), 401, "invalid_client")


def test_pages_of_any_client_that_could_register_may_ask_for_tokens(world: IssuerWorld) -> None:
    for origin, allowed in (
        ("https://app.partner.example", True),
        ("https://app.partner.example:8443", True),
        ("https://evil.example", False),
        ("http://app.partner.example", False),
        ("null", False),
        ("https://[", False),
    ):
        response = world.ask("POST", "/token", headers={"origin": origin})
        assert ("access-control-allow-origin" in response.headers) is allowed, origin


# Looking after a registration (RFC 7592)


def test_a_client_reads_changes_and_removes_itself(world: IssuerWorld) -> None:
    client = registered(world)
    token = client["registration_access_token"]
    read = world.ask("GET", own(client), headers=bearer(token))
    assert read.status_code == 200
    assert read.json() == {name: value for name, value in client.items() if name != "client_secret"}

    fields = {"client_id": client["client_id"], "client_secret": client["client_secret"], "client_name": "Tea house"}
    put = {**fields, "redirect_uris": ["https://new.partner.example/cb"]}
    after = world.ask("PUT", own(client), json=put, headers=bearer(token))
    assert after.status_code == 200, after.text
    assert (after.json()["client_name"], after.json()["redirect_uris"]) == ("Tea house", put["redirect_uris"])
    assert world.ask("GET", party_of(client).url().removeprefix(ISSUER)).status_code == 400  # the old redirect URI

    gone = world.ask("DELETE", own(client), headers=bearer(token))
    assert (gone.status_code, gone.content) == (204, b"")
    for method in ("GET", "DELETE"):
        refused(world.ask(method, own(client), headers=bearer(token)), 401, "invalid_token")


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "dyn-other"},
        {"client_id": None},
        {"client_secret": "rwcs_wrong"},
        {"client_secret": 7},
        {"registration_access_token": "x"},
        {"registration_client_uri": "x"},
        {"client_secret_expires_at": 1},
        {"client_id_issued_at": 1},
    ],
)
def test_a_change_names_the_client_and_says_nothing_that_only_the_issuer_says(
    world: IssuerWorld, change: dict[str, Any]
) -> None:
    client = registered(world)
    put = {**METADATA, "client_id": client["client_id"], **change}
    answered = world.ask("PUT", own(client), json=put, headers=bearer(client["registration_access_token"]))
    refused(answered, 400, "invalid_request")


def test_a_change_is_under_the_same_policy(world: IssuerWorld) -> None:
    client = registered(world)
    put = {**METADATA, "client_id": client["client_id"], "redirect_uris": ["https://evil.example/cb"]}
    answered = world.ask("PUT", own(client), json=put, headers=bearer(client["registration_access_token"]))
    refused(answered, 400, "invalid_redirect_uri")


def test_another_clients_token_is_worth_nothing(world: IssuerWorld) -> None:
    one, other = registered(world), registered(world)
    for path in (own(other), "/register/portal", "/register/dyn-%00", "/register/dyn-" + "x" * 22):
        for method in ("GET", "PUT", "DELETE"):
            answered = world.ask(method, path, headers=bearer(one["registration_access_token"]), json={})
            refused(answered, 401, "invalid_token")
    assert world.ask("GET", own(one)).status_code == 401


def test_a_client_that_changes_to_a_secret_gets_one_and_one_that_leaves_it_cannot_use_it(world: IssuerWorld) -> None:
    client = registered(world, token_endpoint_auth_method="none")
    token = bearer(client["registration_access_token"])
    fields = {"client_id": client["client_id"], "grant_types": ["client_credentials"]}
    secret = world.ask("PUT", own(client), json=fields, headers=token).json()["client_secret"]
    assert world.token(secret, client["client_id"]).status_code == 200
    fields |= {
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [{**public_jwk(make_key("ES256")), "alg": "ES256"}]},
    }
    assert world.ask("PUT", own(client), json=fields, headers=token).status_code == 200
    refused(world.token(secret, client["client_id"]), 401, "invalid_client")


def test_removing_a_client_ends_its_tokens(world: IssuerWorld) -> None:
    client = registered(world)
    auth = (client["client_id"], client["client_secret"])

    async def run() -> None:
        async with browser(world.app) as page:
            party = party_of(client)
            tokens = (await redeem(page, party.redemption(await sign_in(page, client, party)), auth)).json()
            about = await page.get(f"{ISSUER}/userinfo", headers=bearer(tokens["access_token"]))
            assert about.status_code == 200
            gone = await ask(world.app, "DELETE", own(client), headers=bearer(client["registration_access_token"]))
            assert gone.status_code == 204
            about = await page.get(f"{ISSUER}/userinfo", headers=bearer(tokens["access_token"]))
            assert about.status_code == 401
            form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
            assert (await redeem(page, form, auth)).status_code == 401
            database = await world.context.storage.database()
            told = await database.revocations.since(0, now=world.clock.now())
            assert [(each.kind, each.subject) for each in told] == [("client", client["client_id"])]

    asyncio.run(run())


def test_each_act_is_an_event(world: IssuerWorld) -> None:
    client = registered(world)
    token = bearer(client["registration_access_token"])
    world.ask("PUT", own(client), json={**METADATA, "client_id": client["client_id"]}, headers=token)
    world.ask("DELETE", own(client), headers=token)

    async def acts() -> list[str]:
        return [event.act for event in await (await world.context.storage.database()).events.page()]

    assert set(asyncio.run(acts())) == {"client-registered", "client-changed", "client-removed"}
