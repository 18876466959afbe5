"""The record that a proxy writes for each request: one JSON object on one line, short keys.

The proxies' formatter (enforce) writes it and the collector (observe) reads it; the keys are here so
that both agree. Nothing secret is in it: no query, no header but the request id, no body, no token.
"""

from typing import Final

TIME: Final = "t"
"""Start of the request, seconds since the epoch, as a string with microseconds."""
REQUEST_ID: Final = "id"
"""Made by the edge, or by the first Ringwall hop that sees the request."""
HOP: Final = "h"
"""`edge`, or the name of the service whose inbound listener wrote this."""
METHOD: Final = "m"
PATH: Final = "p"
"""Path without query, after normalisation."""
AUTHORITY: Final = "a"
STATUS: Final = "s"
"""What the client was answered, a number; 0 where the client was gone."""
FLAGS: Final = "f"
"""Envoy's response flags."""
DETAILS: Final = "d"
"""Envoy's response code details, which name the filter that answered."""
OPERATION: Final = "op"
RULE: Final = "r"
"""`Operation.rule_id` of the route that matched."""
SUBJECT: Final = "u"
ISSUER: Final = "i"
CALLER: Final = "c"
"""SPIFFE ID of the peer's certificate; absent at the edge."""
SOURCE: Final = "ip"
"""Client address as the edge saw it."""
DURATION: Final = "ms"
"""Milliseconds until the last byte."""
SHADOW: Final = "x"
"""What the shadow rules said: `allowed` or `denied`; absent where there are none."""
CLAIMS: Final = "cl"
"""Object of those claims that some policy reads, by the names of `ringwall.plan.recorded.recorded_claims`."""
