"""What was revoked is refused by the real proxies at once, and nothing else is."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.enforce_plans import operation, plan, service, spiffe
from tests.support.enforce_rig import Rig, running

from ringwall.model.revocation import Revocation, Revoked

PLAN = plan(
    service(
        "patients", operation("patients", "get", "GET", "/patients/{id}", callers=("edge", "portal")), prefix="/api"
    ),
    service("portal", operation("portal", "home", "GET", "/", token=False), prefix="/home", calls=("patients",)),
)
PATH = "/api/patients/7"


@pytest.fixture(scope="module")
def running_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("revocations")) as started:
        yield started


@pytest.fixture
def rig(running_rig: Rig) -> Rig:
    running_rig.revoked.become()
    _until(running_rig, running_rig.tokens.token(), 200)
    return running_rig


def _until(rig: Rig, token: str, status: int) -> None:
    deadline = time.monotonic() + 10
    while rig.get(PATH, token=token).status != status:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _about(rig: Rig, kind: Revoked, value: str) -> Revocation:
    return Revocation(kind, value, "" if kind is Revoked.WORKLOAD else rig.tokens.url)


@pytest.mark.parametrize(
    ("kind", "claim", "others"),
    [
        (Revoked.TOKEN, {"jti": "t1"}, [{"jti": "t2"}, {"jti": "t11"}, {"sid": "t1"}]),
        (Revoked.SESSION, {"sid": "t1"}, [{"sid": "t2"}, {"jti": "t1"}, {}]),
        (Revoked.USER, {"sub": "t1"}, [{"sub": "T1"}, {"sub": "t1 x"}, {"jti": "t1"}]),
        (Revoked.CLIENT, {"client_id": "t1"}, [{"client_id": "t2"}, {"sub": "t1"}]),
        (Revoked.CLIENT, {"azp": "t1"}, [{"azp": "t2"}]),
    ],
)
def test_what_is_revoked_is_refused_and_its_like_is_not(
    rig: Rig, kind: Revoked, claim: dict[str, Any], others: list[dict[str, Any]]
) -> None:
    token = rig.tokens.token(**claim)
    assert rig.get(PATH, token=token).status == 200
    seen = len(rig.apps["patients"].seen)
    rig.revoked.become(_about(rig, kind, "t0"), _about(rig, kind, "t1"), _about(rig, kind, "t3"))
    _until(rig, token, 401)
    refused = rig.get(PATH, token=token)
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert b"revoked" not in refused.body
    for other in others:
        assert rig.get(PATH, token=rig.tokens.token(**other)).status == 200
    assert len(rig.apps["patients"].seen) <= seen + len(others)
    rig.revoked.become()
    _until(rig, token, 200)


def test_a_user_is_revoked_for_one_issuer(rig: Rig) -> None:
    rig.revoked.become(
        Revocation(Revoked.USER, "alice", "https://other.test"), Revocation(Revoked.TOKEN, "marks", rig.tokens.url)
    )
    _until(rig, rig.tokens.token(jti="marks"), 401)
    assert rig.get(PATH, token=rig.tokens.token("alice")).status == 200


def test_both_hops_refuse(rig: Rig) -> None:
    """A service that was reached around the edge refuses too."""
    token = rig.tokens.token(jti="t1")
    context, inbound = rig.mesh_context(spiffe("portal")), rig.bindings.inbound["patients"]
    assert rig.get("/patients/7", token=token, to=inbound, context=context).status == 200
    rig.revoked.become(_about(rig, Revoked.TOKEN, "t1"))
    _until(rig, token, 401)
    assert rig.get("/patients/7", token=token, to=inbound, context=context).status == 401


def test_a_workload_is_refused_whoever_it_speaks_for(rig: Rig) -> None:
    token = rig.tokens.token()
    context, inbound = rig.mesh_context(spiffe("portal")), rig.bindings.inbound["patients"]
    rig.revoked.become(_about(rig, Revoked.WORKLOAD, spiffe("portal")), _about(rig, Revoked.TOKEN, "marks"))
    _until(rig, rig.tokens.token(jti="marks"), 401)
    assert rig.get("/patients/7", token=token, to=inbound, context=context).status == 403
    assert rig.get(PATH, token=token).status == 200, "the edge is another workload"


def test_thousands_are_refused(rig: Rig) -> None:
    rig.revoked.become(*(_about(rig, Revoked.TOKEN, f"t{number}") for number in range(2000)))
    _until(rig, rig.tokens.token(jti="t1999"), 401)
    assert rig.get(PATH, token=rig.tokens.token(jti="t0")).status == 401
    assert rig.get(PATH, token=rig.tokens.token(jti="t2000")).status == 200


def test_what_was_issued_later_is_believed(rig: Rig) -> None:
    """Who signed out everywhere can sign in again."""
    now = int(time.time())
    former, later = (rig.tokens.token("alice", iat=iat) for iat in (now - 1, now))
    rig.revoked.become(
        Revocation(Revoked.USER, "alice", rig.tokens.url, None, now), Revocation(Revoked.USER, "bob", rig.tokens.url)
    )
    _until(rig, former, 401)
    assert rig.get(PATH, token=later).status == 200
    assert rig.get(PATH, token=rig.tokens.token("bob", iat=now)).status == 401
    assert rig.get(PATH, token=rig.tokens.token("carol", iat=now - 1)).status == 200


def test_an_exchanged_token_is_taken_from_its_actor_only(rig: Rig) -> None:
    """Neither the edge takes it, nor a service from another service that came by it, nor one that nobody is."""
    inbound = rig.bindings.inbound["patients"]
    portal, other = rig.mesh_context(spiffe("portal")), rig.mesh_context(spiffe("edge"))
    token = rig.tokens.token(act={"sub": spiffe("portal")})
    assert rig.get("/patients/7", token=token, to=inbound, context=portal).status == 200
    assert rig.get("/patients/7", token=rig.tokens.token(), to=inbound, context=other).status == 200
    assert rig.get("/patients/7", token=token, to=inbound, context=other).status == 403
    assert rig.get(PATH, token=token).status == 403
    nested = rig.tokens.token(act={"sub": spiffe("store"), "act": {"sub": spiffe("portal")}})
    assert rig.get("/patients/7", token=nested, to=inbound, context=portal).status == 403
    for odd in ({"sub": ["x"]}, {"sub": {"x": "y"}}, {"sub": 7}):
        token = rig.tokens.token(act=odd)
        assert rig.get("/patients/7", token=token, to=inbound, context=portal).status == 403, odd
