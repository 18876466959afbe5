"""Tokens for services of others (RFC 8693, RFC 8707): read by them alone, and taken by nothing of this system."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from tests.support.dpop_client import DpopClient
from tests.support.enforce_plans import service, spiffe
from tests.support.issuer_plan import AUDIENCE, BUILTIN, ISSUER, issuer_plan, write_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.joserfc_keys import make_key, public_jwk

from ringwall.enforce.tokens import config
from ringwall.identity.issuer.clients.assertion import SPIFFE
from ringwall.identity.issuer.grants.token_exchange import ACCESS_TOKEN_TYPE, NAME
from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.tokens.claims import ACCESS_TOKEN, Expected, verify_token
from ringwall.identity.tokens.encryption import CONTENT, KEY_MANAGEMENT
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.workload.authority import WorkloadAuthority
from ringwall.model.durable import replace_file
from ringwall.plan.audience import Audience

LAB, BANK = "https://lab.example/api", "https://bank.example"
RSA = RSAKey.generate_key(2048)
EC = ECKey.generate_key("P-256")
STRANGER = ECKey.generate_key("P-256")
SERVICES = (
    service("portal", calls=("patients",), audiences=("lab",)),
    service("patients", audiences=("bank", "lab")),
    service("orders", calls=("portal",)),
)


def reader(algorithm: str) -> RSAKey | ECKey:
    return RSA if algorithm.startswith("RSA") else EC


def public(algorithm: str, **members: Any) -> dict[str, Any]:
    return {**reader(algorithm).as_dict(private=False), "use": "enc", "alg": algorithm, "kid": "reads", **members}


def lab(algorithm: str = "ECDH-ES", content: str = CONTENT[0], *keys: dict[str, Any]) -> Audience:
    jwks = json.dumps({"keys": list(keys) or [public(algorithm)]})
    return Audience(name="lab", url=LAB, jwks=jwks, alg=algorithm, enc=content)


class World(IssuerWorld):
    def __init__(self, state: Path) -> None:
        super().__init__(state, plan=self.plan(lab()))
        self.state = state
        self.authority = WorkloadAuthority(MemoryKeyStore(), "test", self.clock)
        replace_file(self.settings.bindings.jwt_bundle, self.authority.jwt_bundle())
        self.secret = self.new_secret()

    @staticmethod
    def plan(*audiences: Audience) -> Any:
        bank = Audience(name="bank", url=BANK)
        return issuer_plan(trust_domain="test", services=SERVICES, audiences=(bank, *audiences))

    def with_lab(self, found: Audience) -> "World":
        write_plan(self.state, self.plan(found))
        return self

    def user_token(self) -> str:
        return self.development_token("alice", scopes=["read", "write"], lifetime=600)

    def exchange(self, actor: str = "portal", subject: str = "", *, proof: str = "", **form: Any) -> httpx.Response:
        data = {
            "grant_type": NAME,
            "subject_token": subject or self.user_token(),
            "subject_token_type": ACCESS_TOKEN_TYPE,
            "client_assertion_type": SPIFFE,
            "client_assertion": self.authority.jwt_svid(spiffe(actor), [ISSUER]),
            **(form or {"audience": "lab"}),
        }
        return self.ask("POST", "/token", data=data, headers={"dpop": proof} if proof else {})

    def given(self, actor: str = "portal", subject: str = "", **form: Any) -> str:
        response = self.exchange(actor, subject, **form)
        assert response.status_code == 200, response.text
        return str(response.json()["access_token"])

    def believed_outside(self, signed: str, url: str) -> dict[str, Any]:
        """What the audience does: our published keys, and its own URL as `aud` (RFC 9068, section 4)."""
        expected = Expected(issuer=ISSUER, audiences=frozenset({url}), types=frozenset({ACCESS_TOKEN}))
        return dict(verify_token(signed, keys=self.published(), expected=expected, clock=self.clock).claims)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def opened(text: str, algorithm: str = "ECDH-ES", content: str = CONTENT[0]) -> str:
    found = jwe.decrypt_compact(text, reader(algorithm), algorithms=[algorithm, content])
    header = found.headers()
    assert (header["alg"], header["enc"], header["cty"], header["kid"]) == (algorithm, content, "JWT", "reads")
    assert "zip" not in header
    assert found.plaintext is not None
    return found.plaintext.decode()


def _refused(response: httpx.Response, code: str = "invalid_target") -> None:
    assert (response.status_code, response.json()["error"]) == (400, code), response.text
    assert "access_token" not in response.json()


@pytest.mark.parametrize(
    ("algorithm", "content"),
    [
        *((algorithm, CONTENT[0]) for algorithm in KEY_MANAGEMENT),
        *(("ECDH-ES+A256KW", content) for content in CONTENT),
    ],
)
def test_only_the_audience_reads_its_token(world: World, algorithm: str, content: str) -> None:
    text = world.with_lab(lab(algorithm, content)).given()
    assert text.count(".") == 4
    claims = world.believed_outside(opened(text, algorithm, content), LAB)
    assert (claims["sub"], claims["aud"], claims["scope"]) == ("alice", LAB, "read write")
    if algorithm.startswith("ECDH"):
        with pytest.raises(JoseError):
            jwe.decrypt_compact(text, STRANGER, algorithms=[algorithm, content])


@pytest.mark.parametrize("parameter", ["audience", "resource"])
@pytest.mark.parametrize("named", ["lab", LAB])
def test_it_says_who_acts_for_whom_and_nothing_of_this_systems_own(world: World, named: str, parameter: str) -> None:
    claims = world.believed_outside(opened(world.given(**{parameter: named})), LAB)
    assert claims["act"] == {"sub": spiffe("portal")}
    assert (claims["client_id"], claims["azp"]) == (spiffe("portal"), "ringwall-cli")
    everything = {"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "azp", "scope", "act"}
    assert claims.keys() - {"auth_time", "acr", "amr"} == everything  # no roles, claims, session or grant


def test_actors_are_nested_and_scopes_narrowed(world: World) -> None:
    first = world.given(audience="patients")
    claims = world.believed_outside(opened(world.given("patients", first, audience=LAB, scope="read")), LAB)
    assert claims["act"] == {"sub": spiffe("patients"), "act": {"sub": spiffe("portal")}}
    assert claims["scope"] == "read"
    _refused(world.exchange(audience="lab", scope="read admin"), "invalid_scope")
    _refused(world.exchange("portal", first, audience="lab"), "invalid_request")  # was meant for somebody else


def test_it_lasts_no_longer_than_the_subject_token(world: World) -> None:
    subject = world.user_token()
    world.clock.advance(500)
    response = world.exchange("portal", subject)
    assert response.json()["expires_in"] == 100
    ends = world.believed_outside(opened(response.json()["access_token"]), LAB)["exp"]
    assert ends == world.verify(subject).expires
    world.clock.advance(110)
    _refused(world.exchange("portal", subject), "invalid_request")


@pytest.mark.parametrize(
    ("actor", "target"),
    [
        ("portal", "bank"),
        ("portal", BANK),
        ("orders", "lab"),
        ("orders", LAB),
        ("portal", f"{LAB}/"),
        ("portal", LAB.upper()),
        ("portal", "https://nobody.example"),
        ("patients", ""),
        ("portal", ["lab", "patients"]),
    ],
)
def test_only_for_audiences_that_the_service_lists(world: World, actor: str, target: str | list[str]) -> None:
    _refused(world.exchange(actor, audience=target))


def test_only_services_of_the_plan_get_one(world: World) -> None:
    data = {
        "grant_type": NAME,
        "subject_token": world.user_token(),
        "subject_token_type": ACCESS_TOKEN_TYPE,
        "audience": "lab",
    }
    _refused(world.ask("POST", "/token", data=data, auth=("batch", world.secret)), "unauthorized_client")


def test_an_audience_without_a_key_gets_it_signed(world: World) -> None:
    claims = world.believed_outside(world.given("patients", audience="bank"), BANK)
    assert (claims["aud"], claims["act"]) == (BANK, {"sub": spiffe("patients")})


@pytest.mark.parametrize(
    "keys",
    [
        [public("ECDH-ES", use="sig")],
        [{name: value for name, value in public("ECDH-ES").items() if name != "use"}],
        [public("ECDH-ES", alg="ECDH-ES+A128KW")],
        [public("RSA-OAEP-256")],
        [public("ECDH-ES", x=public("ECDH-ES")["y"])],
        [{**EC.as_dict(private=True), "use": "enc"}],
        [{"kty": "oct", "k": "AAAA", "use": "enc"}],
        [public_jwk(make_key("ES256", "signs"))],
    ],
)
def test_nothing_is_given_in_the_clear_for_want_of_a_good_key(
    world: World, keys: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    _refused(world.with_lab(lab("ECDH-ES", CONTENT[0], *keys)).exchange())
    assert "no good key" in caplog.text


@pytest.mark.parametrize("left", [{"jwks": '{"keys":[]}'}, {"jwks": ""}, {"jwks": "x"}, {"alg": ""}, {"alg": "RSA1_5"}])
def test_half_a_key_is_no_key(world: World, left: dict[str, str]) -> None:
    _refused(world.with_lab(lab().model_copy(update=left)).exchange())


def test_nothing_of_this_system_takes_it(world: World) -> None:
    """Not the proxies, not introspection, not the issuer; neither as it is given nor as the audience reads it."""
    encrypted, signed = world.given(), world.given("patients", audience="bank")
    proxies = config((BUILTIN,), {BUILTIN.name: world.settings.bindings.jwks.read_text()}).providers[BUILTIN.name]
    assert list(proxies.audiences) == [AUDIENCE]
    for token, url in ((encrypted, LAB), (opened(encrypted), LAB), (signed, BANK)):
        with pytest.raises(TokenRefusedError):
            world.verify(token)
        told = world.ask("POST", "/introspect", data={"token": token}, auth=("batch", world.secret))
        assert (told.status_code, told.json()) == (200, {"active": False})
        asked = world.ask("GET", "/userinfo", headers={"authorization": f"Bearer {token}"})
        assert asked.status_code == 401
        for target in ("lab", "bank"):
            _refused(world.exchange("patients", token, audience=target), "invalid_request")
        if token is not encrypted:
            assert set(proxies.audiences).isdisjoint([world.believed_outside(token, url)["aud"]])


def test_it_is_bound_to_the_key_that_the_service_proves_to_hold(world: World) -> None:
    holder = DpopClient(world.clock)
    holder.nonce = world.exchange(proof=holder.proof("POST", f"{ISSUER}/token")).headers["dpop-nonce"]
    response = world.exchange(proof=holder.proof("POST", f"{ISSUER}/token"))
    assert response.json()["token_type"] == "DPoP"
    assert world.believed_outside(opened(response.json()["access_token"]), LAB)["cnf"] == {"jkt": holder.jkt}


def test_a_plan_that_changes_is_followed(world: World) -> None:
    world.given()
    write_plan(world.state, issuer_plan(trust_domain="test", services=SERVICES))
    _refused(world.exchange())
