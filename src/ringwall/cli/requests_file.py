"""Reads a file of requests for `ringwall try`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ringwall.blueprint.document import Mapping, Node, Scalar, parse
from ringwall.blueprint.record import Field, Pairs, Record
from ringwall.blueprint.report import Report
from ringwall.blueprint.shape import At, ListOf, Number, Text
from ringwall.model.errors import InvalidBlueprintError, RingwallError, Span

GUEST: Final = "guest"
EDGE: Final = "edge"
SERVICE: Final = "service:"
"""Before the name of a service that asks without a user's token."""
_LARGEST_FILE: Final = 4 * 1024 * 1024


class RequestsFileError(RingwallError):
    """The file cannot be read."""

    code = "requests-file"
    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request, and what is expected of it.

    Attributes:
        who: a person's name, `guest`, or `service:NAME` for a call of that service without a user's token.
        via: `edge`, or the service that asks.
        to: the callee, where `via` is a service.
        expect: the status code expected.
    """

    who: str
    method: str
    path: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    via: str = EDGE
    to: str = ""
    expect: int
    note: str = ""
    span: Span


class _Body:
    """Text as it is, or anything else as JSON."""

    def read(self, node: Node, where: str, report: Report) -> At[bytes] | None:
        """Return the bytes to send."""
        del where, report
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return At(node.text.encode(), node.span)
        return At(json.dumps(_plain(node)).encode(), node.span)

    def json_schema(self) -> dict[str, Any]:
        """Return the schema of anything."""
        return {}


def _plain(node: Node) -> Any:
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Mapping):
        return {key.text: _plain(value) for key, value in node.entries}
    return [_plain(item) for item in node.items]


def _asked(
    *,
    span: Span,
    method: At[str],
    path: At[str],
    expect: At[int],
    who: At[str] | None = None,
    headers: tuple[tuple[At[str], At[str]], ...] = (),
    body: At[bytes] | None = None,
    via: At[str] | None = None,
    to: At[str] | None = None,
    note: At[str] | None = None,
) -> Asked:
    name = who.value if who else GUEST
    service = name.removeprefix(SERVICE) if name.startswith(SERVICE) else EDGE
    return Asked(
        who=name,
        method=method.value,
        path=path.value,
        headers=tuple((key.value, value.value) for key, value in headers),
        body=body.value if body else None,
        via=via.value if via else service,
        to=to.value if to else "",
        expect=expect.value,
        note=note.value if note else "",
        span=span,
    )


_TOKEN: Final = Text("an HTTP name", r"^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$", str, "x-purpose")
_WORD: Final = Text("a name", r"^\S{1,200}$", str, "alice")
_FILE: Final = ListOf(
    Record(
        _asked,
        {
            "as": Field(_WORD, "A person, `guest` (default), or `service:NAME`.", attribute="who"),
            "method": Field(
                Text("an HTTP method", r"^[A-Z]{1,20}$", str, "GET"), "The HTTP method, or TCP.", required=True
            ),
            "path": Field(Text("a path", r"^/[!-~]*$", str, "/patients/7"), "Path, with query.", required=True),
            "headers": Field(Pairs(_TOKEN, Text("text", r"^[^\0\r\n]*$", str)), "Headers."),
            "body": Field(_Body(), "Text, or anything that is sent as JSON."),
            "via": Field(_WORD, "`edge` (default), or the service that calls."),
            "to": Field(_WORD, "The service called, where `via` is a service that calls several."),
            "expect": Field(Number(100, 599), "The status code expected.", required=True),
            "note": Field(Text("text", r"", str), "What it shows."),
        },
    ),
    minimum=1,
)


def read_requests(path: Path) -> tuple[Asked, ...]:
    """Read a YAML list of requests; raise InvalidBlueprintError with everything that is wrong with it."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise RequestsFileError(f"cannot read {path}: {error.strerror}") from error
    if len(content) > _LARGEST_FILE:
        raise RequestsFileError(f"{path} is larger than {_LARGEST_FILE} bytes")
    report = Report()
    root = parse(str(path), content, report)
    rows = _FILE.read(root, "a file of requests", report) if root is not None else None
    if report.failed or rows is None:
        raise InvalidBlueprintError(report.diagnostics)
    return rows
