"""A process of the issuer: `python -m ringwall.bootstrap.issuer --state DIR --process NUMBER`."""

import os
import sys

from ringwall.bootstrap.part import run_part
from ringwall.bootstrap.state import StateFolder
from ringwall.identity.issuer.database_setting import database_from
from ringwall.identity.issuer.server import run_issuer
from ringwall.identity.issuer.settings import IssuerSettings


def _run(folder: StateFolder, process: int) -> None:
    run_issuer(
        IssuerSettings(
            state=folder.path,
            sockets=folder.bindings().sockets,
            process=process,
            database=database_from(os.environ),
        )
    )


if __name__ == "__main__":
    sys.exit(run_part(_run))
