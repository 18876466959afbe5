"""HTTP/3 at the real edge, asked by a client of its own: everything that holds for HTTP/2 holds here."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.enforce_h3 import Asked, ask_http3
from tests.support.enforce_pki import Authority, Tokens
from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import Rig, running

from ringwall.plan.model import Plan
from ringwall.plan.operation import Limit


def _plan(**edge: Any) -> Plan:
    operations = (
        operation("web", "home", "GET", "/home", token=False),
        operation("web", "secured", "GET", "/secured"),
        operation("web", "post", "POST", "/notes"),
    )
    made = plan(service("web", *operations, prefix="/web", max_body_bytes=10_000))
    assert made.edge is not None
    return made.model_copy(update={"edge": made.edge.model_copy(update={"http3": True} | edge)})


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(_plan(), tmp_path_factory.mktemp("http3")) as started:
        yield started


def head(path: str, method: str = "GET", authority: str = "localhost", **more: str) -> list[tuple[str, str]]:
    named = [(name.replace("_", "-"), value) for name, value in more.items()]
    return [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path), *named]


def ask(rig: Rig, headers: list[tuple[str, str]], body: bytes = b"") -> Asked:
    assert rig.bindings.edge is not None
    return ask_http3(rig.bindings.edge.port, rig.credentials.trust_bundle(), [(headers, body)])[0]


def test_it_is_served_where_it_is_advertised(rig: Rig) -> None:
    assert rig.bindings.edge is not None
    assert rig.get("/web/home").headers["alt-svc"] == f'h3=":{rig.bindings.edge.port}"; ma=86400'
    headers, _ = ask(rig, head("/web/home"))
    assert headers[":status"] == "200"
    assert rig.apps["web"].seen[-1].path == "/home"
    assert headers["strict-transport-security"]
    recorded = rig.log("edge", lambda lines: any(line.get("id") == headers["x-request-id"] for line in lines))
    assert next(line["op"] for line in recorded if line.get("id") == headers["x-request-id"]) == "web/home"


def test_tokens_are_demanded_and_verified(rig: Rig) -> None:
    headers, body = ask(rig, head("/web/secured"))
    assert headers[":status"] == "401"
    assert headers["content-type"] == "application/problem+json"
    assert json.loads(body)["status"] == 401
    for token, status in ((rig.tokens.token(), "200"), (Tokens().token(), "401"), (rig.tokens.token(exp=1), "401")):
        assert ask(rig, head("/web/secured", authorization=f"Bearer {token}"))[0][":status"] == status
    assert rig.apps["web"].seen[-1].header("x-ringwall-subject") == "alice"


def test_a_body_goes_through_up_to_its_limit(rig: Rig) -> None:
    token = f"Bearer {rig.tokens.token()}"
    assert ask(rig, head("/web/notes", "POST", authorization=token), b"a" * 9_000)[0][":status"] == "200"
    assert rig.apps["web"].seen[-1].body == b"a" * 9_000
    before = len(rig.apps["web"].seen)
    assert ask(rig, head("/web/notes", "POST", authorization=token), b"a" * 11_000)[0][":status"] == "413"
    assert len(rig.apps["web"].seen) == before


def test_many_requests_share_a_connection(rig: Rig) -> None:
    assert rig.bindings.edge is not None
    requests = [(head("/web/home"), b"")] * 20
    answers = ask_http3(rig.bindings.edge.port, rig.credentials.trust_bundle(), requests)
    assert [headers[":status"] for headers, _ in answers] == ["200"] * 20
    assert len({headers["x-request-id"] for headers, _ in answers}) == 20


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-ringwall-subject", "root"),
        ("x_ringwall_subject", "root"),
        ("x-forwarded-for", "6.6.6.6"),
        ("x-request-id", "chosen"),
        ("x-forwarded-client-cert", "By=spiffe://test/edge"),
        ("transfer-encoding", "chunked"),
        ("connection", "close"),
        ("x", "a\r\nx-smuggled: yes"),
        ("host", "evil.example"),
    ],
)
def test_no_header_of_a_client_is_taken_for_ours(rig: Rig, name: str, value: str) -> None:
    app = rig.apps["web"]
    app.seen.clear()
    ask(rig, [*head("/web/home"), (name, value)])
    for seen in app.seen:
        assert seen.header("host") == "localhost"
        for spoofed in ("x-ringwall-subject", "x_ringwall_subject", "x-smuggled", "transfer-encoding"):
            assert seen.header(spoofed) is None
        assert seen.header("x-request-id") != "chosen"
        assert seen.header("x-forwarded-for") == "127.0.0.1"
        assert "By=" not in (seen.header("x-forwarded-client-cert") or "")


@pytest.mark.parametrize(
    "path",
    ["/web/../web/secured", "/web/%2e%2e/secured", "/web%2fsecured", "/nothing", "web/home", "*", "//web/home#x"],
)
def test_no_spelling_of_a_path_is_a_way_around(rig: Rig, path: str) -> None:
    before = len(rig.apps["web"].seen)
    assert ask(rig, head(path))[0][":status"] in {"0", "400", "401", "404"}
    assert len(rig.apps["web"].seen) == before


def test_another_host_is_not_served(rig: Rig) -> None:
    assert ask(rig, head("/web/home", authority="evil.example"))[0][":status"] in {"404", "421"}


def test_the_server_shows_the_edges_certificate(rig: Rig) -> None:
    assert rig.bindings.edge is not None
    with pytest.raises(ConnectionError):
        ask_http3(rig.bindings.edge.port, Authority("somebody else").pem, [(head("/web/home"), b"")])


def test_nothing_else_is_spoken_over_quic(rig: Rig) -> None:
    assert rig.bindings.edge is not None
    with pytest.raises(ConnectionError):
        ask_http3(rig.bindings.edge.port, rig.credentials.trust_bundle(), [(head("/web/home"), b"")], alpn=["h2"])


def test_the_limit_of_an_address_holds(tmp_path_factory: pytest.TempPathFactory) -> None:
    limited = _plan(per_ip=Limit(requests=1, seconds=3600, burst=5))
    with running(limited, tmp_path_factory.mktemp("limited")) as rig:
        assert rig.bindings.edge is not None
        requests = [(head("/web/home"), b"")] * 8
        answers = ask_http3(rig.bindings.edge.port, rig.credentials.trust_bundle(), requests)
        assert [headers[":status"] for headers, _ in answers] == ["200"] * 5 + ["429"] * 3
