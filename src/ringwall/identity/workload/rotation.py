"""How one generation of the CA follows another without a failed request: a state machine, pure, and kept on disk.

    STABLE ──begin──▶ ANNOUNCED ──switch──▶ RETIRING ──retire──▶ STABLE

- STABLE: one generation is trusted and issues.
- ANNOUNCED: the new root and JWT key are published; the old generation still issues. It ends when everyone has had
  time to learn of the new root.
- RETIRING: the new generation issues, both are trusted. It ends when the last SVID that the old one issued has
  been replaced or has ended.

A compromised generation is dropped at once instead: peers that have not yet got the new root fail until they have.
The state is kept before each step takes effect, so that a crash resumes in the same place.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

from ringwall.identity.keystore import KeyStoreError
from ringwall.model.errors import RingwallError


class RotationError(RingwallError):
    """A rotation cannot begin now."""

    code = "rotation"


class Phase(StrEnum):
    """Where a rotation stands."""

    STABLE = "stable"
    ANNOUNCED = "announced"
    RETIRING = "retiring"


@dataclass(frozen=True, slots=True)
class RotationState:
    """The generations in use, by id.

    Attributes:
        phase: where the rotation stands.
        issuing: the generation that issues now.
        other: the announced one, or the one to be retired; None while stable.
        retire_at: epoch seconds before which the old generation stays trusted; 0 unless retiring.
    """

    phase: Phase
    issuing: str
    other: str | None = None
    retire_at: float = 0.0

    @property
    def trusted(self) -> tuple[str, ...]:
        """Every generation whose root and JWT key are published, the issuing one first."""
        return (self.issuing,) if self.other is None else (self.issuing, self.other)

    def begin(self, new: str) -> Self:
        """STABLE → ANNOUNCED; raise RotationError where a rotation is under way."""
        if self.phase is not Phase.STABLE:
            raise RotationError(
                f"a rotation is under way ({self.phase})",
                hint="wait for it to end, or drop the old root at once with: ringwall rotate ca --compromised",
            )
        return replace(self, phase=Phase.ANNOUNCED, other=new)

    def switch(self, retire_at: float) -> Self:
        """ANNOUNCED → RETIRING: the new generation issues from now on."""
        if self.phase is not Phase.ANNOUNCED or self.other is None:
            raise RotationError(f"there is nothing to switch to ({self.phase})")
        return replace(self, phase=Phase.RETIRING, issuing=self.other, other=self.issuing, retire_at=retire_at)

    def keep_until(self, retire_at: float) -> Self:
        """RETIRING: trust the old generation for longer; never for shorter."""
        return replace(self, retire_at=max(self.retire_at, retire_at))

    def retire(self) -> Self:
        """RETIRING → STABLE: the old generation is trusted no more."""
        if self.phase is not Phase.RETIRING:
            raise RotationError(f"there is nothing to retire ({self.phase})")
        return replace(self, phase=Phase.STABLE, other=None, retire_at=0.0)

    def drop_all_for(self, new: str) -> Self:
        """Any phase → STABLE with only the new generation, because the others are compromised."""
        return replace(self, phase=Phase.STABLE, issuing=new, other=None, retire_at=0.0)

    def to_json(self) -> dict[str, Any]:
        """Return the form that is kept."""
        return {
            "phase": self.phase.value,
            "issuing": self.issuing,
            "other": self.other,
            "retire_at": self.retire_at,
        }

    @classmethod
    def from_json(cls, kept: object) -> Self:
        """Bring back what was kept; raise KeyStoreError for anything that `to_json` does not write."""
        match kept:
            case {"phase": str(phase), "issuing": str(issuing), "other": other, "retire_at": int() | float() as end}:
                known = phase in {str(p) for p in Phase}
                if known and (other is None) == (phase == Phase.STABLE) and isinstance(other, str | None):
                    return cls(Phase(phase), issuing, other, float(end))
        raise KeyStoreError(
            "the state of the workload CA cannot be read",
            hint="restore the key folder from a backup; to start anew, remove the whole folder",
        )
