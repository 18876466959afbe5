"""The OpenAPI 3.1 description of the administration, made of the table, the schemas and what is said here."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from ringwall.identity.issuer.administration import bodies, schemas
from ringwall.identity.issuer.administration.problems import MEDIA_TYPE
from ringwall.identity.issuer.administration.reading import MAX_PAGE, PAGE
from ringwall.identity.issuer.administration.routes import Asked, Handler
from ringwall.identity.issuer.answers import answer
from ringwall.identity.issuer.context import IssuerContext
from ringwall.model.administration import OPERATIONS, AdminOperation

_PARAMETER = re.compile(r"\{([a-z]+)\}")
_PAGED: Final = ("after", "limit")


@dataclass(frozen=True, slots=True)
class Shape:
    """What goes into one operation, and what comes out."""

    answer: type[BaseModel]
    body: type[BaseModel] | None = None
    query: tuple[str, ...] = ()
    versioned: bool = False


SHAPES: Final[dict[str, Shape]] = {
    "users.list": Shape(schemas.Users, query=(*_PAGED, "user_name")),
    "users.read": Shape(schemas.UserDetails),
    "users.import": Shape(schemas.Imported, bodies.Import),
    "users.change": Shape(schemas.User, bodies.Change, versioned=True),
    "users.set-attributes": Shape(schemas.User, bodies.SetAttributes, versioned=True),
    "users.disable": Shape(schemas.Ended, bodies.Disable),
    "users.enable": Shape(schemas.Nothing),
    "users.sign-out": Shape(schemas.Ended),
    "users.delete": Shape(schemas.Ended),
    "users.invite": Shape(schemas.Link, bodies.Invite),
    "users.reset": Shape(schemas.Link, bodies.Reset),
    "invitations.list": Shape(schemas.Invitations),
    "invitations.withdraw": Shape(schemas.Nothing),
    "roles.list": Shape(schemas.Roles),
    "roles.holders": Shape(schemas.Users, query=_PAGED),
    "roles.give": Shape(schemas.User, versioned=True),
    "roles.grant": Shape(schemas.User, versioned=True),
    "roles.take": Shape(schemas.User, versioned=True),
    "groups.list": Shape(schemas.Groups, query=(*_PAGED, "name")),
    "groups.read": Shape(schemas.Group),
    "groups.members": Shape(schemas.Members, query=_PAGED),
    "groups.create": Shape(schemas.Group, bodies.NewGroup),
    "groups.change": Shape(schemas.Group, bodies.ChangeGroup, versioned=True),
    "groups.delete": Shape(schemas.Nothing, versioned=True),
    "groups.give-role": Shape(schemas.Group, versioned=True),
    "groups.take-role": Shape(schemas.Group, versioned=True),
    "groups.join": Shape(schemas.User),
    "groups.leave": Shape(schemas.User),
    "clients.list": Shape(schemas.Clients, query=_PAGED),
    "clients.read": Shape(schemas.Client),
    "clients.delete": Shape(schemas.Nothing),
    "clients.sign-out": Shape(schemas.Ended),
    "secrets.list": Shape(schemas.Secrets),
    "secrets.make": Shape(schemas.NewSecret),
    "secrets.end": Shape(schemas.SecretsEnded),
    "grants.list": Shape(schemas.Grants, query=(*_PAGED, "user", "client")),
    "grants.end": Shape(schemas.Ended),
    "sessions.list": Shape(schemas.Sessions, query=(*_PAGED, "user")),
    "sessions.read": Shape(schemas.Session),
    "sessions.end": Shape(schemas.Ended),
    "consents.list": Shape(schemas.Consents),
    "consents.withdraw": Shape(schemas.Ended),
    "keys.list": Shape(schemas.Keys),
    "keys.rotate": Shape(schemas.Keys),
    "keys.replace": Shape(schemas.Keys),
    "events.list": Shape(schemas.Events, query=(*_PAGED, "subject", "by")),
    "revocations.list": Shape(schemas.Revocations),
    "revocations.add": Shape(schemas.Revocations, bodies.Revoke),
    "revocations.lift": Shape(schemas.Revocations),
}
"""The shape of each operation but that which tells all this."""

_QUERY: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "after": ({"type": "string"}, "`next` of the page before; for events also `start` or a `cursor`"),
    "limit": ({"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": PAGE}, "how many at most"),
    "user_name": ({"type": "string"}, "the one account of this name"),
    "name": ({"type": "string"}, "the one group of this name"),
    "user": ({"type": "string"}, "those of one account, by its id"),
    "client": ({"type": "string"}, "those of one client"),
    "subject": ({"type": "string"}, "those about one account, group or client"),
    "by": ({"type": "string"}, "those that somebody did"),
}


class Description:
    """What answers with it."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context

    def handlers(self) -> dict[str, Handler]:
        """Return the operation."""
        return {"api.read": self.get}

    async def get(self, _: Asked) -> Response:
        """Answer with the description, for this issuer's URL."""
        return answer(describe(self._context.directory.current().issuer))


def describe(issuer: str) -> dict[str, Any]:
    """Return the description of the administration of one issuer."""
    paths, components = _made()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ringwall administration",
            "version": "1",
            "description": "Who may do what is said by the system's Cedar policies, on `ringwall-issuer/OPERATION`.",
        },
        "servers": [{"url": issuer}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


@cache
def _made() -> tuple[dict[str, Any], dict[str, Any]]:
    models: set[type[BaseModel]] = {schemas.Problem}
    for shape in SHAPES.values():
        models |= {shape.answer} | ({shape.body} if shape.body is not None else set())
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in ordered], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, Any] = {}
    for operation in OPERATIONS:
        if operation.name in SHAPES:
            described = _operation(operation, SHAPES[operation.name])
        elif operation.template.startswith("/admin/"):
            described = _answers(operation, {"type": "object"})
        else:
            continue
        paths.setdefault(operation.template, {})[operation.method.lower()] = described
    return paths, definitions["$defs"]


def _operation(operation: AdminOperation, shape: Shape) -> dict[str, Any]:
    described = _answers(operation, _ref(shape.answer))
    for name in shape.query:
        schema, says = _QUERY[name]
        described["parameters"].append({"name": name, "in": "query", "schema": schema, "description": says})
    if shape.versioned:
        described["parameters"].append(
            {
                "name": "If-Match",
                "in": "header",
                "schema": {"type": "string"},
                "description": "the `ETag` of what was read; without it the change is made whatever was changed since",
            }
        )
    if shape.body is not None:
        required = any(field.is_required() for field in shape.body.model_fields.values())
        described["requestBody"] = {
            "required": required,
            "content": {"application/json": {"schema": _ref(shape.body)}},
        }
    return described


def _answers(operation: AdminOperation, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": operation.name,
        "summary": operation.says,
        "tags": [operation.name.partition(".")[0]],
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in _PARAMETER.findall(operation.template)
        ],
        "responses": {
            "200": {"description": "Done.", "content": {"application/json": {"schema": schema}}},
            "default": {"description": "Refused.", "content": {MEDIA_TYPE: {"schema": _ref(schemas.Problem)}}},
        },
    }


def _ref(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
