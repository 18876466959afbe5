"""What the issuer says about itself (OpenID Connect Discovery 1.0, section 3; RFC 8414, section 2)."""

from typing import Any

from ringwall.identity.issuer.directory import Directory
from ringwall.identity.tokens.signing import ALGORITHM


def metadata(directory: Directory) -> dict[str, Any]:
    """Return the metadata document. Only what works is named: there is no authorization endpoint yet."""
    base = directory.issuer.rstrip("/")
    return {
        "issuer": directory.issuer,
        "token_endpoint": f"{base}/token",
        "jwks_uri": f"{base}/jwks",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": sorted({scope for client in directory.clients.values() for scope in client.scopes}),
    }
