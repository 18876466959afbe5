"""SAML 2.0: the service provider of the Web Browser SSO profile (saml-profiles-2.0-os, section 4.1).

`request` asks (HTTP Redirect), `response` finds the assertion that the provider has signed, `assertion` holds it to
this sign-in, `document` reads XML and nothing that XML could do besides, `metadata` says who we are. Signatures are
verified by signxml; an assertion is only ever read from the bytes that were signed. Encrypted assertions, artifacts,
sign-ins that the provider begins and single logout do not exist.
"""
