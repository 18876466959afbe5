"""Initial access tokens (RFC 7591, section 3): the operator gives them to whom it lets register clients."""

from typing import Final

from ringwall.identity.issuer.storage import Storage
from ringwall.model.clock import Clock
from ringwall.model.secret import Secret

DEFAULT_SECONDS: Final = 86_400
LONGEST_SECONDS: Final = 90 * 86_400


class InitialAccess:
    """The initial access tokens that can be used."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        self._storage = storage
        self._clock = clock

    async def give(self, *, seconds: int, reusable: bool) -> Secret:
        """Return a token that lets register one client within `seconds`, or, if `reusable`, any number."""
        tokens = (await self._storage.database()).registrations
        return await tokens.put(owner="", payload={"reusable": reusable}, now=self._clock.now(), seconds=seconds)

    async def check(self, token: Secret) -> None:
        """Raise HandleRefusedError for a token that cannot be used; leaves it as it is."""
        await (await self._storage.database()).registrations.read(token, owner="", now=self._clock.now())

    async def use(self, token: Secret) -> None:
        """Use a token; of any number of requests with one that works once, all but one get HandleRefusedError."""
        tokens, now = (await self._storage.database()).registrations, self._clock.now()
        found = await tokens.read(token, owner="", now=now)
        if not found.payload["reusable"]:
            await tokens.take(token, owner="", now=now)
