"""A real Keycloak on loopback, from Maven Central, for the tests marked `peers`. Needs Java 17 and Maven."""

import contextlib
import html
import os
import re
import shutil
import signal
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.support.system import free_port

VERSION = "26.0.8"
"""The last line that runs on Java 17."""
START_SECONDS = 300
REALM = "clinic"
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "ringwall-tests"


def _roles_in(claim: str) -> dict[str, Any]:
    config = {
        "claim.name": claim,
        "multivalued": "true",
        "jsonType.label": "String",
        "id.token.claim": "true",
        "access.token.claim": "true",
    }
    return {
        "name": "roles in ID tokens",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-usermodel-realm-role-mapper",
        "config": config,
    }


def _audience(name: str) -> dict[str, Any]:
    return {
        "name": "audience",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": {"included.custom.audience": name, "access.token.claim": "true", "id.token.claim": "false"},
    }


class Keycloak:
    """One running Keycloak with one realm."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.issuer = f"{self.url}/realms/{REALM}"
        self._http = httpx.Client(base_url=self.url, timeout=30)

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the administration API; return its JSON."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": "admin"}
        token = self._http.post("/realms/master/protocol/openid-connect/token", data=form).json()["access_token"]
        answer = self._http.request(method, path, json=body, headers={"authorization": f"Bearer {token}"})
        assert answer.status_code < 300, answer.text
        return answer.json() if answer.content else None

    def create_realm(self) -> None:
        """Make the realm with two people, a client for signing in, and one that gets access tokens by itself."""
        password = {"type": "password", "value": "pw"}
        self.admin(
            "POST",
            "/admin/realms",
            {
                "realm": REALM,
                "enabled": True,
                "sslRequired": "none",
                "roles": {"realm": [{"name": "doctors"}, {"name": "staff"}]},
                "clients": [
                    {
                        "clientId": "ringwall",
                        "secret": "s3cret",
                        "attributes": {"pkce.code.challenge.method": "S256"},
                        "protocolMappers": [_roles_in("realm_access.roles")],
                    },
                    {
                        "clientId": "shop",
                        "publicClient": True,
                        "directAccessGrantsEnabled": True,
                        "protocolMappers": [_audience("wards")],
                    },
                ],
                "users": [
                    {
                        "username": name,
                        "enabled": True,
                        "email": f"{name}@clinic.example",
                        "emailVerified": True,
                        "firstName": name.title(),
                        "lastName": "Ito",
                        "credentials": [password],
                        "realmRoles": [role],
                    }
                    for name, role in (("ines", "doctors"), ("stan", "staff"))
                ],
            },
        )

    def client(self) -> dict[str, Any]:
        """Return the client for signing in."""
        return dict(self.admin("GET", f"/admin/realms/{REALM}/clients?clientId=ringwall")[0])

    def put_client(self, client: dict[str, Any]) -> None:
        """Change it."""
        self.admin("PUT", f"/admin/realms/{REALM}/clients/{client['id']}", client)

    def token(self, person: str) -> str:
        """Return an access token as another system's client gets it."""
        form = {"grant_type": "password", "client_id": "shop", "username": person, "password": "pw"}
        answer = self._http.post(f"/realms/{REALM}/protocol/openid-connect/token", data=form)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def give_role(self, person: str, role: str, *, take: bool = False) -> None:
        user = self.admin("GET", f"/admin/realms/{REALM}/users?username={person}&exact=true")[0]["id"]
        found = self.admin("GET", f"/admin/realms/{REALM}/roles/{role}")
        path = f"/admin/realms/{REALM}/users/{user}/role-mappings/realm"
        self.admin("DELETE" if take else "POST", path, [found])

    def sign_out(self, person: str) -> None:
        """End all sessions of a person, as an administrator does."""
        user = self.admin("GET", f"/admin/realms/{REALM}/users?username={person}&exact=true")[0]["id"]
        self.admin("POST", f"/admin/realms/{REALM}/users/{user}/logout")

    def rotate_keys(self) -> None:
        """Sign with a new key from now on; the former one is published no more."""
        realm = self.admin("GET", f"/admin/realms/{REALM}")["id"]
        query = "type=org.keycloak.keys.KeyProvider"
        former = [
            each
            for each in self.admin("GET", f"/admin/realms/{REALM}/components?{query}")
            if each["providerId"] == "rsa-generated"
        ]
        self.admin(
            "POST",
            f"/admin/realms/{REALM}/components",
            {
                "name": "newer",
                "providerId": "rsa-generated",
                "providerType": "org.keycloak.keys.KeyProvider",
                "parentId": realm,
                "config": {"priority": ["1000"], "enabled": ["true"], "active": ["true"], "keySize": ["2048"]},
            },
        )
        for each in former:
            self.admin("DELETE", f"/admin/realms/{REALM}/components/{each['id']}")

    def close(self) -> None:
        self._http.close()


def type_password(page: httpx.Response, person: str) -> tuple[str, dict[str, str]]:
    """Return where Keycloak's form for signing in goes, and what a person sends."""
    form = re.search(r'<form id="kc-form-login"[^>]* action="([^"]*)"', page.text)
    assert form is not None, page.text[:3000]
    return html.unescape(form[1]), {"username": person, "password": "pw", "credentialId": ""}


@contextmanager
def keycloak(folder: Path, *, port: int = 0, trust: Path | None = None) -> Iterator[Keycloak]:
    """Start a Keycloak whose log lies in `folder`, and stop it.

    Args:
        folder: where its log lies.
        port: where it listens; 0 for any free one.
        trust: certificates of authorities that it trusts besides its own.
    """
    home, port = _home(), port or free_port()
    environ = {
        **os.environ,
        "KC_BOOTSTRAP_ADMIN_USERNAME": "admin",
        "KC_BOOTSTRAP_ADMIN_PASSWORD": "admin",
        "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m",
    }
    command = [str(home / "bin" / "kc.sh"), "start-dev", "--db=dev-mem", "--http-host=127.0.0.1", f"--http-port={port}"]
    if trust is not None:
        command.append(f"--truststore-paths={trust}")
    log = folder / "keycloak.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=output, start_new_session=True)
    started = Keycloak(port)
    try:
        end = time.monotonic() + START_SECONDS
        while not _answers(started):
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < end, log.read_text()[-3000:]
            time.sleep(0.5)
        yield started
    finally:
        started.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(started: Keycloak) -> bool:
    try:
        return httpx.get(f"{started.url}/realms/master").status_code == 200
    except httpx.HTTPError:
        return False


def _home() -> Path:
    """Return the folder of the distribution, fetched and unpacked once: about 150 MB."""
    home = _CACHE / f"keycloak-{VERSION}"
    if home.is_dir():
        return home
    for program in ("java", "mvn"):
        assert shutil.which(program), "these tests need Java 17 and Maven (Debian: maven)"
    _CACHE.mkdir(parents=True, exist_ok=True)
    artifact = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
    target = [f"-Dartifact={artifact}", f"-DoutputDirectory={_CACHE}", "-Dmdep.useBaseVersion=true"]
    subprocess.run(["mvn", "-q", "-B", plugin, *target], check=True, timeout=900, stdin=subprocess.DEVNULL)
    fresh = _CACHE / f"unpacking-{os.getpid()}"
    with zipfile.ZipFile(_CACHE / f"keycloak-quarkus-dist-{VERSION}.zip") as archive:
        archive.extractall(fresh)
    (fresh / home.name / "bin" / "kc.sh").chmod(0o755)
    (fresh / home.name).rename(home)
    shutil.rmtree(fresh)
    return home
