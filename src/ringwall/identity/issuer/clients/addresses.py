"""Addresses that clients name when they register: of documents that the issuer fetches, and of what people may read.

Source: OpenID Connect Registration 1.0, section 2; RFC 7591, section 2.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from ringwall.identity.issuer.clients.documents import ClientDocuments, DocumentRefusedError, check_stranger
from ringwall.identity.issuer.clients.metadata_errors import MetadataRefusedError
from ringwall.identity.issuer.clients.registered import may_return_to
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.tokens.encoding import EncodingError, decode_json_array
from ringwall.model.clients import RedirectUriError, check_redirect_uri
from ringwall.plan.client import ClientKind
from ringwall.plan.identity import Registration

LINKS: Final = ("client_uri", "policy_uri", "tos_uri", "logo_uri")
MAX_REQUEST_URIS: Final = 20
MAX_SECTOR_BYTES: Final = 65_536


def documents_of(asked: Mapping[str, Any], policy: Registration) -> dict[str, Any]:
    """Return where a client keeps its keys and its requests; MetadataRefusedError for what may not be fetched."""
    found: dict[str, Any] = {}
    if "jwks_uri" in asked:
        if "jwks" in asked:
            raise MetadataRefusedError("`jwks` and `jwks_uri` exclude each other")
        found["jwks_uri"] = _document(asked["jwks_uri"], "jwks_uri", policy)
    if uris := asked.get("request_uris"):
        if len(uris) > MAX_REQUEST_URIS:
            raise MetadataRefusedError(f"`request_uris` holds more than {MAX_REQUEST_URIS}")
        found["request_uris"] = [_document(uri, "request_uris", policy) for uri in uris]
    return found


def subjects_of(
    asked: Mapping[str, Any], uris: Sequence[str], kind: ClientKind, policy: Registration
) -> dict[str, Any]:
    """Return by what names the client knows people (OpenID Connect Core 1.0, section 8.1).

    1. With `pairwise`, either a document says who belongs to its sector, or all its redirect URIs have one host, which
    is no other program's of somebody's machine. 2. A sector is only for who is sent people at addresses of that sector,
    else anybody could be told what it is told.
    """
    wanted = asked.get("subject_type", "public")
    if wanted not in {"public", "pairwise"}:
        raise MetadataRefusedError("`subject_type` is `public` or `pairwise`")
    found = {"subject_type": wanted}
    if "sector_identifier_uri" in asked:
        found["sector_identifier_uri"] = _document(asked["sector_identifier_uri"], "sector_identifier_uri", policy)
    if wanted == "pairwise":
        if not uris:  # 2
            raise MetadataRefusedError("`pairwise` needs `redirect_uris`")
        hosts = {urlsplit(uri).hostname for uri in uris}
        if "sector_identifier_uri" not in found and (len(hosts) > 1 or kind is ClientKind.NATIVE):  # 1
            raise MetadataRefusedError("`pairwise` with these `redirect_uris` needs `sector_identifier_uri`")
    return found


def links_of(asked: Mapping[str, Any], kind: ClientKind, policy: Registration) -> dict[str, str]:
    """Return what people may read about the client; what leads where it may not is left out.

    They are links and nothing else: no browser fetches one unless its person follows it.
    """
    return {name: asked[name] for name in LINKS if name in asked and _may_link(asked[name], kind, policy)}


async def check_sector(metadata: Mapping[str, Any], documents: ClientDocuments, directory: Directory) -> None:
    """Raise MetadataRefusedError unless the client's sector knows it (OpenID Connect Registration 1.0, section 5).

    The document at `sector_identifier_uri` is a JSON array that holds each of its redirect URIs.
    """
    uri = metadata.get("sector_identifier_uri")
    if uri is None:
        return
    try:
        body = await documents.get(
            uri, directory=directory, stranger=True, max_bytes=MAX_SECTOR_BYTES, media_type="application/json"
        )
        known = decode_json_array(body)
    except (DocumentRefusedError, EncodingError):
        raise MetadataRefusedError("`sector_identifier_uri` holds no list of redirect URIs") from None
    if not set(metadata.get("redirect_uris", ())) <= {each for each in known if isinstance(each, str)}:
        raise MetadataRefusedError("`sector_identifier_uri` does not hold each of `redirect_uris`")


def _document(uri: object, name: str, policy: Registration) -> str:
    if not isinstance(uri, str):
        raise MetadataRefusedError(f"`{name}` is no text")
    try:
        check_stranger(uri.partition("#")[0], policy)
    except DocumentRefusedError as error:
        raise MetadataRefusedError(f"`{name}`: {error.message}") from None
    return uri


def _may_link(uri: str, kind: ClientKind, policy: Registration) -> bool:
    host_alone = uri.count("/") == 2  # noqa: PLR2004  # those of `https://`
    try:
        check_redirect_uri(f"{uri}/" if host_alone else uri)
    except RedirectUriError:
        return False
    return uri.startswith("https://") and may_return_to(uri, kind, policy)
