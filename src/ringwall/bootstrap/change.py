"""What comes of putting a plan in force."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from ringwall.bootstrap.admin_socket import diagnostic_of
from ringwall.model.errors import Diagnostic, RingwallError


class NotInForceError(RingwallError):
    """A plan could not be put in force; what was in force before still is."""

    code = "not-in-force"


@dataclass(frozen=True, kw_only=True)
class Change:
    """What came of putting a plan in force.

    Attributes:
        digest: of the plan in force.
        changed: whether it differs from the one before.
        seconds: from reading the first file until every proxy had it.
        warnings: what the check had to say.
        started, stopped, replaced: names of services.
    """

    digest: str
    changed: bool
    seconds: float
    warnings: tuple[Diagnostic, ...] = ()
    started: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Return this as JSON data."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Return what `to_data` was made from."""
        lists = {name: tuple(data[name]) for name in ("started", "stopped", "replaced")}
        return cls(**{**data, **lists, "warnings": tuple(diagnostic_of(each) for each in data["warnings"])})
