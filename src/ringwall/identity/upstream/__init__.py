"""Signing in at providers of others. No Starlette here.

How it goes, for every protocol:

1. `source.SignInSource.begin` says where the browser is sent, and what has to be kept until it comes back.
2. `source.SignInSource.finish` takes what the browser brings back. It believes nothing that the provider has not signed
   for us, now, for this very sign-in, and gives an `identity.UpstreamIdentity`; or it raises `UpstreamRefusedError`.
3. `mapping.map_claims` makes roles, attributes and names of the claims by the rules of the plan (`plan.upstream`).
   Pure: the dry run of `ringwall upstreams try` is the same function.
4. `linking.Linking.sign_in` finds the account by issuer and subject, makes or links one where the plan allows it, and
   brings its roles and attributes up to date.

`oidc/` is the source for OpenID Connect, `saml/` the one for SAML 2.0. Another protocol is another folder with a
`SignInSource`, a part of its own beside `oidc` and `saml` in `plan.upstream.Upstream`, and a line in
`sources.SignInSources`. Claims of other protocols become a mapping of texts and lists of texts, so that the same rules
fit.

What browsers see is `identity.issuer.upstream_sign_in`. It keeps what `begin` wants kept under a random state (`state`,
or `RelayState`), binds it to the browser by a cookie, and uses it up. Answers that come by a form of another site come
without cookies: those that fit are turned into a GET, larger ones are sent once more by a form of our own.
"""
