"""`ringwall plan`."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Final, Literal

from ringwall.bootstrap.compiling import Compiled, Compiler
from ringwall.bootstrap.state import NotRunningError, StateFolder, find_blueprint
from ringwall.cli.describe import short
from ringwall.cli.output import Cell, Output, Style
from ringwall.model.errors import InvalidBlueprintError
from ringwall.model.garbage import collection_given_up
from ringwall.plan import tables
from ringwall.plan.diff import Change
from ringwall.plan.diff import diff as differences
from ringwall.plan.matrix import Matrix, Row, access_matrix
from ringwall.plan.model import Plan
from ringwall.plan.verdicts import Verdict

_MARKS: Final = {
    Verdict.ALLOW: Cell("yes", Style.GOOD),
    Verdict.CONDITIONAL: Cell("if", Style.WARN),
    Verdict.DENY: Cell("-", Style.FAINT),
}


@collection_given_up()
def plan(
    path: Path = Path(),
    /,
    *,
    policies: bool = False,
    identities: bool = False,
    exposures: bool = False,
    limits: bool = False,
    routes: bool = False,
    diff: bool = False,
    canonical: bool = False,
    envoy: Literal["edge", "mesh"] | None = None,
    service: list[str] | None = None,
    json: bool = False,
) -> int:
    """Print what the blueprint would have enforced; without options the access matrix: who may do what.

    A cell is `yes`, `-` (denied), or `if`: it depends on conditions of the policies named in the last column.

    Args:
        path: The blueprint, or the folder that holds it.
        policies: Print every policy as Cedar, the short forms expanded.
        identities: Print workloads, whom they may call and who may call them.
        exposures: Print what the edge offers.
        limits: Print rate limits.
        routes: Print every operation, who may call it, what enforces it, and why where it is not the proxy alone.
        diff: Print what would change against the plan in force.
        canonical: Print the whole plan as one JSON document.
        envoy: Print the resources that one proxy would be given; certificates and keys are left out.
        service: Show only this service in matrix and routes; may be given several times.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    blueprint = find_blueprint(path)
    folder = StateFolder.beside(blueprint)
    compiler = Compiler(blueprint)
    try:
        compiled = compiler.compile()
    except InvalidBlueprintError as error:
        output.error(error, root=blueprint.parent)
        return error.exit_code
    compiler.keep()
    if canonical:
        sys.stdout.write(compiled.plan.canonical_bytes.decode() + "\n")
        return 0
    if envoy is not None:
        return _print_envoy(compiled.plan, folder, envoy)
    wanted = {
        "policies": policies,
        "identities": identities,
        "exposures": exposures,
        "limits": limits,
        "routes": routes,
        "diff": diff,
    }
    sections = [name for name, asked in wanted.items() if asked] or ["matrix"]
    if json:
        return _print_json(output, compiled, folder, sections, service or [])
    output.diagnostics(compiled.warnings, root=blueprint.parent)
    for section in sections:
        _print(output, section, compiled, folder, service or [])
    return 0


def _print(output: Output, section: str, compiled: Compiled, folder: StateFolder, services: list[str]) -> None:
    made = compiled.plan
    match section:
        case "matrix":
            _print_matrix(output, made, access_matrix(made, services, compiled.policies))
        case "routes":
            _print_routes(output, access_matrix(made, services, compiled.policies))
        case "policies":
            _print_policies(output, made)
        case "identities":
            rows = [
                (one.name, one.spiffe_id, one.protocol, one.zone, ", ".join(one.calls), ", ".join(one.called_by))
                for one in tables.identities(made)
            ]
            output.table(["name", "identity", "speaks", "zone", "may call", "may be called by"], rows)
        case "exposures":
            shown = [
                (one.prefix, one.service, one.operations, ", ".join(one.public))
                for one in tables.exposures(made, compiled.policies)
            ]
            output.table(["prefix", "service", "operations", "open to everybody"], shown)
        case "limits":
            output.table(
                ["where", "counts", "limit"], [(one.where, one.counts, one.limit) for one in tables.limits(made)]
            )
        case _:
            _print_diff(output, made, _in_force(folder))


def _print_matrix(output: Output, made: Plan, matrix: Matrix) -> None:
    columns = ["operation", "via", *(str(who) for who in matrix.columns), "policies"]
    rows = [
        [
            row.operation,
            ", ".join(row.callers),
            *(_MARKS[cell.verdict] for cell in row.cells),
            Cell(", ".join(_names(row)), Style.FAINT),
        ]
        for row in matrix.rows
    ]
    output.table(columns, rows)
    asked = [row for row in matrix.rows if row.enforced_by != "envoy"]
    for row in asked:
        what = "only reports (shadow)" if row.enforced_by == "shadow" else "goes to the decision point"
        output.text(f"{row.operation} {what}{': ' if row.reasons else ''}{'; '.join(row.reasons)}", Style.WARN)
    output.text()
    output.text(
        f"{made.system}: plan {short(made.digest)}; {len(matrix.rows)} operations, {len(asked)} not by the proxy alone"
    )


def _names(row: Row) -> list[str]:
    return sorted({name for cell in row.cells for name in cell.policies})


def _print_routes(output: Output, matrix: Matrix) -> None:
    output.table(
        ["operation", "at the edge", "at the service", "callers", "token", "holds", "enforced by", "why"],
        [
            (
                row.operation,
                row.edge_route or "-",
                row.route,
                ", ".join(row.callers),
                row.authentication,
                ", ".join(row.holds),
                row.enforced_by,
                "; ".join(row.reasons),
            )
            for row in matrix.rows
        ],
    )


def _print_policies(output: Output, made: Plan) -> None:
    for policy in made.policies:
        mode = "" if policy.mode.value == "enforce" else f", {policy.mode.value}"
        output.text(f"// {policy.id}: {policy.source}{', expanded' if policy.short_form else ''}{mode}", Style.FAINT)
        output.block(policy.cedar)
        output.text()


def _print_diff(output: Output, made: Plan, current: Plan) -> None:
    changes = differences(current, made)
    for change in changes:
        output.text(_change_text(change), Style.WARN if change.widens else Style.PLAIN)
    wider = sum(1 for change in changes if change.widens)
    counted = f"{len(changes)} changes, {wider} of which let somebody do more" if changes else "nothing changes"
    output.text(f"{counted}; {short(current.digest)} → {short(made.digest)}")


def _change_text(change: Change) -> str:
    return f"{'+' if change.widens else ' '} {change}"


def _in_force(folder: StateFolder) -> Plan:
    if folder.holder() is None:
        raise NotRunningError("nothing runs to compare with", hint="start the system with `ringwall up`")
    return folder.plan()


def _print_json(
    output: Output, compiled: Compiled, folder: StateFolder, sections: list[str], services: list[str]
) -> int:
    made = compiled.plan
    data: dict[str, object] = {"plan": made.digest, "warnings": [asdict(warning) for warning in compiled.warnings]}
    for section in sections:
        match section:
            case "matrix" | "routes":
                matrix = access_matrix(made, services, compiled.policies)
                data["columns"] = [asdict(who) for who in matrix.columns]
                data["rows"] = [asdict(row) for row in matrix.rows]
            case "policies":
                data["policies"] = [policy.model_dump(mode="json") for policy in made.policies]
            case "identities":
                data["identities"] = [asdict(one) for one in tables.identities(made)]
            case "exposures":
                data["exposures"] = [asdict(one) for one in tables.exposures(made, compiled.policies)]
            case "limits":
                data["limits"] = [asdict(one) for one in tables.limits(made)]
            case _:
                current = _in_force(folder)
                data["in_force"] = current.digest
                data["changes"] = [asdict(change) for change in differences(current, made)]
    output.json("plan", data)
    return 0


def _print_envoy(made: Plan, folder: StateFolder, node: str) -> int:
    from ringwall.bootstrap.preview import proxy_resources  # noqa: PLC0415  # loads every protobuf of Envoy

    sys.stdout.write(proxy_resources(made, folder, node))
    return 0
