"""The smallest server of the issuer's kind: the same framework and settings, and one JSON answer."""

import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ringwall.identity.issuer.answers import answer

_ANSWER = {"access_token": "x" * 400, "token_type": "Bearer", "expires_in": 900}


async def _bare(_: Request) -> Response:
    return answer(_ANSWER)


def main(socket: Path) -> None:
    """Serve on a Unix socket until ended."""
    app = Starlette(routes=[Route("/token", _bare, methods=["POST"])])
    uvicorn.run(
        app,
        uds=str(socket),
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=3600,  # while others are measured
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
