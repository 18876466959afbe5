"""The keys by which a client signs, and for which algorithms they may be.

A client either has given its keys (`jwks`), or keeps them at an address of its own (`jwks_uri`; OpenID Connect
Registration 1.0, section 2). The latter are fetched when they are needed, and kept for a while.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from ringwall.identity.federation.key_filter import usable_keys
from ringwall.identity.issuer.clients.documents import ClientDocuments, DocumentRefusedError
from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.identity.tokens.errors import KeyRefusedError, TokenRefusedError
from ringwall.identity.tokens.jws import UnverifiedToken
from ringwall.identity.tokens.keys import KeySet, read_set
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.model.clock import Clock
from ringwall.plan.client import Client, Profile

ALGORITHMS: Final = ("ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256")
"""What a client's key may be for; each key is good for its own one only (RFC 8725, section 3.1)."""
FAPI2_ALGORITHMS: Final = ("PS256", "ES256", "EdDSA")
"""What it may be for under the FAPI 2.0 Security Profile, section 5.4.1, item 1."""
FRESH_SECONDS: Final = 300.0
"""So long nothing is fetched again, unless something is signed with a key that is not known."""
KEPT_SECONDS: Final = 3600.0
"""So long what is known is used while it cannot be fetched."""
MIN_SECONDS: Final = 30.0
"""Shortest time between two attempts: names of keys are free to make up."""
MAX_BYTES: Final = 65_536
MAX_KEYS: Final = 16
MOST: Final = 500
"""How many key sets are kept, some 100 KB each at most; the one that was not used for longest goes first."""
MOST_WAITING: Final = 16
"""How many requests may wait for one key set."""
_MEDIA_TYPE: Final = "application/jwk-set+json, application/json"


def algorithms_of(profile: Profile | None) -> tuple[str, ...]:
    """Return the algorithms that clients may sign with."""
    return FAPI2_ALGORITHMS if profile is Profile.FAPI2 else ALGORITHMS


def has_keys(client: Client) -> bool:
    """Return whether a client can sign."""
    return bool(client.jwks or client.jwks_uri)


@dataclass(slots=True)
class _Kept:
    """A key set of a client.

    Attributes:
        jwks: what was published and can be used, a JWK set as JSON; empty where nothing is known.
        at: when that was fetched, on the monotonic clock.
        tried: when that was last attempted; None for never.
        asking: held while it is attempted.
        waiting: how many requests wait for `asking`, or hold it.
    """

    jwks: str = ""
    at: float = 0.0
    tried: float | None = None
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


class ClientKeys:
    """Finds the keys of clients. What one publishes, and how fast, never matters to another."""

    def __init__(self, documents: ClientDocuments, directory: LiveDirectory, clock: Clock) -> None:
        self._documents = documents
        self._directory = directory
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    async def of(self, client: Client, *, signed: str | bytes) -> KeySet:
        """Return the keys by which a client may have signed something.

        The set at its `jwks_uri` is fetched again where it is old, or lacks the key that `signed` names (OpenID Connect
        Core 1.0, section 10.1.1), though not more often than every MIN_SECONDS. What is not in it any more is good no
        more; an old key is noticed to be gone FRESH_SECONDS after at the latest, KEPT_SECONDS where nobody answers.

        Raises:
            KeyRefusedError: the client has no keys, or none can be had.
        """
        if not client.jwks_uri:
            allowed = algorithms_of(client.profile)
            return KeySet(tuple(key for key in KeySet.of_client(client.jwks).keys if key.algorithm.name in allowed))
        try:
            kid = UnverifiedToken.parse(signed).kid
        except TokenRefusedError:
            raise KeyRefusedError("kid", "what is signed is no token") from None
        kept = self._kept_for(client)
        if kept.waiting >= MOST_WAITING:
            raise KeyRefusedError("busy", "too many requests wait for the client's keys")
        kept.waiting += 1
        try:
            async with kept.asking:
                return await self._looked_up(client, kept, kid)
        finally:
            kept.waiting -= 1

    async def _looked_up(self, client: Client, kept: _Kept, kid: str) -> KeySet:
        now = self._clock.monotonic()
        if kept.jwks and now - kept.at < FRESH_SECONDS and _has(known := KeySet.parse(kept.jwks), kid):
            return known
        if kept.tried is None or now - kept.tried >= MIN_SECONDS:
            kept.tried = now
            try:
                kept.jwks, kept.at = await self._fetched(client), now
            except (DocumentRefusedError, KeyRefusedError) as error:
                if not kept.jwks:
                    raise KeyRefusedError("jwks-uri", f"its keys cannot be had: {error.message}") from None
        if not kept.jwks or now - kept.at >= KEPT_SECONDS:
            raise KeyRefusedError("jwks-uri", "its keys could not be had, and are not asked for again yet")
        return KeySet.parse(kept.jwks)

    async def _fetched(self, client: Client) -> str:
        """Fetch the set; keys that are not good for a signature are left out, and so are private ones."""
        published = await self._documents.get(
            client.jwks_uri,
            directory=self._directory.current(),
            stranger=client.name.startswith(REGISTERED_PREFIX),
            max_bytes=MAX_BYTES,
            media_type=_MEDIA_TYPE,
        )
        if len(read_set(published)) > MAX_KEYS:
            raise KeyRefusedError("size", f"a client has at most {MAX_KEYS} keys")
        return usable_keys(published, algorithms_of(client.profile)).jwks

    def _kept_for(self, client: Client) -> _Kept:
        """Return what is kept for exactly this client: no other one can make it be fetched, or wait for it."""
        name = (client.name, client.jwks_uri)
        kept = self._kept.setdefault(name, _Kept())
        self._kept.move_to_end(name)
        while len(self._kept) > MOST:
            self._kept.popitem(last=False)
        return kept


def _has(known: KeySet, kid: str) -> bool:
    return not kid or any(key.kid == kid for key in known.keys)
