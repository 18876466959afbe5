"""The issuer's process: `python -m ringwall.bootstrap.issuer --state DIR`."""

import os
import sys

from ringwall.bootstrap.part import run_part
from ringwall.bootstrap.state import StateFolder
from ringwall.identity.issuer.database_setting import database_from
from ringwall.identity.issuer.server import run_issuer
from ringwall.identity.issuer.settings import IssuerSettings


def _run(folder: StateFolder) -> None:
    settings = IssuerSettings(state=folder.path, sockets=folder.bindings().sockets, database=database_from(os.environ))
    run_issuer(settings)


if __name__ == "__main__":
    sys.exit(run_part(_run))
