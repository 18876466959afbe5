"""DPoP at the issuer's own endpoints (RFC 9449): nonces from a kept key, proofs taken once, tokens bound to keys."""
