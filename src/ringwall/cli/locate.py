"""Finds the system that a command is about: from the current folder upwards."""

from pathlib import Path

from ringwall.bootstrap.state import NotRunningError, StateFolder, find_blueprint
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import Plan


def here(path: Path | None = None) -> StateFolder:
    """Return the state folder of the blueprint at `path`, or in the current folder or above it."""
    return StateFolder.beside(find_blueprint(path or Path()))


def running(path: Path | None = None) -> tuple[StateFolder, Plan, Bindings]:
    """Return the running system's folder, its plan in force and its bindings; raise NotRunningError without one."""
    folder = here(path)
    if folder.holder() is None:
        raise NotRunningError(f"{folder.path.parent} does not run", hint="start it with `ringwall up`")
    try:
        return folder, folder.plan(), folder.bindings()
    except NotRunningError as error:
        raise NotRunningError(f"{folder.path.parent} is still starting", hint="ask again in a moment") from error
