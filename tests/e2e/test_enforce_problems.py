"""What the real edge says by itself, problem documents that leak nothing, and what it adds to what services say."""

import re
from collections.abc import Iterator

import pytest
from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import Answer, Rig, running

from ringwall.plan.rule import DENY

PLAN = plan(
    service(
        "patients",
        operation("patients", "get", "GET", "/patients/{id}"),
        operation("patients", "health", "GET", "/health", token=False),
        operation("patients", "closed", "GET", "/closed", token=False, edge=DENY),
        operation("patients", "inner", "GET", "/inner-closed", token=False, rule=DENY),
        operation("patients", "add", "POST", "/patients", token=False),
        prefix="/api",
        timeout_seconds=1,
        max_body_bytes=1000,
    ),
    service("gone", operation("gone", "any", "GET", "/", token=False), prefix="/gone"),
)
LEAKS = re.compile(rb"envoy|upstream|rbac|jwt|filter|127\.0\.0\.1|spiffe|stack|connect", re.IGNORECASE)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("problems")) as started:
        started.apps.pop("gone").stop()
        yield started


def _checked(answer: Answer, status: int, title: str) -> None:
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    request_id = answer.headers["x-request-id"]
    assert body == {
        "type": "about:blank",
        "title": title,
        "status": status,
        "instance": f"urn:uuid:{request_id}",
        "request_id": request_id,
    }
    assert not LEAKS.search(answer.body)
    assert not any(name.startswith("x-envoy") or name == "server" for name in answer.headers), answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("GET", "/api/patients/7", 401, "Unauthorized"),
        ("GET", "/api/closed", 403, "Forbidden"),
        ("GET", "/nowhere", 404, "Not Found"),
        ("PUT", "/api/health", 405, "Method Not Allowed"),
        ("GET", "/gone/", 503, "Service Unavailable"),
    ],
)
def test_every_answer_of_the_edge_is_a_problem_document(
    rig: Rig, method: str, path: str, status: int, title: str
) -> None:
    _checked(rig.request(method, path), status, title)


def test_a_body_that_is_too_long(rig: Rig) -> None:
    _checked(rig.request("POST", "/api/patients", body=b"a" * 2000), 413, "Content Too Large")


def test_a_request_that_is_refused_before_it_has_an_id(rig: Rig) -> None:
    answer = rig.get("/api/closed%2fx", headers={"X-Request-Id": "chosen"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {"type": "about:blank", "title": "Bad Request", "status": 400}
    record = rig.log("edge", lambda lines: bool(lines) and lines[-1].get("s") == 400)[-1]
    assert "id" not in record, record


def test_a_long_query_reaches_the_service_or_is_refused(rig: Rig) -> None:
    """The edge takes the prefix off the path and keeps both, so the next proxy is sent more than the client sent."""
    for length, status in ((18_000, 200), (31_000, 200), (33_000, 431)):
        assert rig.get(f"/api/health?{'x' * length}").status == status, length


def test_headers_that_are_too_long(rig: Rig) -> None:
    answer = rig.get("/api/health", headers={"X": "a" * 40_000})
    assert answer.status == 431
    assert answer.headers["content-type"] == "application/problem+json"
    assert not LEAKS.search(answer.body)


def test_a_service_that_takes_too_long(rig: Rig) -> None:
    rig.apps["patients"].delay = 2
    try:
        _checked(rig.get("/api/health"), 504, "Gateway Timeout")
    finally:
        rig.apps["patients"].delay = 0


def test_a_refusal_of_the_service_s_own_listener_reads_like_the_edge_s(rig: Rig) -> None:
    answer = rig.get("/api/inner-closed")
    assert answer.status == 403
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert not LEAKS.search(answer.body)


def test_a_service_s_own_error_is_left_as_it_is(rig: Rig) -> None:
    app = rig.apps["patients"]
    app.status, app.reply_headers = 500, {"Content-Type": "text/plain"}
    try:
        answer = rig.get("/api/health")
        assert answer.status == 500
        assert answer.headers["content-type"] == "text/plain"
        assert answer.json()["path"] == "/health"
    finally:
        app.status, app.reply_headers = 200, {}


def test_what_a_service_runs_on_is_not_told(rig: Rig) -> None:
    app = rig.apps["patients"]
    app.reply_headers = {
        "X-Powered-By": "PHP/5.2",
        "X-AspNet-Version": "4",
        "Via": "squid",
        "X-Ringwall-Subject": "alice",
        "X-Envoy-Upstream-Service-Time": "3",
    }
    try:
        answer = rig.get("/api/health")
    finally:
        app.reply_headers = {}
    assert answer.status == 200
    for name in ("server", "via", "x-powered-by", "x-aspnet-version", "x-ringwall-subject"):
        assert name not in answer.headers
    assert not any(name.startswith("x-envoy") for name in answer.headers), answer.headers


def test_security_headers_are_on_every_response_and_a_service_may_set_its_own(rig: Rig) -> None:
    answer = rig.get("/api/health")
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert answer.headers["referrer-policy"] == "strict-origin-when-cross-origin"
    app = rig.apps["patients"]
    app.reply_headers = {
        "Content-Security-Policy": "default-src 'self'",
        "X-Frame-Options": "DENY",
        "Strict-Transport-Security": "max-age=0",
        "X-Content-Type-Options": "sniff",
    }
    try:
        own = rig.get("/api/health").headers
    finally:
        app.reply_headers = {}
    assert own["content-security-policy"] == "default-src 'self'"
    assert own["x-frame-options"] == "DENY"
    assert own["strict-transport-security"] == "max-age=31536000"
    assert own["x-content-type-options"] == "nosniff"


def test_plain_http_is_redirected_and_nothing_else(rig: Rig) -> None:
    redirect, edge = rig.bindings.redirect, rig.bindings.edge
    assert redirect is not None
    assert edge is not None
    answer = rig.request("POST", "/api/patients?a=b", to=redirect)
    assert answer.status == 308
    assert answer.headers["location"] == f"https://localhost:{edge.port}/api/patients?a=b"
    assert "server" not in answer.headers
    evil = rig.get("/", to=redirect, headers={"Host": "evil.example"})
    assert evil.status == 404
    assert "location" not in evil.headers
    odd = rig.get("//evil.example/..", to=redirect)
    assert odd.headers.get("location", f"https://localhost:{edge.port}/").startswith(f"https://localhost:{edge.port}/")
