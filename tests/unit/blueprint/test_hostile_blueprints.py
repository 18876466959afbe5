"""Files that want to hurt: each is refused with a diagnostic, quickly and without much memory."""

import time
import tracemalloc

import pytest

from ringwall.blueprint.files import MAX_FILE_BYTES, MemoryFiles
from ringwall.blueprint.load import load_blueprint
from ringwall.compile.planner import plan_files
from ringwall.model.errors import InvalidBlueprintError, Severity

HEAD = "ringwall: 1\nsystem: x\n"
SERVICE = "services:\n  a:\n    run: python a.py\n    expose: /\n"
LAUGHS = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10) if n else '1'}]\n" for n in range(12))

HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "alias bomb": (LAUGHS, "yaml-alias"),
    "one alias": (HEAD + "data: &d [health]\nservices: {a: {run: x, holds: *d}}", "yaml-alias"),
    "one anchor": (HEAD + "data: &d [health]\n" + SERVICE, "yaml-alias"),
    "deep flow lists": (HEAD + "data: " + "[" * 1_000_000, "too-deep"),
    "deep block lists": (HEAD + "data:\n" + "- " * 1_000_000, "too-deep"),
    "deep mappings": ("{a: " * 500_000, "too-deep"),
    "deep keys": ("? " * 500_000, "too-deep"),
    "ten megabytes": (HEAD + "# " + "x" * 10_000_000, "file-too-large"),
    "a long scalar": (HEAD + "data: ['" + "x" * 3_000_000 + "']", "bad-value"),
    "many values": ("- a\n" * 600_000, "too-many-values"),
    "many keys": ("".join(f"k{n}: 1\n" for n in range(90_000)), "unknown-key"),
    "one key many times": ("k: 1\n" * 90_000, "duplicate-key"),
    "several documents": (HEAD + "---\n" + HEAD, "several-documents"),
    "a Python object": (HEAD + "data: !!python/object/apply:os.system ['true']", "yaml-tag"),
    "a tag of its own": (HEAD + "data: !secret x", "yaml-tag"),
    "binary": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not-utf-8"),
    "latin-1": ("system: Zürich".encode("latin-1"), "not-utf-8"),
    "UTF-16": ((HEAD + SERVICE).encode("utf-16"), "not-utf-8"),
    "NUL": (HEAD + "data: [a\0b]", "control-character"),
    "escape character": (HEAD + "data: [a\x1bb]", "yaml-syntax"),
    "lone surrogate": (HEAD + 'data: ["\\ud800"]', "yaml-syntax"),
    "nothing": ("", "empty-file"),
    "only a comment": ("# nothing\n", "empty-file"),
    "a list": ("[1, 2]", "wrong-type"),
    "a word": ("hello", "wrong-type"),
    "a list as a key": ("? [a]\n: b\n", "key-not-text"),
    "tabs": (HEAD + "edge:\n\tlisten: 127.0.0.1:1\n", "yaml-syntax"),
    "merge keys": (HEAD + "edge: {<<: {http3: true}}\n" + SERVICE, "unknown-key"),
    "many services": (
        HEAD + "services:\n" + "".join(f"  s{n}: {{run: x}}\n" for n in range(2_500)),
        "too-many-services",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_refused_with_a_reason(name: str) -> None:
    content, code = HOSTILE[name]
    files = MemoryFiles({"ringwall.yaml": content})
    started = time.process_time()
    with pytest.raises(InvalidBlueprintError) as caught:
        load_blueprint(files)
    assert time.process_time() - started < 10  # a bound on the shape of the cost, not a measurement
    assert code in {d.code for d in caught.value.diagnostics}
    assert any(d.severity is Severity.ERROR for d in caught.value.diagnostics)
    assert len(caught.value.diagnostics) <= 101
    assert all(len(d.excerpt) <= 120 and len(d.message) <= 400 for d in caught.value.diagnostics)


@pytest.mark.parametrize("name", ["alias bomb", "deep flow lists"])
def test_memory_stays_bounded(name: str) -> None:
    files = MemoryFiles({"ringwall.yaml": HOSTILE[name][0]})
    tracemalloc.start()
    try:
        with pytest.raises(InvalidBlueprintError):
            load_blueprint(files)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * MAX_FILE_BYTES


@pytest.mark.parametrize("path", ["../x.yaml", "/etc/passwd", "a/../../x", "~/x", "..\\x", "a\0b"])
def test_no_file_outside_the_folder_is_read(path: str) -> None:
    text = f"{HEAD}{SERVICE}    contract: {path!r}\n" if "\0" not in path else f'{HEAD}{SERVICE}    contract: "a\\0b"\n'
    with pytest.raises(InvalidBlueprintError) as caught:
        load_blueprint(MemoryFiles({"ringwall.yaml": text}))
    assert {"path-escapes", "bad-value"} & {d.code for d in caught.value.diagnostics}


@pytest.mark.parametrize("key", ["policies: [../*.cedar]", "policies: [/etc/*]"])
def test_no_pattern_leaves_the_folder(key: str) -> None:
    with pytest.raises(InvalidBlueprintError) as caught:
        load_blueprint(MemoryFiles({"ringwall.yaml": f"{HEAD}{key}\n{SERVICE}    operations: [GET /]\n"}))
    assert "path-escapes" in {d.code for d in caught.value.diagnostics}


def test_a_folder_to_run_in_stays_inside() -> None:
    with pytest.raises(InvalidBlueprintError) as caught:
        load_blueprint(MemoryFiles({"ringwall.yaml": f"{HEAD}{SERVICE}    operations: [GET /]\n    cwd: ../up\n"}))
    assert "path-escapes" in {d.code for d in caught.value.diagnostics}


DEEP_POLICIES = {
    "conjunctions": "true && " * 30_000 + "true",
    "disjunctions": "true || " * 30_000 + "true",
    "parentheses": "(" * 30_000 + "true" + ")" * 30_000,
    "attributes": "principal" + ".a" * 30_000 + " == 1",
    "sets": "[" * 30_000 + "]" * 30_000 + " == []",
    "conditionals": "if true then true else " * 5_000 + "true",
    "sums": "1 + " * 30_000 + "1 == 1",
    "records": "{a:" * 5_000 + "1" + "}" * 5_000 + " == {}",
    "open parentheses": "(" * 30_000,
    "calls": "principal.a" + ".contains(1)" * 5_000,
    "just too deep": "true && " * 250 + "true",
    "negations": "!(" * 300 + "true" + ")" * 300,
    "comparisons": "(1 == " * 300 + "1" + ")" * 300,
}


@pytest.mark.parametrize("name", DEEP_POLICIES)
def test_a_policy_that_would_exhaust_the_parser_is_refused(name: str) -> None:
    policy = f"permit (principal, action, resource) when {{ {DEEP_POLICIES[name]} }};"
    blueprint = f"{HEAD}{SERVICE}    operations: [GET /]\n"
    with pytest.raises(InvalidBlueprintError) as caught:
        plan_files(MemoryFiles({"ringwall.yaml": blueprint, "policies/a.cedar": policy}))
    assert {"policy-too-complex", "policy-syntax"} & {d.code for d in caught.value.diagnostics}


def test_a_wide_policy_is_fine() -> None:
    names = ", ".join(f'User::"u{n}"' for n in range(2_000))
    policy = f"permit (principal is User, action, resource) when {{ principal in [{names}] }};"
    blueprint = f"{HEAD}{SERVICE}    operations: [GET /]\n"
    result = plan_files(MemoryFiles({"ringwall.yaml": blueprint, "policies/a.cedar": policy}))
    assert result.plan.policies[0].id == "policies/a.cedar#1"


def test_a_contract_of_thousands_of_crossing_routes_is_read_in_time() -> None:
    lines = ["openapi: 3.1.0", "paths:"]
    for n in range(2_000):
        lines.append(f"  /a{n % 40}/{{x}}/b{n}: {{get: {{}}}}")
        lines.append(f"  /{{x}}/c{n}/b{n}: {{get: {{}}}}")
    blueprint = f"{HEAD}{SERVICE}    contract: c.yaml\n"
    started = time.process_time()
    _, found = load_blueprint(MemoryFiles({"ringwall.yaml": blueprint, "c.yaml": "\n".join(lines)}))
    assert time.process_time() - started < 20
    assert {d.code for d in found} == {"ambiguous-route", "more"}
