"""Values that must not be printed."""

import hmac
from typing import Final


class Secret:
    """Bytes that redact themselves in `repr`, `str`, formatting and pickling; compared in constant time."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes | str) -> None:
        self._value: Final[bytes] = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> bytes:
        """Return the value itself; every call is a place to review."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    __hash__ = None  # type: ignore[assignment]  # a hash could leak through timing of dict look-ups

    def __reduce__(self) -> str:
        raise TypeError("a Secret cannot be pickled")
