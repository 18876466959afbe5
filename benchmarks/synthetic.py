"""Systems of any size, made up: for the benchmarks of check, plan and live change."""

import argparse
import sys
import time
from pathlib import Path

from ringwall.blueprint.files import MemoryFiles

_METHODS = ("get", "post", "put", "delete")
_CONDITIONS = (
    "principal has department && principal.department == context.path.id",
    'principal has level && principal.level > 3 && principal.scopes.contains("write")',
    "context.hour >= 7 && context.hour < 19",
    'principal has teams && principal.teams.contains("blue") && context.caller == Workload::"edge"',
    'context has source && context.source.isInRange(ip("10.0.0.0/8"))',
)


def synthetic_system(services: int, operations: int, policies: int, *, global_policies: int = 2) -> MemoryFiles:
    """Return a system that checks without errors.

    Args:
        services: how many services; each has a contract, calls the next two and is exposed below its own prefix.
        operations: operations in all services together.
        policies: Cedar policies in all, in one file for each service; the kinds of condition take turns.
        global_policies: how many of them are about every operation.
    """
    files: dict[str, str | bytes] = {}
    lines = [
        "ringwall: 1",
        "system: synthetic",
        "data: [health, card]",
        "claims: {department: string, level: long, teams: set<string>}",
        "roles: {reader: , writer: {includes: [reader]}, admin: {includes: [writer]}}",
        "people: {alice: {roles: [reader]}}",
        "policies: [policies/*.cedar]",
        "services:",
    ]
    names = [f"service-{index:03}" for index in range(services)]
    counts = [operations // services + (index < operations % services) for index in range(services)]
    specific = policies - global_policies
    for index, name in enumerate(names):
        callees = {names[(index + step) % services] for step in (1, 2)} - {name}
        lines += [
            f"  {name}:",
            f"    run: python -m app --name {name}",
            f"    contract: contracts/{name}.yaml",
            f"    expose: /{name}",
            f"    holds: [{'health' if index % 3 else 'card'}]",
            f"    calls: [{', '.join(sorted(callees))}]",
        ]
        files[f"contracts/{name}.yaml"] = _contract(name, counts[index])
        own = range(index, specific, services)
        files[f"policies/{name}.cedar"] = "".join(
            _policy(name, number, services=services, operations=counts[index]) for number in own
        )
    files["policies/global.cedar"] = "".join(_global(number) for number in range(global_policies))
    files["ringwall.yaml"] = "\n".join(lines) + "\n"
    return MemoryFiles(files)


def _contract(name: str, operations: int) -> str:
    lines = ["openapi: 3.1.0", f"info: {{title: {name}, version: '1'}}", "paths:"]
    for index in range(operations):
        method = _METHODS[index % len(_METHODS)]
        lines += [
            f"  /things{index}/{{id}}:",
            "    parameters:",
            "      - {name: id, in: path, required: true, schema: {type: string}}",
            f"    {method}:",
            f"      operationId: op{index}",
            "      summary: Does something to one thing",
            "      responses:",
            "        '200':",
            "          description: Done",
            "          content: {application/json: {schema: {type: object, properties: {id: {type: string}}}}}",
        ]
    return "\n".join(lines) + "\n"


def _policy(name: str, number: int, *, services: int, operations: int) -> str:
    role = ("reader", "writer", "admin")[number % 3]
    condition = _CONDITIONS[number % len(_CONDITIONS)]
    operation = number // services % operations
    return (
        f'// policy {number}\npermit (\n  principal in Role::"{role}",\n  action == Action::"{name}/op{operation}",\n'
        f"  resource\n) when {{\n  {condition}\n}};\n\n"
    )


def _global(number: int) -> str:
    return (
        f'@id("global-{number}")\nforbid (principal, action, resource)\n'
        f'when {{ resource.holds.contains("card") && context.weekday == {number % 7 + 1} && context.hour < 5 }};\n\n'
    )


def main() -> None:
    """Write a system to a folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--operations", type=int, default=1000)
    parser.add_argument("--policies", type=int, default=1000)
    options = parser.parse_args()
    start = time.perf_counter()
    files = synthetic_system(options.services, options.operations, options.policies)
    for path in files.glob("**/*"):
        target = options.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(files.read(path))
    sys.stdout.write(f"written in {time.perf_counter() - start:.1f} s\n")


if __name__ == "__main__":
    main()
