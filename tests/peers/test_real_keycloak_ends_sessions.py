"""A real Keycloak ends sessions here: who is signed out there is signed out here (`make test-peers`)."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from tests.peers.test_real_keycloak import SIGN_IN, Browser, seen
from tests.support.echo_service import SERVICE
from tests.support.keycloak import Keycloak, keycloak
from tests.support.system import System, free_port

pytestmark = pytest.mark.peers


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
            yield Both(clinic, provider)


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
