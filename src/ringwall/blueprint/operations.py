"""Operations as text: `GET /patients/{id}`, `* /static/{rest...}`, `/package.Service/Method`; named or not."""

import re
from typing import Any, Final

from ringwall.blueprint.document import Mapping, Node, Scalar, describe
from ringwall.blueprint.report import Report, suggest
from ringwall.blueprint.service_model import Operation
from ringwall.blueprint.shape import BadValueError
from ringwall.model.errors import Span

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
ID: Final = r"^[^\x00-\x20\"\\*][^\x00-\x1f\"\\]{0,199}$"
_ROUTE = re.compile(r"(\*|[A-Z]+) +(/\S*)")
_GRPC = re.compile(r"/[A-Za-z_][A-Za-z0-9_.]*/[A-Za-z_][A-Za-z0-9_]*")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()*+,=:@-]*")
_PARAM = re.compile(r"\{([^{}]*)\}")
_PARAM_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_MAX_TEMPLATE = 500


def check_template(template: str) -> str:
    """Return a path template that routing understands, or raise BadValueError."""
    if not template.startswith("/") or len(template) > _MAX_TEMPLATE:
        raise BadValueError(f"a path begins with '/' and has at most {_MAX_TEMPLATE} characters")
    names: list[str] = []
    parts = template[1:].split("/")
    for index, part in enumerate(parts):
        names.extend(_check_segment(part, last=index == len(parts) - 1))
    if len({*names}) != len(names):
        raise BadValueError("each path parameter has a name of its own")
    return template


def _check_segment(part: str, *, last: bool) -> list[str]:
    """Return the names of the parameters in one segment, or raise BadValueError."""
    names = _PARAM.findall(part)
    for name in names:
        bare = name.removesuffix("...")
        if not _PARAM_NAME.fullmatch(bare):
            raise BadValueError(f"{{{name}}} is not a path parameter", hint="name it with letters, digits and '_'")
        if bare != name and (part != f"{{{name}}}" or not last):
            raise BadValueError(f"{{{name}}} takes the rest of a path, so it is a last segment of its own")
    rest = _PARAM.sub("", part)
    if "{" in rest or "}" in rest:
        raise BadValueError("the braces of the path do not match")
    if not _LITERAL.fullmatch(rest):
        raise BadValueError("the path holds a character that routes cannot hold", hint="use a parameter in its place")
    if "}{" in part:
        raise BadValueError("two parameters of one segment need some text between them")
    if part in {".", ".."} or (not part and not last):
        raise BadValueError("a path has no empty segment, '.' or '..'")
    return [name.removesuffix("...") for name in names]


def parse_route(text: str, span: Span, name: str | None = None) -> Operation:
    """Return the operation that `GET /path` or `/package.Service/Method` declares, or raise BadValueError."""
    if _GRPC.fullmatch(text):
        return Operation(id=name or text[1:], method="POST", template=text, span=span)
    match = _ROUTE.fullmatch(text)
    if match is None:
        raise BadValueError(
            f"an operation is a method and a path, not {text[:60]!r}",
            hint="for instance `GET /items/{id}`, `* /static/{rest...}`, or for gRPC `/package.Service/Method`",
        )
    method, template = match.groups()
    if method not in METHODS and method != "*":
        raise BadValueError(f"there is no method {method!r}", hint=suggest(method, (*METHODS, "*")))
    return Operation(id=name or f"{method} {template}", method=method, template=check_template(template), span=span)


class OperationShape:
    """One item of `operations:`: a route, or a name with its route."""

    def read(self, node: Node, where: str, report: Report) -> Operation | None:
        """Return the operation, without the service's name."""
        name: str | None = None
        span = node.span
        if isinstance(node, Mapping) and len(node.entries) == 1:
            key, node = node.entries[0]
            name, span = key.text, key.span
            if not re.search(ID, name):
                report.error("bad-value", f"{name[:60]!r} cannot name an operation", span)
                return None
        if not isinstance(node, Scalar) or not isinstance(node.value, str):
            wanted = "a route such as `GET /items/{id}`, or `name: GET /items/{id}`"
            report.error("wrong-type", f"{where} is {wanted}, not {describe(node)}", node.span)
            return None
        try:
            return parse_route(node.text, span, name)
        except BadValueError as error:
            report.error("bad-route", error.message, node.span, hint=error.hint)
            return None

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of either form."""
        route = {"type": "string", "pattern": r"^((\*|[A-Z]+) +/\S*|/[A-Za-z_][A-Za-z0-9_.]*/[A-Za-z_][A-Za-z0-9_]*)$"}
        named = {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "propertyNames": {"pattern": ID},
            "additionalProperties": route,
        }
        return {"anyOf": [route, named]}
