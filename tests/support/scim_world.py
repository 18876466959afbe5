"""An issuer that is provisioned over SCIM, and those who do it."""

import asyncio
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
from tests.support.administered import admin_plan
from tests.support.desk import Desk
from tests.support.issuer_plan import AUDIENCE, ISSUER
from tests.support.issuer_world import IssuerWorld

from ringwall.identity.issuer.scim.provisioning import PREFIX

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BASE = ISSUER + PREFIX
BLUEPRINT = f"""
ringwall: 1
system: {AUDIENCE}
roles: {{admin: , clinician: {{includes: [nurse]}}, nurse: , hr: {{includes: [clinician]}}, crm: , reader: }}
claims: {{department: string, employeeNumber: string, groups: set<string>, ward: string}}
people:
  ann: {{roles: [admin]}}
  rhea: {{roles: [reader]}}
  nemo: {{}}
clients:
  hr: {{roles: [hr]}}
  crm: {{roles: [crm]}}
  batch: {{roles: [nurse]}}
issuers:
  local:
    administration:
      - roles: [admin, hr, crm]
      - {{roles: [reader], operations: [scim.users.list, scim.users.read]}}
services:
  web: {{run: python web.py, operations: [home: GET /], expose: /, allow: [{{public: true}}]}}
"""
POLICIES = """
permit (principal is User, action == Action::"web/home", resource) when {
  principal has department && principal.department == "er" &&
  principal has employeeNumber && principal.employeeNumber == "7" &&
  principal has groups && principal.groups.contains("Ward 7")
};
"""
"""Claims are in the plan where a policy reads them."""


class Provisioner:
    """Somebody who asks, with a token of their own."""

    def __init__(self, world: IssuerWorld, token: str) -> None:
        self._world = world
        self.token = token

    def ask(
        self, method: str, path: str, body: Any = None, *, status: int | None = 200, **headers: str
    ) -> httpx.Response:
        """Ask, and check that the answer has a status and one of SCIM's forms."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"authorization": f"Bearer {self.token}", "content-type": "application/scim+json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        response = self._world.ask(method, PREFIX + path, content=content, headers=sent)
        assert response.status_code < 500, response.text
        assert status is None or response.status_code == status, (response.status_code, response.text)
        if response.content:
            assert response.headers["content-type"] == "application/scim+json"
            if response.status_code >= 400:
                told = response.json()
                assert told["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
                assert told["status"] == str(response.status_code)
        return response

    def user(self, user_name: str = "ada", **more: Any) -> dict[str, Any]:
        """Make a user."""
        told = self.ask("POST", "/Users", {"schemas": [USER], "userName": user_name, **more}, status=201)
        return dict(told.json())

    def group(self, name: str, *members: str, **more: Any) -> dict[str, Any]:
        """Make a group."""
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": each} for each in members], **more}
        return dict(self.ask("POST", "/Groups", body, status=201).json())

    def patch(self, path: str, *operations: dict[str, Any], status: int | None = 200, **headers: str) -> Any:
        """Change something."""
        body = {"schemas": [PATCH], "Operations": list(operations)}
        return self.ask("PATCH", path, body, status=status, **headers).json()

    def names(self, where: str, kind: str = "Users") -> list[str]:
        """Return the names that a filter finds."""
        found = self.ask("GET", f"/{kind}?{httpx.QueryParams({'filter': where})}").json()
        key = "userName" if kind == "Users" else "displayName"
        assert found["totalResults"] == len(found.get("Resources", []))
        return [each[key] for each in found.get("Resources", [])]

    def refused(self, method: str, path: str, body: Any = None, *, status: int = 400, **headers: str) -> str:
        """Ask for what is refused, and return what kind of error it is."""
        return str(self.ask(method, path, body, status=status, **headers).json().get("scimType", ""))


class ScimWorld(IssuerWorld):
    """An issuer with clients that provision."""

    def __init__(self, state: Path, *, blueprint: str = BLUEPRINT, policies: str = POLICIES) -> None:
        super().__init__(state, plan=admin_plan(blueprint=blueprint, policies=policies))
        self.hr, self.crm, self.batch = (self._client(name) for name in ("hr", "crm", "batch"))

    def _client(self, name: str) -> Provisioner:
        response = self.token(self.new_secret(name), name)
        assert response.status_code == 200, response.text
        return Provisioner(self, response.json()["access_token"])

    def person(self, name: str) -> Provisioner:
        """Return a development user who asks."""
        return Provisioner(self, self.development_token(name))

    def employee(self, name: str, *roles: str) -> tuple[str, Provisioner]:
        """Return the account of a new person, and the person, who asks with a token."""
        account = asyncio.run(self.new_account(name, "quiet-harbour-lantern-42", roles=roles))
        bearer = Desk(self, account, roles=roles).headers["authorization"]
        return account, Provisioner(self, bearer.removeprefix("Bearer "))

    def wsgi(self, environ: dict[str, Any], start: Callable[[str, list[tuple[str, str]]], object]) -> Iterable[bytes]:
        """Be the application for clients that know no other protocol."""
        path = environ["PATH_INFO"].encode("latin-1").decode().removeprefix("/auth")
        length = int(environ.get("CONTENT_LENGTH") or 0)
        headers = {key[5:].replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")}
        if environ.get("CONTENT_TYPE"):
            headers["content-type"] = environ["CONTENT_TYPE"]
        url = httpx.URL(path=path, query=environ.get("QUERY_STRING", "").encode())
        response = self.ask(
            environ["REQUEST_METHOD"], str(url), content=environ["wsgi.input"].read(length), headers=headers
        )
        start(f"{response.status_code} -", list(response.headers.items()))
        return [response.content]
