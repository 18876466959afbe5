"""What the issuer says about itself (OpenID Connect Discovery 1.0, section 3; RFC 8414, section 2)."""

from collections.abc import Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.answers import answer, cacheable
from ringwall.identity.issuer.assurance import LEVELS
from ringwall.identity.issuer.clients import mutual_tls
from ringwall.identity.issuer.clients.authenticate import FAPI2_METHODS
from ringwall.identity.issuer.clients.keys import algorithms_of
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.encryption_ring import ALGORITHMS as ALGORITHMS_READ
from ringwall.identity.issuer.oauth.authorization_request import PROMPTS, RESPONSE_MODES, STANDARD_SCOPES
from ringwall.identity.tokens.encryption import CONTENT, KEY_MANAGEMENT
from ringwall.identity.tokens.signing import ALGORITHM, ID_TOKEN_ALGORITHMS
from ringwall.model.presented import ALGORITHMS
from ringwall.plan.client import Profile

_SECONDS: Final = 300
_FOR_CERTIFICATES: Final = {
    "token": "token",
    "pushed_authorization_request": "par",
    "device_authorization": "device_authorization",
    "revocation": "revoke",
    "introspection": "introspect",
    "userinfo": "userinfo",
}


class MetadataEndpoint:
    """Answers with the metadata document. What is not in it does not exist."""

    def __init__(self, context: IssuerContext, *, client_methods: Sequence[str], grants: Sequence[str]) -> None:
        self._directory = context.directory
        self._client_methods = list(client_methods)
        self._grants = list(grants)

    async def get(self, _: Request) -> Response:
        """Answer with the document (RFC 8414, section 3.2)."""
        return answer(self._document(self._directory.current()), headers=cacheable(_SECONDS))

    def _document(self, directory: Directory) -> dict[str, Any]:
        """Return the document. Endpoint addresses follow from the plan, never from the request's `Host`."""
        base = directory.issuer.rstrip("/")
        granted = {scope for client in directory.clients.values() for scope in client.scopes}
        if directory.registration is not None:
            granted |= set(directory.registration.scopes)
        documents = directory.registration.document_hosts if directory.registration is not None else ()
        strict = directory.profile is Profile.FAPI2
        signed_with = list(algorithms_of(directory.profile))
        certain = mutual_tls.offered(directory)
        offered = [n for n in self._client_methods if n in certain or n not in mutual_tls.MutualTlsMethod.names]
        methods = [name for name in offered if not strict or name in FAPI2_METHODS]
        return {
            "issuer": directory.issuer,
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "pushed_authorization_request_endpoint": f"{base}/par",
            "require_pushed_authorization_requests": strict,
            "device_authorization_endpoint": f"{base}/device_authorization",
            "userinfo_endpoint": f"{base}/userinfo",
            "end_session_endpoint": f"{base}/end_session",
            "revocation_endpoint": f"{base}/revoke",
            "introspection_endpoint": f"{base}/introspect",
            **({"registration_endpoint": f"{base}/register"} if directory.registration is not None else {}),
            "jwks_uri": f"{base}/jwks",
            "grant_types_supported": self._grants,
            "response_types_supported": ["code"],
            "response_modes_supported": list(RESPONSE_MODES),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "prompt_values_supported": list(PROMPTS),
            "acr_values_supported": list(LEVELS),
            "subject_types_supported": ["public", "pairwise"],
            "id_token_signing_alg_values_supported": list((ALGORITHM,) if strict else ID_TOKEN_ALGORITHMS),
            "id_token_encryption_alg_values_supported": list(KEY_MANAGEMENT),
            "id_token_encryption_enc_values_supported": list(CONTENT),
            "userinfo_signing_alg_values_supported": list((ALGORITHM,) if strict else ID_TOKEN_ALGORITHMS),
            "userinfo_encryption_alg_values_supported": list(KEY_MANAGEMENT),
            "userinfo_encryption_enc_values_supported": list(CONTENT),
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": signed_with,
            "dpop_signing_alg_values_supported": list(ALGORITHMS),
            "revocation_endpoint_auth_methods_supported": methods,
            "introspection_endpoint_auth_methods_supported": [name for name in methods if name != "none"],
            "introspection_signing_alg_values_supported": [ALGORITHM],
            "introspection_encryption_alg_values_supported": list(KEY_MANAGEMENT),
            "introspection_encryption_enc_values_supported": list(CONTENT),
            "scopes_supported": sorted({*STANDARD_SCOPES, *granted}),
            "claims_supported": [
                *("sub", "auth_time", "acr", "amr", "sid", "nonce"),
                *("name", "preferred_username", "email"),
            ],
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
            "claims_parameter_supported": False,
            "request_parameter_supported": True,
            "require_signed_request_object": False,
            "request_object_signing_alg_values_supported": signed_with,
            "request_object_encryption_alg_values_supported": list(ALGORITHMS_READ),
            "request_object_encryption_enc_values_supported": list(CONTENT),
            "request_uri_parameter_supported": bool(documents),
            "require_request_uri_registration": True,
            **self._for_certificates(directory.certificate_url),
        }

    def _for_certificates(self, base: str) -> dict[str, Any]:
        """Return where clients show a certificate (RFC 8705, sections 3.3 and 5)."""
        if not base:
            return {}
        aliases = {f"{name}_endpoint": f"{base}/{path}" for name, path in _FOR_CERTIFICATES.items()}
        return {"tls_client_certificate_bound_access_tokens": True, "mtls_endpoint_aliases": aliases}
