"""Asks the administration in one process, and holds every answer to its own OpenAPI description."""

import json
import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from tests.support.issuer_plan import AUDIENCE, ISSUER
from tests.support.issuer_world import IssuerWorld, ask

from ringwall.identity.issuer.administration.openapi import describe
from ringwall.model.administration import OPERATIONS
from ringwall.model.route import matches

DESCRIPTION = describe(ISSUER)
_REGISTRY: Registry[Any] = Registry().with_resource(
    "urn:api", Resource.from_contents({"$schema": "https://json-schema.org/draft/2020-12/schema", **DESCRIPTION})
)


def check_answer(method: str, path: str, response: httpx.Response) -> None:
    """Fail where an answer is not as described."""
    operation = next(o for o in OPERATIONS if o.method == method and matches(o.template, path.partition("?")[0]))
    described = DESCRIPTION["paths"][operation.template][method.lower()]
    assert described["operationId"] == operation.name
    responses = described["responses"]
    content = (responses["200"] if response.status_code == 200 else responses["default"])["content"]
    (media_type,) = content
    assert response.headers["content-type"] == media_type
    assert response.headers["cache-control"] == "no-store"
    pointer = re.sub(r"^#", "urn:api#", content[media_type]["schema"].get("$ref", "#/components/schemas/Nothing"))
    if operation.name != "api.read" or response.status_code != 200:
        Draft202012Validator({"$ref": pointer}, registry=_REGISTRY).validate(response.json())
    if response.status_code != 200:
        assert response.json()["status"] == response.status_code


class Desk:
    """Somebody who administers: the operator, or whoever a token names."""

    def __init__(self, world: IssuerWorld, actor: str = "", **claims: Any) -> None:
        self.world = world
        self.app = world.app if actor else world.admin
        self.headers = {"authorization": f"Bearer {self.token(actor, **claims)}"} if actor else {}

    def token(self, sub: str, roles: tuple[str, ...] = (), **more: Any) -> str:
        """A token as the issuer would give it to somebody with these roles."""
        now = int(self.world.clock.now())
        claims = {
            "iss": ISSUER,
            "sub": sub,
            "aud": AUDIENCE,
            "exp": now + 900,
            "iat": now,
            "jti": "1",
            "client_id": "portal",
            "roles": list(roles),
            **more,
        }
        return self.world.keys.sign(claims, typ="at+jwt")

    async def send(
        self, method: str, path: str, body: Any = None, *, tag: str = "", media_type: str = ""
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        more = {name: value for name, value in (("if-match", tag), ("content-type", media_type)) if value}
        response = await ask(self.app, method, path, content=content, headers={**self.headers, **more})
        if response.status_code != 405:
            check_answer(method, path, response)
        return response

    async def ask(
        self, method: str, path: str, body: Any = None, *, status: int = 200, tag: str = "", media_type: str = ""
    ) -> dict[str, Any]:
        response = await self.send(method, path, body, tag=tag, media_type=media_type)
        assert response.status_code == status, response.text
        return dict(response.json())

    async def acts(self, subject: str) -> list[tuple[str, str]]:
        """What was done to somebody or something and by whom, the oldest first."""
        found = await self.world.context.storage.database()
        return [(each.act, each.actor) for each in reversed(await found.events.by_subject(subject))]
