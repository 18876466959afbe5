"""Bound tokens at the real edge (RFC 9449, section 7) pass with a new proof of the right key, and in no other way."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.dpop_client import DpopClient
from tests.support.enforce_plans import operation, plan, service, spiffe
from tests.support.enforce_rig import Answer, Rig, running

from ringwall.enforce.decision_point import DecisionPoint, binding
from ringwall.identity.dpop.holder import HolderCheck
from ringwall.model.clock import SystemClock
from ringwall.plan.model import Plan
from ringwall.plan.rule import DENY

CLOCK = SystemClock()
PATH = "/api/patients/7"


def _plan(*, nonces: bool = False) -> Plan:
    made = plan(
        service(
            "patients",
            operation("patients", "get", "GET", "/patients/{id}", callers=("edge", "portal")),
            operation("patients", "add", "POST", "/patients"),
            operation("patients", "open", "GET", "/open", token=False),
            operation("patients", "closed", "GET", "/closed", edge=DENY),
            prefix="/api",
            calls=("portal",),
            forward_token=True,
        ),
        service("portal", operation("portal", "home", "GET", "/", token=False), prefix="/home", calls=("patients",)),
    )
    assert made.edge is not None
    return made.model_copy(update={"edge": made.edge.model_copy(update={"dpop_nonces": nonces})})


@dataclass
class Bound:
    """A client with a key, its bound token, and the edge."""

    rig: Rig
    client: DpopClient
    token: str

    @classmethod
    def at(cls, rig: Rig, **claims: Any) -> "Bound":
        client = DpopClient(CLOCK)
        return cls(rig, client, rig.tokens.token(**{"cnf": {"jkt": client.jkt}, **claims}))

    @property
    def host(self) -> str:
        assert self.rig.bindings.edge is not None
        return f"localhost:{self.rig.bindings.edge.port}"

    def proof(self, method: str = "GET", path: str = PATH, **changes: Any) -> str:
        return self.client.proof(method, f"https://{self.host}{path}", access_token=self.token, **changes)

    def send(
        self, proof: str | None, *, path: str = PATH, scheme: str = "DPoP", method: str = "GET", **more: str
    ) -> Answer:
        headers = {"Host": self.host, "Authorization": f"{scheme} {self.token}", **more}
        if proof is not None:
            headers["DPoP"] = proof
        return self.rig.request(method, path, headers=headers)


class Counting(DecisionPoint):
    """One that counts the questions."""

    asked = 0

    def allows(self, *question: Any) -> bool:
        self.asked += 1
        return super().allows(*question)

    def holds(self, *question: Any) -> binding.Answer:
        self.asked += 1
        return super().holds(*question)


@contextlib.contextmanager
def _judging(made: Plan, folder: Path) -> Iterator[tuple[Rig, "Counting"]]:
    points = []

    def begin(rig: Rig) -> None:
        assert rig.bindings.edge is not None
        holders = HolderCheck(folder / "dpop", CLOCK)
        points.append((Counting(made, holders=holders, port=rig.bindings.edge.port), holders))
        points[0][0].start(rig.bindings.decision_point)

    try:
        with running(made, folder / "state", before=begin) as rig:
            yield rig, points[0][0]
    finally:
        for point, holders in points:
            point.stop()
            holders.close()


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with _judging(_plan(), tmp_path_factory.mktemp("dpop")) as (started, _):
        yield started


@pytest.fixture
def bound(rig: Rig) -> Bound:
    return Bound.at(rig)


BEARER = 'Bearer realm="ringwall", error="invalid_token"'


def _challenged(answer: Answer, error: str) -> None:
    assert answer.status == 401, answer
    assert answer.headers["www-authenticate"].startswith("DPoP ")
    assert f'error="{error}"' in answer.headers["www-authenticate"]
    assert 'algs="ES256 PS256 EdDSA"' in answer.headers["www-authenticate"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert not any(name.startswith("x-ringwall") for name in answer.headers)


def _passed(rig: Rig) -> int:
    return sum(len(app.seen) for app in rig.apps.values())


def test_a_bound_token_with_its_proof_passes_and_the_proof_stays_at_the_edge(rig: Rig, bound: Bound) -> None:
    answer = bound.send(bound.proof())
    assert answer.status == 200, answer
    seen = {name.lower(): value for name, value in rig.apps["patients"].seen[-1].headers}
    assert "dpop" not in seen
    assert seen["x-ringwall-subject"] == "alice"
    assert seen["authorization"] == f"DPoP {bound.token}"
    assert bound.send(bound.proof(), scheme="dpop").status == 200
    assert bound.send(bound.proof(path=PATH), path=f"{PATH}?a=b").status == 200


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"htm": "POST"}, "invalid_dpop_proof"),
        ({"htu": "https://localhost/api/patients/7"}, "invalid_dpop_proof"),
        ({"htu": "https://other.test:8443/api/patients/7"}, "invalid_dpop_proof"),
        ({"path": "/api/patients/8"}, "invalid_dpop_proof"),
        ({"ath": "AAAA"}, "invalid_dpop_proof"),
        ({"ath": None}, "invalid_dpop_proof"),
        ({"iat": 1}, "invalid_dpop_proof"),
        ({"iat": int(CLOCK.now()) + 3600}, "invalid_dpop_proof"),
        ({"jti": None}, "invalid_dpop_proof"),
        ({"header": {"typ": "JWT"}}, "invalid_dpop_proof"),
    ],
)
def test_a_wrong_proof_is_refused(rig: Rig, bound: Bound, changes: dict[str, Any], error: str) -> None:
    before = _passed(rig)
    _challenged(bound.send(bound.proof(**changes)), error)
    assert _passed(rig) == before


def test_a_proof_of_another_key_is_refused(rig: Rig, bound: Bound) -> None:
    other = Bound(rig, DpopClient(CLOCK), bound.token)
    _challenged(other.send(other.proof()), "invalid_token")


def test_a_stolen_token_is_worth_nothing_without_its_key(rig: Rig, bound: Bound) -> None:
    before = _passed(rig)
    _challenged(bound.send(None), "invalid_dpop_proof")
    _challenged(bound.send(None, scheme="Bearer"), "invalid_token")
    _challenged(bound.send(None, scheme="bearer"), "invalid_token")
    _challenged(bound.send(bound.proof(), scheme="Bearer"), "invalid_token")
    _challenged(bound.send(None, scheme="Bearer", path="/api/open"), "invalid_token")
    _challenged(bound.send("x.y.z"), "invalid_dpop_proof")
    _challenged(bound.send(f"{bound.proof()}, {bound.proof()}"), "invalid_dpop_proof")
    assert _passed(rig) == before


def test_two_proofs_are_none(rig: Rig, bound: Bound) -> None:
    """RFC 9449, section 4.3, item 1."""
    lines = "\r\n".join(f"dpop: {bound.proof()}" for _ in range(2))
    head = f"GET {PATH} HTTP/1.1\r\nhost: {bound.host}\r\nconnection: close\r\nauthorization: DPoP {bound.token}"
    assert b"HTTP/1.1 401" in rig.raw(f"{head}\r\n{lines}\r\n\r\n".encode())


@pytest.mark.parametrize(
    "cnf", [{}, None, "x", {"x5t#S256": "AAAA"}, {"jkt": "AAAA"}, {"jkt": 7}, {"jkt": None}, {"kid": "1"}]
)
def test_what_is_bound_otherwise_is_refused_either_way(rig: Rig, cnf: Any) -> None:
    payload = {} if cnf is None else {"cnf": cnf}
    bound = Bound.at(rig, **payload) if payload else Bound(rig, DpopClient(CLOCK), rig.tokens.token())
    _challenged(bound.send(bound.proof()), "invalid_token")
    if isinstance(cnf, dict) and "x5t#S256" in cnf:
        answer = bound.send(None, scheme="Bearer")  # RFC 8705, section 3
        assert (answer.status, answer.headers["www-authenticate"]) == (401, BEARER)
    elif payload:
        _challenged(bound.send(None, scheme="Bearer"), "invalid_token")
    else:
        assert bound.send(None, scheme="Bearer").status == 200


def test_a_token_bound_to_more_than_a_key_is_refused(rig: Rig) -> None:
    bound = Bound.at(rig)
    more = Bound(rig, bound.client, rig.tokens.token(cnf={"jkt": bound.client.jkt, "x5t#S256": "AAAA"}))
    _challenged(more.send(more.proof()), "invalid_token")


def test_another_host_or_port_is_not_ours(rig: Rig, bound: Bound) -> None:
    """A proof that the client made for another server of this host is worth nothing here, whatever `Host` says."""
    for host in ("localhost", "localhost:1", "LOCALHOST:1"):
        proof = bound.client.proof("GET", f"https://{host}{PATH}", access_token=bound.token)
        answer = bound.send(proof, Host=host)
        _challenged(answer, "invalid_dpop_proof")


def test_a_proof_is_taken_once_on_every_connection(rig: Rig, bound: Bound) -> None:
    proof = bound.proof()
    assert bound.send(proof).status == 200
    _challenged(bound.send(proof), "invalid_dpop_proof")
    _challenged(bound.send(proof), "invalid_dpop_proof")


def test_of_two_at_once_exactly_one_wins(rig: Rig, bound: Bound) -> None:
    for _ in range(5):
        answers: list[int] = []
        proof, start = bound.proof(), threading.Barrier(8)

        def send(proof: str = proof, answers: list[int] = answers, start: threading.Barrier = start) -> None:
            start.wait()
            answers.append(bound.send(proof).status)

        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200] + [401] * 7


def test_policies_decide_after_the_proof(rig: Rig, bound: Bound) -> None:
    assert bound.send(bound.proof(path="/api/closed"), path="/api/closed").status == 403
    _challenged(bound.send(None, path="/api/closed"), "invalid_dpop_proof")


def test_who_sends_no_token_is_told_of_both_schemes(rig: Rig) -> None:
    head = rig.raw(f"GET {PATH} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()).decode().lower()
    assert 'www-authenticate: bearer realm="ringwall"\r\n' in head
    assert 'www-authenticate: dpop realm="ringwall", algs="es256 ps256 eddsa"\r\n' in head


def test_a_token_that_is_not_believed_is_challenged_by_its_scheme(rig: Rig, bound: Bound) -> None:
    forged = Bound(rig, bound.client, f"{bound.token[:-4]}AAAA")
    _challenged(forged.send(forged.proof()), "invalid_token")


def test_inside_a_bound_token_is_taken_from_the_edge_alone(rig: Rig, bound: Bound) -> None:
    """A service that was given one can neither pass it on nor use it elsewhere, by whichever scheme."""
    inbound = rig.bindings.inbound["patients"]
    for scheme in ("Bearer", "DPoP"):
        headers = {"Authorization": f"{scheme} {bound.token}", "DPoP": bound.proof()}
        portal, edge = (rig.mesh_context(spiffe(name)) for name in ("portal", "edge"))
        assert rig.get("/patients/7", headers=headers, to=inbound, context=portal).status == 403
        assert rig.get("/patients/7", headers=headers, to=rig.bindings.outbound["portal>patients"]).status == 403
        assert rig.get("/patients/7", headers=headers, to=inbound, context=edge).status == 200


def test_the_record_says_which_check_failed(rig: Rig, bound: Bound) -> None:
    answer = bound.send(bound.proof(htm="POST"))

    def told(lines: list[dict[str, Any]]) -> bool:
        return any(line.get("id") == answer.headers["x-request-id"] for line in lines)

    line = next(line for line in rig.log("edge", told) if line.get("id") == answer.headers["x-request-id"])
    assert line["d"] == "ext_authz_denied[proof-htm]"


def test_without_a_decision_point_bound_tokens_wait_outside_and_others_do_not(tmp_path: Path) -> None:
    with _judging(_plan(), tmp_path) as (rig, point):
        bound = Bound.at(rig)
        proof = bound.proof()
        assert bound.send(proof).status == 200
        point.stop()
        answer = bound.send(bound.proof())
        assert (answer.status, answer.headers["content-type"]) == (503, "application/problem+json")
        _challenged(bound.send(None, scheme="Bearer"), "invalid_token")
        assert rig.get(PATH, token=rig.tokens.token()).status == 200
        assert rig.bindings.edge is not None
        with contextlib.closing(HolderCheck(tmp_path / "dpop", CLOCK)) as holders:
            again = DecisionPoint(rig.plan, holders=holders, port=rig.bindings.edge.port)
            again.start(rig.bindings.decision_point)
            _challenged(bound.send(proof), "invalid_dpop_proof")
            assert bound.send(bound.proof()).status == 200
            again.stop()


def test_bearer_tokens_cost_no_question(tmp_path: Path) -> None:
    with _judging(_plan(), tmp_path) as (rig, point):
        for _ in range(5):
            assert rig.get(PATH, token=rig.tokens.token()).status == 200
            assert rig.get("/api/open").status == 200
        assert point.asked == 0
        bound = Bound.at(rig)
        assert bound.send(bound.proof()).status == 200
        assert point.asked == 1


def test_with_nonces_a_proof_carries_ours(tmp_path: Path) -> None:
    with _judging(_plan(nonces=True), tmp_path) as (rig, _):
        bound = Bound.at(rig)
        answer = bound.send(bound.proof())
        _challenged(answer, "use_dpop_nonce")
        bound.client.nonce = answer.headers["dpop-nonce"]
        answer = bound.send(bound.proof())
        assert answer.status == 200
        assert answer.headers["dpop-nonce"]
        bound.client.nonce = "x" + bound.client.nonce[1:]
        _challenged(bound.send(bound.proof()), "use_dpop_nonce")
