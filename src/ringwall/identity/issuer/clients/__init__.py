"""Client authentication (RFC 6749, section 2.3): `authenticate` chooses the method, one module holds each.

A request becomes an `AuthenticatedClient` here and nowhere else.
"""
