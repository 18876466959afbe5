"""Finds an issuer's keys by OpenID Connect Discovery 1.0 (or RFC 8414, whose documents have the same members)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.federation.fetch import Fetcher
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object
from ringwall.identity.tokens.keys import MAX_SET_BYTES
from ringwall.model.errors import RingwallError
from ringwall.plan.identity import Issuer

MAX_DOCUMENT: Final = 65_536


class DiscoveryError(RingwallError):
    """The metadata document is not this issuer's, or unusable."""

    code = "issuer-discovery"


@dataclass(frozen=True, slots=True)
class Metadata:
    """An issuer's metadata document.

    Attributes:
        members: of the document; only `issuer` has been checked.
        public: whether it came from a public address: what it names is then fetched from such addresses only.
    """

    members: Mapping[str, Any]
    public: bool


def fetch_metadata(name: str, url: str, where: str, fetcher: Fetcher) -> Metadata:
    """Return an issuer's metadata; FetchError or DiscoveryError where it cannot be had.

    1. Fetch the document (OpenID Connect Discovery 1.0, section 4).
    2. Its `issuer` is exactly the one configured (section 4.3), so nobody answers in another's name.

    Args:
        name: of the issuer, for messages.
        url: what `issuer` must be.
        where: the document's address.
        fetcher: how it is fetched.
    """
    document = fetcher.get(where, max_bytes=MAX_DOCUMENT)  # 1
    try:
        metadata = decode_json_object(document.body)
    except EncodingError as error:
        raise DiscoveryError(f"the metadata document of {name} is {error}", hint=f"look at {where}") from None
    if metadata.get("issuer") != url:  # 2
        raise DiscoveryError(
            f"the metadata document of {name} belongs to the issuer {str(metadata.get('issuer'))[:200]!r}",
            hint=f"the blueprint says {url!r}; they must be equal to the letter",
        )
    return Metadata(metadata, public=document.public)


def fetch_keys(name: str, metadata: Metadata, fetcher: Fetcher) -> bytes:
    """Return the JWK set that `jwks_uri` names, as it is; from a public document only at a public address."""
    address = metadata.members.get("jwks_uri")
    if not isinstance(address, str):
        raise DiscoveryError(f"the metadata document of {name} has no `jwks_uri`")
    return fetcher.get(address, max_bytes=MAX_SET_BYTES, only_public=metadata.public).body


def fetch_key_set(issuer: Issuer, fetcher: Fetcher) -> bytes:
    """Return the JWK set that an issuer publishes, as it is; FetchError or DiscoveryError where it cannot be had."""
    where = issuer.discovery or f"{issuer.url.rstrip('/')}/.well-known/openid-configuration"
    return fetch_keys(issuer.name, fetch_metadata(issuer.name, issuer.url, where, fetcher), fetcher)
