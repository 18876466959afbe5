"""One of several processes that do the same at the same time; a script, started by the tests beside it.

Arguments: the database's URL, what to do, and what with, as JSON. It says `ready`, waits for a line on its standard
input, does it, and prints a line of JSON for each answer as soon as it has it.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ringwall.identity.store.database import Database
from ringwall.identity.store.errors import HandleRefusedError, HandleReusedError
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0


async def take(database: Database, handle: str) -> str:
    try:
        await database.codes.take(Secret(handle), client="shop", now=NOW)
    except HandleReusedError:
        return "reused"
    except HandleRefusedError:
        return "refused"
    return "taken"


async def rotate(database: Database, token: str) -> tuple[bool, str]:
    step = await database.families.rotate(Secret(token), client="shop", now=NOW, idle_seconds=600)
    return step.repeated, step.token.reveal().decode()


async def reuse(database: Database, token: str) -> str:
    try:
        await database.families.rotate(Secret(token), client="shop", now=NOW + 100, idle_seconds=600)
    except HandleReusedError:
        return "reused"
    except HandleRefusedError:
        return "refused"
    return "rotated"


async def once(database: Database, key: str) -> bool:
    return await database.replay.once("dpop", key, until=NOW + 60, now=NOW)


async def budget(database: Database, key: str) -> bool:
    return await database.budgets.take("account", key, burst=10, seconds=60, now=NOW) == 0


async def revoke(database: Database, subject: str) -> int:
    return (await database.revocations.add("token", subject, reason="", now=NOW, expires=NOW + 60)).sequence


async def sweep(database: Database, _: str) -> int:
    return await database.sweep(now=NOW + 10_000)


async def live(database: Database, name: str) -> list[str]:
    """Use a code up and begin and rotate a family, telling each answer before the next question."""
    put = await database.codes.put(client="shop", account=name, session="", payload={}, now=NOW, seconds=60)
    tell(["put", name, put.reveal().decode()])
    code = await database.codes.take(put, client="shop", now=NOW)
    tell(["taken", name, put.reveal().decode()])
    step = await database.families.start(
        client="shop",
        account=name,
        session="",
        payload={},
        now=NOW,
        idle_seconds=600,
        final_seconds=600,
        family=code.family,
    )
    tell(["token", name, step.token.reveal().decode()])
    for _ in range(20):
        step = await database.families.rotate(step.token, client="shop", now=NOW, idle_seconds=600)
        tell(["token", name, step.token.reveal().decode()])
    return ["done", name, ""]


ACTS: dict[str, Callable[[Database, str], Awaitable[Any]]] = {
    act.__name__: act for act in (take, rotate, reuse, once, budget, revoke, sweep, live)
}


def tell(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


async def main() -> None:
    act = ACTS[sys.argv[2]]
    async with await Database.open(sys.argv[1]) as database:
        tell("ready")
        sys.stdin.readline()

        async def one(what: str) -> None:
            tell(await act(database, what))

        await asyncio.gather(*(one(what) for what in json.loads(sys.argv[3])))


if __name__ == "__main__":
    asyncio.run(main())
