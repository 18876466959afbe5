"""One generated request, and the values that make it interesting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """What arrives: `path` as the service sees it, `claims` of a token that has been verified."""

    caller: str
    path: str
    time: float
    claims: Mapping[str, Any] | None = None
    source: str | None = None


@dataclass
class Hints:
    """Values near the constants of the policies: what a request must hold to tell a right rule from a wrong one."""

    texts: dict[str, list[str]] = field(default_factory=dict)
    sets: dict[str, list[list[Any]]] = field(default_factory=dict)
    longs: dict[str, list[Any]] = field(default_factory=dict)
    paths: dict[str, list[str]] = field(default_factory=dict)
    subs: list[str] = field(default_factory=list)
    scopes: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
