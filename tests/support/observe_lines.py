"""Lines as the proxies write them: made up for a test, and taken from the pinned Envoy."""

import json
from typing import Any

from ringwall.model.events import Outcome

FULL: dict[str, Any] = {
    "a": "clinic.localhost:8443",
    "c": "spiffe://clinic/edge",
    "cl": {"@roles": ["clinician"], "level": 3},
    "d": "via_upstream",
    "f": "-",
    "h": "patients",
    "i": "https://localhost/auth",
    "id": "e403096a-529b-4350-b4be-2116468bc3f1",
    "ip": "127.0.0.1",
    "m": "GET",
    "ms": 7,
    "op": "patients/get",
    "p": "/patients/7",
    "r": "ea7401789978",
    "s": 200,
    "t": "1795322079.228623",
    "u": "alice",
}


def line(**changes: Any) -> bytes:
    """Return a record with some keys changed, or left out where the value is None."""
    return json.dumps({k: v for k, v in (FULL | changes).items() if v is not None}).encode()


def numbered(number: int, **changes: Any) -> bytes:
    """Return a record with its line end that is told from others by its request id."""
    return line(id=f"request-{number:06d}", t=f"{1_795_322_079 + number * 0.001:.6f}", **changes) + b"\n"


REAL = [
    (Outcome.ALLOWED, b'{"d":"via_upstream","f":"-","s":200}'),
    (Outcome.ALLOWED, b'{"d":"via_upstream","f":"-","s":403}'),
    (Outcome.UNAUTHENTICATED, b'{"d":"jwt_authn_access_denied{Jwt_is_missing}","f":"-","s":401}'),
    (Outcome.UNAUTHENTICATED, b'{"d":"jwt_authn_access_denied{Audiences_in_Jwt_are_not_allowed}","f":"-","s":403}'),
    (Outcome.UNAUTHENTICATED, b'{"d":"rbac_access_denied_matched_policy[token-shape]","f":"-","s":401}'),
    (Outcome.REJECTED, b'{"d":"rbac_access_denied_matched_policy[host-shape]","f":"-","s":400}'),
    (Outcome.REJECTED, b'{"d":"rbac_access_denied_matched_policy[path-shape]","f":"-","s":400}'),
    (Outcome.REJECTED, b'{"d":"rbac_access_denied_matched_policy[foreign-origin]","f":"-","s":403}'),
    (Outcome.REJECTED, b'{"d":"upgrade_failed","f":"-","s":403}'),
    (Outcome.DENIED, b'{"d":"rbac_access_denied_matched_policy[none]","f":"-","s":403}'),
    (Outcome.FAILED, b'{"d":"ext_authz_error","f":"UAEX","s":503}'),
    (Outcome.DENIED, b'{"d":"ext_authz_denied","f":"UAEX","s":403}'),
    (Outcome.NO_ROUTE, b'{"d":"direct_response","f":"-","s":404}'),
    (Outcome.NO_ROUTE, b'{"d":"direct_response","f":"-","s":405}'),
    (Outcome.NO_ROUTE, b'{"d":"direct_response","f":"-","s":200}'),
    (Outcome.ALLOWED, b'{"d":"upstream_reset_after_response_started{connection_termination}","f":"UC","s":101}'),
    (Outcome.ALLOWED, b'{"d":"downstream_remote_disconnect","f":"DC","s":101}'),
    (Outcome.ALLOWED, b'{"d":"max_duration_timeout","f":"DT","s":101}'),
    (Outcome.NO_ROUTE, b'{"d":"route_not_found","f":"NR","s":404}'),
    (Outcome.LIMITED, b'{"d":"local_rate_limited","f":"RL","s":429}'),
    (Outcome.LIMITED, b'{"d":"request_rate_limited","f":"RL","s":429}'),
    (Outcome.REJECTED, b'{"d":"path_normalization_failed","f":"-","s":400}'),
    (Outcome.REJECTED, b'{"d":"request_payload_too_large","f":"-","s":413}'),
    (Outcome.REJECTED, b'{"d":"http1.headers_too_large","f":"DPE","s":431}'),
    (Outcome.REJECTED, b'{"d":"http1.unexpected_underscore","f":"DPE","s":400}'),
    (Outcome.REJECTED, b'{"d":"http1.codec_error","f":"DPE","s":400}'),
    (Outcome.REJECTED, b'{"d":"low_version","f":"DPE","s":426}'),
    (Outcome.REJECTED, b'{"d":"direct_response","f":"-","s":308}'),
    (
        Outcome.FAILED,
        b'{"d":"upstream_reset_before_response_started{remote_connection_failure}","f":"URX,UF","s":503}',
    ),
    (Outcome.FAILED, b'{"d":"no_healthy_upstream","f":"UH","s":503}'),
    (Outcome.FAILED, b'{"d":"upstream_response_timeout","f":"UT","s":504}'),
    (Outcome.ALLOWED, b'{"d":"downstream_remote_disconnect","f":"DC","s":0}'),
    (Outcome.ALLOWED, b'{"m":"TCP","f":"-"}'),
    (Outcome.DENIED, b'{"m":"TCP","d":"rbac_access_denied_matched_policy[none]","f":"-"}'),
    (Outcome.FAILED, b'{"m":"TCP","f":"UF,URX"}'),
]
"""Answers of the pinned Envoy, each with what it means."""
