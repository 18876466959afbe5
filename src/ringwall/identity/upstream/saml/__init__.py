"""SAML 2.0: the service provider of Web Browser SSO and Single Logout (saml-profiles-2.0-os, sections 4.1 and 4.4).

`request` asks, `response` finds the assertion that the provider has signed, `assertion` holds it to this sign-in,
`logout` ends sessions, `document` reads XML and nothing that XML could do besides, `metadata` says who we are, `keys`
are ours. `redirect` signs and verifies what URLs bring, `signature` (by signxml) what documents hold, `decryption`
opens what is encrypted; an assertion is only ever read from the bytes that were signed. Artifacts, SOAP and sign-ins
that the provider begins do not exist.
"""
