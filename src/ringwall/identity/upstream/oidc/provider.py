"""What a provider says about itself, asked when it is needed and kept for a while: endpoints and keys."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from ringwall.identity.federation.discovery import Metadata, fetch_keys, fetch_metadata
from ringwall.identity.federation.fetch import Fetcher, check_url
from ringwall.identity.federation.key_filter import usable_keys
from ringwall.identity.tokens.keys import KeySet
from ringwall.identity.upstream.identity import UpstreamUnavailableError
from ringwall.model.clock import Clock
from ringwall.model.errors import RingwallError
from ringwall.plan.upstream import OidcProvider

T = TypeVar("T")

FRESH_SECONDS: Final = 300.0
"""So long nothing is asked again, unless a token is signed with a key that is not known."""
KEPT_SECONDS: Final = 86_400.0
"""So long what is known is used while the provider cannot be asked."""
MIN_SECONDS: Final = 10.0
"""Shortest time between two attempts: key names are free to make up, and failures are many at once."""
_THREADS: Final = 4
_MOST: Final = 32
"""How many may wait for one provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a provider.

    Attributes:
        authorization_endpoint: where browsers are sent.
        token_endpoint: where codes are redeemed.
        userinfo_endpoint: empty where there is none.
        end_session_endpoint: empty where there is none.
        says_issuer: whether its answers always name it (RFC 9207, section 3).
        keys: to verify its ID tokens with.
        metadata: its whole document.
        dropped: a sentence for each published key that is not used.
    """

    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str
    end_session_endpoint: str
    says_issuer: bool
    keys: KeySet
    metadata: Metadata
    dropped: tuple[str, ...]


class Provider:
    """One provider. Asking it never holds up anybody who signs in elsewhere."""

    def __init__(self, name: str, oidc: OidcProvider, *, fetcher: Fetcher, clock: Clock, development: bool) -> None:
        self.name = name
        self.oidc = oidc
        self.fetcher = fetcher
        self._clock = clock
        self._development = development
        self._known: Known | None = None
        self._at = 0.0
        self._tried: float | None = None
        self._failed: UpstreamUnavailableError | None = None
        self._asking = asyncio.Lock()
        self._waiting = 0
        self._threads: ThreadPoolExecutor | None = None

    async def known(self, *, kid: str | None = None) -> Known:
        """Return what is known, asked anew where it is old, or does not hold a key of this name.

        Raises:
            UpstreamUnavailableError: nothing is known, and the provider cannot be asked, or says what cannot be.
        """
        async with self._asking:
            now = self._clock.monotonic()
            known = self._known
            fresh = known is not None and now - self._at < FRESH_SECONDS and (kid is None or _has(known, kid))
            if fresh and known is not None:
                return known
            if self._tried is None or now - self._tried >= MIN_SECONDS:
                self._tried = now
                try:
                    self._known, self._at, self._failed = await self.run(self.ask), now, None
                except UpstreamUnavailableError as error:
                    self._failed = error
            if self._known is not None and now - self._at < KEPT_SECONDS:
                return self._known
            raise self._failed or UpstreamUnavailableError("unknown", f"nothing is known of {self.name} yet")

    async def run(self, ask: Callable[[], T]) -> T:
        """Call what asks the provider in a thread; its RingwallError becomes an UpstreamUnavailableError."""
        if self._waiting >= _MOST:
            raise UpstreamUnavailableError("busy", f"too many people wait for {self.name}")
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"upstream {self.name}")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        except UpstreamUnavailableError:
            raise
        except RingwallError as error:
            raise UpstreamUnavailableError("unreachable", error.message, hint=error.hint) from None
        finally:
            self._waiting -= 1

    def ask(self) -> Known:
        """Ask for metadata and keys now, in this thread.

        1. The metadata is this issuer's (OpenID Connect Discovery 1.0, section 4.3). 2. Its endpoints can be used.
        3. Keys that cannot be used are left out; one at least is there.
        """
        oidc = self.oidc
        metadata = fetch_metadata(self.name, oidc.issuer, oidc.discovery, self.fetcher)  # 1
        published = usable_keys(fetch_keys(self.name, metadata, self.fetcher), oidc.algorithms)
        known = Known(
            authorization_endpoint=self._endpoint(metadata, "authorization_endpoint", required=True),  # 2
            token_endpoint=self._endpoint(metadata, "token_endpoint", required=True),
            userinfo_endpoint=self._endpoint(metadata, "userinfo_endpoint", required=oidc.userinfo),
            end_session_endpoint=self._endpoint(metadata, "end_session_endpoint", required=False),
            says_issuer=metadata.members.get("authorization_response_iss_parameter_supported") is True,
            keys=KeySet.parse(published.jwks),
            metadata=metadata,
            dropped=published.dropped,
        )
        if not published.count:  # 3
            hint = "; ".join(published.dropped)[:500] or "it publishes none"
            raise UpstreamUnavailableError("keys", f"{self.name} publishes no key that can be used", hint=hint)
        return known

    def close(self) -> None:
        """Let the threads end."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _endpoint(self, metadata: Metadata, member: str, *, required: bool) -> str:
        """Return an endpoint: nobody is sent to an address that is not https."""
        value = metadata.members.get(member, "")
        if value == "" and not required:
            return ""
        if not isinstance(value, str) or not value:
            raise UpstreamUnavailableError("metadata", f"the metadata of {self.name} has no `{member}`")
        check_url(value, development=self._development)
        return value


def _has(known: Known, kid: str) -> bool:
    return not kid or any(key.kid == kid for key in known.keys.keys)
