"""Two hops with real Envoys: who may open a connection, what a service is told, and what nobody can pretend."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.enforce_pki import Authority
from tests.support.enforce_plans import operation, plan, service, spiffe
from tests.support.enforce_rig import Rig, running

from ringwall.model.headers import FORGEABLE, IDENTITY_HEADERS
from ringwall.plan.rule import DENY

PLAN = plan(
    service(
        "patients",
        operation("patients", "get", "GET", "/patients/{id}", callers=("edge", "portal")),
        operation("patients", "health", "GET", "/health", token=False, callers=("edge", "portal")),
        operation("patients", "edgeOnly", "GET", "/edge-only", token=False),
        operation("patients", "refusedInside", "GET", "/refused-inside", token=False, rule=DENY),
        operation("patients", "refusedOutside", "GET", "/refused-outside", token=False, edge=DENY),
        operation("patients", "inner", "GET", "/inner", edge=None, token=False, callers=("portal",)),
        prefix="/api",
    ),
    service("portal", operation("portal", "page", "GET", "/", token=False), prefix="", calls=("patients", "keeper")),
    service(
        "keeper",
        operation("keeper", "any", "GET", "/", token=False, callers=("portal",), edge=None),
        operation("keeper", "secured", "GET", "/secured", callers=("portal",), edge=None),
        forward_token=True,
    ),
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("hops")) as started:
        yield started


def test_a_request_passes_both_hops_and_loses_the_prefix(rig: Rig) -> None:
    answer = rig.get("/api/patients/7?full=1", token=rig.tokens.token(roles=["clinician", 'odd"one']))
    assert answer.status == 200, answer
    seen = rig.apps["patients"].seen[-1]
    assert seen.path == "/patients/7?full=1"
    assert seen.header("x-ringwall-subject") == "alice"
    assert seen.header("x-ringwall-issuer") == "https://localhost/auth"
    assert seen.header("x-ringwall-roles") == '["clinician","odd\\"one"]'
    assert seen.header("x-ringwall-caller") == spiffe("edge")
    assert seen.header("x-ringwall-operation") == "patients/get"
    assert seen.header("x-request-id") == answer.headers["x-request-id"]
    assert seen.header("x-forwarded-for") == "127.0.0.1"
    assert seen.header("x-forwarded-proto") == "https"
    assert not [name for name, _ in seen.headers if name.lower().startswith("x-envoy-")]


def test_a_service_that_needs_no_token_is_not_given_one(rig: Rig) -> None:
    rig.get("/api/patients/7", token=rig.tokens.token())
    assert rig.apps["patients"].seen[-1].header("authorization") is None


def test_a_service_that_calls_others_is_given_the_token(rig: Rig) -> None:
    token = rig.tokens.token()
    answer = rig.get("/secured", token=token, to=rig.bindings.outbound["portal>keeper"])
    assert answer.status == 200
    assert rig.apps["keeper"].seen[-1].header("authorization") == f"Bearer {token}"


def test_each_hop_enforces_its_own_rule(rig: Rig) -> None:
    assert rig.get("/api/refused-inside").status == 403
    assert rig.get("/api/refused-outside").status == 403
    direct = {"to": rig.bindings.inbound["patients"], "context": rig.mesh_context(spiffe("edge"))}
    assert rig.get("/refused-inside", **direct).status == 403
    assert rig.get("/refused-outside", **direct).status == 200


def test_an_operation_that_is_not_exposed_has_no_route_at_the_edge(rig: Rig) -> None:
    assert rig.get("/api/inner").status == 404


def test_a_service_reaches_its_callee_and_is_known_by_its_certificate(rig: Rig) -> None:
    answer = rig.get("/inner", to=rig.bindings.outbound["portal>patients"])
    assert answer.status == 200
    assert rig.apps["patients"].seen[-1].header("x-ringwall-caller") == spiffe("portal")


def test_a_caller_that_the_operation_does_not_name_is_refused(rig: Rig) -> None:
    assert rig.get("/edge-only", to=rig.bindings.outbound["portal>patients"]).status == 403


def test_a_token_is_verified_again_inside(rig: Rig) -> None:
    to = rig.bindings.outbound["portal>patients"]
    assert rig.get("/patients/7", to=to).status == 401
    assert rig.get("/patients/7", to=to, token=rig.tokens.token(exp=1)).status == 401
    assert rig.get("/patients/7", to=to, token=rig.tokens.token()).status == 200


def test_without_a_client_certificate_there_is_no_connection(rig: Rig) -> None:
    before = len(rig.apps["patients"].seen)
    with pytest.raises((ssl.SSLError, OSError)):
        rig.get("/health", to=rig.bindings.inbound["patients"], context=rig.mesh_context(None))
    assert len(rig.apps["patients"].seen) == before


def test_a_certificate_of_another_authority_opens_no_connection(rig: Rig, tmp_path: Path) -> None:
    foreign = Authority("another root").issue(uri=spiffe("edge"))
    context = rig.mesh_context(None)
    path = tmp_path / "foreign.pem"
    path.write_bytes(foreign.chain_pem + foreign.key_pem.reveal())
    context.load_cert_chain(path)
    with pytest.raises((ssl.SSLError, OSError)):
        rig.get("/health", to=rig.bindings.inbound["patients"], context=context)


def test_a_certificate_of_another_trust_domain_opens_no_connection(rig: Rig) -> None:
    with pytest.raises((ssl.SSLError, OSError)):
        rig.get("/health", to=rig.bindings.inbound["patients"], context=rig.mesh_context("spiffe://test.evil/edge"))


def test_a_workload_that_nobody_named_is_refused(rig: Rig) -> None:
    answer = rig.get("/health", to=rig.bindings.inbound["patients"], context=rig.mesh_context(spiffe("stranger")))
    assert answer.status == 403


@pytest.mark.parametrize("path", ["/x/%2e%2e;/inner", "/%2e;/inner"])
def test_a_dot_segment_in_disguise_gets_through_no_hop(rig: Rig, path: str) -> None:
    """An outbound listener that let it pass would have the inbound one read it as another path."""
    out = rig.get(path, to=rig.bindings.outbound["portal>patients"])
    inbound = rig.get(path, to=rig.bindings.inbound["patients"], context=rig.mesh_context(spiffe("portal")))
    assert (out.status, inbound.status) == (400, 400)
    assert out.json()["title"] == inbound.json()["title"] == "Bad Request"


def test_an_outbound_listener_exists_only_for_a_declared_call(rig: Rig) -> None:
    assert set(rig.bindings.outbound) == {"portal>patients", "portal>keeper"}
    listeners = rig.admin("mesh", "/listeners")
    assert "outbound/portal>patients" in listeners
    assert "outbound/patients" not in listeners


FORGED = sorted(
    {name.replace("*", "user") for name in FORGEABLE}
    | set(IDENTITY_HEADERS)
    | {"x-ringwall-fact-claims", "x-forwarded-host", "x-forwarded-client-cert", "x-envoy-original-path"}
)


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("way", ["edge", "outbound", "inbound"])
def test_no_header_that_says_who_asks_can_be_forged(rig: Rig, way: str, name: str) -> None:
    headers = {name: "forged", name.upper(): "forged too"}
    if way == "edge":
        answer = rig.get("/api/health", headers=headers)
    elif way == "outbound":
        answer = rig.get("/health", headers=headers, to=rig.bindings.outbound["portal>patients"])
    else:
        context = rig.mesh_context(spiffe("portal"))
        answer = rig.get("/health", headers=headers, to=rig.bindings.inbound["patients"], context=context)
    assert answer.status == 200
    seen = rig.apps["patients"].seen[-1]
    assert not [value for _, value in seen.headers if "forged" in value], seen.headers


@pytest.mark.parametrize("name", ["x_ringwall_subject", "X_Ringwall_Roles", "x-forwarded_for", "anything_else"])
def test_a_header_that_another_one_could_be_mistaken_for_is_refused(rig: Rig, name: str) -> None:
    """CGI and WSGI make underscores of dashes, so `x_ringwall_subject` would arrive as the real one."""
    before = len(rig.apps["patients"].seen)
    assert rig.get("/api/health", headers={name: "forged"}).status == 400
    assert rig.get("/health", headers={name: "forged"}, to=rig.bindings.outbound["portal>patients"]).status == 400
    assert len(rig.apps["patients"].seen) == before


def test_a_client_cannot_choose_the_request_id(rig: Rig) -> None:
    answer = rig.get("/api/health", headers={"X-Request-Id": "chosen"})
    seen = rig.apps["patients"].seen[-1].header("x-request-id")
    assert seen == answer.headers["x-request-id"] != "chosen"


def test_a_service_passes_the_request_id_on(rig: Rig) -> None:
    rig.get("/health", headers={"x-request-id": "made-by-the-edge"}, to=rig.bindings.outbound["portal>patients"])
    assert rig.apps["patients"].seen[-1].header("x-request-id") == "made-by-the-edge"


def test_a_client_cannot_choose_its_address(rig: Rig) -> None:
    rig.get("/api/health", headers={"X-Forwarded-For": "10.9.8.7, 10.1.1.1"})
    assert rig.apps["patients"].seen[-1].header("x-forwarded-for") == "127.0.0.1"


def test_a_service_cannot_hand_on_a_client_address(rig: Rig) -> None:
    rig.get("/health", headers={"X-Forwarded-For": "10.9.8.7"}, to=rig.bindings.outbound["portal>patients"])
    assert rig.apps["patients"].seen[-1].header("x-forwarded-for") is None


def test_the_method_cannot_be_overridden(rig: Rig) -> None:
    rig.get("/api/health", headers={"X-HTTP-Method-Override": "DELETE"})
    assert rig.apps["patients"].seen[-1].header("x-http-method-override") is None


def test_a_callee_with_the_wrong_identity_is_not_spoken_to(tmp_path_factory: pytest.TempPathFactory) -> None:
    small = plan(service("patients", operation("patients", "health", "GET", "/health", token=False), prefix="/api"))

    def swap(rig: Rig) -> None:
        rig.credentials.wrong[spiffe("patients")] = spiffe("billing")

    with running(small, tmp_path_factory.mktemp("wrong"), before=swap) as rig:
        answer = rig.get("/api/health")
        assert answer.status == 503
        assert rig.apps["patients"].seen == []


def test_a_service_is_told_the_url_that_was_asked_for(rig: Rig) -> None:
    assert rig.bindings.edge is not None
    asked = {"Host": f"localhost:{rig.bindings.edge.port}"}
    forged = {f"X-Forwarded-{name}": "forged" for name in ("Proto", "Host", "Prefix", "Port", "Scheme", "For")}
    assert rig.get("/api/health", headers=asked | forged | {"Forwarded": "host=forged"}).status == 200
    seen = rig.apps["patients"].seen[-1]
    assert seen.header("x-forwarded-proto") == "https"
    assert seen.header("x-forwarded-host") == seen.header("host") == asked["Host"]
    assert seen.header("x-forwarded-prefix") == "/api"
    assert seen.header("x-forwarded-for") == "127.0.0.1"
    assert "forged" not in str(seen.headers)


def test_a_call_from_inside_has_no_prefix(rig: Rig) -> None:
    assert rig.get("/health", to=rig.bindings.outbound["portal>patients"]).status == 200
    assert rig.apps["patients"].seen[-1].header("x-forwarded-prefix") is None
