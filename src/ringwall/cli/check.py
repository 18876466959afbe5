"""`ringwall check`."""

from dataclasses import asdict
from pathlib import Path

from ringwall.bootstrap.compiling import Compiler
from ringwall.bootstrap.state import find_blueprint
from ringwall.cli.describe import short
from ringwall.cli.output import Output, Style, error_data
from ringwall.model.errors import InvalidBlueprintError
from ringwall.model.garbage import collection_given_up


@collection_given_up()
def check(path: Path = Path(), /, *, json: bool = False) -> int:
    """Say everything that is wrong with the blueprint and with the files it names; start nothing.

    Args:
        path: The blueprint, or the folder that holds it.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    blueprint = find_blueprint(path)
    try:
        compiler = Compiler(blueprint)
        compiled = compiler.compile()
    except InvalidBlueprintError as error:
        output.json("check", {"good": False, **error_data(error)})
        if not json:
            output.error(error, root=blueprint.parent)
        return error.exit_code
    compiler.keep()
    plan = compiled.plan
    output.json(
        "check",
        {"good": True, "plan": plan.digest, "diagnostics": [asdict(warning) for warning in compiled.warnings]},
    )
    if json:
        return 0
    output.diagnostics(compiled.warnings, root=blueprint.parent)
    services = sum(1 for service in plan.services if not service.builtin)
    operations = sum(len(service.operations) for service in plan.services if not service.builtin)
    counted = f"{services} services, {operations} operations, {len(plan.policies)} policies"
    warnings = f", {len(compiled.warnings)} warnings" if compiled.warnings else ""
    output.text(f"good{warnings}: {counted}; plan {short(plan.digest)} in {compiled.seconds:.2f} s", Style.GOOD)
    return 0
