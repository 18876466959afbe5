"""Clients that register themselves with a certificate of an authority of the plan (RFC 8705, section 2.1.2)."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st
from tests.support.certificate_authority import Certified, as_envoy_says, authority, sans
from tests.support.enforce_plans import plan as edge_plan
from tests.support.issuer_plan import BUILTIN, login_plan, write_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.clients.certificate_metadata import certificate_of
from ringwall.identity.issuer.clients.metadata_errors import MetadataRefusedError
from ringwall.model.clock import ManualClock
from ringwall.model.headers import CLIENT_CERTIFICATE, CLIENT_CERTIFICATE_CHAIN
from ringwall.plan.certificate import SubjectKind
from ringwall.plan.client import ClientKind, Profile
from ringwall.plan.identity import Registration
from ringwall.plan.model import Plan

NOW = ManualClock().now()
ROOT, OTHER = authority(at=NOW), authority("Others", at=NOW)
ROBOT = {
    "grant_types": ["client_credentials"],
    "token_endpoint_auth_method": "tls_client_auth",
    "tls_client_auth_san_dns": "Robot.Example",
}


def plan(*, authorities: tuple[str, ...] = (ROOT.der,), asked: bool = True, profile: Profile | None = None) -> Plan:
    policy = Registration(open=True, kinds=tuple(ClientKind), scopes=("orders:read",))
    edge = edge_plan().edge
    assert edge is not None
    domains = ("localhost", "mtls.localhost")
    more = {"client_certificates": domains[1:] if asked else (), "client_authorities": authorities}
    edge = edge.model_copy(update={"domains": domains, **more})
    issuer = BUILTIN.model_copy(update={"registration": policy, "profile": profile})
    return login_plan(issuers=(issuer,), clients=(), edge=edge)


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=plan())


def register(world: IssuerWorld, **changes: Any) -> httpx.Response:
    return world.ask("POST", "/register", json={**ROBOT, **changes})


def token(world: IssuerWorld, client: str, certificate: Certified | None, **form: str) -> httpx.Response:
    headers = {}
    if certificate is not None:
        headers = {
            CLIENT_CERTIFICATE: certificate.thumbprint,
            CLIENT_CERTIFICATE_CHAIN: as_envoy_says(certificate.shown),
        }
    form = {"grant_type": "client_credentials", "client_id": client, **form}
    return world.ask("POST", "/token", data=form, headers=headers)


def signed(*names: x509.GeneralName, by: Certified = ROOT) -> Certified:
    return by.sign("a client", sans(*(names or (x509.DNSName("robot.example"),))), at=NOW)


def test_it_is_who_its_certificate_says(world: IssuerWorld) -> None:
    made = register(world)
    assert made.status_code == 201, made.text
    told = made.json()
    assert "client_secret" not in told
    assert told["tls_client_auth_san_dns"] == "robot.example"
    assert told["tls_client_certificate_bound_access_tokens"] is True
    own = signed()
    answer = token(world, told["client_id"], own)
    assert answer.status_code == 200, answer.text
    assert world.verify(answer.json()["access_token"]).claims["cnf"] == {"x5t#S256": own.thumbprint}
    for certificate in (None, signed(x509.DNSName("other.example")), signed(by=OTHER)):
        assert token(world, told["client_id"], certificate).status_code == 401
    assert token(world, told["client_id"], own, client_secret="x").status_code == 401
    write_plan(world.settings.state, plan(authorities=()))
    assert token(world, told["client_id"], own).status_code == 401, "nobody vouches any more"


def test_the_metadata_offers_it_where_it_can_be_had(world: IssuerWorld) -> None:
    def offered() -> bool:
        said = world.ask("GET", "/.well-known/openid-configuration").json()
        return "tls_client_auth" in said["token_endpoint_auth_methods_supported"]

    assert offered()
    for other in (plan(authorities=()), plan(asked=False)):
        write_plan(world.settings.state, other)
        assert not offered()
        refused = register(world)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")


@pytest.mark.parametrize(
    "changes",
    [
        {"tls_client_auth_san_dns": None},
        {"tls_client_auth_san_uri": "urn:a"},
        {"tls_client_auth_san_dns": "*.example"},
        {"tls_client_auth_san_dns": ""},
        {"tls_client_auth_san_dns": ["robot.example"]},
        {"tls_client_auth_san_dns": None, "tls_client_auth_subject_dn": "robot"},
        {"tls_client_auth_san_dns": None, "tls_client_auth_san_ip": "192.0.2.777"},
        {"tls_client_auth_san_dns": None, "tls_client_auth_san_email": "robot"},
        {"tls_client_auth_san_dns": None, "tls_client_auth_san_uri": "no uri"},
        {"token_endpoint_auth_method": "self_signed_tls_client_auth"},
        {"token_endpoint_auth_method": "client_secret_basic", "tls_client_certificate_bound_access_tokens": True},
    ],
)
def test_what_cannot_be_taken_is_refused(world: IssuerWorld, changes: dict[str, Any]) -> None:
    refused = register(world, **changes)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")


def test_who_authenticates_otherwise_has_no_such_name(world: IssuerWorld) -> None:
    told = register(world, token_endpoint_auth_method="client_secret_basic").json()
    assert not [name for name in told if name.startswith("tls_client_auth")]
    assert token(world, told["client_id"], signed()).status_code == 401


def test_under_fapi_2_it_is_one_of_two_ways(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=plan(profile=Profile.FAPI2))
    made = register(world)
    assert made.status_code == 201, made.text
    assert token(world, made.json()["client_id"], signed()).status_code == 200
    assert register(world, token_endpoint_auth_method="client_secret_basic").status_code == 400


@given(kind=st.sampled_from(SubjectKind), value=st.text(max_size=80))
def test_any_text_is_taken_or_refused(kind: SubjectKind, value: str) -> None:
    try:
        taken = certificate_of({kind.value: value}, "tls_client_auth")
    except MetadataRefusedError:
        return
    assert taken[kind.value].lower() == value.lower() or kind is SubjectKind.IP
