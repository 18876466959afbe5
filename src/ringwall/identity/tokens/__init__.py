"""Signed tokens: strict parsing, verification and signing of JWS, JWT and JWK. No I/O.

Trust is in the types: text becomes an `UnverifiedToken` (`jws`), whose signature is checked against a
`KeySet` (`keys`), and only `verify_token` (`claims`) makes `VerifiedClaims`.
"""
