"""Issuers of others, for real: two HTTPS servers with an authority of their own, beside the built-in issuer."""

import base64
import contextlib
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.support.enforce_pki import Authority
from tests.support.joserfc_keys import make_key, sign
from tests.support.misbehaving_issuer import IssuerServer, issuer_server
from tests.support.system import System

from ringwall.identity.federation.remote import MIN_SECONDS, REFRESH_SECONDS

BLUEPRINT = """\
ringwall: 1
system: wards

edge:
  listen: 127.0.0.1:8443

roles: {{clinician: , clerk: }}

claims:
  ward: string

policies: [leave.cedar]

people:
  dana: {{roles: [clinician]}}

issuers:
  local: {{}}
  hospital:
    issuer: {hospital}
    audience: wards
    algorithms: [ES256]
    roles: {{claim: realm_access.roles, map: {{doctors: clinician, front desk: clerk}}}}
  partner:
    issuer: {partner}
    audience: [wards, partners]

services:
  wards:
    run: python service.py
    expose: /
    operations:
      - anybody: GET /hello
      - rounds: GET /rounds
      - leave: GET /leave
    allow:
      - {{operations: [anybody], users: any}}
      - {{operations: [rounds], roles: [clinician]}}
"""

LEAVE = """\
permit (principal, action == Action::"wards/leave", resource) unless { principal has ward };
"""

SERVICE = """\
import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        names = ("x-ringwall-subject", "x-ringwall-issuer", "x-ringwall-roles")
        body = json.dumps({name: self.headers.get(name) for name in names}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


RSA = make_key("RS256", "rsa")
"""Published by both issuers."""


@dataclass
class World:
    """The running system and the two issuers outside of it."""

    system: System
    hospital: IssuerServer
    partner: IssuerServer

    def status(self, token: str, path: str = "/rounds") -> int:
        return self.system.ask("GET", path, headers={"authorization": f"Bearer {token}"}).status

    def explained(self, request_id: str) -> list[dict[str, Any]]:
        """Return the hops of a request as `explain` tells them, none before they are recorded."""
        found = json.loads(self.system.ringwall("explain", request_id, "--json", code=None))
        return list(found["data"]["hops"]) if found["kind"] == "explanation" else []

    def becomes(self, token: str, status: int, seconds: float) -> bool:
        """Ask again and again, as clients do, until this is the answer."""
        end = time.monotonic() + seconds
        while self.status(token) != status:
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True


def claims(server: IssuerServer, **changes: Any) -> dict[str, Any]:
    """Return the claims of a doctor's token; a claim given as None is left out."""
    now = int(time.time())
    made = {
        "iss": server.url,
        "aud": "wards",
        "sub": "ines",
        "iat": now,
        "exp": now + 600,
        "realm_access": {"roles": ["doctors", "staff"]},
    }
    return {name: value for name, value in (made | changes).items() if value is not None}


def doctor(server: IssuerServer, kid: str = "k1", **changes: Any) -> str:
    return server.token(kid, claims(server, **changes))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("issuers")
    authority = Authority("the hospital's own authority")
    trusted, server_chain = folder / "authority.pem", folder / "server.pem"
    trusted.write_bytes(authority.pem)
    credential = authority.issue(names=["127.0.0.1"])
    server_chain.write_bytes(credential.chain_pem + credential.key_pem.reveal())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_chain)
    with issuer_server(context) as hospital, issuer_server(context) as partner:
        for server in (hospital, partner):
            server.keys.append(dict(RSA.as_dict(private=False)))
        system = folder / "wards"
        system.mkdir()
        (system / "ringwall.yaml").write_text(BLUEPRINT.format(hospital=hospital.url, partner=partner.url))
        (system / "service.py").write_text(SERVICE)
        (system / "leave.cedar").write_text(LEAVE)
        with System(system, environ={"SSL_CERT_FILE": str(trusted)}) as running:
            made = World(running, hospital, partner)
            assert made.becomes(doctor(hospital), 200, 60), running.ringwall("status", code=None)
            assert made.becomes(doctor(partner), 403, 60), running.ringwall("status", code=None)
            yield made


def test_keys_are_found_by_discovery_and_roles_are_mapped(world: World) -> None:
    reply = world.system.ask("GET", "/rounds", headers={"authorization": f"Bearer {doctor(world.hospital)}"})
    assert reply.status == 200
    assert reply.json()["x-ringwall-subject"] == "ines"
    assert reply.json()["x-ringwall-issuer"] == world.hospital.url


@pytest.mark.parametrize(
    "roles",
    [["front desk"], ["clinician"], ["Doctors"], [], None, "doctors, staff", {"doctors": True}, [["doctors"]]],
    ids=repr,
)
def test_a_role_counts_only_as_it_is_mapped(world: World, roles: Any) -> None:
    access = {"roles": roles} if roles is not None else None
    assert world.status(doctor(world.hospital, realm_access=access)) == 403
    assert world.status(doctor(world.hospital, realm_access=access), "/hello") == 200


def test_a_role_at_another_place_does_not_count(world: World) -> None:
    assert world.status(doctor(world.hospital, realm_access=None, roles=["doctors", "clinician"])) == 403


@pytest.mark.parametrize(("ward", "status"), [("north", 403), (None, 200), (7, 403), ("null", 403)], ids=repr)
def test_a_null_claim_denies_and_is_explained_without_alarm(world: World, ward: Any, status: int) -> None:
    made = claims(world.hospital, ward=ward)
    if ward == "null":
        made["ward"] = None
    token = world.hospital.token("k1", made)
    reply = world.system.ask("GET", "/leave", headers={"authorization": f"Bearer {token}"})
    assert reply.status == status
    end = time.monotonic() + 20
    while not (hops := world.explained(reply.request_id)):
        assert time.monotonic() < end
    assert [hop["alarm"] for hop in hops] == [""] * len(hops)
    assert ("which the record cannot tell" in hops[0]["note"]) == (ward == "null")


def test_an_issuer_without_mapped_roles_names_none(world: World) -> None:
    token = doctor(world.partner, roles=["clinician", "doctors"])
    assert world.status(token) == 403
    assert world.status(token, "/hello") == 200


def test_the_builtin_issuer_works_beside_them(world: World) -> None:
    assert world.system.ask("GET", "/rounds", "dana").status == 200


def test_one_of_several_audiences_suffices_and_each_issuer_has_its_own(world: World) -> None:
    assert world.status(doctor(world.partner, aud=["x", "partners"]), "/hello") == 200
    assert world.status(doctor(world.hospital, aud="partners"), "/hello") == 403
    assert world.status(doctor(world.hospital, aud=["x", "wards"])) == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"aud": "another"}, 403),
        ({"aud": None}, 403),
        ({"exp": None}, 401),
        ({"exp": 1}, 401),
        ({"nbf": 4_000_000_000}, 401),
        ({"sub": None}, 401),
        ({"iss": "https://idp.example"}, 401),
        ({"iss": None}, 401),
    ],
    ids=repr,
)
def test_a_token_that_says_the_wrong_thing_is_refused(world: World, changes: dict[str, Any], status: int) -> None:
    for path in ("/rounds", "/hello"):
        assert world.status(doctor(world.hospital, **changes), path) == status


def test_no_issuer_speaks_for_another(world: World) -> None:
    for signs, named in (("hospital", "partner"), ("partner", "hospital")):
        signer, other = getattr(world, signs), getattr(world, named)
        assert world.status(signer.token("k1", claims(other)), "/hello") == 401
    own = json.loads((world.system.state / "issuer" / "jwks.json").read_text())["keys"][0]["kid"]
    issuer = f"https://localhost:{world.system.port}/auth"
    forged = sign({"alg": "ES256", "kid": own}, json.dumps(claims(world.hospital, iss=issuer)), make_key("ES256", own))
    assert world.status(forged, "/hello") == 401


def test_only_the_listed_algorithms_are_believed(world: World) -> None:
    """The partner's may be RS256 too; the hospital lists ES256 alone, and publishes an RSA key all the same."""
    for server, status in ((world.partner, 200), (world.hospital, 401)):
        token = sign({"alg": "RS256", "kid": "rsa"}, json.dumps(claims(server)), RSA)
        assert world.status(token, "/hello") == status
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"k1"}').rstrip(b"=")
    payload = base64.urlsafe_b64encode(json.dumps(claims(world.hospital)).encode()).rstrip(b"=")
    for secret in (json.dumps(world.hospital.keys[0]).encode(), b"k1"):
        mac = hmac.digest(secret, head + b"." + payload, hashlib.sha256)
        forged = b".".join((head, payload, base64.urlsafe_b64encode(mac).rstrip(b"="))).decode()
        assert world.status(forged, "/hello") == 401
    none = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=")
    assert world.status((none + b"." + payload + b".").decode(), "/hello") == 401


def test_a_key_that_is_replaced_is_believed_long_before_the_next_scheduled_fetch(world: World) -> None:
    began = time.monotonic()
    world.hospital.add_key("k2")
    assert world.becomes(doctor(world.hospital, "k2"), 200, MIN_SECONDS + 60)
    assert time.monotonic() - began < REFRESH_SECONDS / 2
    assert world.status(doctor(world.hospital)) == 200


def test_made_up_key_names_cost_the_issuer_next_to_nothing(world: World) -> None:
    began, before = time.monotonic(), len(world.partner.asked)
    stranger = make_key("ES256", "stranger")
    with contextlib.closing(world.system.connect()) as connection:
        for number in range(300):
            token = sign({"alg": "ES256", "kid": f"made-up-{number}"}, json.dumps(claims(world.partner)), stranger)
            reply = world.system.ask("GET", "/hello", headers={"authorization": f"Bearer {token}"}, over=connection)
            assert reply.status == 401
    time.sleep(1)
    passed = time.monotonic() - began
    allowed = 2 + passed / MIN_SECONDS + passed / REFRESH_SECONDS
    assert len(world.partner.asked) - before <= 2 * allowed, world.partner.asked[before:]
