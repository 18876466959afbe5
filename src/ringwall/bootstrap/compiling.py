"""Blueprint files on disk → plan, with a cache that makes the next time fast."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ringwall.bootstrap.seen_files import SeenFiles, Sign
from ringwall.bootstrap.state import StateFolder
from ringwall.model.cache import PlanCache
from ringwall.model.errors import Diagnostic
from ringwall.plan.cedar import CedarPolicy
from ringwall.plan.model import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A plan, its policies as they were parsed, the warnings on the way to it, and how many seconds it took."""

    plan: Plan
    policies: Mapping[str, CedarPolicy]
    warnings: tuple[Diagnostic, ...]
    seconds: float


class Compiler:
    """Compiles one blueprint, again and again.

    Args:
        blueprint: the file, absolute.
        listen: replaces the blueprint's `edge.listen`.

    Attributes:
        seen: the files that the last attempt has read, for `Watch`.
    """

    def __init__(self, blueprint: Path, *, listen: str | None = None) -> None:
        self._blueprint = blueprint
        self._listen = listen
        self._cache_file = StateFolder.beside(blueprint).plan_cache
        self._cache: PlanCache | None = None
        self.seen: dict[Path, Sign] = {}

    def compile(self) -> Compiled:
        """Read everything and make a plan; raise InvalidBlueprintError with everything that is wrong."""
        # The compiler takes a while to load; `up` starts other processes meanwhile.
        from ringwall.bootstrap.files import DiskFiles  # noqa: PLC0415
        from ringwall.bootstrap.plan_cache import load_plan_cache  # noqa: PLC0415
        from ringwall.compile.planner import plan_files  # noqa: PLC0415

        begun = time.perf_counter()
        if self._cache is None:
            self._cache = load_plan_cache(self._cache_file)
        root = self._blueprint.parent
        files = SeenFiles(root, DiskFiles(root))
        try:
            result = plan_files(files, self._blueprint.name, listen=self._listen, cache=self._cache)
        finally:
            self.seen = files.seen
        return Compiled(
            plan=result.plan,
            policies=result.policies,
            warnings=result.diagnostics,
            seconds=time.perf_counter() - begun,
        )

    def keep(self) -> None:
        """Leave what was learned for the next command."""
        from ringwall.bootstrap.plan_cache import save_plan_cache  # noqa: PLC0415  # as above

        if self._cache is not None:
            save_plan_cache(self._cache_file, self._cache)
