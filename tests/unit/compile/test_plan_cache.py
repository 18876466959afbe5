import hashlib
import runpy
from pathlib import Path

import pytest

from ringwall.blueprint.files import MemoryFiles
from ringwall.bootstrap.plan_cache import load_plan_cache, save_plan_cache
from ringwall.compile.planner import plan_files
from ringwall.model.cache import PlanCache, key_of
from ringwall.model.errors import InvalidBlueprintError
from ringwall.plan.model import Plan

_SYNTHETIC = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "synthetic.py"))
MADE: MemoryFiles = _SYNTHETIC["synthetic_system"](6, 18, 24)
SYSTEM = MADE.replaced(
    "policies/zone.cedar",
    'forbid (principal, action, resource) when { resource.zone == "data" && context.hour < 2 };\n',
).replaced("ringwall.yaml", MADE.read("ringwall.yaml").replace(b"    expose: /service-004\n", b""))


def edits() -> list[MemoryFiles]:
    """Systems that differ from SYSTEM in one thing each; a cache filled by one must not serve another wrongly."""
    blueprint = SYSTEM.read("ringwall.yaml").decode()
    contract = SYSTEM.read("contracts/service-001.yaml").decode()
    policies = SYSTEM.read("policies/service-001.cedar").decode()
    shared = SYSTEM.read("policies/global.cedar").decode()

    def changed(text: str, old: str, new: str, path: str = "ringwall.yaml") -> MemoryFiles:
        assert old in text
        return SYSTEM.replaced(path, text.replace(old, new, 1))

    return [
        changed(blueprint, "system: synthetic", "system: other"),
        changed(blueprint, "reader: ,", "reader: , spare: {includes: [reader]},"),
        changed(blueprint, "{department: string", "{department: {type: string, from: a.b}"),
        changed(blueprint, "holds: [health]", "holds: [card]"),
        changed(blueprint, "expose: /service-002", "expose: /moved/deeper"),
        changed(blueprint, "calls: [service-001, service-002]", "calls: [service-002]"),
        changed(
            blueprint, "contract: contracts/service-004.yaml", "zone: data\n    contract: contracts/service-004.yaml"
        ),
        changed(blueprint, "services:", "timezone: Europe/Berlin\nservices:"),
        changed(blueprint, "services:", "trust_domain: other.example\nservices:"),
        changed(blueprint, "services:", "shadow: [global-0]\nservices:"),
        changed(blueprint, "services:", "mode: shadow\nservices:"),
        changed(blueprint, "services:", "edge: {domains: [example.test]}\nservices:"),
        changed(contract, "operationId: op1", "operationId: renamed", "contracts/service-001.yaml"),
        changed(contract, "/things0/{id}", "/moved/{id}", "contracts/service-001.yaml"),
        changed(contract, "      summary", "      x-data: []\n      summary", "contracts/service-001.yaml"),
        changed(contract, "paths:", "\npaths:", "contracts/service-001.yaml"),
        changed(policies, "writer", "reader", "policies/service-001.cedar"),
        changed(policies, "// policy", "\n// policy", "policies/service-001.cedar"),
        changed(shared, "context.hour < 5", "context.hour < 6", "policies/global.cedar"),
        changed(shared, '@id("global-1")', '@id("other")', "policies/global.cedar"),
    ]


def digest(files: MemoryFiles, cache: PlanCache | None = None) -> str:
    try:
        return plan_files(files, cache=cache).plan.digest
    except InvalidBlueprintError as error:
        return str(error.diagnostics)


def test_a_warm_cache_gives_what_a_cold_one_gives_after_every_kind_of_edit() -> None:
    warm = PlanCache()
    baseline = digest(SYSTEM, warm)
    kept = warm.dump()
    for files in edits():
        cold = digest(files)
        assert cold != baseline
        assert digest(files, PlanCache.load(kept)) == cold
        assert digest(files, warm) == cold
        assert digest(SYSTEM, warm) == baseline


def test_the_bytes_of_a_plan_are_the_same_however_they_were_made() -> None:
    warm = PlanCache()
    plan_files(SYSTEM, cache=warm)
    good = [files for files in edits() if len(digest(files)) == len(digest(SYSTEM))]
    assert len(good) > 15
    for files in (SYSTEM, *good):
        for cache in (PlanCache(), warm, PlanCache.load(warm.dump())):
            plan = plan_files(files, cache=cache).plan
            assert plan.canonical_bytes == Plan.model_validate(plan.model_dump()).canonical_bytes


def test_a_cache_is_written_only_where_something_is_new(tmp_path: Path) -> None:
    path = tmp_path / "cache"
    for files, writes in ((SYSTEM, True), (SYSTEM, False), (edits()[16], True), (edits()[16], False)):
        cache = load_plan_cache(path)
        plan_files(files, cache=cache)
        before = path.stat().st_ino if path.exists() else 0
        save_plan_cache(path, cache)
        assert (path.stat().st_ino != before) == writes


def test_diagnostics_are_the_same_from_the_cache() -> None:
    cache = PlanCache()
    files = SYSTEM.replaced("policies/service-001.cedar", "// nothing\n")
    first = plan_files(files, cache=cache).diagnostics
    assert [d.code for d in first] == ["uncovered-operation"]
    assert first[0].excerpt
    assert plan_files(files, cache=cache).diagnostics == first
    assert plan_files(files, cache=PlanCache.load(cache.dump())).diagnostics == first


def sealed(data: bytes, body: bytes) -> bytes:
    """Return a file of the same kind with another body, its digest right."""
    return data.split(b"\n", 1)[0] + b"\n" + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


@pytest.mark.parametrize(
    "damage", ["flip", "cut", "empty", "foreign", "not json", "no index", "bad index", "bad length", "salt"]
)
def test_a_damaged_cache_is_ignored(damage: str) -> None:
    cache = PlanCache("code")
    plan_files(SYSTEM, cache=cache)
    data = cache.dump()
    damaged = {
        "flip": data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
        "cut": data[: len(data) // 2],
        "empty": b"",
        "foreign": b"SQLite format 3\0" + data,
        "not json": sealed(data, b"{\n"),
        "no index": sealed(data, b"{"),
        "bad index": sealed(data, b'["code",[["key"]]]\n'),
        "bad length": sealed(data, b'["code",[["key",9]]]\nshort'),
        "salt": data,
    }[damage]
    loaded = PlanCache.load(damaged, "other code" if damage == "salt" else "code")
    assert loaded.dump() == PlanCache(loaded._salt).dump()


def test_the_cache_stays_as_large_as_the_system() -> None:
    cache = PlanCache()
    plan_files(SYSTEM, cache=cache)
    size = len(cache.dump())
    text = SYSTEM.read("policies/global.cedar").decode()
    for hour in range(6, 16):
        plan_files(SYSTEM.replaced("policies/global.cedar", text.replace("hour < 5", f"hour < {hour}")), cache=cache)
    assert len(cache.dump()) < size * 1.1


def test_keys_do_not_run_into_each_other() -> None:
    assert len({key_of("a", "bc"), key_of("ab", "c"), key_of("abc"), key_of("a", "b", "c"), key_of("", "abc")}) == 5


def test_the_cache_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringwall.bootstrap.plan_cache._salt", lambda: "this code")
    path = tmp_path / "state" / "plan-cache"
    cache = load_plan_cache(path)
    plan_files(SYSTEM, cache=cache)
    save_plan_cache(path, cache)
    assert load_plan_cache(path).dump() == cache.dump()
    assert [file.name for file in path.parent.iterdir()] == ["plan-cache"]
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(b"damaged")
    assert load_plan_cache(path).dump() == PlanCache("this code").dump()
    save_plan_cache(path, cache)
    monkeypatch.setattr("ringwall.bootstrap.plan_cache._salt", lambda: "changed code")
    assert load_plan_cache(path).dump() == PlanCache("changed code").dump()


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    save_plan_cache(tmp_path / "file" / "cache", PlanCache())
