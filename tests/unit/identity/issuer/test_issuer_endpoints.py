import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.issuer_plan import AUDIENCE, BATCH, ISSUER, issuer_plan, write_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.request import MAX_BODY
from ringwall.identity.issuer.throttle import BURST
from ringwall.identity.tokens.jws import UnverifiedToken
from ringwall.identity.tokens.keys import KeySet
from ringwall.plan.client import Client

FORM = {"content-type": "application/x-www-form-urlencoded"}
GRANT = "grant_type=client_credentials"


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path)


def basic(name: str, secret: str) -> dict[str, str]:
    return {**FORM, "authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()}


def error(response: httpx.Response) -> tuple[int, str]:
    assert set(response.json()) == {"error", "error_description"}
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, response.json()["error"]


def test_a_client_gets_an_access_token_of_rfc_9068(world: IssuerWorld) -> None:
    response = world.token(world.new_secret())
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 900, "read write")
    verified = world.verify(body["access_token"])
    now = int(world.clock.now())
    expected = {
        "iss": ISSUER,
        "sub": "batch",
        "aud": AUDIENCE,
        "client_id": "batch",
        "iat": now,
        "exp": now + 900,
        "scope": "read write",
        "roles": ["clerk"],
        "on_call": True,
    }
    assert {name: value for name, value in verified.claims.items() if name != "jti"} == expected
    assert len(verified.claims["jti"]) >= 20
    assert UnverifiedToken.parse(body["access_token"]).typ == "at+jwt"


def test_no_two_tokens_have_the_same_identifier(world: IssuerWorld) -> None:
    secret = world.new_secret()
    tokens = [world.verify(world.token(secret).json()["access_token"]) for _ in range(3)]
    assert len({token.claims["jti"] for token in tokens}) == 3


def test_scopes_are_only_ever_narrowed(world: IssuerWorld) -> None:
    secret = world.new_secret()
    narrowed = world.token(secret, scope="write")
    assert narrowed.json()["scope"] == "write"
    assert world.verify(narrowed.json()["access_token"]).claims["scope"] == "write"
    for scope in ("admin", "read admin", "read  write", " ", "a\tb", '"', "read " * 100):
        assert error(world.token(secret, scope=scope)) == (400, "invalid_scope")


def test_a_client_without_scopes_gets_none(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=issuer_plan(clients=(Client(name="batch"),)))
    body = world.token(world.new_secret()).json()
    assert "scope" not in body
    assert "scope" not in world.verify(body["access_token"]).claims


def test_secrets_may_come_in_the_body(world: IssuerWorld) -> None:
    form = {"grant_type": "client_credentials", "client_id": "batch", "client_secret": world.new_secret()}
    assert world.ask("POST", "/token", data=form).status_code == 200
    assert error(world.ask("POST", "/token", data={**form, "client_secret": "wrong"})) == (401, "invalid_client")


def test_basic_credentials_are_form_encoded_first(tmp_path: Path) -> None:
    name = "a client: 100%"
    world = IssuerWorld(tmp_path, plan=issuer_plan(clients=(Client(name=name),)))
    secret = world.new_secret(name)
    response = world.ask("POST", "/token", content=GRANT, headers=basic("a+client%3A+100%25", secret))
    assert response.status_code == 200
    assert world.verify(response.json()["access_token"]).subject == name


def test_every_way_of_not_being_a_client_looks_the_same(world: IssuerWorld) -> None:
    secret = world.new_secret()
    attempts: list[dict[str, Any]] = [
        {"headers": basic("batch", "wrong"), "content": GRANT},
        {"headers": basic("nobody", secret), "content": GRANT},
        {"headers": basic("batch", ""), "content": GRANT},
        {"headers": basic("", secret), "content": GRANT},
        {"headers": basic("batch", "x" * 300), "content": GRANT},
        {"headers": basic("x" * 300, secret), "content": GRANT},
        {"headers": basic("batch", "%zz"), "content": GRANT},
        {"headers": {**FORM, "authorization": "Basic !!!"}, "content": GRANT},
        {"headers": {**FORM, "authorization": "Basic " + base64.b64encode(b"batch").decode()}, "content": GRANT},
        {"headers": {**FORM, "authorization": "Basic"}, "content": GRANT},
        {"headers": {**FORM, "authorization": f"Bearer {secret}"}, "content": GRANT},
        {"headers": FORM, "content": GRANT},
        {"headers": FORM, "content": f"{GRANT}&client_id=batch"},
        {"headers": basic("batch", secret), "content": f"{GRANT}&client_id=other"},
    ]
    answers = [world.ask("POST", "/token", **attempt) for attempt in attempts]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1
    assert answers[0].headers["www-authenticate"].startswith("Basic")


def test_the_name_is_checked_before_the_secret_of_another_can_be_used(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=issuer_plan(clients=(BATCH, Client(name="other"))))
    secret = world.new_secret("other")
    world.new_secret("batch")
    assert error(world.token(secret, client="batch")) == (401, "invalid_client")
    assert world.token(secret, client="other").status_code == 200


@pytest.mark.parametrize(
    ("content", "headers", "expected"),
    [
        (GRANT, {"content-type": "application/json"}, (400, "invalid_request")),
        (GRANT, {"content-type": "text/plain"}, (400, "invalid_request")),
        (f"{GRANT}&{GRANT}", {}, (400, "invalid_request")),
        (f"{GRANT}&client_secret=x", {}, (400, "invalid_request")),
        ("grant_type=%zz", {}, (400, "invalid_request")),
        ("grant_type=%ff", {}, (400, "invalid_request")),
        ("grant type=x", {}, (400, "invalid_request")),
        ("grant_type=\x00", {}, (400, "invalid_request")),
        (GRANT + "".join(f"&p{number}=1" for number in range(40)), {}, (400, "invalid_request")),
        ("", {}, (400, "invalid_request")),
        ("grant_type=", {}, (400, "invalid_request")),
        ("scope=read", {}, (400, "invalid_request")),
        ("grant_type=password&username=alice&password=x", {}, (400, "unsupported_grant_type")),
        ("grant_type=implicit", {}, (400, "unsupported_grant_type")),
        ("grant_type=authorization_code&code=x", {}, (400, "unauthorized_client")),
        ("grant_type=refresh_token&refresh_token=x", {}, (400, "unauthorized_client")),
        (GRANT + "&x=" + "a" * MAX_BODY, {}, (413, "invalid_request")),
    ],
)
def test_requests_that_are_not_exactly_right_are_refused(
    world: IssuerWorld, content: str, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    response = world.ask("POST", "/token", content=content, headers={**basic("batch", world.new_secret()), **headers})
    assert error(response) == expected


def test_unknown_and_empty_parameters_are_ignored(world: IssuerWorld) -> None:
    headers = {**basic("batch", world.new_secret()), "content-type": FORM["content-type"] + "; charset=UTF-8"}
    response = world.ask("POST", "/token", content=f"{GRANT}&scope=&resource=x&ext%5B%5D=1", headers=headers)
    assert response.json()["scope"] == "read write"


def test_two_authorization_headers_are_refused(world: IssuerWorld) -> None:
    value = basic("batch", world.new_secret())["authorization"]
    headers = [("content-type", FORM["content-type"]), ("authorization", value), ("authorization", value)]
    assert error(world.ask("POST", "/token", content=GRANT, headers=headers)) == (400, "invalid_request")


def test_wrong_secrets_are_slowed_down_and_right_ones_are_not(world: IssuerWorld) -> None:
    secret = world.new_secret()
    answers = [world.token("wrong") for _ in range(int(BURST) + 1)]
    assert [answer.status_code for answer in answers] == [401] * int(BURST) + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
    assert world.token(secret).status_code == 200
    world.clock.advance(float(answers[-1].headers["retry-after"]))
    assert error(world.token("wrong")) == (401, "invalid_client")


def test_names_that_do_not_exist_are_slowed_down_alike(world: IssuerWorld) -> None:
    answers = [world.token("wrong", client="nobody") for _ in range(int(BURST) + 1)]
    assert [answer.status_code for answer in answers] == [401] * int(BURST) + [429]
    assert world.token("wrong").status_code == 401


def test_a_removed_client_gets_nothing_more_and_a_new_one_does(world: IssuerWorld) -> None:
    secret = world.new_secret()
    assert world.token(secret).status_code == 200
    write_plan(world.settings.state, issuer_plan(clients=(Client(name="fresh", roles=("clerk",)),)))
    assert error(world.token(secret)) == (401, "invalid_client")
    assert world.token(world.new_secret("fresh"), client="fresh").status_code == 200


def test_changed_roles_are_in_the_next_token(world: IssuerWorld) -> None:
    secret = world.new_secret()
    write_plan(world.settings.state, issuer_plan(clients=(BATCH.model_copy(update={"roles": ("auditor",)}),)))
    assert world.verify(world.token(secret).json()["access_token"]).claims["roles"] == ["auditor"]


def test_a_token_too_large_for_the_proxies_is_not_issued(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    claims = (("patients", tuple(str(number) * 8 for number in range(500))),)
    world = IssuerWorld(tmp_path, plan=issuer_plan(clients=(Client(name="batch", claims=claims),)))
    assert error(world.token(world.new_secret())) == (400, "invalid_request")
    assert "fewer or shorter claims" in caplog.text


@pytest.mark.parametrize("name", ["sub", "iss", "exp", "client_id", "scope", "roles"])
def test_a_claim_of_the_plan_never_overwrites_another(tmp_path: Path, name: str) -> None:
    world = IssuerWorld(tmp_path, plan=issuer_plan(clients=(Client(name="batch", claims=((name, "admin"),)),)))
    assert error(world.token(world.new_secret())) == (400, "invalid_request")


def test_a_name_of_a_person_and_a_client_gets_no_token(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=issuer_plan(clients=(Client(name="alice"),)))
    assert error(world.token(world.new_secret("alice"), client="alice"))[0] == 400
    response = world.ask_admin("POST", "/dev/token", content=json.dumps({"person": "alice"}))
    assert response.status_code == 400


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"])
def test_discovery_names_only_what_works(world: IssuerWorld, path: str) -> None:
    response = world.ask("GET", path)
    document = response.json()
    assert document["issuer"] == ISSUER
    assert "max-age" in response.headers["cache-control"]
    prefix = ISSUER
    served = {route.path for route in world.app.routes}  # type: ignore[attr-defined]  # all routes are Route
    endpoints = {name for name in document if name.endswith(("_endpoint", "_uri"))}
    assert endpoints == {
        "authorization_endpoint",
        "pushed_authorization_request_endpoint",
        "device_authorization_endpoint",
        "token_endpoint",
        "userinfo_endpoint",
        "introspection_endpoint",
        "revocation_endpoint",
        "end_session_endpoint",
        "jwks_uri",
    }
    for name in endpoints:
        assert document[name].removeprefix(prefix) in served
    secret = world.new_secret()
    form = {"grant_type": document["grant_types_supported"][0]}
    credentials: dict[str, dict[str, Any]] = {
        "client_secret_post": {"data": {**form, "client_id": "batch", "client_secret": secret}},
        "client_secret_basic": {"data": form, "auth": ("batch", secret)},
    }
    assert document["token_endpoint_auth_methods_supported"] == [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "spiffe_jwt",
        "none",
    ]
    assert all(world.ask("POST", "/token", **shown).status_code == 200 for shown in credentials.values())
    assert document["scopes_supported"] == ["email", "openid", "profile", "read", "write"]


def test_the_key_set_has_what_lies_in_the_file_and_is_cached_shorter_than_the_overlap(
    world: IssuerWorld,
) -> None:
    response = world.ask("GET", "/jwks")
    proxies = json.loads(world.settings.bindings.jwks.read_bytes())["keys"]
    assert [key for key in response.json()["keys"] if key["alg"] == "ES256"] == proxies
    assert response.headers["content-type"] == "application/jwk-set+json"
    assert response.headers["cache-control"] == "public, max-age=50"
    assert [key.algorithm.name for key in KeySet.of_client(response.content).keys] == [*["ES256"] * 2, *["RS256"] * 2]
    assert not {"d", "k", "p"} & {name for key in response.json()["keys"] for name in key}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/token", 405),
        ("POST", "/jwks", 405),
        ("POST", "/dev/token", 404),
        ("POST", "/keys/rotate", 404),
        ("GET", "/keys", 404),
        ("GET", "/../keys", 404),
        ("DELETE", "/.well-known/openid-configuration", 405),
    ],
)
def test_nothing_else_is_there(world: IssuerWorld, method: str, path: str, status: int) -> None:
    assert error(world.ask(method, path))[0] == status


def test_damaged_secrets_make_the_endpoint_unavailable_not_open(world: IssuerWorld) -> None:
    secret = world.new_secret()
    world.settings.clients_file.write_text('{"clients": 7}')
    response = world.token(secret)
    assert error(response) == (503, "temporarily_unavailable")
    assert "clients" not in response.text


def test_no_secret_and_no_unknown_name_reaches_the_log(world: IssuerWorld, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secret = world.new_secret()
    token = world.token(secret).json()["access_token"]
    world.token("a-wrong-secret")
    world.token("x", client="my-password-typed-as-name")
    logged = caplog.text
    for private in (secret, token, "a-wrong-secret", "my-password-typed-as-name"):
        assert private not in logged
    assert "batch" in logged
