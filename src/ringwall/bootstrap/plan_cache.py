"""The plan cache on disk: what one `check` or `plan` leaves for the next."""

import hashlib
import importlib.metadata
import tempfile
from contextlib import suppress
from pathlib import Path

import ringwall
from ringwall.model.cache import PlanCache

_STAGES = ("model", "blueprint", "plan", "compile")
_MAX_BYTES = 64 * 1024 * 1024


def load_plan_cache(path: Path) -> PlanCache:
    """Return the cache kept at `path`; an empty one where there is none that this code has made."""
    salt = _salt()
    with suppress(OSError):
        if path.stat().st_size <= _MAX_BYTES:
            return PlanCache.load(path.read_bytes(), salt)
    return PlanCache(salt)


def save_plan_cache(path: Path, cache: PlanCache) -> None:
    """Keep a cache, replacing the file as a whole; a folder that cannot be written to is no error, only slower."""
    if not cache.changed:
        return
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
            file.write(cache.dump())
        Path(file.name).replace(path)


def _salt() -> str:
    """Return a name for the code that makes plans: a cache made by other code must not be believed."""
    root = Path(ringwall.__file__).parent
    digest = hashlib.sha256(importlib.metadata.version("cedarpy").encode())
    for stage in _STAGES:
        for file in sorted((root / stage).rglob("*.py")):
            status = file.stat()
            digest.update(f"{file.relative_to(root)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
