"""Tokens that are bound to a certificate at the real edge (RFC 8705, section 3), and what the issuer is told of one."""

import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.client_certificate import ClientCertificate
from tests.support.enforce_plans import operation, plan, service, spiffe
from tests.support.enforce_rig import Answer, Rig, running

from ringwall.model.headers import CLIENT_CERTIFICATE
from ringwall.plan.client import Client
from ringwall.plan.model import Plan

DOMAIN = "mtls.localhost"
PATH = "/api/patients/7"
CLIENTS = (
    Client(name="holder", bound_tokens=True),
    Client(name="listed", certificates=("A" * 43,)),
    Client(name="plain"),
)


def _plan() -> Plan:
    made = plan(
        service("patients", operation("patients", "get", "GET", "/patients/{id}"), prefix="/api"),
        service(
            "issuer", operation("issuer", "any", "*", "/{rest...}", token=False), prefix="/auth", builtin=True,
            forward_token=True,
        ),
        service("portal", operation("portal", "home", "GET", "/", token=False), prefix="/home", calls=("patients",)),
    )  # fmt: skip
    assert made.edge is not None
    edge = made.edge.model_copy(update={"domains": ("localhost", DOMAIN), "client_certificates": (DOMAIN,)})
    return made.model_copy(update={"edge": edge, "clients": CLIENTS})


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(_plan(), tmp_path_factory.mktemp("certificates")) as started:
        yield started


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> ClientCertificate:
    return ClientCertificate(tmp_path_factory.mktemp("mine"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> ClientCertificate:
    return ClientCertificate(tmp_path_factory.mktemp("other"))


def _context(rig: Rig, certificate: ClientCertificate | None) -> ssl.SSLContext:
    context = rig.edge_context()
    if certificate is not None:
        certificate.into(context)
    return context


def _send(
    rig: Rig,
    token: str | None,
    certificate: ClientCertificate | None,
    *,
    path: str = PATH,
    name: str = DOMAIN,
    **headers: str,
) -> Answer:
    assert rig.bindings.edge is not None
    sent = {"Host": f"{name}:{rig.bindings.edge.port}", **headers}
    return rig.request(
        "GET", path, token=token, headers=sent, to=rig.bindings.edge, context=_context(rig, certificate), name=name
    )


def _is_asked(rig: Rig, name: str) -> bool:
    """Whether the edge asks a client for a certificate in the handshake (RFC 8446, section 4.3.2)."""
    seen: list[Any] = []
    context = rig.edge_context()
    context._msg_callback = lambda *message: seen.append(message[4])  # type: ignore[attr-defined]  # the only way to see it
    assert rig.bindings.edge is not None
    rig.connect(rig.bindings.edge, context, name).close()
    names = {getattr(kind, "name", "") for kind in seen}
    assert "CERTIFICATE" in names
    return "CERTIFICATE_REQUEST" in names


def _bound(rig: Rig, certificate: ClientCertificate, **more: Any) -> str:
    name = more.pop("client_id", "holder")
    return rig.tokens.token(client_id=name, cnf={"x5t#S256": certificate.thumbprint, **more})


def _told(rig: Rig, service_name: str) -> list[str]:
    return [value for name, value in rig.apps[service_name].seen[-1].headers if name.lower() == CLIENT_CERTIFICATE]


def test_a_token_goes_with_its_certificate(rig: Rig, mine: ClientCertificate) -> None:
    assert _send(rig, _bound(rig, mine), mine).status == 200
    assert _send(rig, rig.tokens.token(), mine).status == 200, "one that is bound to nothing needs none"
    assert _send(rig, rig.tokens.token(), None).status == 200


def test_without_it_or_with_another_it_is_refused(rig: Rig, mine: ClientCertificate, other: ClientCertificate) -> None:
    token, before = _bound(rig, mine), len(rig.apps["patients"].seen)
    for certificate in (None, other):
        answer = _send(rig, token, certificate)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == 'Bearer realm="ringwall", error="invalid_token"'
    assert len(rig.apps["patients"].seen) == before


def test_elsewhere_no_certificate_is_asked_for_and_none_counts(rig: Rig, mine: ClientCertificate) -> None:
    assert _is_asked(rig, DOMAIN)
    assert not _is_asked(rig, "localhost")
    token = _bound(rig, mine)
    assert _send(rig, token, mine, name="localhost").status == 401
    assert _send(rig, rig.tokens.token(), mine, name="localhost").status == 200


def test_a_forged_header_is_no_certificate(rig: Rig, mine: ClientCertificate, other: ClientCertificate) -> None:
    forged = {
        CLIENT_CERTIFICATE: mine.thumbprint,
        "X-Forwarded-Client-Cert": f"Hash={mine.thumbprint}",
        "Client-Cert": ":AAAA:",
    }
    token = _bound(rig, mine)
    for certificate, name in ((None, DOMAIN), (other, DOMAIN), (None, "localhost")):
        assert _send(rig, token, certificate, name=name, **forged).status == 401
        assert _send(rig, None, certificate, path="/auth/token", name=name, **forged).status == 200
        assert _told(rig, "issuer") == ([other.thumbprint] if certificate else [])


def test_the_issuer_alone_is_told_and_by_the_edge_alone(rig: Rig, mine: ClientCertificate) -> None:
    assert _send(rig, None, mine, path="/auth/token").status == 200
    assert _told(rig, "issuer") == [mine.thumbprint]
    assert _send(rig, rig.tokens.token(), mine).status == 200
    assert _told(rig, "patients") == []
    portal = rig.mesh_context(spiffe("portal"))
    forged = {CLIENT_CERTIFICATE: mine.thumbprint}
    assert rig.get("/token", headers=forged, to=rig.bindings.inbound["issuer"], context=portal).status == 403


@pytest.mark.parametrize("client", ["listed", "plain", "gone", "holder2"])
def test_a_token_of_a_certificate_that_the_plan_does_not_name_is_refused(
    rig: Rig, mine: ClientCertificate, client: str
) -> None:
    assert _send(rig, _bound(rig, mine), mine).status == 200
    answer = _send(rig, _bound(rig, mine, client_id=client), mine)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="ringwall", error="invalid_token"'


def test_tokens_that_are_bound_to_keys_are_challenged_as_such(rig: Rig, mine: ClientCertificate) -> None:
    answer = _send(rig, rig.tokens.token(cnf={"jkt": "A" * 43}), mine)
    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith('DPoP realm="ringwall", error="invalid_token"')


@pytest.mark.parametrize("more", [{"jkt": "AAAA"}, {"kid": "1"}])
def test_a_token_that_is_bound_to_more_is_refused(rig: Rig, mine: ClientCertificate, more: dict[str, str]) -> None:
    assert _send(rig, _bound(rig, mine, **more), mine).status == 401


@pytest.mark.parametrize("cnf", [{}, "x", ["x"], {"x5t#S256": 7}, {"x5t#S256": ""}, {"x5t#S256": None}, {"x": {}}])
def test_an_odd_confirmation_is_refused(rig: Rig, mine: ClientCertificate, cnf: Any) -> None:
    """Whatever the script makes of it: where it fails, the filter behind it refuses."""
    assert _send(rig, rig.tokens.token(cnf=cnf), mine).status == 401
