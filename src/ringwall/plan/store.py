"""Plans on disk: one manifest for each plan, and each piece once however many plans have it.

`current.json` is the manifest of the plan in force, `archive/DIGEST.json` are those that were, `parts/DIGEST.json` is
what they name. What is read is checked against its digest, so that a damaged piece is never taken for a plan's.
"""

import contextlib
import os
from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from ringwall.model.durable import replace_file
from ringwall.model.errors import RingwallError
from ringwall.model.garbage import collection_paused
from ringwall.plan.manifest import LARGE, POLICIES, SCHEMA, SERVICES, Manifest, digest_of_bytes, is_digest, join
from ringwall.plan.model import Head, Plan, Service
from ringwall.plan.policy import Policy

_SERVICE: Final[TypeAdapter[Any]] = TypeAdapter(Service)
_POLICIES: Final[TypeAdapter[Any]] = TypeAdapter(tuple[Policy, ...])
_SCHEMA: Final[TypeAdapter[Any]] = TypeAdapter(str)
_HINT: Final = "`ringwall up` or `ringwall apply` writes the plan in force anew"
_ARCHIVED: Final = 500
_PRUNE_EVERY: Final = 50
_SYNCED: Final = 16
"""Up to so many new pieces are synced one by one. For a whole new system that would take seconds; if the machine loses
power before they are on disk, the next `up` writes them again."""


class PlanUnreadableError(RingwallError):
    """A plan on disk is not what it should be."""

    code = "plan-unreadable"


class NoPlanError(PlanUnreadableError):
    """There is no such plan."""


class PlanStore:
    """The plans of one system, for one thread. What plans have in common is read, checked and made once.

    Args:
        folder: `.ringwall/plan`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, tuple[bytes, Any]] = {}
        self._written: set[str] = set()
        self._writes = 0

    @property
    def current_file(self) -> Path:
        """The manifest of the plan in force; another file each time a plan is put in force."""
        return self._folder / "current.json"

    def archived_file(self, digest: str) -> Path:
        """The manifest of a plan that is or was in force."""
        return self._folder / "archive" / f"{digest}.json"

    def part_file(self, digest: str) -> Path:
        """A piece of one plan or of many."""
        return self._folder / "parts" / f"{digest}.json"

    # --- reading ---

    def current(self, digest: str | None = None) -> Plan:
        """Return the plan in force.

        Raises:
            NoPlanError: there is none.
            PlanUnreadableError: it is damaged, or of another version, or not the one of this digest.
        """
        return self._read(self.current_file, digest)

    def archived(self, digest: str) -> Plan:
        """Return a plan that is or was in force; raises as `current` does."""
        return self._read(self.archived_file(digest), digest)

    def head(self) -> Head:
        """Return what the plan in force says about the whole system; raises as `current` does."""
        _, fields = self.fields()
        try:
            return Head.model_validate({name: value for name, value in fields.items() if name not in LARGE})
        except ValidationError as error:
            raise _unreadable(self.current_file) from error

    def excerpt(self, service: str) -> Plan:
        """Return the plan in force with one of its services, and the policies that are about it, alone.

        Costs no more than that, however large the plan is; raises as `current` does.
        """
        _, fields = self.fields()
        if service not in fields[SERVICES]:
            raise PlanUnreadableError(f"the plan has no service {service!r}", hint=_HINT)
        digest = fields[SERVICES][service]
        try:
            found: Service = _SERVICE.validate_json(self.part(digest))
            needed = {name for operation in found.operations for name in operation.policies}
            policies = [p for part in fields[POLICIES].values() for p in _POLICIES.validate_json(self.part(part))]
            head = {name: value for name, value in fields.items() if name not in LARGE}
            kept = tuple(policy for policy in policies if policy.id in needed)
            return Plan.model_validate({**head, SERVICES: (found,), POLICIES: kept, SCHEMA: ""})
        except ValidationError as error:
            raise _unreadable(self.current_file) from error

    def fields(self) -> tuple[str, dict[str, Any]]:
        """Return the digest of the plan in force and the fields of its manifest; raises as `current` does."""
        content = _content(self.current_file)
        return digest_of_bytes(content), _fields(self.current_file, content)

    def part(self, digest: str) -> bytes:
        """Return a piece, checked against its digest; raises as `current` does."""
        path = self.part_file(digest)
        data = _content(path)
        if digest_of_bytes(data) != digest:
            raise _unreadable(path)
        return data

    def _read(self, path: Path, digest: str | None) -> Plan:
        content = _content(path)
        if digest is not None and digest_of_bytes(content) != digest:
            raise PlanUnreadableError(f"the plan {path} is another one than the one that is wanted", hint=_HINT)
        fields = _fields(path, content)
        kinds = dict.fromkeys(fields[SERVICES].values(), _SERVICE) | dict.fromkeys(fields[POLICIES].values(), _POLICIES)
        kinds[fields[SCHEMA]] = _SCHEMA
        try:
            with collection_paused():
                made = {name: self._made.get(name) or self._make(name, kind) for name, kind in kinds.items()}
                plan = Plan.model_validate(join(fields, {name: each for name, (_, each) in made.items()}))
        except ValidationError as error:
            raise _unreadable(path) from error
        self._made = made
        # Every piece was just checked, and to make them again takes long.
        vars(plan)["manifest"] = Manifest(content, {name: data for name, (data, _) in made.items()})
        return plan

    def _make(self, digest: str, kind: TypeAdapter[Any]) -> tuple[bytes, Any]:
        data = self.part(digest)
        return data, kind.validate_json(data)

    # --- writing ---

    def write(self, plan: Plan) -> None:
        """Keep a plan and make it the one in force, atomically; StorageError where the disk does not take it."""
        manifest = plan.manifest
        new = [name for name in manifest.parts if name not in self._written]
        for name in new:
            path = self.part_file(name)
            if not _holds(path, manifest.parts[name]):
                replace_file(path, manifest.parts[name], sync=len(new) <= _SYNCED)
        self._written = set(manifest.parts)
        archived = self.archived_file(plan.digest)
        replace_file(archived, manifest.content)
        self._put_in_force(archived, manifest.content)
        if self._writes % _PRUNE_EVERY == 0:
            self._prune()
        self._writes += 1

    def _put_in_force(self, archived: Path, content: bytes) -> None:
        """Give the file a second name; it is never written to once it is there."""
        link = self.current_file.with_name(f".current.{os.getpid()}")
        try:
            link.unlink(missing_ok=True)
            link.hardlink_to(archived)
            link.replace(self.current_file)
        except OSError:  # a file system without second names, or a full one, which this says well
            replace_file(self.current_file, content)

    def _prune(self) -> None:
        """Keep as many plans as decisions may still be explained by; what only others needed goes."""
        archived = sorted(self.archived_file("x").parent.glob("*.json"), key=_changed_at, reverse=True)
        for path in archived[_ARCHIVED:]:
            path.unlink(missing_ok=True)
        needed: set[str] = set(self._written)
        for path in archived[:_ARCHIVED]:
            with contextlib.suppress(PlanUnreadableError):
                fields = _fields(path, _content(path))
                needed.update(fields[SERVICES].values(), fields[POLICIES].values(), [fields[SCHEMA]])
        for path in self.part_file("x").parent.glob("*.json"):
            if path.stem not in needed:
                path.unlink(missing_ok=True)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NoPlanError(f"there is no {path}", hint=_HINT) from error
    except OSError as error:
        raise PlanUnreadableError(f"{path} cannot be read: {error.strerror}", hint=_HINT) from error


def _fields(path: Path, content: bytes) -> dict[str, Any]:
    """Return the fields of a manifest; digests in it are digests, and never a way to another file."""
    try:
        fields = orjson.loads(content)
        digests = [*fields[SERVICES].values(), *fields[POLICIES].values(), fields[SCHEMA]]
        if not all(map(is_digest, digests)):
            raise _unreadable(path)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _unreadable(path) from error
    return fields  # type: ignore[no-any-return]  # a JSON object, as it had the keys


def _unreadable(path: Path) -> PlanUnreadableError:
    return PlanUnreadableError(f"{path} is damaged, or of another version of Ringwall", hint=_HINT)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _changed_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
