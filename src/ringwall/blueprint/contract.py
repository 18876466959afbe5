"""OpenAPI 3.0 and 3.1 contracts: which operations a service has. Only paths, methods and `x-data` are read.

Source: OpenAPI Specification 3.1.0, 4.8.8 (Paths Object), 4.8.9 (Path Item Object), 4.8.10 (Operation Object).
"""

import re
from typing import Final

import orjson

from ringwall.blueprint.document import Mapping, Node, Scalar, Sequence, describe
from ringwall.blueprint.operations import ID, check_template
from ringwall.blueprint.report import Report
from ringwall.blueprint.service_model import Operation
from ringwall.blueprint.shape import At, BadValueError
from ringwall.model.errors import Span

MAX_OPERATIONS: Final = 5_000
_METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_OTHER_KEYS: Final = ("summary", "description", "servers", "parameters", "$ref")


def read_contract(root: Node, report: Report) -> tuple[Operation, ...] | None:
    """Return the operations that a contract declares, in the order written; None, with an error, if it is none."""
    if not isinstance(root, Mapping):
        report.error("contract", f"an OpenAPI contract is a mapping, not {describe(root)}", root.span)
        return None
    if not _check_version(root, report):
        return None
    _check_servers(root, report)
    paths = root.get("paths")
    if not isinstance(paths, Mapping):
        report.error("contract", "the contract has no `paths`", paths.span if paths else root.span)
        return None
    found: list[Operation] = []
    for template, item in paths.entries:
        if template.text.startswith("x-"):
            continue
        try:
            check_template(template.text)
        except BadValueError as error:
            report.error("bad-route", f"{template.text[:60]!r}: {error.message}", template.span, hint=error.hint)
            continue
        resolved = _resolve(root, item, report)
        if resolved is not None:
            found.extend(_operations(template.text, resolved, report))
    if len(found) > MAX_OPERATIONS:
        report.error("contract", f"{len(found)} operations, at most {MAX_OPERATIONS} are read", paths.span)
        return None
    return tuple(found)


def _check_version(root: Mapping, report: Report) -> bool:
    version = root.get("openapi")
    if version is None:
        swagger = root.get("swagger")
        hint = "convert it to OpenAPI 3" if swagger else "the first line is usually `openapi: 3.1.0`"
        span = swagger.span if swagger else root.span
        report.error("contract", "this is not an OpenAPI 3 contract", span, hint=hint)
        return False
    if not isinstance(version, Scalar) or not re.fullmatch(r"3\.[012](\.\d+)?(-\S+)?", version.text):
        written = version.text[:20] if isinstance(version, Scalar) else describe(version)
        report.error("contract", f"OpenAPI 3.0 and 3.1 are read, not {written}", version.span)
        return False
    return True


def _check_servers(root: Mapping, report: Report) -> None:
    servers = root.get("servers")
    for server in servers.items if isinstance(servers, Sequence) else ():
        url = server.get("url") if isinstance(server, Mapping) else None
        if isinstance(url, Scalar) and re.sub(r"^[a-z]+://[^/]*", "", url.text).strip("/"):
            report.warning(
                "contract-server",
                f"the path of the server {url.text[:60]!r} is not used: routes are the contract's own paths",
                url.span,
                hint="if the service itself serves below that path, write it into `paths`",
            )


def _resolve(root: Mapping, item: Node, report: Report) -> Mapping | None:
    """Return a path item, following one local `$ref`."""
    if isinstance(item, Scalar) and item.value is None:
        return None
    if not isinstance(item, Mapping):
        report.error("contract", f"a path holds a mapping of methods, not {describe(item)}", item.span)
        return None
    reference = item.get("$ref")
    if reference is None:
        return item
    target: Node | None = None
    if isinstance(reference, Scalar) and reference.text.startswith("#/"):
        target = root
        for part in reference.text[2:].split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, Mapping) else None
    if not isinstance(target, Mapping) or target.get("$ref") is not None:
        report.error(
            "contract", "this `$ref` of a path leads nowhere in this file", reference.span, hint="bundle the contract"
        )
        return None
    return target


def _operations(template: str, item: Mapping, report: Report) -> list[Operation]:
    found = []
    for key, node in item.entries:
        if key.text in _OTHER_KEYS or key.text.startswith("x-"):
            continue
        if key.text not in _METHODS:
            message = f"a path has no method {key.text[:30]!r}"
            report.error("contract", message, key.span, hint=report.suggest(key.text, _METHODS))
            continue
        if not isinstance(node, Mapping):
            report.error("contract", f"an operation is a mapping, not {describe(node)}", node.span)
            continue
        method = key.text.upper()
        name, span = _name(node, key.span, report)
        found.append(
            Operation(
                id=name or f"{method} {template}", method=method, template=template, span=span, data=_data(node, report)
            )
        )
    return found


def _name(node: Mapping, span: Span, report: Report) -> tuple[str, Span]:
    name = node.get("operationId")
    if name is None:
        return "", span
    if not isinstance(name, Scalar) or not re.search(ID, name.text):
        report.error(
            "contract",
            "an operationId is text without quotes, backslashes and control characters, and not '*'",
            name.span,
        )
        return "", span
    return name.text, name.span


def _data(node: Mapping, report: Report) -> tuple[At[str], ...] | None:
    data = node.get("x-data")
    if data is None:
        return None
    items = data.items if isinstance(data, Sequence) else ()
    if not isinstance(data, Sequence) or not all(isinstance(item, Scalar) for item in items):
        report.error("contract", f"x-data is a list of data classes, not {describe(data)}", data.span)
        return None
    return tuple(At(item.text, item.span) for item in items if isinstance(item, Scalar))


def dump_operations(operations: tuple[Operation, ...]) -> bytes:
    """Return operations as bytes for `load_operations`; where they stand is kept, the file's name is not."""
    rows = [
        [
            *(o.id, o.method, o.template, o.span.line, o.span.column),
            None if o.data is None else [[data.value, data.span.line, data.span.column] for data in o.data],
        ]
        for o in operations
    ]
    return orjson.dumps(rows)


def load_operations(file: str, data: bytes) -> tuple[Operation, ...]:
    """Return the operations that `dump_operations` wrote."""
    return tuple(
        Operation(
            id=name,
            method=method,
            template=template,
            span=Span(file, line, column),
            data=None if classes is None else tuple(At(value, Span(file, *place)) for value, *place in classes),
        )
        for name, method, template, line, column, classes in orjson.loads(data)
    )
