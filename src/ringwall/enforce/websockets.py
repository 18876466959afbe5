"""WebSocket connections (RFC 6455, and RFC 8441 over HTTP/2): which requests open one, and what bounds it.

A proxy decides once, when a connection is opened, and carries what follows unseen. So no connection lasts longer
than `MAX_SECONDS`: a token that has expired, what was revoked and a changed policy count at the latest then.
"""

from collections.abc import Iterable
from typing import Any, Final

from envoy.config.rbac.v3 import rbac_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from envoy.type.matcher.v3 import string_pb2
from google.api.expr.v1alpha1 import syntax_pb2

from ringwall.enforce.proto import FALSE, TRUE, seconds

IDLE_SECONDS: Final = 300
"""A connection on which nothing moves, pings included, is closed after this time."""

MAX_SECONDS: Final = 900
"""A connection is closed at this age; clients open another, and are judged anew."""

_UPGRADE = "websocket"


def offered(*, everywhere: bool = False) -> Any:
    """Return a listener's word on upgrades: where a route says so, or on all of its routes."""
    kind = http_connection_manager_pb2.HttpConnectionManager.UpgradeConfig
    return kind(upgrade_type=_UPGRADE, enabled=TRUE if everywhere else FALSE)


def asked() -> list[Any]:
    """Return what a request that opens a connection carries (RFC 6455, section 4.1); Envoy says RFC 8441 so as well."""
    return [
        route_components_pb2.HeaderMatcher(
            name="upgrade", string_match=string_pb2.StringMatcher(exact=_UPGRADE, ignore_case=True)
        ),
        route_components_pb2.HeaderMatcher(
            name="connection", string_match=string_pb2.StringMatcher(contains="upgrade", ignore_case=True)
        ),
    ]


def carry(action: Any) -> None:
    """Make a route's action carry a connection instead of an answer."""
    kind = route_components_pb2.RouteAction
    action.upgrade_configs.append(kind.UpgradeConfig(upgrade_type=_UPGRADE, enabled=TRUE))
    action.timeout.CopyFrom(seconds(0))
    action.idle_timeout.CopyFrom(seconds(IDLE_SECONDS))
    action.max_stream_duration.CopyFrom(kind.MaxStreamDuration(max_stream_duration=seconds(MAX_SECONDS)))


def foreign_origin(origins: Iterable[str]) -> Any:
    """Return the policy that matches pages of other origins than the edge's own and these (RFC 6455, section 10.2).

    Browsers do not ask before a page opens a connection, and send its cookies along. What is no browser says no origin.
    """
    origin = route_components_pb2.HeaderMatcher(name="origin", present_match=True)
    named = [
        route_components_pb2.HeaderMatcher(name="origin", string_match=string_pb2.StringMatcher(exact=text))
        for text in origins
    ]
    strangers = [rbac_pb2.Principal(not_id=rbac_pb2.Principal(header=header)) for header in named]
    principal = rbac_pb2.Principal.Set(ids=[rbac_pb2.Principal(header=origin), *strangers])
    policy = rbac_pb2.Policy(
        permissions=[rbac_pb2.Permission(any=True)], principals=[rbac_pb2.Principal(and_ids=principal)]
    )
    policy.condition.CopyFrom(_not_of_this_host())
    policy.cel_config.enable_string_concat = True
    return policy


def _not_of_this_host() -> Any:
    """`request.headers["origin"] != "https://" + request.host`; the header is there, or the policy does not ask."""
    origin = _call("_[_]", _of_request("headers"), _text("origin"))
    return _call("_!=_", origin, _call("_+_", _text("https://"), _of_request("host")))


def _of_request(name: str) -> Any:
    request = syntax_pb2.Expr(ident_expr=syntax_pb2.Expr.Ident(name="request"))
    return syntax_pb2.Expr(select_expr=syntax_pb2.Expr.Select(operand=request, field=name))


def _text(value: str) -> Any:
    return syntax_pb2.Expr(const_expr=syntax_pb2.Constant(string_value=value))


def _call(function: str, *args: Any) -> Any:
    return syntax_pb2.Expr(call_expr=syntax_pb2.Expr.Call(function=function, args=args))
