"""RSA keys that are made before they are needed, since making one takes some 50 ms, for which nobody is to wait."""

import asyncio

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ringwall.identity.tokens.rsa_keys import make_rsa_key


class SpareKeys:
    """A few keys that nothing but this process knows; each is taken once."""

    def __init__(self) -> None:
        self._keys: list[RSAPrivateKey] = []

    async def fill(self, count: int) -> None:
        """See to it that there are so many; they are made in a thread, and the event loop goes on."""
        while len(self._keys) < count:
            self._keys.append(await asyncio.to_thread(make_rsa_key))

    def take(self) -> RSAPrivateKey:
        """Return a key; where there is no spare one it is made now."""
        return self._keys.pop() if self._keys else make_rsa_key()
