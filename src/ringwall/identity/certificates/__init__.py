"""Certificates of clients that an authority vouches for (RFC 8705, section 2.1): chains and names. No framework."""
