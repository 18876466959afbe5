"""Proof Key for Code Exchange (RFC 7636), with the one method that exists here."""

import hashlib

from ringwall.identity.tokens.encoding import encode_base64url


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier (section 4.2)."""
    return encode_base64url(hashlib.sha256(verifier.encode("ascii")).digest())
