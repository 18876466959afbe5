"""What speaks to the providers of the plan in force, and our own addresses for each."""

import os
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response

from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.upstream.source import SignInSource
from ringwall.plan.upstream import Upstream

if TYPE_CHECKING:
    from ringwall.identity.upstream.oidc.source import OidcSource
    from ringwall.identity.upstream.saml.source import SamlSource
    from ringwall.identity.upstream.sources import SignInSources

MAX_SAML: Final = 256 * 1024
"""How many bytes a form with a message of SAML may have."""


class UpstreamSources:
    """Loaded when somebody first goes to a provider."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context
        self._sources: SignInSources | None = None

    def named(self, request: Request) -> Upstream | None:
        """Return the provider that is named in a path; None where the plan has none of that name."""
        return self.find(request.path_params["name"])

    def find(self, name: str) -> Upstream | None:
        """Return a provider by its name; None where the plan has none."""
        return self._context.directory.current().upstreams.get(name)

    def of(self, upstream: Upstream) -> SignInSource:
        """Return what speaks to a provider."""
        return self._all().of(upstream, development=self._context.directory.current().development)

    def openid(self, upstream: Upstream) -> "OidcSource":
        """Return what speaks to a provider of OpenID Connect."""
        return self._all().openid(upstream, development=self._context.directory.current().development)

    def saml(self, upstream: Upstream) -> "SamlSource":
        """Return what speaks to a provider of SAML."""
        return self._all().saml(upstream)

    def _all(self) -> "SignInSources":
        if self._sources is None:
            from ringwall.identity.upstream.saml.keys import SamlKeys  # noqa: PLC0415  # not on the way to a start
            from ringwall.identity.upstream.secrets import SecretPlaces  # noqa: PLC0415  # as above
            from ringwall.identity.upstream.sources import SignInSources  # noqa: PLC0415  # as above

            self._sources = SignInSources(
                places=SecretPlaces(self._context.settings.state.absolute().parent, os.environ),
                clock=self._context.clock,
                sign=self._context.keys.sign,
                saml_keys=SamlKeys(self._context.keystore, self._context.clock),
            )
        return self._sources

    def address(self, upstream: Upstream, what: str) -> str:
        """Return a URL of ours for one provider."""
        return f"{self._context.directory.current().issuer.rstrip('/')}/upstream/{upstream.name}/{what}"


def see(location: str) -> Response:
    """Send a browser somewhere; where it came from is not told."""
    headers = {"location": location, "cache-control": "no-store", "referrer-policy": "no-referrer"}
    return Response(status_code=303, headers=headers)
