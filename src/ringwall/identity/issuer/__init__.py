"""The built-in issuer, first form: client credentials, development users, JWK set with rotation.

Request → `endpoints` (public) or `admin` (the machine's own user) → `directory` (who is known, from the plan)
→ `access_tokens` → `keeper`, which signs with the active key of the `ring`.
"""
