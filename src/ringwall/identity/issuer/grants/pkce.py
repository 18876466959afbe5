"""Proof Key for Code Exchange (RFC 7636), with the one method that exists here."""

import hashlib

from ringwall.identity.tokens.encoding import encode_base64url
from ringwall.plan.client import Client, Profile


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier (section 4.2)."""
    return encode_base64url(hashlib.sha256(verifier.encode("ascii")).digest())


def may_go_without(client: Client, profile: Profile | None) -> bool:
    """Return whether a client may ask for a code without a challenge: nobody, but for the sake of a certification.

    Most modules of the OpenID Foundation's plans send none (docs/adr/0017). Who cannot keep a secret has nothing else
    that protects its codes, and FAPI 2.0 wants PKCE (Security Profile, section 5.3.2.2, item 5).
    """
    return profile is Profile.OIDC_CERTIFICATION and not client.public and client.profile is not Profile.FAPI2
