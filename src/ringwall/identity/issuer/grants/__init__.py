"""Grants: what a client presents at the token endpoint to get tokens (RFC 6749, section 4), one module each.

`grant` says what a grant must offer. `ringwall.identity.issuer.app` lists those that exist.
"""
