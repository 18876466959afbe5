"""Clients whose certificates an authority vouches for (tls_client_auth; RFC 8705, section 2.1)."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from tests.support.certificate_authority import HOUR, Certified, as_envoy_says, authority, name, sans
from tests.support.dpop_client import DpopClient
from tests.support.enforce_plans import plan as edge_plan
from tests.support.fapi_client import BEARER
from tests.support.issuer_plan import ISSUER, issuer_plan, write_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.joserfc_keys import make_key, public_jwk, sign

from ringwall.model.clock import ManualClock
from ringwall.model.headers import CLIENT_CERTIFICATE, CLIENT_CERTIFICATE_CHAIN
from ringwall.plan.certificate import CertificateSubject, SubjectKind
from ringwall.plan.client import Client, ClientKind
from ringwall.plan.model import Plan

NOW = ManualClock().now()
ROOT, PARTNER = authority(at=NOW), authority("Partner's Root", at=NOW)
ALIAS = "https://mtls.localhost:8443/auth"


def client(called: str, part: SubjectKind, value: str, **more: Any) -> Client:
    return Client(name=called, certificate_subject=CertificateSubject(kind=part, value=value), **more)


ROBOT = client("robot", SubjectKind.DNS, "robot.example")
NAMED = client("named", SubjectKind.DN, "CN=robot,O=Clinic")
GUEST = client("guest", SubjectKind.DNS, "robot.example", authorities=(PARTNER.der,))
PHONE = client(
    "phone", SubjectKind.DNS, "robot.example", kind=ClientKind.NATIVE, redirect_uris=("http://127.0.0.1/cb",)
)
FREE = Client(name="free", bound_tokens=True)


def plan(*clients: Client, authorities: tuple[str, ...] = (ROOT.der,)) -> Plan:
    edge = edge_plan().edge
    assert edge is not None
    domains = ("localhost", "mtls.localhost")
    more = {"domains": domains, "client_certificates": domains[1:], "client_authorities": authorities}
    return issuer_plan(clients=clients or (ROBOT, NAMED, GUEST, PHONE, FREE), edge=edge.model_copy(update=more))


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return IssuerWorld(tmp_path, plan=plan())


def own(*, by: Certified = ROOT, dns: str = "robot.example", **more: Any) -> Certified:
    return by.sign(more.pop("subject", "a client"), sans(x509.DNSName(dns)), at=NOW, **more)


def show(world: IssuerWorld, client: str, certificate: Certified | None, **more: Any) -> httpx.Response:
    headers = list(more.pop("headers", []))
    if certificate is not None:
        headers.append((CLIENT_CERTIFICATE, more.pop("thumbprint", certificate.thumbprint)))
        headers.append((CLIENT_CERTIFICATE_CHAIN, as_envoy_says(more.pop("shown", certificate.shown))))
    form = {"grant_type": "client_credentials", "client_id": client, **more.pop("form", {})}
    return world.ask("POST", "/token", data=form, headers=headers, **more)


def test_what_an_authority_vouches_for_gets_a_token_that_is_bound_to_it(world: IssuerWorld) -> None:
    for called, made in (
        ("robot", own()),
        ("robot", own(by=ROOT.sign("Issuing", authority=True, at=NOW))),
        ("named", ROOT.sign(name(ORGANIZATION, "robot"), at=NOW)),
        ("guest", own(by=PARTNER)),
    ):
        answer = show(world, called, made)
        assert (answer.status_code, answer.json().get("token_type")) == (200, "Bearer"), called
        assert world.verify(answer.json()["access_token"]).claims["cnf"] == {"x5t#S256": made.thumbprint}


ORGANIZATION = x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Clinic")


@pytest.mark.parametrize(
    ("called", "made"),
    [
        ("robot", None),
        ("robot", own(dns="other.example")),
        ("robot", own(dns="*.example")),
        ("robot", own(by=PARTNER)),
        ("robot", own(by=authority(at=NOW))),
        ("robot", own(valid=(-2 * HOUR, -HOUR))),
        ("robot", own(valid=(HOUR, 2 * HOUR))),
        ("guest", own()),
        ("named", ROOT.sign(name("robot"), at=NOW)),
        ("named", authority(name(ORGANIZATION, "robot"), at=NOW)),
        ("phone", own()),
        ("free", own()),
        ("nobody", own()),
    ],
)
def test_nothing_else_does(world: IssuerWorld, called: str, made: Certified | None) -> None:
    answer = show(world, called, made)
    assert answer.status_code in {400, 401}
    assert answer.json()["error"] in {"invalid_client", "unauthorized_client"}
    assert called == "phone" or (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_public_client_is_none_that_could_keep_a_key(world: IssuerWorld) -> None:
    refused = show(world, "phone", own(), form={"grant_type": "refresh_token", "refresh_token": "x"})
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


def test_what_is_checked_is_what_is_on_the_connection(world: IssuerWorld) -> None:
    made, other = own(), own(dns="other.example")
    assert show(world, "robot", other, shown=made.shown).status_code == 401
    assert show(world, "robot", other, shown=(*other.shown, *made.shown)).status_code == 401
    assert (
        show(world, "robot", made, headers=[(CLIENT_CERTIFICATE_CHAIN, as_envoy_says(made.shown))]).status_code == 401
    )
    assert show(world, "robot", made, headers=[(CLIENT_CERTIFICATE, made.thumbprint)]).status_code == 401
    alone = world.ask(
        "POST", "/token", data={"grant_type": "client_credentials", "client_id": "robot"},
        headers={CLIENT_CERTIFICATE: made.thumbprint},
    )  # fmt: skip
    assert alone.status_code == 401


def test_it_counts_by_the_hour_and_by_the_plan(world: IssuerWorld) -> None:
    made = own()
    assert show(world, "robot", made).status_code == 200
    write_plan(world.settings.state, plan(ROBOT, authorities=(PARTNER.der,)))
    assert show(world, "robot", made).status_code == 401
    write_plan(world.settings.state, plan(ROBOT))
    assert show(world, "robot", made).status_code == 200
    world.clock.advance(3601)
    assert show(world, "robot", made).status_code == 401


def test_one_way_at_a_time(world: IssuerWorld) -> None:
    assert show(world, "robot", own(), form={"client_secret": "wrong"}).json()["error"] == "invalid_client"


def test_the_metadata_says_so_where_some_client_can(world: IssuerWorld, tmp_path: Path) -> None:
    def methods(world: IssuerWorld) -> set[str]:
        said = world.ask("GET", "/.well-known/openid-configuration").json()
        return set(said["token_endpoint_auth_methods_supported"])

    assert methods(world) >= {"tls_client_auth", "self_signed_tls_client_auth"}
    assert "tls_client_auth" not in methods(IssuerWorld(tmp_path / "without", plan=plan(FREE)))


# Tokens that are bound to a certificate, however the client authenticates (RFC 8705, section 3)


def test_who_must_have_bound_tokens_can_show_a_certificate_in_place_of_a_proof(world: IssuerWorld) -> None:
    made, secret = own(dns="whoever.example"), world.new_secret("free")
    form = {"client_secret": secret}
    answer = show(world, "free", made, form=form)
    assert answer.status_code == 200, answer.text
    assert world.verify(answer.json()["access_token"]).claims["cnf"] == {"x5t#S256": made.thumbprint}
    refused = show(world, "free", None, form=form)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


def test_who_need_not_is_bound_to_nothing_by_accident(world: IssuerWorld) -> None:
    write_plan(world.settings.state, plan(FREE.model_copy(update={"bound_tokens": False})))
    answer = show(world, "free", own(), form={"client_secret": world.new_secret("free")})
    assert "cnf" not in world.verify(answer.json()["access_token"]).claims


def test_where_the_plan_names_certificates_no_other_counts(world: IssuerWorld) -> None:
    """The edge would not take a token that is bound to another."""
    mine, other = own(), own()
    write_plan(world.settings.state, plan(FREE.model_copy(update={"certificates": (mine.thumbprint,)})))
    form = {"client_secret": world.new_secret("free")}
    assert show(world, "free", mine, form=form).status_code == 200
    refused = show(world, "free", other, form=form)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


# Proofs at the aliases (RFC 8705, section 5; RFC 9449, section 4.3, item 9)


@pytest.mark.parametrize(
    ("host", "base", "status"),
    [
        ("mtls.localhost:8443", ALIAS, 200),
        ("MTLS.localhost:8443", ALIAS, 200),
        ("localhost:8443", ISSUER, 200),
        ("mtls.localhost:8443", ISSUER, 400),
        ("localhost:8443", ALIAS, 400),
        ("evil.example", "https://evil.example/auth", 400),
        ("evil.example", ALIAS, 400),
        ("mtls.localhost:9443", "https://mtls.localhost:9443/auth", 400),
        ("mtls.localhost", "https://mtls.localhost/auth", 400),
    ],
)
def test_a_proof_is_for_the_one_of_two_addresses_that_was_asked(
    world: IssuerWorld, host: str, base: str, status: int
) -> None:
    holder, secret = DpopClient(world.clock), world.new_secret("free")
    for _ in range(2):
        headers = [("dpop", holder.proof("POST", f"{base}/token")), ("host", host)]
        answer = show(world, "free", None, form={"client_secret": secret}, headers=headers)
        holder.nonce = answer.headers.get("dpop-nonce", holder.nonce)
        if answer.json().get("error") != "use_dpop_nonce":
            break
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.json()["token_type"] == "DPoP"
    else:
        assert answer.json()["error"] == "invalid_dpop_proof"


@pytest.mark.parametrize(
    ("audience", "status"),
    [(ISSUER, 200), (f"{ISSUER}/token", 200), (f"{ALIAS}/token", 200), (ALIAS, 401), (f"{ALIAS}/par", 401)],
)
def test_an_assertion_may_name_the_token_endpoint_by_its_alias(world: IssuerWorld, audience: str, status: int) -> None:
    key = make_key("ES256", "one")
    signer = Client(name="signer", jwks=json.dumps({"keys": [public_jwk(key)]}))
    write_plan(world.settings.state, plan(signer))
    now = int(world.clock.now())
    claims = {"iss": "signer", "sub": "signer", "aud": audience, "iat": now, "exp": now + 60, "jti": "once"}
    assertion = sign({"alg": "ES256", "kid": "one"}, json.dumps(claims), key)
    form = {"client_assertion_type": BEARER, "client_assertion": assertion, "grant_type": "client_credentials"}
    assert world.ask("POST", "/token", data=form).status_code == status


# What the plan names no more


def test_a_token_ends_when_its_certificate_leaves_the_plan(world: IssuerWorld) -> None:
    """The edge refuses it by itself; here it is inactive, and opens nothing."""
    named = Client(name="listed", certificates=("a" * 43, "b" * 43))
    write_plan(world.settings.state, plan(named, FREE))
    header = (CLIENT_CERTIFICATE, "a" * 43)
    form = {"grant_type": "client_credentials", "client_id": "listed"}
    token = world.ask("POST", "/token", data=form, headers=[header]).json()["access_token"]
    secret = world.new_secret("free")

    def active() -> tuple[bool, int]:
        said = world.ask("POST", "/introspect", data={"token": token}, auth=("free", secret)).json()
        shown = [("authorization", f"Bearer {token}"), header]
        return said["active"], world.ask("GET", "/userinfo", headers=shown).status_code

    assert active() == (True, 403), "403: it has no `openid`"
    write_plan(world.settings.state, plan(named.model_copy(update={"certificates": ("b" * 43,)}), FREE))
    assert active() == (False, 401)
    write_plan(world.settings.state, plan(FREE))
    assert active() == (False, 401)
