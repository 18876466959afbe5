"""The source for each provider of the plan; one that did not change keeps what it knows."""

from ringwall.identity.federation.fetch import Fetcher
from ringwall.identity.upstream.identity import UpstreamUnavailableError
from ringwall.identity.upstream.oidc.exchange import Sign
from ringwall.identity.upstream.oidc.source import OidcSource
from ringwall.identity.upstream.saml.keys import SamlKeys
from ringwall.identity.upstream.saml.source import SamlSource
from ringwall.identity.upstream.secrets import SecretPlaces
from ringwall.identity.upstream.source import SignInSource
from ringwall.model.clock import Clock
from ringwall.plan.upstream import Upstream


class SignInSources:
    """Makes sources, and keeps them."""

    def __init__(
        self, *, places: SecretPlaces, clock: Clock, sign: Sign, saml_keys: SamlKeys, fetcher: Fetcher | None = None
    ) -> None:
        """Remember what sources need.

        Args:
            places: where secrets lie.
            clock: where time comes from.
            sign: signs with the issuer's key.
            saml_keys: what signs for SAML providers, and decrypts what they say.
            fetcher: how providers are asked; made from the plan's mode by default.
        """
        self._places = places
        self._clock = clock
        self._sign = sign
        self._saml_keys = saml_keys
        self._fetcher = fetcher
        self._sources: dict[str, tuple[Upstream, bool, OidcSource]] = {}

    def of(self, upstream: Upstream, *, development: bool) -> SignInSource:
        """Return the source for a provider."""
        if upstream.saml is None:
            return self.openid(upstream, development=development)
        self._forget(upstream.name)
        return self.saml(upstream)

    def saml(self, upstream: Upstream) -> SamlSource:
        """Return the source for a provider of SAML, which keeps nothing."""
        return SamlSource(upstream, self._saml_keys)

    def openid(self, upstream: Upstream, *, development: bool) -> OidcSource:
        """Return the source for a provider of OpenID Connect."""
        known = self._sources.get(upstream.name)
        if known is not None and known[:2] == (upstream, development):
            return known[2]
        self._forget(upstream.name)
        if upstream.oidc is None:
            raise UpstreamUnavailableError("protocol", f"{upstream.name} speaks no protocol that this Ringwall knows")
        source = OidcSource(
            upstream,
            fetcher=self._fetcher or Fetcher(development=development),
            clock=self._clock,
            development=development,
            places=self._places,
            sign=self._sign,
        )
        self._sources[upstream.name] = (upstream, development, source)
        return source

    def _forget(self, name: str) -> None:
        known = self._sources.pop(name, None)
        if known is not None:
            known[2].provider.close()

    def close(self) -> None:
        """End what the sources have started."""
        for _, _, source in self._sources.values():
            source.provider.close()
