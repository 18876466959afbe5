"""One JSON line per request (and per TCP connection), with the keys of `ringwall.model.access_log`."""

from typing import Any

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import substitution_format_string_pb2
from envoy.extensions.access_loggers.file.v3 import file_pb2
from google.protobuf.struct_pb2 import Struct

from ringwall.enforce.asking import REFUSED_BINDING
from ringwall.enforce.log_filters import all_of, any_of, cel, status_is, status_is_not
from ringwall.enforce.proto import pack
from ringwall.enforce.rbac import SHADOW_STAT_PREFIX
from ringwall.model import access_log as key
from ringwall.model import headers
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE, ROUTE_METADATA, ROUTE_METADATA_OPERATION
from ringwall.plan.attributes import ROUTE_METADATA_RULE as RULE
from ringwall.plan.identity import Claim
from ringwall.plan.model import EDGE

_TOKEN = f"{JWT_NAMESPACE}:{CLAIMS_KEY}"
_SHADOW_KEY = f"{SHADOW_STAT_PREFIX}shadow_engine_result"


_EARLY_STATUSES = (400, 404, 426, 503)
_EARLY_REASONS = (
    "absolute_path_rejected",
    "low_version",
    "missing_host_header",
    "missing_path_rejected",
    "overload",
    "path_normalization_failed",
)
"""Response code details of what Envoy refuses before it has made a request id."""

_EARLY = f"response.code_details in {list(_EARLY_REASONS)}"


def _common(hop: str) -> dict[str, Any]:
    return {
        key.TIME: "%START_TIME(%s.%6f)%",
        key.HOP: hop,
        key.FLAGS: "%RESPONSE_FLAGS%",
        key.SOURCE: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        key.DURATION: "%DURATION%",
    }


def http_log(path: str, hop: str, claims: tuple[Claim, ...], *, peer: bool) -> list[Any]:
    """Return the loggers of an inbound or outbound listener; `peer` where callers show a certificate."""
    return [_file(path, _entry(hop, claims, with_id=True, peer=peer))]


def public_log(path: str, hop: str, claims: tuple[Claim, ...]) -> list[Any]:
    """Return the loggers of a listener that faces the world: one logs each request.

    A request that is refused before Envoy has made an id still carries the one its client chose, which must not be
    taken for a real one: it is logged without.
    """
    accepted = _file(path, _entry(hop, claims, with_id=True, peer=False))
    accepted.filter.CopyFrom(any_of(all_of(*map(status_is_not, _EARLY_STATUSES)), cel(f"!({_EARLY})")))
    refused = _file(path, _entry(hop, claims, with_id=False, peer=False))
    refused.filter.CopyFrom(all_of(any_of(*map(status_is, _EARLY_STATUSES)), cel(_EARLY)))
    return [accepted, refused]


def _entry(hop: str, claims: tuple[Claim, ...], *, with_id: bool, peer: bool) -> dict[str, Any]:
    entry = _common(hop) | {
        key.METHOD: "%REQ(:METHOD)%",
        key.PATH: "%PATH(NQ:ORIG_OR_PATH)%",
        key.AUTHORITY: "%REQ(:AUTHORITY)%",
        key.STATUS: "%RESPONSE_CODE%",
        key.DETAILS: "%RESPONSE_CODE_DETAILS%" + (REFUSED_BINDING if hop == EDGE else ""),
        key.OPERATION: f"%METADATA(ROUTE:{ROUTE_METADATA}:{ROUTE_METADATA_OPERATION})%",
        key.RULE: f"%METADATA(ROUTE:{ROUTE_METADATA}:{RULE})%",
        key.SUBJECT: _text(f"%DYNAMIC_METADATA({_TOKEN}:sub)%"),
        key.ISSUER: _text(f"%DYNAMIC_METADATA({_TOKEN}:iss)%"),
        key.SHADOW: _text(f"%DYNAMIC_METADATA(envoy.filters.http.rbac:{_SHADOW_KEY})%"),
    }
    if with_id:
        entry[key.REQUEST_ID] = f"%REQ({headers.REQUEST_ID})%"
    if peer:
        entry[key.CALLER] = "%DOWNSTREAM_PEER_URI_SAN%"
    if claims:
        entry[key.CLAIMS] = {claim.name: f"%DYNAMIC_METADATA({_TOKEN}:{':'.join(claim.path)})%" for claim in claims}
    return entry


def _text(operator: str) -> str:
    """Return the format of a value that is a text: the mark before it spares a copy of all metadata of the request.

    Envoy keeps the type of a value that stands alone, and copies everything to find it: about a microsecond each.
    """
    return f"{key.MARK}{operator}"


def tcp_log(path: str, hop: str) -> list[Any]:
    """Return the loggers of a plain TCP service: one line for each connection."""
    entry = _common(hop) | {
        key.REQUEST_ID: "%STREAM_ID%",
        key.METHOD: "TCP",
        key.DETAILS: "%CONNECTION_TERMINATION_DETAILS%",
        key.CALLER: "%DOWNSTREAM_PEER_URI_SAN%",
    }
    return [_file(path, entry)]


def _file(path: str, entry: dict[str, Any]) -> Any:
    fields = Struct()
    fields.update(entry)
    log_format = substitution_format_string_pb2.SubstitutionFormatString(json_format=fields, omit_empty_values=True)
    config = file_pb2.FileAccessLog(path=path, log_format=log_format)
    return accesslog_pb2.AccessLog(name="envoy.access_loggers.file", typed_config=pack(config))
