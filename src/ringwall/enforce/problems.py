"""What a proxy says when it answers by itself: problem documents (RFC 9457) that carry the request id and no more.

Nothing of Envoy's own wording, of the service behind or of the rule that decided reaches the client;
`ringwall explain REQUEST_ID` tells the operator.
"""

from enum import Enum
from typing import Any

from envoy.config.core.v3 import substitution_format_string_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from google.protobuf.struct_pb2 import Struct

from ringwall.enforce import binding, error_pages, step_up
from ringwall.enforce.log_filters import (
    all_of,
    any_of,
    cel,
    has_header,
    header_is,
    status_is,
    status_is_any,
    status_is_at_most,
)
from ringwall.enforce.proto import header, u32
from ringwall.model import headers
from ringwall.model.presented import ALGORITHMS
from ringwall.plan.attributes import ROUTE_METADATA, ROUTE_METADATA_CHALLENGE, ROUTE_METADATA_SIGN_IN

MEDIA_TYPE = "application/problem+json"


class Pages(Enum):
    """Which answers of a listener are pages where a page is asked for: each one costs every listener some memory."""

    NONE = "none"
    """It answers programs."""
    MOST = "most"
    """It answers browsers where the edge did not."""
    ALL = "all"
    """It is the edge."""


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

PATH_SHAPE_POLICY = "path-shape"
"""RBAC policy that refuses a path with dot segments that carry a parameter; answered with 400."""

CROSS_SITE_POLICY = "cross-site"
"""RBAC policy that refuses what a page of another site makes a browser do by its session; answered with 403."""

ORIGIN_POLICY = "foreign-origin"
"""RBAC policy that refuses a WebSocket connection from a page of an origin that is not named; answered with 403."""

_POLICY = "content-security-policy"
_PLAIN = (
    header("x-content-type-options", "nosniff"),
    header(_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    header("x-frame-options", "DENY"),
    header("referrer-policy", "no-referrer"),
    header("cache-control", "no-store"),
)
"""On every answer that a proxy writes itself."""

_TITLE = f"%CEL({TITLES}[response.code])%"
_ID = "%REQ(x-request-id)%"
_DEMAND = f"%METADATA(ROUTE:{ROUTE_METADATA}:{ROUTE_METADATA_CHALLENGE})%"
_RETURN_TO = "return_to=%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%"
_SET = "OVERWRITE_IF_EXISTS_OR_ADD"
_ALGORITHMS = f'algs="{" ".join(ALGORITHMS)}"'
_REVOKED = (
    "response.code_details.contains('[revoked-') && !response.code_details.contains('[revoked-workload]')"
    f" || response.code_details.contains('[{binding.CERTIFICATE}')"
)
"""The token, or what it stands for, was revoked (RFC 6750, section 3.1); a workload that was has no token to renew.
Or it is bound to a certificate, and comes without it or with one that the plan names no more (RFC 8705, section 3)."""
_ANSWERED = "response.code_details == 'ext_authz_denied'"
"""The decision point has refused a bound token, and has brought the challenge along."""
_STEP_UP = f"response.code_details.contains('[{step_up.POLICY}')"
"""The policies would let it pass; the sign-in behind the token is not as sure or as fresh as the operation asks."""
_ASKS_FOR_MORE = f"'{ROUTE_METADATA_SIGN_IN}' in xds.route_metadata.filter_metadata['{ROUTE_METADATA}']"
_NO_ROUTE = "!has(xds.route_name)"
"""No route matched. The rule that refuses whatever brings no rules of its own has refused it; it is said as 404."""
_NO_HANDSHAKE = "response.code_details == 'websocket_handshake_unsuccessful'"
_BEFORE_THE_ID = (400, 408, 426, 431)
"""Refusals that come before Envoy has made an id; the request may still carry one that its client chose."""


def replies(extra: tuple[Any, ...] = (), *, login_at: str = "", pages: Pages = Pages.NONE) -> Any:
    """Return the local replies of a listener.

    Args:
        extra: headers that every answer of it carries.
        login_at: where browsers that ask for a page without a valid token are sent, with `return_to` as the last
            parameter of the query: it is not encoded, so all that follows belongs to it.
        pages: which answers are pages where one is asked for.
    """
    is_401, is_403 = status_is(401), status_is(403)
    not_one_token, not_valid = (_challenge(f'error="{error}"') for error in ("invalid_request", "invalid_token"))
    not_bound = _bound_challenge('error="invalid_token", ')
    early = any_of(*(status_is(code) for code in _BEFORE_THE_ID))
    unavailable = _mapper(status_is(503), (*extra, header("retry-after", "1", "ADD_IF_ABSENT")))
    rest = _mapper(status_is_any(), extra)
    mappers = [
        # A service answered that it opens no connection, and Envoy says so by that answer's status; between proxies a
        # status of success would mean that it does (RFC 8441, section 5), and the client would be told 101.
        _mapper(all_of(status_is_at_most(299), cel(_NO_HANDSHAKE)), extra, status=502),
        *([_to_step_up(login_at, extra), _to_login(login_at, extra)] if login_at else []),
        _mapper(all_of(is_403, cel(_STEP_UP), header_is(binding.by_dpop())), (*extra, _step_up_bound()), status=401),
        _mapper(all_of(is_403, cel(_STEP_UP)), (*extra, _challenge(_DEMAND)), status=401),
        _mapper(all_of(is_403, _because(TOKEN_SHAPE_POLICY)), (*extra, not_one_token), status=401),
        _mapper(all_of(is_403, _because(HOST_SHAPE_POLICY)), extra, status=400),
        _mapper(all_of(is_403, _because(PATH_SHAPE_POLICY)), extra, status=400),
        _mapper(all_of(is_403, cel(_REVOKED), header_is(binding.by_dpop())), (*extra, not_bound), status=401),
        _mapper(all_of(is_403, cel(_REVOKED)), (*extra, not_valid), status=401),
        _mapper(all_of(is_403, _because(binding.BOUND_AS_BEARER)), (*extra, not_bound), status=401),
        _mapper(all_of(is_403, _because(binding.UNBOUND_AS_DPOP)), (*extra, not_bound), status=401),
        _mapper(all_of(is_403, cel(_NO_ROUTE)), extra, status=404),
        _mapper(all_of(is_401, cel(_ANSWERED)), extra),
        _mapper(all_of(is_401, header_is(binding.by_dpop())), (*extra, not_bound)),
        _mapper(all_of(is_401, has_header("authorization")), (*extra, not_valid)),
        _mapper(is_401, (*extra, _bound_challenge(""), _challenge("", "APPEND_IF_EXISTS_OR_ADD"))),
        unavailable,
        _mapper(early, extra, known=False),
        rest,
    ]
    as_pages = {Pages.NONE: [], Pages.MOST: [unavailable, rest], Pages.ALL: mappers}[pages]
    ordered = [each for mapper in mappers for each in ([_as_page(mapper), mapper] if mapper in as_pages else [mapper])]
    return http_connection_manager_pb2.LocalReplyConfig(mappers=ordered)


def _to_login(where: str, extra: tuple[Any, ...]) -> Any:
    """Send a browser to sign in where it asked for a page; a program gets its 401."""
    refused = any_of(status_is(401), all_of(status_is(403), cel(_REVOKED)))
    target = header("location", f"{where}?{_RETURN_TO}")
    return _mapper(all_of(has_header(headers.WANTS_A_PAGE), refused), (*extra, target), status=302)


def _to_step_up(where: str, extra: tuple[Any, ...]) -> Any:
    """The same for operations that ask for a surer or fresher sign-in, which is asked for at once."""
    refused = any_of(status_is(401), all_of(status_is(403), any_of(cel(_REVOKED), cel(_STEP_UP))))
    target = header("location", f"{where}?%METADATA(ROUTE:{ROUTE_METADATA}:{ROUTE_METADATA_SIGN_IN})%{_RETURN_TO}")
    asks = all_of(has_header(headers.WANTS_A_PAGE), refused, cel(_ASKS_FOR_MORE))
    return _mapper(asks, (*extra, target), status=302)


def _step_up_bound() -> Any:
    return _bound_challenge(f"{_DEMAND}, ")


def _mapper(match: Any, added: tuple[Any, ...], *, status: int | None = None, known: bool = True) -> Any:
    return http_connection_manager_pb2.ResponseMapper(
        filter=match,
        status_code=None if status is None else u32(status),
        body_format_override=_document(known=known),
        headers_to_add=[*_PLAIN, *added],
    )


def _as_page(mapper: Any) -> Any:
    """Return the same answer for those who ask for a page."""
    made = http_connection_manager_pb2.ResponseMapper()
    made.CopyFrom(mapper)
    made.filter.CopyFrom(all_of(error_pages.wanted(), mapper.filter))
    made.body_format_override.CopyFrom(
        error_pages.page(known="request_id" in mapper.body_format_override.json_format.fields)
    )
    del made.headers_to_add[:]
    made.headers_to_add.extend(
        error_pages.policy() if each.header.key == _POLICY else each for each in mapper.headers_to_add
    )
    return made


def _document(*, known: bool) -> Any:
    body = Struct()
    body.update({"type": "about:blank", "title": _TITLE, "status": "%RESPONSE_CODE%"})
    if known:
        body.update({"instance": f"urn:uuid:{_ID}", "request_id": _ID})
    return substitution_format_string_pb2.SubstitutionFormatString(
        json_format=body, content_type=MEDIA_TYPE, omit_empty_values=True
    )


def _challenge(parameter: str, action: str = _SET) -> Any:
    """RFC 6750, section 3: no error code where the request carried no token."""
    return header("www-authenticate", f'Bearer realm="ringwall"{", " if parameter else ""}{parameter}', action)


def _bound_challenge(parameter: str) -> Any:
    """RFC 9449, section 7.1."""
    return header("www-authenticate", f'DPoP realm="ringwall", {parameter}{_ALGORITHMS}')


def _because(policy: str) -> Any:
    """Match answers of an RBAC filter's DENY policy; where that cannot be told, the 403 stays."""
    return cel(f"response.code_details.contains('[{policy}]')")
