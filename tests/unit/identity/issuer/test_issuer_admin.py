import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.issuer_plan import AUDIENCE, ISSUER, issuer_plan, write_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.access_tokens import MAX_DEVELOPMENT_SECONDS


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path)


def post(world: IssuerWorld, path: str, body: Any) -> tuple[int, dict[str, Any]]:
    content = body if isinstance(body, bytes) else json.dumps(body)
    response = world.ask_admin("POST", path, content=content)
    return response.status_code, response.json()


def test_a_development_user_gets_a_token_with_claims_at_their_paths(world: IssuerWorld) -> None:
    verified = world.verify(world.development_token(scopes=["read", "write"]))
    now = int(world.clock.now())
    expected = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "client_id": "ringwall-cli",
        "iat": now,
        "exp": now + 3600,
        "scope": "read write",
        "roles": ["patient"],
        "patients": ["7"],
        "realm_access": {"level": 3},
    }
    assert {name: value for name, value in verified.claims.items() if name != "jti"} == expected


def test_roles_go_where_the_issuer_of_the_plan_says(tmp_path: Path) -> None:
    plan = issuer_plan()
    builtin = plan.issuers[0].model_copy(update={"role_claim": ("realm_access", "roles")})
    world = IssuerWorld(tmp_path, plan=issuer_plan(issuers=(builtin,)))
    claims = world.verify(world.development_token()).claims
    assert claims["realm_access"] == {"level": 3, "roles": ["patient"]}
    assert "roles" not in claims


def test_the_lifetime_can_be_chosen_within_bounds(world: IssuerWorld) -> None:
    verified = world.verify(world.development_token(lifetime=5))
    assert verified.expires == int(world.clock.now()) + 5
    for lifetime in (0, -1, MAX_DEVELOPMENT_SECONDS + 1):
        assert post(world, "/dev/token", {"person": "alice", "lifetime": lifetime})[0] == 400


def test_an_unknown_person_is_named_with_those_who_are_known(world: IssuerWorld) -> None:
    status, body = post(world, "/dev/token", {"person": "bob"})
    assert status == 400
    assert "bob" in body["error_description"]
    assert "alice" in body["hint"]


def test_outside_development_mode_there_are_no_tokens_for_people(world: IssuerWorld) -> None:
    world.development_token()
    write_plan(world.settings.state, issuer_plan(development=False))
    status, body = post(world, "/dev/token", {"person": "alice"})
    assert (status, body["error"]) == (400, "access_denied")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"person": 7},
        {"person": None},
        {"person": "alice", "scopes": "read"},
        {"person": "alice", "scopes": [1]},
        {"person": "alice", "scopes": ["a b\n"]},
        {"person": "alice", "scopes": [""]},
        {"person": "alice", "scopes": ["s" * 200]},
        {"person": "alice", "lifetime": True},
        {"person": "alice", "lifetime": 1.5},
        {"person": "alice", "lifetime": "60"},
        {"person": "alice", "admin": True},
        b"[]",
        b"{",
        b"\xff",
        b"{}" + b" " * 10_000,
        b'{"person":"alice","person":"alice"}',
    ],
)
@pytest.mark.parametrize("path", ["/dev/token"])
def test_requests_that_are_not_exactly_right_are_refused(world: IssuerWorld, path: str, body: Any) -> None:
    status, answer = post(world, path, body)
    assert status in {400, 413}
    assert answer["error"] in {"invalid_request", "invalid_scope"}


def test_compromised_keys_are_replaced_at_once(world: IssuerWorld) -> None:
    token = world.development_token()
    before = {key["kid"] for key in world.ask_admin("GET", "/admin/keys").json()["keys"]}
    status, after = post(world, "/admin/keys/replace", {})
    assert status == 200
    assert before.isdisjoint({key["kid"] for key in after["keys"]})
    with pytest.raises(Exception, match="no key of the issuer"):
        world.verify(token)
    world.verify(world.development_token())


@pytest.mark.parametrize("path", ["/admin/invitations/%00", "/admin/invitations/a%00b"])
def test_what_no_database_keeps_is_a_wrong_request_and_no_failure(world: IssuerWorld, path: str) -> None:
    refused = world.ask_admin("DELETE", path)
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:ringwall:problem:bad-request")
