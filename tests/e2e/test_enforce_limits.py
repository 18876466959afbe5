"""Limits at the real proxies: by address before a token is looked at, by principal after."""

from pathlib import Path

from tests.support.enforce_plans import GENEROUS, operation, plan, service
from tests.support.enforce_rig import Rig, running

from ringwall.plan.model import Plan
from ringwall.plan.operation import Limit

SMALL = Limit(requests=1, seconds=60, burst=5)
OPERATIONS = (
    operation("patients", "get", "GET", "/patients/{id}"),
    operation("patients", "health", "GET", "/health", token=False),
)


def _plan(*, per_ip: Limit = GENEROUS, edge: Limit | None = None, inbound: Limit | None = None) -> Plan:
    made = plan(service("patients", *OPERATIONS, prefix="/api", per_principal=inbound))
    assert made.edge is not None
    return made.model_copy(update={"edge": made.edge.model_copy(update={"per_ip": per_ip, "per_principal": edge})})


def _until_limited(rig: Rig, path: str, **more: str) -> int:
    """Return how many requests pass before the first 429, which is checked."""
    connection = rig.open()
    for count in range(20):
        answer = rig.on(connection, "GET", path, **more)  # type: ignore[arg-type]  # only token is given
        if answer.status == 429:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["title"] == "Too Many Requests"
            assert int(answer.headers["retry-after"]) > 0
            return count
    return 20


def test_an_address_is_limited_before_its_tokens_are_verified(tmp_path: Path) -> None:
    with running(_plan(per_ip=SMALL), tmp_path) as rig:
        forged = rig.tokens.token(exp=1)
        assert rig.get("/api/patients/7", token=forged).status == 401
        assert rig.get("/nowhere").status == 404
        assert _until_limited(rig, "/api/patients/7", token=forged) == 3
        assert rig.get("/api/patients/7", token=rig.tokens.token()).status == 429
        assert rig.get("/nowhere").status == 429  # paths that do not exist count too
        assert rig.apps["patients"].seen == []
        assert "limit" in str(rig.log("edge")[-1]["d"])


def test_a_principal_is_limited_at_the_edge_and_others_are_not(tmp_path: Path) -> None:
    with running(_plan(edge=SMALL), tmp_path) as rig:
        assert _until_limited(rig, "/api/patients/7", token=rig.tokens.token("alice")) == 5
        assert _until_limited(rig, "/api/patients/7", token=rig.tokens.token("alice", jti="another token")) == 0
        assert _until_limited(rig, "/api/patients/7", token=rig.tokens.token("bob")) == 5
        assert _until_limited(rig, "/api/health") == 20  # nobody is no principal


def test_more_principals_than_envoy_keeps_by_default_do_not_reset_a_limit(tmp_path: Path) -> None:
    with running(_plan(edge=SMALL), tmp_path) as rig:
        alice = rig.tokens.token("alice")
        assert _until_limited(rig, "/api/patients/7", token=alice) == 5
        connection = rig.open()
        for number in range(40):
            assert rig.on(connection, "GET", "/api/patients/7", token=rig.tokens.token(f"u{number}")).status == 200
        assert rig.get("/api/patients/7", token=alice).status == 429


def test_a_principal_is_limited_at_a_service_by_whatever_way_it_comes(tmp_path: Path) -> None:
    with running(_plan(inbound=SMALL), tmp_path) as rig:
        assert _until_limited(rig, "/api/patients/7", token=rig.tokens.token()) == 5
        assert rig.apps["patients"].seen[5:] == []


def test_a_limit_changes_without_a_new_listener(tmp_path: Path) -> None:
    with running(_plan(edge=SMALL), tmp_path) as rig:
        connection, token = rig.open(), rig.tokens.token()
        for _ in range(5):
            assert rig.on(connection, "GET", "/api/patients/7", token=token).status == 200
        assert rig.on(connection, "GET", "/api/patients/7", token=token).status == 429
        before = rig.server.status().nodes["edge"].versions["Listener"]
        rig.publish(_plan())
        assert rig.server.status().nodes["edge"].versions["Listener"] == before
        assert rig.on(connection, "GET", "/api/patients/7", token=token).status == 200
