"""Names of Ringwall's own cookies. `__Host-` makes browsers keep each for one host, and send it over TLS alone."""

from typing import Final

PREFIX: Final = "__Host-ringwall-"
"""Begins every name; the edge takes all of them out of requests that are not the issuer's."""
TOKEN: Final = f"{PREFIX}token"
"""The session at the edge: an access token."""
