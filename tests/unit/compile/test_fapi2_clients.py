"""`profile: fapi2` makes clients push their requests and bind their tokens, one by one or all of them."""

import pytest

from ringwall.blueprint.files import MemoryFiles
from ringwall.compile.planner import plan_files
from ringwall.plan.client import Client, Profile
from ringwall.plan.model import Plan

BLUEPRINT = """
ringwall: 1
system: shop
{issuers}
clients:
  bank: {{kind: web, redirect_uris: ["https://bank.example/cb"], jwks: [{key}]{profile}}}
  batch: {{jwks: [{key}]}}
services:
  web: {{run: python web.py, operations: [home: GET /], expose: /, allow: [{{public: true}}]}}
"""
KEY = "{kty: EC, crv: P-256, x: AAAA, y: BBBB, alg: ES256}"


def made(issuers: str = "", profile: str = "") -> Plan:
    text = BLUEPRINT.format(issuers=issuers, profile=profile, key=KEY)
    return plan_files(MemoryFiles({"ringwall.yaml": text})).plan


def strict(client: Client) -> bool:
    flags = {client.profile is Profile.FAPI2, client.pushed_requests, client.bound_tokens}
    assert len(flags) == 1
    return flags.pop()


@pytest.mark.parametrize(
    ("plan", "found"),
    [
        (made(), [False, False]),
        (made(profile=", profile: fapi2"), [True, False]),
        (made(issuers="issuers: {local: {profile: fapi2}}"), [True, True]),
    ],
)
def test_one_client_or_all(plan: Plan, found: list[bool]) -> None:
    assert [strict(client) for client in plan.clients] == found
    assert (plan.issuers[0].profile is Profile.FAPI2) is all(found)


@pytest.mark.parametrize(("key", "found"), [("", "ES256"), (", id_token_signed_response_alg: RS256", "RS256")])
def test_what_signs_id_tokens_is_the_choice_of_each(key: str, found: str) -> None:
    clients = {client.name: client for client in made(profile=key).clients}
    assert clients["bank"].id_token_signed_response_alg == found
    assert clients["batch"].id_token_signed_response_alg == "ES256"
