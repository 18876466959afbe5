"""The administration through the real edge, under policies that Envoy enforces, and by the command line beside it."""

import contextlib
import http.client
import json
import re
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.system import Reply, System, copy_example

from ringwall.identity.tokens.claims import ACCESS_TOKEN
from ringwall.identity.tokens.encoding import decode_base64url, decode_json_object
from ringwall.identity.tokens.signing import SigningKey
from ringwall.model.secret import Secret

ADMINISTRATION = """
issuers:
  local:
    administration:
      - roles: [admin]
      - roles: [helpdesk]
        operations: [users.list, users.read, users.invite]
clients:
  robot: {roles: [admin]}
  idler: {roles: [student]}
"""
FORBID = """
permit (principal in Role::"helpdesk", action == Action::"ringwall-issuer/roles.give", resource)
when { context.path.role == "helpdesk" };
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = copy_example("unmodified", tmp_path_factory.mktemp("administered"))
    blueprint = folder / "ringwall.yaml"
    text = blueprint.read_text() + ADMINISTRATION
    text = re.sub(r"\nroles:\n", "\nroles:\n  admin:\n  helpdesk:\n", text, count=1)
    text = re.sub(r"\npeople:\n", "\npeople:\n  ann: {roles: [admin]}\n  hank: {roles: [helpdesk]}\n", text, count=1)
    blueprint.write_text(text)
    policies = folder / "policies"
    policies.mkdir(exist_ok=True)
    (policies / "administration.cedar").write_text(FORBID)
    with System(folder) as running:
        yield running


def ask(system: System, method: str, path: str, person: str | None = None, body: Any = None, **headers: str) -> Reply:
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    if body is not None:
        more["content-type"] = "application/json"
    content = None if body is None else json.dumps(body).encode()
    return system.ask(method, f"/auth/admin/{path}", person, headers=more, body=content)


def test_policies_decide_at_the_edge(system: System) -> None:
    listed = ask(system, "GET", "users", "ann")
    assert listed.status == 200, listed.body
    assert ask(system, "GET", "users", "hank").status == 200
    assert ask(system, "GET", "keys", "ann").status == 200
    nobody = next(iter(system.rows()), None)
    assert nobody is not None
    for path in ("keys", "events", "clients", "openapi.json"):
        refused = ask(system, "GET", path, "hank")
        assert refused.status == 403
        assert refused.json()["type"] == "about:blank"  # the edge's own words: it never reached the issuer
    assert ask(system, "GET", "users").status == 401
    explained = system.ringwall("explain", ask(system, "GET", "keys", "hank").request_id)
    assert "ringwall-issuer/keys.list" in explained


def test_what_the_table_does_not_hold_is_closed(system: System) -> None:
    for method, path in (
        ("GET", "nothing"),
        ("DELETE", "users"),
        ("POST", "users/x/none"),
        ("GET", "users/../keys/none"),
        ("BREW", "users"),
    ):
        assert ask(system, method, path, "ann").status in {400, 403, 404}, (method, path)
    assert system.ask("GET", "/auth/scim/v2/Users", "hank").status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/auth/admin/users/../keys",
        "/auth//admin/keys",
        "/auth/./admin/keys",
        "/auth/admin/%6beys",
        "/auth/admin%2fkeys",
        "/auth/admin/keys;x",
        "/auth/admin/keys/",
        "/auth/Admin/keys",
        "/auth/admin/users/..%2fkeys",
        "/auth/admin/users/x/..;/../keys",
        "/auth/x/../admin/keys",
        "/auth/admin\\keys",
    ],
)
def test_no_spelling_of_a_path_gets_past_the_policies(system: System, path: str) -> None:
    """`hank` may not read keys, however the path is written."""
    with (
        contextlib.closing(socket.create_connection(("127.0.0.1", system.port), timeout=30)) as raw,
        system.trust.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        head = f"GET {path} HTTP/1.1\r\nHost: localhost:{system.port}\r\nConnection: close\r\n"
        tls.sendall(f"{head}Authorization: Bearer {system.token('hank')}\r\n\r\n".encode())
        answer = b""
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            while chunk := tls.recv(65536):
                answer += chunk
    assert not answer.startswith(b"HTTP/1.1 200"), answer[:300]
    assert b'"kid"' not in answer


def test_the_edge_enforces_what_policies_say_of_the_path(system: System) -> None:
    link = ask(system, "POST", "invitations", "hank", {"user_name": "bea"})
    assert link.status == 200, link.body
    assert link.json()["link"].startswith(f"https://localhost:{system.port}/auth/invitation")
    made = ask(system, "POST", "users", "ann", {"user_name": "cyd"})
    assert made.status == 200, made.body
    user = made.json()["id"]
    refused = ask(system, "PUT", f"users/{user}/roles/admin", "hank")
    assert (refused.status, refused.json()["type"]) == (403, "about:blank")
    assert ask(system, "PUT", f"users/{user}/roles/helpdesk", "hank").json()["roles"] == ["helpdesk"]
    assert ask(system, "POST", "invitations", "hank", {"user_name": "mole", "roles": ["admin"]}).status == 403
    events = ask(system, "GET", f"events?subject={user}", "ann").json()["events"]
    assert [(event["act"], event["by"]) for event in events][:1] == [("account-changed", "hank")]


def test_nothing_but_a_token_of_its_own_lets_somebody_in(system: System) -> None:
    token = system.token("ann")
    for headers in (
        {"cookie": f"__Host-ringwall-token={token}"},
        {"cookie": f"__Host-ringwall-session={token}", "origin": f"https://localhost:{system.port}"},
        {"authorization": "Basic cm9ib3Q6eA=="},
        {"authorization": f"Bearer {token[:-4]}AAAA"},
        {"x-ringwall-subject": "ann", "x-ringwall-roles": '["admin"]'},
    ):
        reply = system.ask("GET", "/auth/admin/users", headers=headers)
        assert reply.status in {401, 403}, headers
    assert system.ask("GET", f"/auth/admin/users?access_token={token}").status == 401
    preflight = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    reply = system.ask("OPTIONS", "/auth/admin/invitations", headers=preflight)
    assert "access-control-allow-origin" not in reply.headers


def test_a_machine_administers_by_its_own_roles(system: System) -> None:
    for client, status in (("robot", 200), ("idler", 403)):
        secret = system.ringwall("client", client).strip()
        connection = http.client.HTTPSConnection("localhost", system.port, context=system.trust, timeout=30)
        with contextlib.closing(connection):
            form = f"grant_type=client_credentials&client_id={client}&client_secret={secret}"
            connection.request("POST", "/auth/token", form, {"content-type": "application/x-www-form-urlencoded"})
            token = json.loads(connection.getresponse().read())["access_token"]
        assert ask(system, "GET", "users", authorization=f"Bearer {token}").status == status


def test_the_plan_tells_who_administers(system: System) -> None:
    matrix = system.ringwall_json("plan")
    rows = {row["operation"]: row for row in matrix["rows"] if row["service"] == "ringwall-issuer"}
    assert rows["ringwall-issuer/users.list"]["edge_route"] == "GET /auth/admin/users"
    assert "allowed" in system.ringwall("can", "ann", "GET", "/auth/admin/keys")
    assert "denied" in system.ringwall("can", "hank", "GET", "/auth/admin/keys", code=3)


def test_the_command_line_administers_here_and_elsewhere(system: System, tmp_path: Path) -> None:
    system.ringwall("users", "invite", "dora", "--role", "helpdesk")
    assert ask(system, "POST", "users", "ann", {"user_name": "marlene", "roles": ["helpdesk"]}).status == 200
    file = tmp_path / "token"
    file.write_text(system.token("ann"))
    via = ["--via", f"https://localhost:{system.port}", "--token-file", str(file)]
    environ = {"SSL_CERT_FILE": str(system.state / "dev-ca.pem")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        there = json.loads(system.ringwall("users", "invitations", "--json", *via))["data"]["invitations"]
        assert "dora" in [each["user_name"] for each in there]
        assert (
            "did you mean 'marlene'"
            in json.loads(system.ringwall("users", "show", "marlen", "--json", *via, code=1))["data"]["hint"]
        )
        assert [key["state"] for key in json.loads(system.ringwall("keys", "--json", *via))["data"]["keys"]]
        file.write_text(system.token("hank"))
        system.ringwall("keys", *via, code=1)
    assert {"admin", "helpdesk"} <= {each["name"] for each in system.ringwall_json("roles")["roles"]}
    assert "marlene" in system.ringwall("roles", "show", "helpdesk")
    assert {"robot", "idler"} <= {each["name"] for each in system.ringwall_json("clients")["clients"]}
    system.ringwall("client", "robot")
    assert system.ringwall_json("clients", "show", "robot")["secrets"]
    assert system.ringwall_json("sessions") == {"sessions": []}
    told = [(key["algorithm"], key["state"]) for key in system.ringwall_json("keys")["keys"]]
    assert told == [(name, state) for name in ("ES256", "RS256") for state in ("active", "next")]


def test_the_issuers_metadata_are_also_between_host_and_path(system: System) -> None:
    """RFC 8414, section 3.1."""
    below = system.ask("GET", "/auth/.well-known/openid-configuration")
    between = system.ask("GET", "/.well-known/oauth-authorization-server/auth")
    assert (between.status, between.json()) == (200, below.json())
    for path in ("openid-configuration/auth", "oauth-authorization-server", "oauth-authorization-server/auth/x", ""):
        assert system.ask("GET", f"/.well-known/{path}").status == 404
    assert system.ask("POST", "/.well-known/oauth-authorization-server/auth").status == 404


def test_the_key_of_id_tokens_signs_no_access_token_that_the_edge_takes(system: System) -> None:
    """Whoever had that key could still not call anything (RFC 8725, section 3.1)."""
    good = system.token("ann")
    claims = decode_json_object(decode_base64url(good.split(".")[1]))
    keys = json.loads((system.state / "issuer" / "keys" / "ring.json").read_text())
    for ring, status in ((keys, 200), (keys["rs256"], 401)):
        pem = next(key["pem"] for key in ring["keys"] if key["state"] == "active")
        token = SigningKey.from_pem(Secret(pem)).sign(claims, typ=ACCESS_TOKEN)
        assert system.ask("GET", "/auth/admin/keys", headers={"authorization": f"Bearer {token}"}).status == status


def test_what_is_revoked_over_the_api_is_refused_at_the_edge(system: System) -> None:
    assert ask(system, "GET", "users", "hank").status == 200
    done = ask(system, "PUT", "revocations/user/hank", "ann", {"seconds": 600})
    assert done.status == 200, done.body
    assert ask(system, "GET", "users", "hank").status == 401
    listed = ask(system, "GET", "revocations", "ann").json()["revocations"]
    assert [(each["kind"], each["name"]) for each in listed] == [("user", "hank")]
    assert ask(system, "DELETE", "revocations/user/hank", "ann").status == 200
    assert ask(system, "DELETE", "revocations/user/hank", "ann").status == 404
