"""Where the facts that a rule reads are found inside Envoy.

The compiler writes expressions over these names, and the Envoy resources put the facts there;
both import them from here so that they cannot drift apart.
"""

JWT_NAMESPACE = "envoy.filters.http.jwt_authn"
"""Dynamic metadata namespace of the jwt_authn filter."""

CLAIMS_KEY = "claims"
"""Key in that namespace under which every provider leaves the payload of a verified token (`payload_in_metadata`)."""

RBAC_FILTER = "ringwall.rbac"
"""Name of the RBAC HTTP filter, in the filter chain and in per-route configuration."""

ROUTE_METADATA = "ringwall"
"""Route metadata namespace; holds `op` (operation id) and `rule` (rule id)."""

ROUTE_METADATA_CHALLENGE = "challenge"
"""Key of what the challenge of an operation with a demand on the sign-in says; on no other route."""

ROUTE_METADATA_SIGN_IN = "sign-in"
"""Key of the same as parameters of a request to sign in."""

ROUTE_METADATA_OPERATION = "op"
"""Key of the operation id in the route metadata."""

ROUTE_METADATA_RULE = "rule"
"""Key of the rule id in the route metadata."""
