"""What a compile may keep for the next one: results by a hash of everything that they depend on.

The cache holds bytes only and does no I/O; whoever starts a compile reads and writes it. A cache that is damaged,
foreign or of another version of the code is empty.
"""

import hashlib
from typing import Final

import orjson

_MAGIC: Final = b"ringwall-plan-cache 2\n"


def key_of(*parts: str) -> str:
    """Return the key of a result that depends on these texts, in this order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


class PlanCache:
    """Results of earlier compiles: bytes, which `dump` keeps, and objects, which live as long as this one.

    Attributes:
        changed: whether `dump` would give something else than what was loaded.
    """

    def __init__(self, salt: str = "") -> None:
        """Start empty; `salt` names the code that fills the cache, for `load` and `dump`."""
        self._salt = salt
        self._values: dict[str, bytes | memoryview] = {}
        self._objects: dict[str, object] = {}
        self._used: set[str] = set()
        self.changed = True

    def get(self, key: str) -> bytes | None:
        """Return the bytes kept under a key."""
        found = self._values.get(key)
        if found is None:
            return None
        self._used.add(key)
        return bytes(found)

    def put(self, key: str, value: bytes) -> None:
        """Keep bytes."""
        self._values[key] = value
        self._used.add(key)
        self.changed = True

    def get_object(self, key: str) -> object | None:
        """Return the object kept under a key; what is kept as bytes under the same key counts as used, too."""
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
        self.changed = self.changed or not self._used.issuperset(self._values)
        self._values = {key: value for key, value in self._values.items() if key in self._used}
        self._objects = {key: value for key, value in self._objects.items() if key in self._used}
        self._used.clear()

    def dump(self) -> bytes:
        """Return everything that is kept as bytes, for `load`: a digest, a line that says what follows, the values."""
        index = orjson.dumps([self._salt, [[key, len(value)] for key, value in self._values.items()]])
        body = b"".join((index, b"\n", *self._values.values()))
        return _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n" + body

    @classmethod
    def load(cls, data: bytes, salt: str = "") -> "PlanCache":
        """Return the cache that `dump` gave; an empty one if the bytes are not exactly that, or its salt another."""
        cache = cls(salt)
        start = len(_MAGIC) + 2 * hashlib.sha256().digest_size + 1
        body = memoryview(data)[start:]
        if data[:start] != _MAGIC + hashlib.sha256(body).hexdigest().encode() + b"\n":
            return cache
        try:
            found_salt, index = orjson.loads(data[start : data.index(b"\n", start)])
            lengths = {str(key): int(length) for key, length in index}
        except (ValueError, TypeError):
            return cache
        at = data.index(b"\n", start) + 1
        if found_salt != salt or at + sum(lengths.values()) != len(data):
            return cache
        for key, length in lengths.items():
            cache._values[key] = memoryview(data)[at : at + length]  # its own class
            at += length
        cache.changed = False
        return cache
