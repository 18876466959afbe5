"""What a compile may keep for the next one: results by a hash of everything that they depend on.

The cache holds text only and does no I/O; whoever starts a compile reads and writes its bytes. A cache that is
damaged, foreign or of another version of the compiler is empty.
"""

import hashlib
import json
from typing import Final

from ringwall.compile.cedar.compiler import CompileCache

_MAGIC: Final = b"ringwall-plan-cache 1\n"


def key_of(*parts: str) -> str:
    """Return the key of a result that depends on these texts, in this order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


class PlanCache:
    """Results of earlier compiles, by key.

    Attributes:
        hops: what the policy compiler keeps, for as long as this object lives.
    """

    def __init__(self, salt: str = "") -> None:
        """Start empty; `salt` names the code that fills the cache, for `load` and `dump`."""
        self._salt = salt
        self._entries: dict[str, str] = {}
        self._objects: dict[str, object] = {}
        self._used: set[str] = set()
        self.hops = CompileCache()

    def get(self, key: str) -> str | None:
        """Return the text kept under a key."""
        found = self._entries.get(key)
        if found is not None:
            self._used.add(key)
        return found

    def put(self, key: str, value: str) -> None:
        """Keep a text."""
        self._entries[key] = value
        self._used.add(key)

    def get_object(self, key: str) -> object | None:
        """Return what was made of the text under this key in the life of this object."""
        found = self._objects.get(key)
        if found is not None:
            self._used.add(key)
        return found

    def put_object(self, key: str, value: object) -> None:
        """Keep an immutable object that was made of the text under this key."""
        self._objects[key] = value

    def sweep(self) -> None:
        """Forget everything that was not used since the last sweep, so that the cache stays as large as the system."""
        self._entries = {key: value for key, value in self._entries.items() if key in self._used}
        self._objects = {key: value for key, value in self._objects.items() if key in self._used}
        self._used.clear()

    def dump(self) -> bytes:
        """Return everything as bytes for `load`."""
        body = json.dumps([self._salt, self._entries], separators=(",", ":"), ensure_ascii=True).encode()
        return _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body

    @classmethod
    def load(cls, data: bytes, salt: str = "") -> "PlanCache":
        """Return the cache that `dump` gave; an empty one if the bytes are not exactly that."""
        cache = cls(salt)
        if not data.startswith(_MAGIC):
            return cache
        digest, _, body = data[len(_MAGIC) :].partition(b"\n")
        if digest != hashlib.sha256(body).hexdigest().encode():
            return cache
        found_salt, entries = json.loads(body)
        if found_salt == salt:
            cache._entries = entries  # its own class
        return cache
