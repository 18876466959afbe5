"""Clients that have registered themselves, seen as the clients of the plan are: under the policy that is in force now.

What the policy does not allow any more, such a client does not get any more either, whatever it once registered.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from ringwall.identity.issuer.clients.certificate_metadata import subject_of
from ringwall.identity.issuer.grants import names
from ringwall.identity.store.clients import RegisteredClient
from ringwall.identity.tokens.signing import ALGORITHM
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.plan.client import Client, ClientKind, Profile
from ringwall.plan.identity import Registration

_ID: Final = re.compile(re.escape(REGISTERED_PREFIX) + r"[A-Za-z0-9_-]{22}", re.ASCII)
_ENCRYPTED: Final = tuple(
    f"{what}_encrypted_response_{part}" for what in ("id_token", "userinfo", "introspection") for part in ("alg", "enc")
)
_LINKS: Final = ("client_uri", "policy_uri", "tos_uri", "logo_uri")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_registered_id(name: str) -> bool:
    """Return whether this can be the id of a client that has registered itself."""
    return _ID.fullmatch(name) is not None


def kind_of(metadata: Mapping[str, Any]) -> ClientKind:
    """Return what a client with this metadata is (RFC 7591, section 2; OpenID Connect Registration 1.0, section 2)."""
    if not {names.AUTHORIZATION_CODE, names.DEVICE_CODE} & set(metadata["grant_types"]):
        return ClientKind.MACHINE
    method = metadata["token_endpoint_auth_method"]
    if method != "none":
        return ClientKind.WEB
    return ClientKind.NATIVE if metadata["application_type"] == "native" else ClientKind.BROWSER


def may_return_to(uri: str, kind: ClientKind, policy: Registration) -> bool:
    """Return whether a client may send people to a URI: to a host of the policy, or to loopback if it is native."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    if host in _LOOPBACK:
        return kind is ClientKind.NATIVE
    if parts.scheme != "https":
        return False
    return not policy.hosts or any(covers(allowed, host) for allowed in policy.hosts)


def may_be_private(uri: str, policy: Registration | None) -> bool:
    """Return whether a client that has registered itself may have the issuer ask a private address there."""
    host = urlsplit(uri).hostname or ""
    return policy is not None and policy.private_documents and any(covers(name, host) for name in policy.document_hosts)


def may_be_told(uri: str, kind: ClientKind, policy: Registration) -> bool:
    """Return whether a client may be told of sign-outs there: at a host of the policy for either purpose."""
    return may_return_to(uri, kind, policy) or (uri.startswith("https://") and may_be_private(uri, policy))


def client_of(
    registered: RegisteredClient, policy: Registration, profile: Profile | None = None, *, now: float
) -> Client | None:
    """Return what a registered client may be now; None where its registration has ended, or its kind is not allowed.

    It is always somebody else's: people are asked before it learns about them.
    """
    metadata = registered.payload
    kind = kind_of(metadata)
    if kind not in policy.kinds or (policy.seconds and registered.changed + policy.seconds <= now):
        return None
    strict = profile is Profile.FAPI2
    uris = {
        name: tuple(uri for uri in metadata.get(name, ()) if may_return_to(uri, kind, policy))
        for name in ("redirect_uris", "post_logout_redirect_uris")
    }
    return Client(
        name=registered.id,
        kind=kind,
        title=_title(metadata, uris["redirect_uris"]),
        third_party=True,
        scopes=tuple(scope for scope in metadata.get("scope", "").split() if scope in policy.scopes),
        backchannel_logout_uri=_logout_uri(metadata, kind, policy),
        jwks=orjson.dumps(metadata["jwks"]).decode() if "jwks" in metadata else "",
        jwks_uri=metadata.get("jwks_uri", ""),
        sector=_sector(metadata),
        links=tuple((name, metadata[name]) for name in _LINKS if name in metadata),
        request_uris=tuple(uri.partition("#")[0] for uri in metadata.get("request_uris", ())),
        default_max_age=metadata.get("default_max_age"),
        default_acr_values=tuple(metadata.get("default_acr_values", ())),
        userinfo_signed_response_alg=_signed_with(metadata.get("userinfo_signed_response_alg", ""), strict=strict),
        pushed_requests=strict or bool(metadata.get("require_pushed_authorization_requests")),
        bound_tokens=strict or bool(metadata.get("dpop_bound_access_tokens")),
        device_flow=policy.device_flow and not strict and names.DEVICE_CODE in metadata["grant_types"],
        certificate_subject=subject_of(metadata),
        profile=Profile.FAPI2 if strict else None,
        **{name: metadata[name] for name in _ENCRYPTED if name in metadata},
        id_token_signed_response_alg=ALGORITHM if strict else metadata.get("id_token_signed_response_alg", ALGORITHM),
        **uris,
    )


def _signed_with(algorithm: str, *, strict: bool) -> str:
    return ALGORITHM if algorithm and strict else algorithm


def _sector(metadata: Mapping[str, Any]) -> str:
    """Return the client's sector (OpenID Connect Core 1.0, section 8.1); empty where it knows people as all do."""
    if metadata.get("subject_type") != "pairwise":
        return ""
    uri = metadata.get("sector_identifier_uri") or next(iter(metadata.get("redirect_uris", ())), "")
    return urlsplit(uri).hostname or ""


def _logout_uri(metadata: Mapping[str, Any], kind: ClientKind, policy: Registration) -> str:
    uri = str(metadata.get("backchannel_logout_uri", ""))
    return uri if uri and may_be_told(uri, kind, policy) else ""


def _title(metadata: Mapping[str, Any], uris: tuple[str, ...]) -> str:
    """Return what people are told: a name that it chose itself never stands alone where its host is known."""
    hosts = sorted({urlsplit(uri).netloc for uri in uris})
    name = str(metadata.get("client_name", ""))
    if not hosts:
        return name
    return f"{name} ({', '.join(hosts)})" if name else ", ".join(hosts)


def covers(allowed: str, host: str) -> bool:
    """Return whether a host is one that is allowed, `*.partner.example` standing for every name below."""
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed
