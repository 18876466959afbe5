"""Clients that authenticate with a certificate (RFC 8705), as the edge tells the issuer of it."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.enforce_plans import plan as edge_plan
from tests.support.issuer_plan import ISSUER, issuer_plan
from tests.support.issuer_world import IssuerWorld

from ringwall.model.headers import CLIENT_CERTIFICATE
from ringwall.plan.client import Client, ClientKind

MINE, OTHER = "a" * 43, "b" * 43
ROBOT = Client(name="robot", scopes=("read",), certificates=("c" * 43, MINE))
STRICT = Client(name="strict", bound_tokens=True, certificates=(OTHER,))
KEYLESS = Client(name="batch")
PUBLIC = Client(name="phone", kind=ClientKind.NATIVE, redirect_uris=("http://127.0.0.1/cb",), certificates=(MINE,))


def _world(state: Path, *, asked: bool = True) -> IssuerWorld:
    edge = edge_plan().edge
    assert edge is not None
    domains = ("localhost", "mtls.localhost")
    edge = edge.model_copy(update={"domains": domains, "client_certificates": domains[1:] if asked else ()})
    return IssuerWorld(state, plan=issuer_plan(clients=(ROBOT, STRICT, KEYLESS, PUBLIC), edge=edge))


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    return _world(tmp_path)


def _show(world: IssuerWorld, client: str, *certificates: str, **more: Any) -> httpx.Response:
    form = {"grant_type": "client_credentials", "client_id": client, **more.pop("form", {})}
    headers = [(CLIENT_CERTIFICATE, text) for text in certificates] + more.pop("headers", [])
    return world.ask("POST", "/token", data=form, headers=headers, **more)


def test_the_certificate_of_the_plan_gets_a_token_that_is_bound_to_it(world: IssuerWorld) -> None:
    answer = _show(world, "robot", MINE)
    assert (answer.status_code, answer.json()["token_type"]) == (200, "Bearer")
    assert world.verify(answer.json()["access_token"]).claims["cnf"] == {"x5t#S256": MINE}
    assert _show(world, "strict", OTHER).status_code == 200, "which is what `bound_tokens` asks for"


@pytest.mark.parametrize(
    ("client", "certificates"),
    [
        ("robot", ()),
        ("robot", (OTHER,)),
        ("robot", ("",)),
        ("robot", (MINE[:-1],)),
        ("robot", (MINE, MINE)),
        ("robot", (MINE, OTHER)),
        ("robot", ("\xe4" * 43,)),
        ("strict", (MINE,)),
        ("batch", (MINE,)),
        ("nobody", (MINE,)),
        ("phone", (OTHER,)),
    ],
)
def test_no_other_does(world: IssuerWorld, client: str, certificates: tuple[str, ...]) -> None:
    answer = _show(world, client, *(text.encode("latin-1") for text in certificates))  # type: ignore[arg-type]
    refused = (answer.status_code, answer.json()["error"])
    assert refused in {(401, "invalid_client"), (400, "unauthorized_client")}
    assert client == "phone" or refused[0] == 401


def test_a_public_client_is_none_that_could_keep_a_key(world: IssuerWorld) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    refused = _show(world, "phone", MINE, form=form)
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


def test_one_way_at_a_time(world: IssuerWorld) -> None:
    """RFC 6749, section 2.3: a certificate on the connection does not make a wrong secret right."""
    answer = _show(world, "robot", MINE, form={"client_secret": "wrong"})
    assert answer.json()["error"] == "invalid_client"


def test_its_token_is_taken_with_its_certificate_alone(world: IssuerWorld) -> None:
    token = _show(world, "robot", MINE).json()["access_token"]
    for certificates, status in (((MINE,), 403), ((OTHER,), 401), ((), 401)):
        headers = [("authorization", f"Bearer {token}"), *((CLIENT_CERTIFICATE, text) for text in certificates)]
        assert world.ask("GET", "/userinfo", headers=headers).status_code == status, certificates  # 403: no `openid`


def test_the_metadata_says_where(world: IssuerWorld, tmp_path: Path) -> None:
    said = world.ask("GET", "/.well-known/openid-configuration").json()
    assert said["tls_client_certificate_bound_access_tokens"] is True
    assert "self_signed_tls_client_auth" in said["token_endpoint_auth_methods_supported"]
    assert said["mtls_endpoint_aliases"]["token_endpoint"] == "https://mtls.localhost:8443/auth/token"
    for name, url in said["mtls_endpoint_aliases"].items():
        assert url == said[name].replace(ISSUER, "https://mtls.localhost:8443/auth")
    said = _world(tmp_path / "without", asked=False).ask("GET", "/.well-known/openid-configuration").json()
    assert "mtls_endpoint_aliases" not in said
    assert "self_signed_tls_client_auth" not in said["token_endpoint_auth_methods_supported"]
