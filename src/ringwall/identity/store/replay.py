"""What must be seen only once: DPoP proofs, client assertions, request objects, one-time passwords."""

import hashlib
from typing import Final

from ringwall.identity.store.driver import BATCH, Driver, Statement

_ONCE: Final = Statement("""
    INSERT INTO replay (digest, expires) VALUES (:digest, :until)
    ON CONFLICT (digest) DO UPDATE SET expires = excluded.expires WHERE replay.expires <= :now
    RETURNING expires
""")
_SWEEP: Final = Statement("""
    DELETE FROM replay WHERE digest IN (SELECT digest FROM replay WHERE expires <= :now ORDER BY expires LIMIT :batch)
""")


class Replay:
    """Remembers keys until they no longer matter."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    async def once(self, kind: str, key: str, *, until: float, now: float) -> bool:
        """Return whether this is the first time that `key` is seen, and remember it until `until`.

        Of any number of callers, in any number of processes, exactly one gets True. Kinds do not meet: the same key
        under another kind is another key. Only a hash is stored, so keys may be of any length.

        Args:
            kind: such as `dpop` or `client-assertion`.
            key: what must be unique: the `jti`, together with whatever it is unique within (the client, the key).
            until: when what carries the key is refused anyway, because it has expired. At least that long must it be
                remembered: add the tolerance for clocks.
            now: seconds since the epoch.
        """
        name = hashlib.sha256(f"{len(kind)}:{kind}{key}".encode(errors="surrogatepass")).digest()
        return await self._driver.row(_ONCE, digest=name, until=until, now=now) is not None

    async def sweep(self, *, now: float) -> int:
        """Delete some of the keys that no longer matter, and return how many."""
        return await self._driver.run(_SWEEP, now=now, batch=BATCH)
