"""A plan in pieces: what is small in one manifest, and what is large in parts that the manifest names by digest.

An edit changes one or two parts of hundreds. So a plan's digest, its copy on disk and its way to the running parts cost
what was edited, and plans that have parts in common keep them once. (A Merkle tree of two levels.)
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

from ringwall.plan.base import Part, canonical

SERVICES: Final = "services"
POLICIES: Final = "policies"
SCHEMA: Final = "cedar_schema"
LARGE: Final = (SERVICES, POLICIES, SCHEMA)
"""Fields of a plan that its manifest names by digest: services one by one, policies file by file, the Cedar schema."""

_DIGITS: Final = hashlib.sha256().digest_size * 2
_HEX: Final = frozenset("0123456789abcdef")


class _Source(Protocol):
    @property
    def file(self) -> str: ...


class _Policy(Protocol):
    @property
    def source(self) -> _Source: ...
    @property
    def canonical_bytes(self) -> bytes: ...


class _Service(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def canonical_bytes(self) -> bytes: ...


@dataclass(frozen=True)
class Manifest:
    """A plan in pieces.

    Attributes:
        content: the manifest itself, canonical JSON.
        parts: canonical JSON of each part by its digest.
    """

    content: bytes
    parts: Mapping[str, bytes]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the manifest, in hex: as every part is in it by digest, this stands for the whole plan."""
        return digest_of_bytes(self.content)


def digest_of_bytes(data: bytes) -> str:
    """Return the SHA-256, in hex."""
    return hashlib.sha256(data).hexdigest()


def split(small: Part, services: Sequence[_Service], policies: Sequence[_Policy], schema: str) -> Manifest:
    """Take a plan apart; `small` is everything but its large fields."""
    parts: dict[str, bytes] = {}

    def part(data: bytes) -> str:
        digest = digest_of_bytes(data)
        parts[digest] = data
        return digest

    by_file: dict[str, list[bytes]] = {}
    for policy in policies:
        by_file.setdefault(policy.source.file, []).append(policy.canonical_bytes)
    content = small.model_dump(mode="json", exclude=set(LARGE)) | {
        SERVICES: {service.name: part(service.canonical_bytes) for service in services},
        POLICIES: {file: part(b"[" + b",".join(texts) + b"]") for file, texts in by_file.items()},
        SCHEMA: part(canonical(schema)),
    }
    return Manifest(canonical(content), parts)


def join(fields: Mapping[str, Any], made: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a plan from those of its manifest and what was made of each part, by digest."""
    policies = [policy for digest in fields[POLICIES].values() for policy in made[digest]]
    return {
        **fields,
        SERVICES: tuple(made[digest] for digest in fields[SERVICES].values()),
        POLICIES: tuple(sorted(policies, key=lambda policy: policy.id)),
        SCHEMA: made[fields[SCHEMA]],
    }


def is_digest(text: object) -> bool:
    """Return whether this can be a digest."""
    return isinstance(text, str) and len(text) == _DIGITS and set(text) <= _HEX
