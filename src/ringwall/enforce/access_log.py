"""One JSON line per request (and per TCP connection), with the keys of `ringwall.model.access_log`."""

from typing import Any

from envoy.config.accesslog.v3 import accesslog_pb2
from envoy.config.core.v3 import substitution_format_string_pb2
from envoy.extensions.access_loggers.file.v3 import file_pb2
from google.protobuf.struct_pb2 import Struct

from ringwall.enforce.proto import pack
from ringwall.model import access_log as key
from ringwall.model import headers
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE, ROUTE_METADATA, ROUTE_METADATA_OPERATION
from ringwall.plan.attributes import ROUTE_METADATA_RULE as RULE
from ringwall.plan.model import Claim

_TOKEN = f"{JWT_NAMESPACE}:{CLAIMS_KEY}"
_SHADOW_KEY = "shadow_engine_result"


def _common(hop: str) -> dict[str, Any]:
    return {
        key.TIME: "%START_TIME(%s.%6f)%",
        key.HOP: hop,
        key.FLAGS: "%RESPONSE_FLAGS%",
        key.SOURCE: "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        key.DURATION: "%DURATION%",
    }


def http_log(path: str, hop: str, claims: tuple[Claim, ...], *, peer: bool) -> Any:
    """Return the log of an HTTP listener; `peer` where callers show a certificate."""
    entry = _common(hop) | {
        key.REQUEST_ID: f"%REQ({headers.REQUEST_ID})%",
        key.METHOD: "%REQ(:METHOD)%",
        key.PATH: "%PATH(NQ:ORIG_OR_PATH)%",
        key.AUTHORITY: "%REQ(:AUTHORITY)%",
        key.STATUS: "%RESPONSE_CODE%",
        key.DETAILS: "%RESPONSE_CODE_DETAILS%",
        key.OPERATION: f"%METADATA(ROUTE:{ROUTE_METADATA}:{ROUTE_METADATA_OPERATION})%",
        key.RULE: f"%METADATA(ROUTE:{ROUTE_METADATA}:{RULE})%",
        key.SUBJECT: f"%DYNAMIC_METADATA({_TOKEN}:sub)%",
        key.ISSUER: f"%DYNAMIC_METADATA({_TOKEN}:iss)%",
        key.SHADOW: f"%DYNAMIC_METADATA(envoy.filters.http.rbac:{_SHADOW_KEY})%",
    }
    if peer:
        entry[key.CALLER] = "%DOWNSTREAM_PEER_URI_SAN%"
    if claims:
        entry[key.CLAIMS] = {claim.name: f"%DYNAMIC_METADATA({_TOKEN}:{':'.join(claim.path)})%" for claim in claims}
    return _file(path, entry)


def tcp_log(path: str, hop: str) -> Any:
    """Return the log of a plain TCP service: one line for each connection."""
    return _file(
        path,
        _common(hop)
        | {
            key.REQUEST_ID: "%STREAM_ID%",
            key.METHOD: "TCP",
            key.DETAILS: "%CONNECTION_TERMINATION_DETAILS%",
            key.CALLER: "%DOWNSTREAM_PEER_URI_SAN%",
        },
    )


def _file(path: str, entry: dict[str, Any]) -> Any:
    fields = Struct()
    fields.update(entry)
    log_format = substitution_format_string_pb2.SubstitutionFormatString(json_format=fields, omit_empty_values=True)
    config = file_pb2.FileAccessLog(path=path, log_format=log_format)
    return accesslog_pb2.AccessLog(name="envoy.access_loggers.file", typed_config=pack(config))
