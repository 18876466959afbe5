"""What real Envoys write down about a request: enough to explain it, and nothing that is secret."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.enforce_plans import operation, plan, service, spiffe
from tests.support.enforce_rig import Rig, running

from ringwall.model import access_log as key
from ringwall.plan.identity import Claim, ClaimType
from ringwall.plan.rule import ALLOW, DENY, Case, ClaimHas, CompiledRule

ADMIN = CompiledRule(cases=(Case(when=ClaimHas(path=("roles",), value="admin")),))
SHADOWED = operation("patients", "shadowed", "GET", "/shadowed", rule_id="00000000000c")
PLAN = plan(
    service(
        "patients",
        operation("patients", "get", "GET", "/patients/{id}", rule_id="00000000000a"),
        operation("patients", "closed", "GET", "/closed", rule_id="00000000000b", edge=DENY, token=False),
        SHADOWED.model_copy(
            update={
                "edge": SHADOWED.edge.model_copy(update={"shadow": ADMIN}) if SHADOWED.edge else None,
                "inbound": SHADOWED.inbound.model_copy(update={"shadow": ALLOW}),
            }
        ),
        prefix="/api",
    ),
    claims=(Claim(name="level", type=ClaimType.LONG, path=("realm", "level")),),
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("log")) as started:
        yield started


def _records(rig: Rig, request_id: str, *nodes: str) -> list[dict[str, Any]]:
    def there(lines: list[dict[str, Any]]) -> bool:
        return any(line.get(key.REQUEST_ID) == request_id for line in lines)

    return [r for node in nodes for r in rig.log(node, there) if r.get(key.REQUEST_ID) == request_id]


def test_an_allowed_request_leaves_one_line_at_each_hop(rig: Rig) -> None:
    answer = rig.get(
        "/api/patients/7?secret=1",
        token=rig.tokens.token(realm={"level": 3, "other": "x"}, email="a@b.c", roles=["admin"]),
    )
    edge, inner = _records(rig, answer.headers["x-request-id"], "edge", "mesh")
    time, duration = edge.pop(key.TIME), edge.pop(key.DURATION)
    assert float(time) > 1_700_000_000
    assert isinstance(duration, int)
    claims = edge.pop(key.CLAIMS)
    assert claims["level"] == 3
    assert edge == {
        key.REQUEST_ID: answer.headers["x-request-id"],
        key.HOP: "edge",
        key.METHOD: "GET",
        key.PATH: "/api/patients/7",
        key.AUTHORITY: "localhost",
        key.STATUS: 200,
        key.FLAGS: "-",
        key.DETAILS: "via_upstream",
        key.OPERATION: "patients/get",
        key.RULE: "00000000000a",
        key.SUBJECT: f"{key.MARK}alice",
        key.ISSUER: f"{key.MARK}https://localhost/auth",
        key.SHADOW: key.MARK,
        key.SOURCE: "127.0.0.1",
    }
    assert inner[key.HOP] == "patients"
    assert inner[key.CALLER] == spiffe("edge")
    assert inner[key.PATH] == "/patients/7"
    assert (inner[key.SUBJECT], inner[key.RULE], inner[key.SOURCE]) == (" alice", "00000000000a", "127.0.0.1")
    text = json.dumps([edge, inner])
    assert not [secret for secret in ("secret", "a@b.c", "other", "eyJ") if secret in text]


def test_a_refused_request_says_by_which_rule(rig: Rig) -> None:
    answer = rig.get("/api/closed")
    (record,) = _records(rig, answer.headers["x-request-id"], "edge")
    assert (record[key.STATUS], record[key.OPERATION], record[key.RULE]) == (403, "patients/closed", "00000000000b")
    assert record[key.DETAILS].startswith("rbac_access_denied")
    assert (record[key.SUBJECT], record[key.ISSUER]) == (key.MARK, key.MARK)


@pytest.mark.parametrize(("roles", "edge"), [(["admin"], "allowed"), (["nurse"], "denied")])
def test_what_shadow_rules_would_say_is_told(rig: Rig, roles: list[str], edge: str) -> None:
    answer = rig.get("/api/shadowed", token=rig.tokens.token(roles=roles))
    assert answer.status == 200
    at_edge, inside = _records(rig, answer.headers["x-request-id"], "edge", "mesh")
    assert at_edge[key.SHADOW] == key.MARK + edge
    assert inside[key.SHADOW] == f"{key.MARK}allowed"


def test_without_shadow_rules_nothing_is_told(rig: Rig) -> None:
    answer = rig.get("/api/patients/7", token=rig.tokens.token())
    assert all(
        record[key.SHADOW] == key.MARK for record in _records(rig, answer.headers["x-request-id"], "edge", "mesh")
    )


def test_what_never_was_a_request_is_logged_too(rig: Rig) -> None:
    rig.raw(b"GET /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", patience=0.5)
    rig.raw(b"NONSENSE\r\n\r\n", patience=0.5)

    def both(lines: list[dict[str, Any]]) -> bool:
        return (
            len([line for line in lines if line.get(key.STATUS) == 400 and line[key.DETAILS].startswith("http1")]) > 1
        )

    assert all(line[key.HOP] == "edge" for line in rig.log("edge", both))


def test_a_path_cannot_break_out_of_its_line(rig: Rig) -> None:
    before = len(rig.log("edge"))
    rig.raw('GET /api/x"%22,"s":200}{é\x7f HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'.encode())
    assert len(rig.log("edge", lambda lines: len(lines) > before)) == before + 1


def test_every_request_is_there_once(rig: Rig) -> None:
    connection, token = rig.open(), rig.tokens.token("counted")
    ids = [rig.on(connection, "GET", "/api/patients/7", token=token).headers["x-request-id"] for _ in range(200)]

    def counted(lines: list[dict[str, Any]]) -> list[str]:
        return [line[key.REQUEST_ID] for line in lines if line.get(key.SUBJECT) == f"{key.MARK}counted"]

    for node in ("edge", "mesh"):
        assert counted(rig.log(node, lambda lines: len(counted(lines)) >= 200)) == ids
