"""What is taken twice, and what is lost, when the issuer is killed again and again under a load of codes and refreshes.

And that the edge verifies tokens and sessions without it: it is stopped meanwhile.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from figures import Figure
from issuer import databases
from ringwall.model.cookies import TOKEN
from running import Running, copied, running

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for what the tests share with this

KILLS = 5
REQUESTS = 500
PATH = "/api/patients/7"
OK = 200


def measure() -> list[Figure]:
    """Kill it on both databases, then stop it in a whole system."""
    with databases() as postgresql:
        figures = _killed("sqlite", None)
        figures += _killed("postgresql", postgresql) if postgresql else _goals("postgresql", None, None)
    return [*figures, *_without_it()]


def _killed(kind: str, make: object) -> list[Figure]:
    from tests.support.issuer_killing import load_under_kills  # noqa: PLC0415  # found through the path above
    from tests.support.issuer_plan import login_plan  # noqa: PLC0415
    from tests.support.issuer_processes import issuer_processes, issuer_state, new_secret  # noqa: PLC0415

    with issuer_state(login_plan()) as state, _url(make) as url:
        secret = new_secret(state, "portal")
        with issuer_processes(state, url, 1) as (process,):
            outcome = asyncio.run(load_under_kills(process, secret, KILLS))
    return [
        Figure(f"issuer-kills-{kind}", outcome.kills, "count"),
        Figure(f"issuer-killed-tokens-given-{kind}", outcome.answered, "count"),
        *_goals(kind, len(outcome.twice), len(outcome.lost)),
    ]


@contextmanager
def _url(make: object) -> Iterator[str]:
    if not callable(make):
        yield ""
        return
    with make() as url:
        yield url


def _goals(kind: str, twice: int | None, lost: int | None) -> list[Figure]:
    return [
        Figure(f"issuer-killed-taken-twice-{kind}", twice, "count", at_most=0),
        Figure(f"issuer-killed-answered-and-lost-{kind}", lost, "count", at_most=0),
    ]


def _without_it() -> list[Figure]:
    """Ask with a token and with a session, while the issuer cannot answer anybody."""
    with copied("clinic") as folder:
        blueprint = folder / "ringwall.yaml"
        exposed = "    expose: /api\n"
        blueprint.write_text(blueprint.read_text().replace(exposed, f"{exposed}    login: true\n", 1))
        with running(folder) as system:
            token = system.ringwall("token", "--as", "alice").strip()
            pid = system.pid("ringwall-issuer")
            os.kill(pid, signal.SIGSTOP)
            try:
                failed = {
                    name: _failed(system, header)
                    for name, header in (
                        ("token", {"authorization": f"Bearer {token}"}),
                        ("session", {"cookie": f"{TOKEN}={token}"}),
                    )
                }
            finally:
                os.kill(pid, signal.SIGCONT)
    return [Figure(f"refused-{name}-without-issuer", count, "count", at_most=0) for name, count in failed.items()]


def _failed(system: Running, header: dict[str, str]) -> int:
    connection = system.connect()
    failed = 0
    for _ in range(REQUESTS):
        connection.request("GET", PATH, headers=header)
        response = connection.getresponse()
        response.read()
        failed += response.status != OK
    connection.close()
    return failed
