"""Web pages of other origins, at the real edge: who is told what, before and after a token is looked at."""

from collections.abc import Iterator

import pytest
from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import Answer, Rig, running

from ringwall.plan.model import Cors, Service

PAGE = "https://app.example"
CORS = Cors(origins=("http://localhost:5173", PAGE), headers=("authorization", "content-type", "x-version"))


def _web(name: str, cors: Cors | None) -> Service:
    return service(
        name,
        operation(name, "list", "GET", "/items"),
        operation(name, "add", "POST", "/items"),
        operation(name, "drop", "DELETE", "/items/{id}"),
        operation(name, "open", "GET", "/open", token=False),
        operation(name, "any", "*", "/any/{rest...}"),
        operation(name, "own", "OPTIONS", "/own"),
        operation(name, "read", "GET", "/own"),
        prefix=f"/{name}",
        cors=cors,
    )


PLAN = plan(_web("web", CORS), _web("cookie", CORS.model_copy(update={"credentials": True})), _web("plain", None))


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("cors")) as started:
        yield started


def preflight(rig: Rig, path: str, *, origin: str = PAGE, method: str = "POST") -> Answer:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization",
    }
    return rig.request("OPTIONS", path, headers=asked)


def told(answer: Answer) -> set[str]:
    """Return which headers let a page do something; the others mean nothing without these."""
    return answer.headers.keys() & {"access-control-allow-origin", "access-control-allow-credentials"}


@pytest.mark.parametrize("origin", CORS.origins)
def test_a_browser_is_told_what_it_may_send_before_it_has_a_token(rig: Rig, origin: str) -> None:
    before = len(rig.apps["web"].seen)
    answer = preflight(rig, "/web/items", origin=origin)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, POST"
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type, x-version"
    assert answer.headers["access-control-max-age"] == "600"
    assert "access-control-allow-credentials" not in answer.headers
    assert len(rig.apps["web"].seen) == before


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/web/items/7", "DELETE"),
        ("/web/open", "GET, HEAD"),
        ("/web/own", "GET, HEAD, OPTIONS"),
        ("/web/any/thing", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    ],
)
def test_the_methods_are_those_of_the_path(rig: Rig, path: str, methods: str) -> None:
    assert preflight(rig, path).headers["access-control-allow-methods"] == methods


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://app.example.evil.example",
        "https://app.example:444",
        "http://app.example",
        "https://APP.example",
        "null",
        "*",
        "",
        "https://app.example, https://evil.example",
    ],
)
def test_any_other_origin_is_told_nothing_and_reaches_nothing(rig: Rig, origin: str) -> None:
    before = len(rig.apps["web"].seen)
    for path in ("/web/items", "/web/any/x"):
        assert told(preflight(rig, path, origin=origin)) == set()
    assert len(rig.apps["web"].seen) == before
    answer = rig.get("/web/open", headers={"Origin": origin})
    assert told(answer) == set()


def test_a_page_may_read_answers_and_refusals(rig: Rig) -> None:
    for token, status in ((rig.tokens.token(), 200), (None, 401)):
        answer = rig.get("/web/items", token=token, headers={"Origin": PAGE})
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-expose-headers"] == "x-request-id, www-authenticate, dpop-nonce"
        assert "access-control-allow-credentials" not in answer.headers
    assert "origin" in rig.get("/web/open").headers["vary"].lower()


def test_cookies_only_where_that_is_said(rig: Rig) -> None:
    assert preflight(rig, "/cookie/items").headers["access-control-allow-credentials"] == "true"
    answer = rig.get("/cookie/open", headers={"Origin": PAGE})
    assert answer.headers["access-control-allow-credentials"] == "true"


def test_a_service_that_says_nothing_is_left_alone(rig: Rig) -> None:
    assert preflight(rig, "/plain/items").status == 405
    assert told(preflight(rig, "/plain/items")) == set()
    assert told(rig.get("/plain/open", headers={"Origin": PAGE})) == set()


def test_options_without_a_question_is_what_it_was(rig: Rig) -> None:
    assert rig.request("OPTIONS", "/web/items").status == 405
    assert rig.request("OPTIONS", "/web/items", headers={"Origin": PAGE}).status == 405
    assert rig.request("OPTIONS", "/web/any/x", headers={"Origin": PAGE}).status == 401
    assert rig.request("OPTIONS", "/web/own", token=rig.tokens.token(), headers={"Origin": PAGE}).status == 200
    assert preflight(rig, "/web/nothing").status == 404
    assert rig.request(
        "OPTIONS", "/web/items", headers={"Origin": PAGE, "Access-Control-Request-Method": ""}
    ).status in {
        403,
        405,
    }


def test_what_the_service_says_of_origins_does_not_count(rig: Rig) -> None:
    rig.apps["web"].reply_headers = {"access-control-allow-origin": "*", "Access-Control-Allow-Credentials": "true"}
    try:
        assert told(rig.get("/web/open", headers={"Origin": "https://evil.example"})) == set()
        answer = rig.get("/web/open", headers={"Origin": PAGE})
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "access-control-allow-credentials" not in answer.headers
    finally:
        rig.apps["web"].reply_headers = {}


def test_a_question_is_recorded_as_what_it_is(rig: Rig) -> None:
    request_id = preflight(rig, "/web/any/asked").headers["x-request-id"]
    lines = rig.log("edge", lambda found: any(line.get("id") == request_id for line in found))
    assert next(line["d"] for line in lines if line.get("id") == request_id) == "cors_response"
