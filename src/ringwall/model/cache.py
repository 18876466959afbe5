"""What a compile may keep for the next one: results by a hash of everything that they depend on.

The cache holds text only and does no I/O; whoever starts a compile reads and writes its bytes. A cache that is
damaged, foreign or of another version of the code is empty.
"""

import hashlib
import json
from typing import Final

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
    """Results of earlier compiles: texts, which `dump` keeps, and objects, which live as long as this one."""

    def __init__(self, salt: str = "") -> None:
        """Start empty; `salt` names the code that fills the cache, for `load` and `dump`."""
        self._salt = salt
        self._texts: dict[str, str] = {}
        self._objects: dict[str, object] = {}
        self._used: set[str] = set()

    def get(self, key: str) -> str | None:
        """Return the text kept under a key."""
        found = self._texts.get(key)
        if found is not None:
            self._used.add(key)
        return found

    def put(self, key: str, value: str) -> None:
        """Keep a text."""
        self._texts[key] = value
        self._used.add(key)

    def get_object(self, key: str) -> object | None:
        """Return the object kept under a key."""
        found = self._objects.get(key)
        if found is not None:
            self._used.add(key)
        return found

    def put_object(self, key: str, value: object) -> None:
        """Keep an object that nobody changes."""
        self._objects[key] = value
        self._used.add(key)

    def sweep(self) -> None:
        """Forget everything that was not used since the last sweep, so that the cache stays as large as the system."""
        self._texts = {key: value for key, value in self._texts.items() if key in self._used}
        self._objects = {key: value for key, value in self._objects.items() if key in self._used}
        self._used.clear()

    def dump(self) -> bytes:
        """Return every text as bytes for `load`."""
        body = json.dumps([self._salt, self._texts], separators=(",", ":"), ensure_ascii=True).encode()
        return _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body

    @classmethod
    def load(cls, data: bytes, salt: str = "") -> "PlanCache":
        """Return the cache that `dump` gave; an empty one if the bytes are not exactly that, or its salt another."""
        cache = cls(salt)
        digest, _, body = data.removeprefix(_MAGIC).partition(b"\n")
        if not data.startswith(_MAGIC) or digest != hashlib.sha256(body).hexdigest().encode():
            return cache
        found_salt, texts = json.loads(body)
        if found_salt == salt:
            cache._texts = texts  # its own class
        return cache
