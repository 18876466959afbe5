"""The built-in issuer: OAuth 2.0 and OpenID Connect for clients, people and services of one system.

    app        every endpoint, client authentication method and grant that exists
    oauth/     the endpoints, one module each
    clients/   client authentication, one module a method: a request becomes an `AuthenticatedClient`
    grants/    what the token endpoint takes, one module a grant
    pages/     what people see, and the forms that only those pages can send
    admin*     what only the user who runs Ringwall may ask, on a socket of its own

A request for tokens goes `oauth.token` → `clients` → `grants` → `access_tokens` (the one place that makes them) →
`keeper`, which signs with the active key of the `ring`. `directory` is who is known from the plan, `accounts` who is
known from the database, `storage` the database itself, opened when first needed.
"""
