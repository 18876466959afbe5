"""What every part of a plan has in common: frozen, closed to unknown fields, canonical as bytes."""

import hashlib
from functools import cached_property
from typing import Any, Self

import orjson
from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A piece of a plan: immutable, and strict about what it is built from."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, ser_json_bytes="base64")

    @cached_property
    def canonical_bytes(self) -> bytes:
        """The one byte form of this piece."""
        return canonical(orjson.loads(self.model_dump_json()))

    def __copy__(self) -> Self:
        """Return a copy without what was computed from this piece, because `model_copy` goes on to change fields."""
        copied = super().__copy__()
        for name in vars(copied).keys() - type(self).model_fields.keys():
            del vars(copied)[name]
        return copied


def canonical(value: Any) -> bytes:
    """Return the one JSON text of a JSON value: keys sorted, no spaces, UTF-8 (in the spirit of RFC 8785).

    Plans hold no floats, which is where RFC 8785 would need more than this.
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest_of(value: Any) -> str:
    """Return the SHA-256 of the canonical bytes of a JSON value, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()
