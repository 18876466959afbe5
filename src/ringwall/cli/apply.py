"""`ringwall apply`."""

from pathlib import Path

from ringwall.bootstrap.admin_socket import request
from ringwall.bootstrap.change import Change
from ringwall.cli.describe import describe_change
from ringwall.cli.locate import running
from ringwall.cli.output import Output, Style
from ringwall.model.errors import InvalidBlueprintError


def apply(path: Path = Path(), /, *, json: bool = False) -> int:
    """Put the blueprint as it is now in force, without a restart; if it has errors, the last good plan stays.

    Args:
        path: The blueprint, or the folder that holds it.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    folder, _, _ = running(path)
    output.progress("checking and applying …")
    try:
        data = request(folder.supervisor_socket, "apply")
    except InvalidBlueprintError as error:
        output.error(error, root=folder.path.parent)
        output.note("the last good plan stays in force", Style.WARN)
        return error.exit_code
    change = Change.from_data(data)
    output.clear_progress()
    output.json("apply", data)
    if not json:
        output.diagnostics(change.warnings, root=folder.path.parent)
    output.text(describe_change(change), Style.GOOD)
    return 0
