"""What a proxy says when it answers by itself: problem documents (RFC 9457) that carry the request id and no more.

Nothing of Envoy's own wording, of the service behind or of the rule that decided reaches the client;
`ringwall explain REQUEST_ID` tells the operator.
"""

from http import HTTPStatus
from typing import Any

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import base_pb2, substitution_format_string_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.access_loggers.filters.cel.v3 import cel_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from google.protobuf.struct_pb2 import Struct

from ringwall.enforce.proto import header, pack, u32

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


def replies(extra: tuple[Any, ...] = ()) -> Any:
    """Return the local replies of a listener; `extra` are headers that every answer of it carries."""
    not_one_token = (*extra, _challenge('error="invalid_request"'))
    mappers = [
        _mapper(_both(_status(403), _because(TOKEN_SHAPE_POLICY)), TITLES[401], not_one_token, status=401),
        _mapper(_both(_status(403), _because(HOST_SHAPE_POLICY)), TITLES[400], extra, status=400),
    ]
    for status, title in TITLES.items():
        if status == HTTPStatus.UNAUTHORIZED:
            mappers.append(
                _mapper(_both(_status(401), _has_token()), title, (*extra, _challenge('error="invalid_token"')))
            )
            mappers.append(_mapper(_status(401), title, (*extra, _challenge(""))))
            continue
        more = (header("retry-after", "1", "ADD_IF_ABSENT"),) if status in _RETRY_SOON else ()
        mappers.append(_mapper(_status(status), title, (*extra, *more)))
    mappers.append(_mapper(_status(0, "GE"), "Error", extra))
    return http_connection_manager_pb2.LocalReplyConfig(mappers=mappers)


def _mapper(match: Any, title: str, headers: tuple[Any, ...], *, status: int | None = None) -> Any:
    return http_connection_manager_pb2.ResponseMapper(
        filter=match,
        status_code=None if status is None else u32(status),
        body_format_override=_document(title),
        headers_to_add=[*_PLAIN, *headers],
    )


def _document(title: str) -> Any:
    body = Struct()
    body.update(
        {
            "type": "about:blank",
            "title": title,
            "status": "%RESPONSE_CODE%",
            "instance": "urn:uuid:%REQ(x-request-id)%",
            "request_id": "%REQ(x-request-id)%",
        }
    )
    return substitution_format_string_pb2.SubstitutionFormatString(
        json_format=body, content_type=MEDIA_TYPE, omit_empty_values=True
    )


def _challenge(parameter: str) -> Any:
    """RFC 6750, section 3: no error code where the request carried no token."""
    return header("www-authenticate", f'Bearer realm="ringwall"{", " if parameter else ""}{parameter}')


def _status(code: int, operator: str = "EQ") -> Any:
    value = base_pb2.RuntimeUInt32(default_value=code, runtime_key="ringwall.none")
    comparison = accesslog_pb2.ComparisonFilter(op=operator, value=value)
    return accesslog_pb2.AccessLogFilter(status_code_filter=accesslog_pb2.StatusCodeFilter(comparison=comparison))


def _has_token() -> Any:
    present = route_components_pb2.HeaderMatcher(name="authorization", present_match=True)
    return accesslog_pb2.AccessLogFilter(header_filter=accesslog_pb2.HeaderFilter(header=present))


def _because(policy: str) -> Any:
    """Match answers of an RBAC filter's DENY policy; a CEL error counts as no match and leaves the 403."""
    expression = cel_pb2.ExpressionFilter(expression=f"response.code_details.contains('[{policy}]')")
    return accesslog_pb2.AccessLogFilter(
        extension_filter=accesslog_pb2.ExtensionFilter(
            name="envoy.access_loggers.extension_filters.cel", typed_config=pack(expression)
        )
    )


def _both(*filters: Any) -> Any:
    return accesslog_pb2.AccessLogFilter(and_filter=accesslog_pb2.AndFilter(filters=filters))
