"""Conditions on an answer, for access logs and for local replies."""

from typing import Any

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.access_loggers.filters.cel.v3 import cel_pb2

from ringwall.enforce.proto import pack


def status_is(code: int) -> Any:
    """Match one status; 0 where no answer was sent."""
    return _status("EQ", code)


def status_is_not(code: int) -> Any:
    """Match every other status."""
    return _status("NE", code)


def status_is_any() -> Any:
    """Match every answer."""
    return _status("GE", 0)


def status_is_at_most(code: int) -> Any:
    """Match this status and every lower one."""
    return _status("LE", code)


def _status(operator: str, code: int) -> Any:
    # Envoy demands a key by which its run-time layer could override the number; nothing sets this one.
    value = base_pb2.RuntimeUInt32(default_value=code, runtime_key="ringwall.none")
    comparison = accesslog_pb2.ComparisonFilter(op=operator, value=value)
    return accesslog_pb2.AccessLogFilter(status_code_filter=accesslog_pb2.StatusCodeFilter(comparison=comparison))


def has_header(name: str) -> Any:
    """Match where the request carried a header."""
    return header_is(route_components_pb2.HeaderMatcher(name=name, present_match=True))


def header_is(matcher: Any) -> Any:
    """Match where a header of the request does."""
    return accesslog_pb2.AccessLogFilter(header_filter=accesslog_pb2.HeaderFilter(header=matcher))


def cel(expression: str) -> Any:
    """Match where a CEL expression is true; an error counts as no match."""
    return accesslog_pb2.AccessLogFilter(
        extension_filter=accesslog_pb2.ExtensionFilter(
            name="envoy.access_loggers.extension_filters.cel",
            typed_config=pack(cel_pb2.ExpressionFilter(expression=expression)),
        )
    )


def all_of(*filters: Any) -> Any:
    """Match where every one does, asked in order until one does not."""
    return accesslog_pb2.AccessLogFilter(and_filter=accesslog_pb2.AndFilter(filters=filters))


def any_of(*filters: Any) -> Any:
    """Match where some one does, asked in order until one does."""
    return accesslog_pb2.AccessLogFilter(or_filter=accesslog_pb2.OrFilter(filters=filters))
