"""The decision log of real proxies: every answer once, with its meaning, through rotation and kills; no secret."""

import contextlib
import http.client
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import Rig, running

from ringwall.model.clock import SystemClock
from ringwall.model.events import DecisionEvent, Outcome
from ringwall.observe.collector import Collector
from ringwall.observe.proxy_admin import ProxyAdmin
from ringwall.observe.query import Query
from ringwall.observe.reader import EventReader
from ringwall.observe.spool import Spool
from ringwall.observe.tail import SpoolLimits
from ringwall.plan.identity import Claim, ClaimType, Role
from ringwall.plan.operation import Limit
from ringwall.plan.rule import DENY, DecisionPointRule

PLAN = plan(
    service(
        "patients",
        operation("patients", "get", "GET", "/patients/{id}"),
        operation("patients", "add", "POST", "/patients", token=False),
        operation("patients", "open", "GET", "/open/{rest...}", token=False),
        operation("patients", "refusedInside", "GET", "/refused-inside", token=False, rule=DENY),
        operation("patients", "refusedOutside", "GET", "/refused-outside", token=False, edge=DENY),
        operation("patients", "asked", "GET", "/asked", token=False, edge=DecisionPointRule(reasons=("test",))),
        prefix="/api",
        max_body_bytes=1000,
    ),
    service("dead", operation("dead", "get", "GET", "/dead", token=False), prefix=""),
    service(
        "limited",
        operation("limited", "get", "GET", "/limited"),
        prefix="",
        per_principal=Limit(requests=1, seconds=1000, burst=1),
    ),
    claims=(Claim(name="level", type=ClaimType.LONG, path=("realm", "level")),),
    roles=(Role(name="clinician"),),
)


@dataclass
class Observed:
    """Real proxies with their collector."""

    rig: Rig
    collector: Collector
    store: Path

    def events(self, request_id: str, hops: int) -> dict[str, DecisionEvent]:
        """Return a request's decisions by hop, once there are so many."""
        events = self.until(lambda reader: reader.by_request(request_id), lambda found: len(found) >= hops)
        return {event.hop: event for event in events}

    def all(self, enough: Callable[[tuple[DecisionEvent, ...]], bool]) -> tuple[DecisionEvent, ...]:
        return self.until(lambda r: tuple(s.event for s in r.after(0, Query(), limit=100_000)), enough)

    def until(
        self,
        read: Callable[[EventReader], tuple[DecisionEvent, ...]],
        enough: Callable[[tuple[DecisionEvent, ...]], bool],
    ) -> tuple[DecisionEvent, ...]:
        deadline = time.monotonic() + 30
        while True:
            reader = EventReader.open(self.store)
            found = read(reader)
            reader.close()
            if enough(found):
                return found
            assert time.monotonic() < deadline, (found[-5:], self.collector.status())
            time.sleep(0.05)


@contextlib.contextmanager
def observed(folder: Path, limits: SpoolLimits | None = None) -> Iterator[Observed]:
    with running(PLAN, folder / "state") as rig:
        rig.apps["dead"].stop()
        spools = []
        for node in ("edge", "mesh"):
            admin = ProxyAdmin(rig.bindings.envoy_admin(node))
            spools.append(Spool(node, rig.bindings.access_log(node), admin.reopen_logs, admin.counters))
        store = rig.bindings.state / "events.db"
        collector = Collector(store, spools, SystemClock(), limits=limits)
        collector.start()
        try:
            while not store.exists():
                time.sleep(0.01)
            yield Observed(rig, collector, store)
        finally:
            collector.stop()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    with observed(tmp_path_factory.mktemp("observed")) as started:
        yield started


def test_an_allowed_request_is_recorded_at_both_hops_with_what_its_rule_read(system: Observed) -> None:
    token = system.rig.tokens.token(roles=["clinician"], realm={"level": 3}, scope="read write", other="private")
    answer = system.rig.get("/api/patients/7", token=token)
    events = system.events(answer.headers["x-request-id"], 2)
    edge, inbound = events["edge"], events["patients"]
    assert (edge.path, inbound.path) == ("/api/patients/7", "/patients/7")
    assert (edge.caller, inbound.caller) == ("", "spiffe://test/edge")
    for event in (edge, inbound):
        assert (event.outcome, event.status, event.method) == (Outcome.ALLOWED, 200, "GET")
        assert (event.operation, event.subject, event.source) == ("patients/get", "alice", "127.0.0.1")
        assert event.issuer == "https://localhost/auth"
        assert event.claims == {"@roles": ["clinician"], "@scope": "read write", "level": 3}
        assert event.rule == next(o.rule_id for o in PLAN.by_name["patients"].operations if o.id == "patients/get")
    assert edge.time <= inbound.time


@pytest.mark.parametrize(
    ("request_line", "more", "status", "hop", "outcome"),
    [
        ("GET /api/patients/7", {}, 401, "edge", Outcome.UNAUTHENTICATED),
        ("GET /api/patients/7", {"token": "a.b.c"}, 401, "edge", Outcome.UNAUTHENTICATED),
        ("GET /api/patients/7", {"token": "none"}, 401, "edge", Outcome.UNAUTHENTICATED),
        ("GET /api/patients/7", {"claims": {"aud": "other"}}, 403, "edge", Outcome.UNAUTHENTICATED),
        ("GET /api/patients/7", {"claims": {"exp": 1000}}, 401, "edge", Outcome.UNAUTHENTICATED),
        ("GET /api/refused-outside", {}, 403, "edge", Outcome.DENIED),
        ("GET /api/refused-inside", {}, 403, "patients", Outcome.DENIED),
        ("GET /api/asked", {}, 503, "edge", Outcome.FAILED),
        ("GET /api/nothing", {}, 404, "edge", Outcome.NO_ROUTE),
        ("DELETE /api/patients/7", {}, 405, "edge", Outcome.NO_ROUTE),
        ("GET /", {"headers": {"Host": "evil.example"}}, 404, "edge", Outcome.NO_ROUTE),
        ("POST /api/patients", {"body": b"x" * 5000}, 413, "patients", Outcome.REJECTED),
        ("GET /dead", {}, 503, "dead", Outcome.FAILED),
    ],
)
def test_every_refusal_is_recorded_where_it_happened_with_what_it_was(
    system: Observed, *, request_line: str, more: dict[str, object], status: int, hop: str, outcome: Outcome
) -> None:
    sent = dict(more)
    if "claims" in sent:
        sent["token"] = system.rig.tokens.token(**sent.pop("claims"))  # type: ignore[arg-type]
    method, _, path = request_line.partition(" ")
    answer = system.rig.request(method, path, **sent)  # type: ignore[arg-type]
    assert answer.status == status
    event = system.events(answer.headers["x-request-id"], 1 if hop == "edge" else 2)[hop]
    assert (event.outcome, event.status) == (outcome, status)


def test_a_limit_is_recorded(system: Observed) -> None:
    token = system.rig.tokens.token(sub="busy")
    answers = [system.rig.get("/limited", token=token) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 429, 429]
    events = system.events(answers[1].headers["x-request-id"], 2)
    assert events["limited"].outcome is Outcome.LIMITED


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", 426),
        (b"\x16\x03garbage\r\n\r\n", 400),
        (b"GET /a%2fb HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 50_000 + b"\r\n\r\n", 431),
    ],
)
def test_what_is_no_request_is_recorded_all_the_same(system: Observed, raw: bytes, status: int) -> None:
    before = len(system.all(lambda _: True))
    assert system.rig.raw(raw).split(b" ", 2)[1] == str(status).encode()
    events = system.all(lambda events: any(event.status == status for event in events[before:]))
    assert next(e for e in events[before:] if e.status == status).outcome is Outcome.REJECTED


def test_no_secret_of_a_request_is_stored_anywhere(system: Observed) -> None:
    token = system.rig.tokens.token(note="private-claim")
    secrets = ["query-secret", "cookie-secret", "body-secret", "header-secret", "password-secret", "private-claim"]
    for path in ("/api/patients/7", "/api/nothing", "/api/open/x", f"/api/open/{token}/reset", "/api/%2f", "/limited"):
        system.rig.request(
            "GET",
            f"{path}?token=query-secret&q={token}",
            token=token,
            headers={"Cookie": "s=cookie-secret", "X-Api-Key": "header-secret", "Referer": f"https://x/?{token}"},
        )
    system.rig.request("POST", "/api/patients", body=b"body-secret", headers={"Authorization": "Basic password-secret"})
    last = system.rig.get("/api/open/last?query-secret")
    system.events(last.headers["x-request-id"], 2)
    stored = b"".join(p.read_bytes() for p in system.store.parent.glob("events.db*"))
    assert b"/api/open/last" in stored
    for secret in (*secrets, token.rpartition(".")[2], token.split(".")[1]):
        assert secret.encode() not in stored, secret


def test_nothing_is_lost_or_doubled_while_logs_rotate_under_load(tmp_path: Path) -> None:
    with observed(tmp_path, SpoolLimits(rotate_bytes=30_000, grace_seconds=0.5)) as system:
        connection = system.rig.open()
        ids = [_ask(system.rig, connection, n) for n in range(800)]
        events = system.all(lambda events: len(events) >= 2 * len(ids))
        assert Counter((e.request_id, e.hop) for e in events) == Counter(
            (request_id, hop) for request_id in ids for hop in ("edge", "patients")
        )
        deadline = time.monotonic() + 20
        while len(left := list(system.store.parent.glob("log/*.jsonl*"))) > 2:
            assert time.monotonic() < deadline, left
            time.sleep(0.05)
        status = system.collector.status()
        assert (status.bad_lines, status.drops, status.problem) == (0, 0, "")
        assert sum(path.stat().st_size for path in left) < 2 * 60_000, "what was read is gone"


def test_a_killed_proxy_tears_nothing_that_was_written_before(tmp_path: Path) -> None:
    with observed(tmp_path) as system:
        ids = []
        for _ in range(3):
            connection = _connected(system.rig)
            ids += [_ask(system.rig, connection, n) for n in range(100)]
            system.all(_allowed_at_the_edge(len(ids)))
            connection.close()
            system.rig.stop_envoy("edge")
            system.rig.start_envoy("edge")
        events = system.all(lambda events: sum(e.outcome is Outcome.ALLOWED for e in events) >= 2 * len(ids))
        assert Counter(e.request_id for e in events if e.outcome is Outcome.ALLOWED) == dict.fromkeys(ids, 2)
        assert system.collector.status().bad_lines == 0


def _allowed_at_the_edge(count: int) -> Callable[[tuple[DecisionEvent, ...]], bool]:
    return lambda events: sum(e.hop == "edge" and e.outcome is Outcome.ALLOWED for e in events) >= count


def _connected(rig: Rig) -> http.client.HTTPConnection:
    """Connect to an edge that may only be starting."""
    deadline = time.monotonic() + 30
    while True:
        try:
            connection = rig.open()
            if rig.on(connection, "GET", "/api/refused-outside").status == 403:
                return connection
        except OSError:
            assert time.monotonic() < deadline
        time.sleep(0.05)


def _ask(rig: Rig, connection: http.client.HTTPConnection, number: int) -> str:
    answer = rig.on(connection, "GET", f"/api/open/{number}")
    assert answer.status == 200
    return answer.headers["x-request-id"]
