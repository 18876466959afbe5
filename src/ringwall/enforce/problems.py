"""What a proxy says when it answers by itself: problem documents (RFC 9457) that carry the request id and no more.

Nothing of Envoy's own wording, of the service behind or of the rule that decided reaches the client;
`ringwall explain REQUEST_ID` tells the operator.
"""

from http import HTTPStatus
from typing import Any

from envoy.config.core.v3 import substitution_format_string_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from google.protobuf.struct_pb2 import Struct

from ringwall.enforce.log_filters import all_of, cel, has_header, status_is, status_is_any
from ringwall.enforce.proto import header, u32

MEDIA_TYPE = "application/problem+json"

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    421: "Misdirected Request",
    426: "Upgrade Required",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}

TOKEN_SHAPE_POLICY = "token-shape"  # noqa: S105  # the name of a policy
"""RBAC policy that refuses an Authorization header which is not one bearer token; answered with 401."""

HOST_SHAPE_POLICY = "host-shape"
"""RBAC policy that refuses a Host whose port is not a number; answered with 400."""

_PLAIN = (
    header("x-content-type-options", "nosniff"),
    header("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    header("x-frame-options", "DENY"),
    header("referrer-policy", "no-referrer"),
    header("cache-control", "no-store"),
)
"""On every answer that a proxy writes itself."""

_RETRY_SOON = (503,)

_ID = "%REQ(x-request-id)%"
_BEFORE_THE_ID = frozenset(TITLES[status] for status in (400, 408, 426, 431))
"""Refusals that come before Envoy has made an id; the request may still carry one that its client chose."""


def replies(extra: tuple[Any, ...] = ()) -> Any:
    """Return the local replies of a listener; `extra` are headers that every answer of it carries."""
    not_one_token = (*extra, _challenge('error="invalid_request"'))
    mappers = [
        _mapper(all_of(status_is(403), _because(TOKEN_SHAPE_POLICY)), TITLES[401], not_one_token, status=401),
        _mapper(all_of(status_is(403), _because(HOST_SHAPE_POLICY)), TITLES[400], extra, status=400),
    ]
    for status, title in TITLES.items():
        if status == HTTPStatus.UNAUTHORIZED:
            with_token = all_of(status_is(401), has_header("authorization"))
            mappers.append(_mapper(with_token, title, (*extra, _challenge('error="invalid_token"'))))
            mappers.append(_mapper(status_is(401), title, (*extra, _challenge(""))))
            continue
        more = (header("retry-after", "1", "ADD_IF_ABSENT"),) if status in _RETRY_SOON else ()
        mappers.append(_mapper(status_is(status), title, (*extra, *more)))
    mappers.append(_mapper(status_is_any(), "Error", extra))
    return http_connection_manager_pb2.LocalReplyConfig(mappers=mappers)


def _mapper(match: Any, title: str, headers: tuple[Any, ...], *, status: int | None = None) -> Any:
    return http_connection_manager_pb2.ResponseMapper(
        filter=match,
        status_code=None if status is None else u32(status),
        body_format_override=_document(title, known=title not in _BEFORE_THE_ID),
        headers_to_add=[*_PLAIN, *headers],
    )


def _document(title: str, *, known: bool) -> Any:
    body = Struct()
    body.update({"type": "about:blank", "title": title, "status": "%RESPONSE_CODE%"})
    if known:
        body.update({"instance": f"urn:uuid:{_ID}", "request_id": _ID})
    return substitution_format_string_pb2.SubstitutionFormatString(
        json_format=body, content_type=MEDIA_TYPE, omit_empty_values=True
    )


def _challenge(parameter: str) -> Any:
    """RFC 6750, section 3: no error code where the request carried no token."""
    return header("www-authenticate", f'Bearer realm="ringwall"{", " if parameter else ""}{parameter}')


def _because(policy: str) -> Any:
    """Match answers of an RBAC filter's DENY policy; where that cannot be told, the 403 stays."""
    return cel(f"response.code_details.contains('[{policy}]')")
