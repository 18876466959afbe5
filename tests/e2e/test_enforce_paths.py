"""Which operation a request is, at the real edge: what `ringwall.plan.routes` says, however the path is written."""

import http.client
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import Rig, running

from ringwall.plan.routes import match_edge
from ringwall.plan.rule import DENY

SERVICES = (
    service(
        "patients",
        operation("patients", "list", "GET", "/patients", token=False),
        operation("patients", "root", "GET", "/", token=False),
        operation("patients", "get", "GET", "/patients/{id}", token=False),
        operation("patients", "me", "GET", "/patients/me", token=False),
        operation("patients", "add", "POST", "/patients", token=False),
        operation("patients", "note", "GET", "/patients/{id}/notes/{note}", token=False),
        operation("patients", "photo", "GET", "/patients/{id}.png", token=False),
        operation("patients", "closed", "GET", "/closed/{id}", token=False, edge=DENY),
        operation("patients", "probe", "HEAD", "/probed/{id}", token=False),
        operation("patients", "probed", "GET", "/probed/{number}", token=False),
        operation("patients", "sent", "POST", "/sent", token=False),
        prefix="/api",
    ),
    service(
        "files",
        operation("files", "any", "*", "/static/{rest...}", token=False),
        prefix="/api/files",
    ),
    service(
        "portal",
        operation("portal", "home", "GET", "/", token=False),
        operation("portal", "page", "GET", "/pages/{name}", token=False),
        operation("portal", "apix", "GET", "/apix", token=False),
        prefix="",
    ),
)
PLAN = plan(*SERVICES)
ANY_SEGMENT = service("any", operation("any", "one", "GET", "/{x}.any", token=False), prefix="")
"""A path that may begin with anything: the edge then has one route table for all paths."""


@pytest.fixture(scope="module", params=[PLAN, plan(*SERVICES, ANY_SEGMENT)], ids=["by segment", "one table"])
def rig(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(request.param, tmp_path_factory.mktemp("paths")) as started:
        yield started


@pytest.fixture(scope="module")
def connection(rig: Rig) -> http.client.HTTPConnection:
    return rig.open()


def _operation(rig: Rig, connection: http.client.HTTPConnection, method: str, path: str) -> tuple[str, str] | int:
    """Return operation id and path that a service got, or the status where none did."""
    answer = rig.on(connection, method, path, body=b"" if method == "POST" else None)
    if answer.status != 200:
        return answer.status
    if method == "HEAD":
        assert answer.body == b""
        seen = next(
            seen
            for app in rig.apps.values()
            for seen in app.seen
            if seen.header("x-request-id") == answer.headers["x-request-id"]
        )
        assert seen.method == "HEAD"
        return seen.header("x-ringwall-operation") or "", seen.path
    body = answer.json()
    return body["headers"]["x-ringwall-operation"], body["path"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/patients", ("patients/list", "/patients")),
        ("GET", "/api/patients?x=/../..", ("patients/list", "/patients?x=/../..")),
        ("POST", "/api/patients", ("patients/add", "/patients")),
        ("GET", "/api/patients/7", ("patients/get", "/patients/7")),
        ("GET", "/api/patients/me", ("patients/me", "/patients/me")),
        ("GET", "/api/patients/7.png", ("patients/photo", "/patients/7.png")),
        ("GET", "/api/patients/7/notes/8", ("patients/note", "/patients/7/notes/8")),
        ("GET", "/api/", ("patients/root", "/")),
        ("GET", "/api", ("patients/root", "/")),
        ("GET", "/api?a=b", ("patients/root", "/?a=b")),
        ("GET", "/apix", ("portal/apix", "/apix")),
        ("GET", "/", ("portal/home", "/")),
        ("GET", "/?next=/api", ("portal/home", "/?next=/api")),
        ("GET", "/api/files/static/a/b", ("files/any", "/static/a/b")),
        ("GET", "/api/files/static/", ("files/any", "/static/")),
        ("PUT", "/api/files/static/a", ("files/any", "/static/a")),
        ("GET", "/api/files", 404),
        ("GET", "/api/files/static", 404),
        ("GET", "/api/filesX/static/", 404),
        ("GET", "/api/patientsX", 404),
        ("GET", "/api/patients/", 404),
        ("GET", "/api/patients/7/", 404),
        ("GET", "/api/patients/7/notes", 404),
        ("GET", "/API/patients", 404),
        ("GET", "/api/Patients", 404),
        ("GET", "/patients", 404),
        ("GET", "/apiX/patients", 404),
        ("DELETE", "/api/patients", 405),
        ("HEAD", "/api/patients", ("patients/list", "/patients")),
        ("HEAD", "/api/patients/me", ("patients/me", "/patients/me")),
        ("HEAD", "/api", ("patients/root", "/")),
        ("HEAD", "/api/files/static/a", ("files/any", "/static/a")),
        ("HEAD", "/api/probed/7", ("patients/probe", "/probed/7")),
        ("GET", "/api/probed/7", ("patients/probed", "/probed/7")),
        ("HEAD", "/api/closed/7", 403),
        ("HEAD", "/api/sent", 405),
        ("HEAD", "/api/nothing", 404),
        ("OPTIONS", "/api/patients", 405),
        ("TRACE", "/api/patients", 405),
        ("POST", "/api/patients/7", 405),
        ("POST", "/api/closed/7", 405),
        ("GET", "/api/closed/7", 403),
    ],
)
def test_a_request_is_the_operation_that_the_plan_says(
    rig: Rig, connection: http.client.HTTPConnection, method: str, path: str, expected: tuple[str, str] | int
) -> None:
    assert _operation(rig, connection, method, path) == expected
    found = match_edge(PLAN, method, path.partition("?")[0])
    if isinstance(expected, tuple):
        assert found is not None
        assert (found[1].id, found[2]) == (expected[0], expected[1].partition("?")[0])
    elif expected in {404, 405}:
        assert found is None


def test_what_is_allowed_is_said_where_a_method_is_not(rig: Rig) -> None:
    answer = rig.request("DELETE", "/api/patients")
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert rig.request("HEAD", "/api/sent").headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # Ways to write a path that is closed; none may reach it as another operation.
        ("/api//closed/7", 403),
        ("//api/closed/7", 403),
        ("/api/./closed/7", 403),
        ("/api/patients/../closed/7", 403),
        ("/api/%63losed/7", 403),
        ("/api/%2e/closed/7", 403),
        ("/api/patients/%2e%2e/closed/7", 403),
        ("/api/patients/%2E./closed/7", 403),
        ("\\api\\closed\\7", 400),
        ("/api\\closed/7", 403),
        ("/api/closed%2f7", 400),
        ("/api/closed%2F7", 400),
        ("/api/closed%5c7", 400),
        ("/api%2fclosed/7", 400),
        ("/api/closed/7%00", 400),
        ("/api/closed/7#x", 400),
        ("/api/closed;x=1/7", 404),
        ("/api/closed/7;x=1", 403),
        ("/api/%2563losed/7", 404),
        ("/api/closed%20/7", 404),
        ("/api/closed/7?a#b", 400),
    ],
)
def test_no_way_of_writing_a_path_leads_around_a_rule(rig: Rig, path: str, expected: int) -> None:
    before = len(rig.apps["patients"].seen)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    status = int(rig.raw(request).split(b" ", 2)[1])
    assert status == expected
    assert len(rig.apps["patients"].seen) == before


@pytest.mark.parametrize(
    "path",
    [
        "/%2e%2e;/",
        "/%2e%2e;x=1/",
        "/.%2e;",
        "/%2e;/",
        "/x/%2E%2E;a;b/",
        "\\%2e%2e;/",
        "//%2e%2e;//",
        "/%2e%2e;?x=1",
        "/%2e%2e%3b/b",
        "/..%3B/b",
        "/.%3bx=1/b",
        "/%2e%3B",
    ],
)
def test_a_dot_segment_in_disguise_is_refused(rig: Rig, path: str) -> None:
    before = len(rig.apps["files"].seen)
    answer = rig.get(f"/api/files/static{path}")
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert len(rig.apps["files"].seen) == before


@pytest.mark.parametrize(
    "path", ["/a..;/b", "/...;/b", "/a;/b", "/..a;/b", "/a%3b/b", "/...%3b/b", "/b?x=/..;/&y=/.;/"]
)
def test_what_only_looks_like_one_is_not(rig: Rig, path: str) -> None:
    assert rig.get(f"/api/files/static{path}").status == 200
    assert rig.apps["files"].seen[-1].path == f"/static{path}".replace("%2e", ".")


def test_what_is_matched_is_what_the_service_gets(rig: Rig) -> None:
    request = b"GET /api/./x/..//%70atients/%37 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    assert rig.raw(request).startswith(b"HTTP/1.1 200 ")
    assert rig.apps["patients"].seen[-1].path == "/patients/7"


def test_no_client_chooses_the_route_table(rig: Rig) -> None:
    chosen = {"x-ringwall-path": "/api/patients"}
    assert rig.request("GET", "/api/closed/7", headers=chosen).status == 403
    assert rig.request("GET", "/pages/x", headers=chosen).json()["headers"]["x-ringwall-operation"] == "portal/page"
    assert "x-ringwall-path" not in rig.request("GET", "/api/patients").json()["headers"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8443", 200),
        ("LOCALHOST", 200),
        ("localhost.", 200),
        ("evil.example", 404),
        ("localhost.evil.example", 404),
        ("evil.example:localhost", 400),
        ("localhost@evil.example", 400),
        ("127.0.0.1", 404),
        ("", 400),
        ("localhost:abc", 400),
        ("localhost:", 400),
        ("localhost:123456", 400),
        ("localhost:1:2", 400),
        ("local host", 400),
        ("localhost/..", 400),
    ],
)
def test_only_the_named_hosts_are_answered(rig: Rig, host: str, status: int) -> None:
    request = f"GET /api HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert int(rig.raw(request).split(b" ", 2)[1]) == status


_PIECES = [
    "api",
    "apix",
    "patients",
    "me",
    "7",
    "7.png",
    ".png",
    "files",
    "static",
    "notes",
    "closed",
    "pages",
    "",
    "a;b",
    "A",
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT"]),
    pieces=st.lists(st.sampled_from(_PIECES), max_size=5),
)
def test_edge_and_plan_agree_on_every_path(
    rig: Rig, connection: http.client.HTTPConnection, method: str, pieces: list[str]
) -> None:
    path = "/" + "/".join(pieces)
    while "//" in path:
        path = path.replace("//", "/")
    found = match_edge(PLAN, method, path)
    got = _operation(rig, connection, method, path)
    if found is None:
        assert got in {404, 405}
    elif found[1].edge is not None and found[1].edge.rule == DENY:
        assert got == 403
    else:
        assert got == (found[1].id, found[2])
