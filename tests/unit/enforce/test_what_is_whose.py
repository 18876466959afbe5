"""A proxy that is broken into gives away only what it needs itself."""

from pathlib import Path

import pytest
from tests.support.enforce_pki import Credentials, Tokens
from tests.support.enforce_plans import bindings, operation, plan, service

from ringwall.enforce.resources import snapshot
from ringwall.enforce.snapshot import CLUSTER, LISTENER, SECRET, Snapshot
from ringwall.model.revocation import NothingRevoked

PLAN = plan(
    service("a", operation("a", "x", "GET", "/x"), prefix="/a", calls=("b",)),
    service("b", operation("b", "y", "GET", "/y", edge=None, callers=("a",))),
)


@pytest.fixture(scope="module")
def built() -> dict[str, Snapshot]:
    credentials, tokens = Credentials(), Tokens()
    ports = iter(range(1, 100))
    addresses = bindings(PLAN, Path("/nowhere"), lambda: next(ports))
    return {
        node: snapshot(PLAN, addresses, node, credentials, tokens, revoked=NothingRevoked())
        for node in ("edge", "mesh")
    }


def test_the_edge_holds_its_own_keys_and_no_service_s(built: dict[str, Snapshot]) -> None:
    assert set(built["edge"].of_type(SECRET)) == {"bundle", "svid/edge", "edge-certificate"}


def test_the_services_proxy_holds_no_key_of_the_edge(built: dict[str, Snapshot]) -> None:
    assert set(built["mesh"].of_type(SECRET)) == {"bundle", "svid/a", "svid/b"}


def test_there_is_a_way_only_where_the_plan_has_one(built: dict[str, Snapshot]) -> None:
    assert set(built["edge"].of_type(CLUSTER)) == {"hop/edge>a", "decision-point"}
    assert set(built["mesh"].of_type(CLUSTER)) == {"app/a", "app/b", "hop/a>b", "decision-point"}
    assert set(built["mesh"].of_type(LISTENER)) == {"inbound/a", "inbound/b", "outbound/a>b"}
