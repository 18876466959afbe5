"""Client metadata (RFC 7591, section 2; OpenID Connect Registration 1.0, section 2): taken, replaced or refused.

What would change nothing for anybody's security if it were left out is left out, and the answer says what was taken
(RFC 7591, section 3.2.1). What a client would rely on, such as encryption, is refused.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ringwall.identity.issuer.access_tokens import TokenNotIssuedError, parse_scopes
from ringwall.identity.issuer.assurance import LEVELS
from ringwall.identity.issuer.clients.addresses import LINKS, documents_of, links_of, subjects_of
from ringwall.identity.issuer.clients.certificate_metadata import BOUND, SUBJECTS, certificate_of
from ringwall.identity.issuer.clients.encryption import MEMBERS, encryption_keys, encryption_of
from ringwall.identity.issuer.clients.keys import ALGORITHMS, algorithms_of
from ringwall.identity.issuer.clients.metadata_errors import MetadataRefusedError
from ringwall.identity.issuer.clients.registered import kind_of, may_be_told, may_return_to
from ringwall.identity.issuer.clients.titles import TitleRefusedError, checked_title
from ringwall.identity.issuer.grants import names
from ringwall.identity.tokens.encoding import EncodingError
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.keys import KeySet, parse_key
from ringwall.identity.tokens.signing import ALGORITHM, ID_TOKEN_ALGORITHMS
from ringwall.model.clients import RedirectUriError, check_redirect_uri
from ringwall.plan.certificate import VOUCHED
from ringwall.plan.client import ClientKind, Profile
from ringwall.plan.identity import Registration

FAPI2_METHODS: Final = ("private_key_jwt", VOUCHED)
SECRET_METHODS: Final = ("client_secret_basic", "client_secret_post")
METHODS: Final = (*SECRET_METHODS, "private_key_jwt", "none")
MAX_URIS: Final = 20
MAX_AGE: Final = 2**31
MAX_KEYS: Final = 8
STANDARD_SCOPES: Final = ("openid", "profile", "email")

_TYPES: Final[Mapping[str, type]] = {
    **dict.fromkeys(("redirect_uris", "post_logout_redirect_uris", "grant_types", "response_types"), list),
    **dict.fromkeys(("client_name", "scope", "application_type", "token_endpoint_auth_method"), str),
    **dict.fromkeys(("subject_type", "id_token_signed_response_alg", "token_endpoint_auth_signing_alg"), str),
    **dict.fromkeys(("backchannel_logout_uri", "jwks_uri", "request_object_signing_alg"), str),
    **dict.fromkeys(("sector_identifier_uri", "userinfo_signed_response_alg", *LINKS), str),
    **dict.fromkeys(("request_uris", "default_acr_values"), list),
    "default_max_age": int,
    **dict.fromkeys(("require_pushed_authorization_requests", "dpop_bound_access_tokens"), bool),
    **dict.fromkeys(("backchannel_logout_session_required", "require_auth_time"), bool),
    **dict.fromkeys(SUBJECTS, str),
    BOUND: bool,
    "jwks": dict,
}
_REFUSED: Final = (
    "authorization_signed_response_alg",
    "require_signed_request_object",
)
"""Members that promise something which this issuer does not do; false and null promise nothing."""
_ENCRYPTED: Final = ("_encrypted_response_alg", "_encrypted_response_enc", "_encryption_alg", "_encryption_enc")
_OF_KEYS: Final = ("kty", "use", "alg", "kid", "crv", "x", "y", "n", "e")
"""Members of a JWK that are kept (RFC 7517, section 4; RFC 7518, section 6)."""
_TAKEN_AS_IT_IS: Final = ("require_pushed_authorization_requests", "dpop_bound_access_tokens", "require_auth_time")


def read_metadata(
    given: Mapping[str, Any],
    policy: Registration,
    profile: Profile | None = None,
    *,
    taken: Callable[[str], bool],
    vouched: bool = False,
) -> dict[str, Any]:
    """Return the metadata of a client as they are registered, or raise MetadataRefusedError.

    1. Each member that is known is of its type; what is not known is left out (RFC 7591, section 2). 2. A software
    statement is refused: nobody is trusted to make one (section 3.1.1). 3. So is what the client would rely on in vain.
    4. Grants and the way to authenticate make it a kind of client that the policy allows. 5. Redirect URIs are as safe
    as those of a blueprint, and lead to hosts that the policy allows (section 5). 6. Scopes are those of the policy.
    7. Keys are public ones, or lie where the policy has the issuer fetch them, and among them are some for what is to
    be encrypted. 8. The name can be taken for nobody else's.

    Args:
        given: what the client sent.
        policy: what clients may be.
        profile: what is followed for every client.
        vouched: whether there are authorities that vouch for certificates of clients (RFC 8705, section 2.1).
        taken: says of a name whether it is too much like that of somebody else.
    """
    asked = {name: value for name, value in given.items() if value is not None}
    for name, form in _TYPES.items():  # 1
        if name in asked and type(asked[name]) is not form:
            raise MetadataRefusedError(f"`{name}` is of the wrong type")
    if "software_statement" in asked:  # 2
        raise MetadataRefusedError("software statements are not taken", oauth="unapproved_software_statement")
    _refuse(asked)  # 3
    accepted = _use(asked, policy, (*METHODS, VOUCHED) if vouched else METHODS) | _signature(asked, profile)  # 4
    method = accepted["token_endpoint_auth_method"]
    if profile is Profile.FAPI2 and method not in FAPI2_METHODS:
        allowed = "private_key_jwt or tls_client_auth" if vouched else "private_key_jwt"
        raise MetadataRefusedError(f"`token_endpoint_auth_method` can only be {allowed}")
    kind = kind_of(accepted)
    if kind not in policy.kinds:
        raise MetadataRefusedError(f"clients of this kind ({kind.value}) cannot register here")
    accepted |= _uris(asked, kind, policy) | _documents(asked, kind, policy)  # 5
    if names.AUTHORIZATION_CODE in accepted["grant_types"] and not accepted.get("redirect_uris"):
        raise MetadataRefusedError("`redirect_uris` is missing", oauth="invalid_redirect_uri")
    accepted |= subjects_of(asked, accepted.get("redirect_uris", ()), kind, policy)
    accepted |= links_of(asked, kind, policy) | _defaults(asked)
    accepted |= _scope(asked, kind, policy)  # 6
    encryption = encryption_of(asked)  # 7
    accepted |= encryption | _keys(asked, method, algorithms_of(profile), encryption)
    accepted |= certificate_of(asked, method)
    if "client_name" in asked:  # 8
        accepted["client_name"] = _name(asked["client_name"], taken)
    return accepted


def _refuse(asked: Mapping[str, Any]) -> None:
    unkept = _REFUSED if asked.get("token_endpoint_auth_method") == VOUCHED else (*_REFUSED, BOUND)
    for name in asked:
        if (name.endswith(_ENCRYPTED) and name not in MEMBERS) or (name in unkept and asked[name] is not False):
            raise MetadataRefusedError(f"`{name}` is not supported")
    for name in ("token_endpoint_auth_signing_alg", "request_object_signing_alg"):
        if asked.get(name, ALGORITHM) not in ALGORITHMS:
            raise MetadataRefusedError(f"`{name}` is one of {', '.join(ALGORITHMS)}")


def _signature(asked: Mapping[str, Any], profile: Profile | None) -> dict[str, str]:
    """Return what its ID tokens are signed with: RS256 where it says nothing (Registration 1.0, section 2).

    What it is told about people is signed only where it says so (the same section). Under FAPI 2.0 nothing is by RS256
    (Security Profile, section 5.4.1).
    """
    allowed = (ALGORITHM,) if profile is Profile.FAPI2 else ID_TOKEN_ALGORITHMS
    found = {"id_token_signed_response_alg": allowed[-1]}
    for name in ("id_token_signed_response_alg", "userinfo_signed_response_alg"):
        if asked.get(name, ALGORITHM) not in allowed:
            raise MetadataRefusedError(f"`{name}` can only be {' or '.join(allowed)}")
        if name in asked:
            found[name] = asked[name]
    return found


def _defaults(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what holds where an authorization request does not say (OpenID Connect Registration 1.0, section 2)."""
    if not 0 <= asked.get("default_max_age", 0) <= MAX_AGE:
        raise MetadataRefusedError("`default_max_age` is a number of seconds")
    values = asked.get("default_acr_values", [])
    if not all(value in LEVELS for value in values):
        raise MetadataRefusedError(f"`default_acr_values` are some of {', '.join(LEVELS)}")
    return {name: asked[name] for name in ("default_max_age", "default_acr_values") if name in asked}


def _use(asked: Mapping[str, Any], policy: Registration, methods: tuple[str, ...]) -> dict[str, Any]:
    """Return how the client gets tokens; grants that it may not use are left out while others remain."""
    method = asked.get("token_endpoint_auth_method", METHODS[0])
    if method not in methods:
        raise MetadataRefusedError(f"`token_endpoint_auth_method` is one of {', '.join(methods)}")
    application = asked.get("application_type", "web")
    if application not in {"web", "native"}:
        raise MetadataRefusedError("`application_type` is `web` or `native`")
    wanted = asked.get("grant_types", [names.AUTHORIZATION_CODE])
    grants = [names.AUTHORIZATION_CODE] if names.AUTHORIZATION_CODE in wanted else []
    if names.DEVICE_CODE in wanted and policy.device_flow:
        grants.append(names.DEVICE_CODE)
    if grants:
        grants.append(names.REFRESH_TOKEN)  # a login's tokens always come with one
    elif names.CLIENT_CREDENTIALS in wanted and method != "none":
        grants = [names.CLIENT_CREDENTIALS]
    else:
        raise MetadataRefusedError("none of `grant_types` can be used here by such a client")
    responses = ["code"] if names.AUTHORIZATION_CODE in grants else []
    if responses and "code" not in asked.get("response_types", responses):
        raise MetadataRefusedError("`response_types` can only be `code`")
    return {
        "application_type": application,
        "grant_types": grants,
        "response_types": responses,
        "token_endpoint_auth_method": method,
        **{name: asked[name] for name in _TAKEN_AS_IT_IS if name in asked},
    }


def _uris(asked: Mapping[str, Any], kind: ClientKind, policy: Registration) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        uris = asked.get(name, [])
        if len(uris) > MAX_URIS:
            raise MetadataRefusedError(f"`{name}` holds more than {MAX_URIS}", oauth="invalid_redirect_uri")
        for uri in uris:
            _check_uri(uri, kind, policy)
        if uris and kind is not ClientKind.MACHINE:
            found[name] = list(dict.fromkeys(uris))
    if "backchannel_logout_uri" in asked and kind is ClientKind.WEB:
        _check_uri(asked["backchannel_logout_uri"], kind, policy, may_be_told)
        found["backchannel_logout_uri"] = asked["backchannel_logout_uri"]
        found["backchannel_logout_session_required"] = asked.get("backchannel_logout_session_required", False)
    return found


def _documents(asked: Mapping[str, Any], kind: ClientKind, policy: Registration) -> dict[str, Any]:
    found = documents_of(asked, policy)
    if kind is ClientKind.MACHINE:
        found.pop("request_uris", None)
    return found


def _check_uri(
    uri: object,
    kind: ClientKind,
    policy: Registration,
    allowed: Callable[[str, ClientKind, Registration], bool] = may_return_to,
) -> None:
    if not isinstance(uri, str):
        raise MetadataRefusedError("a URI is no text", oauth="invalid_redirect_uri")
    try:
        check_redirect_uri(uri)
    except RedirectUriError as error:
        raise MetadataRefusedError(error.message, oauth="invalid_redirect_uri") from None
    if not allowed(uri, kind, policy):
        raise MetadataRefusedError("this client may not send people there", oauth="invalid_redirect_uri")


def _scope(asked: Mapping[str, Any], kind: ClientKind, policy: Registration) -> dict[str, Any]:
    """Return the scopes it may ask for: of those it names, or of all, what the policy allows (RFC 7591, section 2)."""
    known = (*(() if kind is ClientKind.MACHINE else STANDARD_SCOPES), *policy.scopes)
    try:
        wanted = parse_scopes(asked["scope"]) if asked.get("scope") else known
    except TokenNotIssuedError:
        raise MetadataRefusedError("`scope` is malformed") from None
    granted = [scope for scope in wanted if scope in known]
    return {"scope": " ".join(granted)} if granted else {}


def _keys(
    asked: Mapping[str, Any], method: str, algorithms: tuple[str, ...], encryption: Mapping[str, str]
) -> dict[str, Any]:
    """Return its keys for signatures, and those for encryption that are of use; the other ones are left out."""
    members = asked.get("jwks", {}).get("keys", [])
    if not isinstance(members, list) or not all(isinstance(key, dict) for key in members) or len(members) > MAX_KEYS:
        raise MetadataRefusedError(f"`jwks` holds at most {MAX_KEYS} keys")
    try:
        keys = [key for key in members if key.get("use") != "enc"]
        parsed = KeySet(tuple(parse_key(key) for key in keys)).keys
    except (KeyRefusedError, EncodingError) as error:
        raise MetadataRefusedError(f"`jwks` is not taken: {error}") from None
    usable = [key for key in parsed if key.algorithm.name in algorithms]
    if method == "private_key_jwt" and not usable and "jwks_uri" not in asked:
        raise MetadataRefusedError(
            f"private_key_jwt needs `jwks_uri`, or `jwks` with a key for one of {', '.join(algorithms)}"
        )
    keys += encryption_keys(members, encryption, public=method == "none")
    if method == "none" or not keys:
        return {}
    if not all(key.kid.isascii() and key.kid.isprintable() for key in parsed):
        raise MetadataRefusedError("a `kid` in `jwks` is not plain ASCII")
    return {"jwks": {"keys": [{name: key[name] for name in _OF_KEYS if name in key} for key in keys]}}


def _name(text: str, taken: Callable[[str], bool]) -> str:
    try:
        name = checked_title(text)
    except TitleRefusedError as error:
        raise MetadataRefusedError(f"`client_name`: {error.message}") from None
    if taken(name):
        raise MetadataRefusedError("`client_name` is too much like the name of somebody else")
    return name
