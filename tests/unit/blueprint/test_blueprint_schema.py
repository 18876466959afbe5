"""The JSON Schema for editors and the parser say the same."""

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ringwall.blueprint.document import parse
from ringwall.blueprint.format import BLUEPRINT
from ringwall.blueprint.record import Record
from ringwall.blueprint.report import Report
from ringwall.blueprint.schema import json_schema, json_schema_text

ROOT = Path(__file__).parents[3]
VALIDATOR = Draft202012Validator(json_schema())

EVERYTHING = """
ringwall: 1
system: clinic
timezone: Europe/Berlin
trust_domain: clinic.example
development: true
mode: enforce
edge: {listen: "127.0.0.1:8443", redirect: "127.0.0.1:8080", domains: [localhost, b.test],
  certificate: c.pem, key: k.pem, http3: true, limit: 100/s burst 200, principal_limit: 5/m, trusted_hops: 1,
  dpop_nonces: true, client_certificates: [b.test], client_authorities: clients.pem}
issuers:
  local:
    administration: [{operations: [users.list], roles: [clinician], scopes: [admin], users: [eve]}]
    registration: {open: true, kinds: [web, machine], scopes: ["items:read"], hosts: ["*.partner.example"],
      device_flow: true, lifetime: 720h, document_hosts: [keys.partner.example], private_documents: true}
    profile: fapi2
    processes: 2
    pages: {title: Shop, colour: "#0b5cad", logo: logo.svg}
    upstreams:
      entra: {preset: entra, tenant: organizations, tenants: [8eaef023-2b34-4da1-9baa-8bc8c9d6a490], title: Work,
        client_id: x, secret: {env: RINGWALL_SECRET_ENTRA}, accounts: create, create_for: [a.example],
        authoritative_for: [a.example], default_roles: [patient], attributes: {level: [a.b, c]}, user_name: upn}
      any: {preset: oidc, issuer: "https://idp3.example", discovery: "https://idp3.example/meta", client_id: x,
        secret: {file: secrets/any}, authentication: client_secret_post, scopes: [groups], algorithms: [ES256],
        userinfo: true, logout: true, session: 1h,
        roles: [{claim: groups, map: {doctors: clinician}}, {map: {x: patient}}],
        acr: {gold: mfa}, amr: {hwk: phr}}
      adfs: {saml: {metadata: adfs.xml, subject: oid, email: mail, display_name: cn,
        sign_requests: true, encrypted: true}, acr: {"urn:x": mfa}}
  partner: {issuer: "https://idp.example", discovery: "https://idp.example/meta", audience: clinic,
    algorithms: [ES256], roles: {claim: [a.b, roles], map: {doctors: clinician}}}
  other: {issuer: "https://idp2.example", audience: [a, b], roles: {claim: realm_access.roles}}
claims: {patients: set<string>, level: {type: long, from: realm_access.level}}
roles: {patient: , clinician: {includes: [patient]}}
people: {alice: {roles: [patient], claims: {patients: ["7"], level: 3, active: true, name: x}}}
clients:
  robot: {roles: [patient], profile: fapi2, scopes: ["items:read"], claims: {level: 1},
    jwks: [{kty: EC, crv: P-256, x: AA, y: AA}]}
  partner: {kind: web, redirect_uris: ["https://partner.example/callback"], subject_type: pairwise,
    jwks_uri: "https://partner.example/jwks.json", sector_identifier_uri: "https://example.org/sector.json",
    userinfo_signed_response_alg: ES256}
  app: {kind: web, title: The app, third_party: true, pushed_requests: true, device_flow: true, bound_tokens: true,
    tls_client_auth_subject_dn: CN=a, tls_client_auth_san_dns: a.example, tls_client_auth_san_uri: "urn:a",
    tls_client_auth_san_ip: 192.0.2.7, tls_client_auth_san_email: a@a.example, authorities: clients.pem,
    scopes: [offline_access], certificates: ["abababababababababababababababababababababababababababababababab"],
    redirect_uris: ["https://app.example/callback"], post_logout_redirect_uris: ["https://app.example/"],
    backchannel_logout_uri: "https://app.example/signed-out", jwks: [{kty: EC, use: enc, crv: P-256, x: AA, y: AA}],
    id_token_signed_response_alg: RS256,
    id_token_encrypted_response_alg: ECDH-ES+A128KW, id_token_encrypted_response_enc: A256GCM,
    userinfo_encrypted_response_alg: ECDH-ES, userinfo_encrypted_response_enc: A128GCM,
    introspection_encrypted_response_alg: ECDH-ES, introspection_encrypted_response_enc: A128GCM}
audiences:
  lab: {url: "https://lab.example/api", enc: A256GCM,
    jwks: [{kty: EC, use: enc, alg: ECDH-ES, crv: P-256, x: AA, y: AA}]}
  bank: "https://bank.example"
data: [health]
policies: [policies/*.cedar]
shadow: [audit-*]
services:
  portal:
    run: python portal.py
    cwd: services
    env: {LEVEL: info}
    ready: /health
    protocol: http2
    listen: unix:run/portal.sock
    zone: app
    holds: [health]
    expose: /
    cors: {origins: ["https://app.example", "http://localhost:5173"], headers: [X-Version], credentials: true}
    calls: [store]
    audiences: [lab]
    contract: portal.yaml
    login: true
    websockets: [GET /live]
    step_up: [{operations: [GET /live], acr: mfa, max_age: 10m}]
    limit: 20/10s burst 40
    mode: shadow
    timeout: 30s
    max_body: 1MiB
    allow:
      - {operations: [x], roles: [patient], scopes: [a, b], users: [alice, partner|bob], callers: [edge]}
      - {public: true}
      - {users: any}
  store:
    run: [python, store.py, "--port", "{port}"]
    operations: ["GET /a/{x}", {named: GET /}, "* /{rest...}", /pkg.Service/Method]
"""


def parser_accepts(value: object) -> bool:
    report = Report()
    root = parse("ringwall.yaml", json.dumps(value).encode(), report)
    if root is not None:
        BLUEPRINT.read(root, "the blueprint", report)
    return not report.failed


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: object) -> Any:
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = changed(value[path[0]], path[1:], new)
    return value


@pytest.mark.parametrize("example", sorted(path.parent.name for path in (ROOT / "examples").glob("*/ringwall.yaml")))
def test_the_examples_are_valid(example: str) -> None:
    value = yaml.safe_load((ROOT / "examples" / example / "ringwall.yaml").read_text())
    assert list(VALIDATOR.iter_errors(value)) == []
    assert parser_accepts(value)


def test_a_blueprint_with_every_key_is_valid_and_has_every_key() -> None:
    value = yaml.safe_load(EVERYTHING)
    assert list(VALIDATOR.iter_errors(value)) == []
    assert parser_accepts(value)
    used = {key for path in places(value) for key in path if isinstance(key, str)}
    assert set(keys_of_schema(json_schema())) <= used


WRONG: list[object] = [None, 7, -1, True, "", "a b!", "no\nway", [], [7], [[]], {}, {"unknown": 1}, {"a b": {}}, 1.5]


def test_both_refuse_the_same_mutations() -> None:
    value = yaml.safe_load(EVERYTHING)
    compared = 0
    for path in places(value):
        for new in WRONG:
            mutant = changed(value, path, new)
            by_schema = VALIDATOR.is_valid(mutant)
            assert by_schema == parser_accepts(mutant), (path, new)
            compared += 1
    assert compared > 500


def test_both_refuse_unknown_and_missing_keys() -> None:
    value = yaml.safe_load(EVERYTHING)
    records = [()] + [path for path in places(value) if isinstance(at(value, path), dict)]
    for path in records:
        mutant = changed(value, path, {**at(value, path), "un known": 1})
        assert not VALIDATOR.is_valid(mutant), path
        assert not parser_accepts(mutant), path
    for key in ("ringwall", "system", "services"):
        mutant = {name: item for name, item in value.items() if name != key}
        assert not VALIDATOR.is_valid(mutant)
        assert not parser_accepts(mutant)


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def keys_of_schema(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for item in schema.values():
            yield from keys_of_schema(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from keys_of_schema(item)


def records_of(shape: object, seen: set[int]) -> Iterator[Record[Any]]:
    if id(shape) in seen or not hasattr(shape, "read"):
        return
    seen.add(id(shape))
    if isinstance(shape, Record):
        yield shape
        for field in shape.fields.values():
            yield from records_of(field.shape, seen)
    for inner in vars(shape).values():
        yield from records_of(inner, seen)


def test_the_keys_of_the_parser_are_the_keys_of_the_schema() -> None:
    of_parser = sorted(key for record in records_of(BLUEPRINT, set()) for key in record.fields)
    assert sorted({*keys_of_schema(json_schema())}) == sorted({*of_parser})


def test_every_key_is_described_and_in_the_reference() -> None:
    reference = (ROOT / "docs" / "reference" / "blueprint.md").read_text()
    for record in records_of(BLUEPRINT, set()):
        for key, field in record.fields.items():
            assert field.doc.endswith("."), key
            assert f"`{key}`" in reference or f"{key}:" in reference, f"{key} is not in docs/reference/blueprint.md"


def test_the_stored_schema_is_current() -> None:
    stored = ROOT / "docs" / "reference" / "ringwall.schema.json"
    assert stored.read_text() == json_schema_text(), "write json_schema_text() to docs/reference/ringwall.schema.json"
    Draft202012Validator.check_schema(json.loads(stored.read_text()))


NAMED = {
    "edge": "`edge`",
    "issuers": "`issuers`, each",
    "roles": "`roles`, each",
    "claims": "`claims`, each",
    "people": "`people`, each",
    "clients": "`clients`, each",
    "audiences": "`audiences`, each",
    "allow": "`allow`, each",
    "services": "`services`, each",
}


def key_tables(record: Record[Any], title: str) -> Iterator[str]:
    """Markdown tables of a record and of those inside it."""
    rows = [f"### {title}", "| key | is |", "|---|---|"]
    for key, field in record.fields.items():
        doc = field.doc.replace("|", "\\|")
        rows.append(f"| `{key}`{' (required)' if field.required else ''} | {doc} |")
    yield "\n".join(rows) + "\n"
    for key, field in record.fields.items():
        for inner in records_of(field.shape, set()):
            name = NAMED.get(key, f"`{key}`") if title == "The file" else f"`{key}` of {title.removesuffix(', each')}"
            yield from key_tables(inner, name)
            break


def test_the_tables_of_keys_are_current() -> None:
    reference = ROOT / "docs" / "reference" / "blueprint.md"
    before, _, rest = reference.read_text().partition("<!-- keys: ")
    marker, _, rest = rest.partition("\n")
    _, _, after = rest.partition("<!-- /keys -->")
    tables = "\n".join(key_tables(BLUEPRINT, "The file"))
    current = f"{before}<!-- keys: {marker}\n{tables}<!-- /keys -->{after}"
    if os.environ.get("UPDATE_GOLDEN"):
        reference.write_text(current)
    assert reference.read_text() == current


def test_the_example_of_the_reference_is_valid() -> None:
    reference = (ROOT / "docs" / "reference" / "blueprint.md").read_text()
    example = reference.partition("```yaml\n")[2].partition("```")[0]
    assert list(VALIDATOR.iter_errors(yaml.safe_load(example))) == []
    report = Report()
    root = parse("ringwall.yaml", example.encode(), report)
    assert root is not None
    assert BLUEPRINT.read(root, "the blueprint", report) is not None
    assert report.diagnostics == ()
