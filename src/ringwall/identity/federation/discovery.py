"""Finds an issuer's keys by OpenID Connect Discovery 1.0 (or RFC 8414, whose documents have the same members)."""

from typing import Final

from ringwall.identity.federation.fetch import Fetcher
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object
from ringwall.identity.tokens.keys import MAX_SET_BYTES
from ringwall.model.errors import RingwallError
from ringwall.plan.model import Issuer

MAX_DOCUMENT: Final = 65_536


class DiscoveryError(RingwallError):
    """The metadata document is not this issuer's, or unusable."""

    code = "issuer-discovery"


def fetch_key_set(issuer: Issuer, fetcher: Fetcher) -> bytes:
    """Return the JWK set that an issuer publishes, as it is; FetchError or DiscoveryError where it cannot be had.

    1. Fetch the metadata document (OpenID Connect Discovery 1.0, section 4).
    2. Its `issuer` is exactly the one configured (section 4.3), so nobody answers in another's name.
    3. Fetch `jwks_uri`; from a public document only at a public address.
    """
    where = issuer.discovery or f"{issuer.url.rstrip('/')}/.well-known/openid-configuration"
    document = fetcher.get(where, max_bytes=MAX_DOCUMENT)  # 1
    try:
        metadata = decode_json_object(document.body)
    except EncodingError as error:
        raise DiscoveryError(f"the metadata document of {issuer.name} is {error}", hint=f"look at {where}") from None
    if metadata.get("issuer") != issuer.url:  # 2
        raise DiscoveryError(
            f"the metadata document of {issuer.name} belongs to the issuer {str(metadata.get('issuer'))[:200]!r}",
            hint=f"the blueprint says {issuer.url!r}; they must be equal to the letter",
        )
    address = metadata.get("jwks_uri")
    if not isinstance(address, str):
        raise DiscoveryError(f"the metadata document of {issuer.name} has no `jwks_uri`", hint=f"look at {where}")
    return fetcher.get(address, max_bytes=MAX_SET_BYTES, only_public=document.public).body  # 3
