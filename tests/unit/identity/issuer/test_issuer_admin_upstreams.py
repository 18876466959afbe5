"""The administration socket about providers at which people sign in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.upstream_world import UpstreamWorld, upstream_of, upstream_world

from ringwall.plan.upstream import TENANT

T1, T2 = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490", "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[UpstreamWorld]:
    with upstream_world(tmp_path, create=False) as made:
        yield made


def ask(here: UpstreamWorld, path: str, body: dict[str, Any], status: int = 200) -> Any:
    response = here.world.ask_admin("POST", f"/upstreams/{path}", content=json.dumps(body))
    assert response.status_code == status, response.text
    return response.json()


def invite(here: UpstreamWorld) -> None:
    made = here.world.ask_admin(
        "POST", "/admin/users", content=json.dumps({"user_name": "alice", "roles": ["patient"]})
    )
    assert made.status_code == 200, made.text


def test_it_is_said_whose_account_it_would_be_and_who_is_linked_has_it(here: UpstreamWorld) -> None:
    invite(here)
    somebody = {"issuer": here.provider.issuer, "subject": "s1", "claims": {}}
    assert "refused" in ask(here, "hospital/look", somebody)
    linked = ask(here, "hospital/links", {"user_name": "Alice", "subject": "s1"})
    assert linked == {"user_name": "alice", "issuer": here.provider.issuer}
    told = ask(here, "hospital/look", somebody)
    assert (told["user_name"], told["stays"]) == ("alice", ["patient"])
    assert "already" in ask(here, "hospital/links", {"user_name": "alice", "subject": "s1"}, 409)["error_description"]
    assert ask(here, "hospital/unlink", {"user_name": "alice"})["unlinked"] == 1
    assert "refused" in ask(here, "hospital/look", somebody)


def test_a_provider_with_several_issuers_needs_one_named(here: UpstreamWorld) -> None:
    invite(here)
    oidc = {"issuer": f"https://idp.example/{TENANT}"}
    here.put(upstream_of(here.provider, oidc=oidc, tenants=(T1, T2)))
    body = {"user_name": "alice", "subject": "s1"}
    assert "several" in ask(here, "hospital/links", body, 400)["error_description"]
    assert ask(here, "hospital/links", {**body, "issuer": "https://idp.example/x"})["issuer"] == "https://idp.example/x"
    here.put(upstream_of(here.provider, oidc=oidc, tenants=(T1,)))
    assert ask(here, "hospital/links", body)["issuer"] == f"https://idp.example/{T1}"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("nobody/look", {}, 404),
        ("nobody/links", {"user_name": "alice", "subject": "s"}, 404),
        ("hospital/links", {"user_name": "nobody", "subject": "s"}, 400),
        ("hospital/links", {"user_name": "alice", "subject": ""}, 409),
        ("hospital/links", {}, 400),
        ("hospital/look", {"claims": []}, 400),
        ("hospital/look", {"more": 1}, 400),
    ],
    ids=repr,
)
def test_what_is_wrong_is_said(here: UpstreamWorld, path: str, body: dict[str, Any], status: int) -> None:
    invite(here)
    response = here.world.ask_admin("POST", f"/upstreams/{path}", content=json.dumps(body))
    assert response.status_code == status, response.text


def test_the_keys_towards_saml_providers_are_announced_before_they_take_over(here: UpstreamWorld) -> None:
    def rotate(**asked: Any) -> dict[str, str]:
        return dict(here.world.ask_admin("POST", "/saml-keys/rotate", json=asked).json()["keys"])

    announced = rotate()
    assert set(announced) == {"active", "following"}
    over = rotate()
    assert over == {"active": announced["following"], "former": announced["active"]}
    dropped = rotate(compromised=True)
    assert set(dropped) == {"active"}
    assert dropped["active"] not in over.values()
    assert here.world.ask_admin("POST", "/saml-keys/rotate", json={"compromised": "yes"}).status_code == 400
