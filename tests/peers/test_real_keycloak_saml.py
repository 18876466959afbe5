"""A real Keycloak as a SAML 2.0 provider (`make test-peers`): signatures that another implementation made."""

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.peers.test_real_keycloak import Browser, seen
from tests.support.echo_service import PAGE, SERVICE
from tests.support.keycloak import REALM, Keycloak, keycloak
from tests.support.system import System

pytestmark = pytest.mark.peers

BLUEPRINT = """
ringwall: 1
system: clinic
edge:
  listen: 127.0.0.1:8443
roles: {clinician: , clerk: , guest: }
issuers:
  local:
    upstreams:
      saml:
        title: Clinic account
        saml: {metadata: idp.xml, subject: uuid, email: mail}
        accounts: create
        authoritative_for: [clinic.example]
        user_name: [login]
        roles: {claim: Role, map: {doctors: clinician, staff: clerk}}
        default_roles: [guest]
services:
  web:
    run: python service.py
    expose: /
    login: true
    operations: [home: GET /home, rounds: GET /rounds]
    allow: [{operations: [home], roles: [guest]}, {operations: [rounds], roles: [clinician]}]
"""


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    with keycloak(tmp_path_factory.mktemp("keycloak")) as started:
        started.create_realm()
        yield started


def descriptor(provider: Keycloak) -> str:
    return httpx.get(f"{provider.issuer}/protocol/saml/descriptor").raise_for_status().text


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory, provider: Keycloak) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("clinic")
    (folder / "ringwall.yaml").write_text(BLUEPRINT)
    (folder / "service.py").write_text(SERVICE)
    (folder / "idp.xml").write_text(descriptor(provider))
    made = System(folder)
    base = f"https://localhost:{made.port}/auth/upstream/saml"
    provider.admin("POST", f"/admin/realms/{REALM}/clients", client_of(base))
    with made as running:
        yield running


def client_of(base: str) -> dict[str, Any]:
    return {
        "clientId": f"{base}/metadata",
        "protocol": "saml",
        "redirectUris": [f"{base}/callback"],
        "frontchannelLogout": True,
        "attributes": {
            "saml.assertion.signature": "true",
            "saml.server.signature": "false",
            "saml.client.signature": "false",
            "saml.signature.algorithm": "RSA_SHA256",
            "saml.force.post.binding": "true",
            "saml.authnstatement": "true",
            "saml_name_id_format": "persistent",
        },
        "protocolMappers": [property_as("uuid", "id"), property_as("login", "username"), property_as("mail", "email")],
    }


def property_as(attribute: str, name: str) -> dict[str, Any]:
    return {
        "name": attribute,
        "protocol": "saml",
        "protocolMapper": "saml-user-property-mapper",
        "config": {
            "attribute.name": attribute,
            "attribute.nameformat": "Basic",
            "user.attribute": name,
            "friendly.name": attribute,
        },
    }


def change(provider: Keycloak, clinic: System, **attributes: str) -> None:
    name = f"https://localhost:{clinic.port}/auth/upstream/saml/metadata"
    found = provider.admin("GET", f"/admin/realms/{REALM}/clients?clientId={name}")[0]
    found["attributes"] |= attributes
    provider.put_client(found)


def submit(browser: Browser, page: httpx.Response) -> httpx.Response:
    """Send the form of a page that sends itself where there is a script."""
    action = re.search(r'<form[^>]*action="([^"]*)"', page.text, flags=re.IGNORECASE)
    assert action is not None, page.text
    found = re.findall(r'<input[^>]* name="([^"]*)"[^>]* value="([^"]*)"', page.text, flags=re.IGNORECASE)
    fields = {html.unescape(name): html.unescape(value) for name, value in found}
    return browser.post(page.url.join(html.unescape(action[1])), data=fields, headers=PAGE)


def sign_in(browser: Browser, person: str, at: str = "/home") -> httpx.Response:
    page = browser.sign_in(person, at)
    return submit(browser, page)


def test_somebody_signs_in_and_has_the_roles_of_there(clinic: System) -> None:
    with Browser(clinic) as browser:
        assert json.loads(seen(sign_in(browser, "ines"))["x-ringwall-roles"]) == ["clinician", "guest"]
        assert browser.get("/rounds").status_code == 200
    with Browser(clinic) as browser:
        seen(sign_in(browser, "stan"))
        assert browser.get("/rounds").status_code == 403
    users = {user["user_name"]: user for user in clinic.ringwall_json("users")["users"]}
    assert users["ines"]["email"] == "ines@clinic.example"


@pytest.mark.parametrize(
    ("assertion", "answer", "algorithm"),
    [("false", "true", "RSA_SHA256"), ("true", "true", "RSA_SHA512")],
)
def test_whatever_of_it_keycloak_signs(
    clinic: System, provider: Keycloak, assertion: str, answer: str, algorithm: str
) -> None:
    changed = {"saml.assertion.signature": assertion, "saml.server.signature": answer}
    change(provider, clinic, **changed, **{"saml.signature.algorithm": algorithm})
    with Browser(clinic) as browser:
        seen(sign_in(browser, "ines"))


@pytest.mark.parametrize(("assertion", "algorithm"), [("false", "RSA_SHA256"), ("true", "RSA_SHA1")])
def test_what_is_not_signed_or_by_sha1_is_refused(
    clinic: System, provider: Keycloak, assertion: str, algorithm: str
) -> None:
    changed = {"saml.assertion.signature": assertion, "saml.server.signature": "false"}
    change(provider, clinic, **changed, **{"saml.signature.algorithm": algorithm})
    with Browser(clinic) as browser:
        refused = sign_in(browser, "ines")
        assert refused.status_code == 403
        assert "did not work" in refused.text


def test_new_keys_count_once_the_metadata_file_has_them(clinic: System, provider: Keycloak) -> None:
    signed = {"saml.assertion.signature": "true", "saml.signature.algorithm": "RSA_SHA256"}
    change(provider, clinic, **signed)
    provider.rotate_keys()
    with Browser(clinic) as browser:
        assert sign_in(browser, "ines").status_code == 403
    (clinic.blueprint.parent / "idp.xml").write_text(descriptor(provider))
    clinic.ringwall("apply")
    with Browser(clinic) as browser:
        seen(sign_in(browser, "ines"))
