"""A real Keycloak ends sessions here: who is signed out there is signed out here (`make test-peers`).

By back-channel logout, and by SAML's single logout with signed messages both ways.
"""

import html
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from tests.peers.test_real_keycloak import SIGN_IN, Browser, seen
from tests.peers.test_real_keycloak_saml import client_of, descriptor, submit
from tests.support.echo_service import PAGE, SERVICE
from tests.support.keycloak import REALM, Keycloak, keycloak, type_password
from tests.support.system import System, free_port

from ringwall.identity.keystore import MemoryKeyStore
from ringwall.identity.upstream.saml.keys import SamlKeys
from ringwall.model.clock import SystemClock

pytestmark = pytest.mark.peers

SAML = """\
      saml:
        title: By SAML
        saml: {metadata: idp.xml, subject: uuid, email: mail}
        accounts: create
        user_name: [login]
        logout: true
        default_roles: [guest]
"""


@dataclass
class Both:
    clinic: System
    provider: Keycloak


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Start the system first: Keycloak is to trust its edge."""
    folder, port = tmp_path_factory.mktemp("clinic"), free_port()
    (folder / "ringwall.yaml").write_text(SIGN_IN.replace("ISSUER", f"http://127.0.0.1:{port}/realms/clinic"))
    (folder / "service.py").write_text(SERVICE)
    with System(folder, environ={"RINGWALL_SECRET_KEYCLOAK": "s3cret"}) as clinic:
        trust = clinic.state / "dev-ca.pem"
        with keycloak(tmp_path_factory.mktemp("keycloak"), port=port, trust=trust) as provider:
            provider.create_realm()
            both = Both(clinic, provider)
            _add_saml(both)
            yield both


def _add_saml(both: Both) -> None:
    """Let people sign in by SAML as well; requests are signed, as Keycloak wants it by default."""
    (both.clinic.folder / "idp.xml").write_text(descriptor(both.provider))
    text = both.clinic.blueprint.read_text()
    both.clinic.blueprint.write_text(text.replace("      keycloak:\n", SAML + "      keycloak:\n"))
    both.clinic.ringwall("apply")
    base = f"https://localhost:{both.clinic.port}/auth/upstream/saml"
    about = httpx.get(f"{base}/metadata", verify=both.clinic.trust).raise_for_status().text
    certificate = re.search(r"<ds:X509Certificate>([^<]*)<", about)
    assert certificate is not None
    client = client_of(base)
    client["attributes"] |= {
        "saml.client.signature": "true",
        "saml.server.signature": "true",
        "saml.signing.certificate": certificate[1],
        "saml_single_logout_service_url_redirect": f"{base}/logout",
        "saml_single_logout_service_url_post": f"{base}/logout",
    }
    both.provider.admin("POST", f"/admin/realms/{REALM}/clients", client)


def set_saml(both: Both, attributes: dict[str, str] | None = None, *, front: bool = True) -> None:
    name = f"https://localhost:{both.clinic.port}/auth/upstream/saml/metadata"
    found = both.provider.admin("GET", f"/admin/realms/{REALM}/clients?clientId={name}")[0]
    found["attributes"] |= attributes or {}
    found["frontchannelLogout"] = front
    both.provider.put_client(found)


def to_provider_by_saml(browser: Browser) -> httpx.Response:
    page = browser.get("/home", headers=PAGE)
    link = re.search(r'href="([^"]*/upstream/saml[^"]*)"', page.text)
    assert link is not None, page.text
    return browser.get(html.unescape(link[1]), headers=PAGE)


def sign_in_by_saml(both: Both, browser: Browser, person: str) -> httpx.Response:
    action, fields = type_password(to_provider_by_saml(browser), person)
    return submit(browser, browser.post(action, data=fields, headers=PAGE))


def let_end(both: Both, *, by_session: bool) -> None:
    client = both.provider.client()
    base = f"https://localhost:{both.clinic.port}/auth/upstream/keycloak"
    client["redirectUris"] = [f"{base}/callback"]
    client["frontchannelLogout"] = False
    client["attributes"] |= {
        "backchannel.logout.url": f"{base}/backchannel_logout",
        "backchannel.logout.session.required": json.dumps(by_session),
    }
    both.provider.put_client(client)


def is_signed_out(browser: Browser) -> bool:
    """Return whether the edge takes the browser's token no more, soon."""
    end = time.monotonic() + 10
    while browser.get("/home", follow_redirects=False).status_code == 200:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("by_session", [True, False])
def test_who_is_signed_out_at_keycloak_is_signed_out_here(both: Both, *, by_session: bool) -> None:
    let_end(both, by_session=by_session)
    with Browser(both.clinic) as ines, Browser(both.clinic) as stan:
        seen(ines.sign_in("ines"))
        seen(stan.sign_in("stan"))
        both.provider.sign_out("ines")
        assert is_signed_out(ines)
        seen(stan.get("/home"))
        seen(ines.sign_in("ines"))


@pytest.mark.parametrize("front", [True, False])
def test_who_is_signed_out_at_keycloak_by_saml_is_signed_out_here(both: Both, *, front: bool) -> None:
    """Keycloak posts the request by itself, or sends it by the browser that signs out there."""
    set_saml(both, front=front)
    with Browser(both.clinic) as ines, Browser(both.clinic) as stan:
        seen(sign_in_by_saml(both, ines, "ines"))
        seen(sign_in_by_saml(both, stan, "stan"))
        shown = ""
        if front:
            there = ines.get(f"{both.provider.issuer}/protocol/openid-connect/logout", headers=PAGE)
            for _ in range(6):
                if "<form" not in there.text:
                    break
                there = submit(ines, there)
            shown = f"{there.url}\n{there.text}"
        else:
            both.provider.sign_out("ines")
        assert is_signed_out(ines), shown
        seen(stan.get("/home"))


def test_who_signs_out_here_is_signed_out_at_keycloak_by_saml(both: Both) -> None:
    set_saml(both)
    with Browser(both.clinic) as browser:
        seen(sign_in_by_saml(both, browser, "ines"))
        done = browser.sign_out()
        if "SAMLResponse" in done.text:
            done = submit(browser, done)
        assert "You are signed out" in done.text, done.text
        assert done.url.path == "/auth/upstream/saml/logout", "Keycloak sent the browser back by itself"
        assert "kc-form-login" in to_provider_by_saml(browser).text, "Keycloak asks who is there"


def test_a_request_that_another_key_has_signed_is_refused_by_keycloak(both: Both) -> None:
    """So the signature is what Keycloak looks at, and not only there."""
    other = SamlKeys(MemoryKeyStore(), SystemClock()).ring().signing_certificates[0]
    name = f"https://localhost:{both.clinic.port}/auth/upstream/saml/metadata"
    right = both.provider.admin("GET", f"/admin/realms/{REALM}/clients?clientId={name}")[0]["attributes"]
    set_saml(both, {"saml.signing.certificate": other})
    try:
        with Browser(both.clinic) as browser:
            link = re.search(r'href="([^"]*/upstream/saml[^"]*)"', browser.get("/home", headers=PAGE).text)
            assert link is not None
            refused = browser.get(html.unescape(link[1]), headers=PAGE)
            assert "kc-form-login" not in refused.text
            assert refused.status_code == 400
    finally:
        set_saml(both, {"saml.signing.certificate": right["saml.signing.certificate"]})


def test_what_keycloak_encrypts_with_cbc_is_refused_in_clear_words(both: Both) -> None:
    """Keycloak 26.0 knows nothing else; the operator is told so, and the person that it did not work."""
    text = both.clinic.blueprint.read_text()
    both.clinic.blueprint.write_text(text.replace("{metadata: idp.xml,", "{metadata: idp.xml, encrypted: true,"))
    both.clinic.ringwall("apply")
    about = httpx.get(
        f"https://localhost:{both.clinic.port}/auth/upstream/saml/metadata", verify=both.clinic.trust
    ).text
    key = re.search(r'use="encryption">.*?<ds:X509Certificate>([^<]*)<', about, re.DOTALL)
    assert key is not None
    set_saml(both, {"saml.encrypt": "true", "saml.encryption.certificate": key[1]})
    try:
        with Browser(both.clinic) as browser:
            refused = sign_in_by_saml(both, browser, "ines")
            assert (refused.status_code, "did not work" in refused.text) == (403, True)
        logs = "".join(each.read_text() for each in (both.clinic.state / "log").glob("ringwall-issuer.log"))
        assert "aes128-cbc, which is not taken" in logs
    finally:
        both.clinic.blueprint.write_text(text)
        both.clinic.ringwall("apply")
        set_saml(both, {"saml.encrypt": "false"})
