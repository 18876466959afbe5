"""What is wrong between the plan and a provider, found by asking it; for the operator, before people do."""

from collections.abc import Iterator
from typing import Final

from ringwall.identity.upstream.oidc.provider import Known, Provider
from ringwall.identity.upstream.remark import Remark
from ringwall.identity.upstream.secrets import SecretPlaces
from ringwall.model.errors import RingwallError
from ringwall.plan.upstream import ClientAuthentication, OidcProvider, Upstream

_BASIC: Final = ["client_secret_basic"]
"""What a provider takes that does not say (OpenID Connect Discovery 1.0, section 3)."""


def inspect(upstream: Upstream, provider: Provider, places: SecretPlaces) -> tuple[Remark, ...]:
    """Ask a provider, and compare what it says with what the plan wants of it."""
    remarks: list[Remark] = []
    oidc = provider.oidc
    if oidc.authentication is not ClientAuthentication.PRIVATE_KEY:
        try:
            places.read(oidc)
        except RingwallError as error:
            remarks.append(Remark(wrong=True, text=error.message, hint=error.hint))
    try:
        known = provider.ask()
    except RingwallError as error:
        return (*remarks, Remark(wrong=True, text=error.message, hint=error.hint))
    return (*remarks, *_compare(upstream, provider, known))


def _compare(upstream: Upstream, provider: Provider, known: Known) -> Iterator[Remark]:
    yield from _client(provider.oidc, known)
    yield from _tokens(upstream, provider.oidc, known)
    if "S256" not in _listed(known, "code_challenge_methods_supported"):
        yield Remark(wrong=False, text="it does not say that it holds codes to PKCE; nonces hold them all the same")
    if not known.says_issuer:
        yield Remark(wrong=False, text="its answers do not name it (RFC 9207); an address of its own tells it apart")
    for dropped in known.dropped:
        yield Remark(wrong=False, text=dropped)


def _client(oidc: OidcProvider, known: Known) -> Iterator[Remark]:
    methods = _listed(known, "token_endpoint_auth_methods_supported") or _BASIC
    if oidc.authentication.value not in methods:
        text = f"it does not take {oidc.authentication.value}: it takes {', '.join(methods)}"
        yield Remark(wrong=True, text=text, hint="set `authentication`")
    if "code" not in (_listed(known, "response_types_supported") or ["code"]):
        yield Remark(wrong=True, text="it has no authorization code flow")
    if oidc.logout and not known.end_session_endpoint:
        yield Remark(wrong=True, text="it has no way to sign out there", hint="leave `logout` out")


def _tokens(upstream: Upstream, oidc: OidcProvider, known: Known) -> Iterator[Remark]:
    signed = _listed(known, "id_token_signing_alg_values_supported")
    if signed and not set(signed) & set(oidc.algorithms):
        text = f"it signs ID tokens with {', '.join(signed)}; believed are {', '.join(oidc.algorithms)}"
        yield Remark(wrong=True, text=text, hint="set `algorithms`")
    scopes, values = _listed(known, "scopes_supported"), _listed(known, "acr_values_supported")
    if scopes and (missing := [scope for scope in oidc.scopes if scope not in scopes]):
        yield Remark(wrong=False, text=f"it does not list the scopes {', '.join(missing)}")
    if values and (unknown := [value for value, _ in upstream.acr if value not in values]):
        yield Remark(wrong=False, text=f"it does not list the values {', '.join(unknown)} of `acr`")


def _listed(known: Known, name: str) -> list[str]:
    value = known.metadata.members.get(name)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
