"""Signing in at an OpenID provider: authorization code flow with PKCE, state and nonce (OpenID Connect Core 1.0, 3.1).

`source` is the whole of it; `provider` knows endpoints and keys, `exchange` turns the code into tokens, `id_token`
decides what is believed.
"""
