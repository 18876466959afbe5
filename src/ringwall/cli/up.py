"""`ringwall up`."""

import asyncio
from pathlib import Path

from ringwall.bootstrap.state import StateFolder, find_blueprint
from ringwall.bootstrap.up import up as live
from ringwall.cli.detach import detached
from ringwall.cli.output import Output
from ringwall.cli.talker import Talker
from ringwall.model.errors import RingwallError


def up(
    path: Path = Path(),
    /,
    *,
    detach: bool = False,
    watch: bool = False,
    listen: str | None = None,
    json: bool = False,
) -> int:
    """Check, compile and start the system, and keep it running until Ctrl-C or `ringwall down`.

    Args:
        path: The blueprint, or the folder that holds it.
        detach: Return as soon as the system serves, and leave it running.
        watch: Put every edit of the blueprint and of the files it names in force as it is saved.
        listen: HOST:PORT to listen at, instead of the blueprint's `edge.listen`.
        json: Print JSON documents, one a line.
    """
    output = Output(as_json=json)
    blueprint = find_blueprint(path)
    if not detach:
        return _up(blueprint, listen, Talker(output, blueprint.parent), watch=watch)
    folder = StateFolder.beside(blueprint)
    folder.create()
    return detached(
        lambda done: _up(blueprint, listen, Talker(output, blueprint.parent, done=done), watch=watch),
        folder.log("ringwall"),
    )


def _up(blueprint: Path, listen: str | None, talker: Talker, *, watch: bool) -> int:
    try:
        asyncio.run(live(blueprint, listen=listen, watch=watch, talk=talker))
    except RingwallError as error:
        talker.ended(error)
        return error.exit_code
    return 0
