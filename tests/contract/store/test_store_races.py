"""Several processes on one database behave as one, and one that is killed loses nothing that it has answered."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ringwall.identity.store.database import Database
from ringwall.identity.store.errors import HandleRefusedError, HandleReusedError
from ringwall.model.secret import Secret

NOW = 1_700_000_000.0
RACER = Path(__file__).with_name("racer.py")
PROCESSES = 3


def _start(url: str, act: str, what: Sequence[str]) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, RACER, url, act, json.dumps(what)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == "ready"
    return process


def _race(url: str, act: str, what: Sequence[str]) -> list[Any]:
    """Let several processes do the same with the same at once, and return all their answers."""
    processes = [_start(url, act, what) for _ in range(PROCESSES)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [json.loads(line) for process in processes for line in _rest(process)]
    assert [process.returncode for process in processes] == [0] * PROCESSES
    return answers


def _rest(process: "subprocess.Popen[str]") -> list[str]:
    """Return the whole lines that a process has still written, once it has ended."""
    assert process.stdin is not None
    assert process.stdout is not None
    lines = process.stdout.read().splitlines(keepends=True)  # `communicate` would lose what was read ahead
    process.stdin.close()
    process.stdout.close()
    process.wait(60)
    return [line for line in lines if line.endswith("\n")]


def _prepared(url: str, count: int) -> tuple[list[str], list[str]]:
    """Return fresh codes and fresh refresh tokens."""

    async def body() -> tuple[list[str], list[str]]:
        async with await Database.open(url) as database:
            codes = [
                await database.codes.put(client="shop", account="a", session="", payload={}, now=NOW, seconds=60)
                for _ in range(count)
            ]
            families = [
                await database.families.start(
                    client="shop", account="a", session="", payload={}, now=NOW, idle_seconds=600, final_seconds=600
                )
                for _ in range(count)
            ]
            return (
                [code.reveal().decode() for code in codes],
                [begun.token.reveal().decode() for begun in families],
            )

    return asyncio.run(body())


def test_each_code_is_taken_by_one_process(url: str) -> None:
    codes, _ = _prepared(url, 40)
    answers = Counter(_race(url, "take", codes))
    assert answers == {"taken": 40, "reused": 40 * (PROCESSES - 1)}


def test_each_refresh_token_is_rotated_by_one_process_and_all_get_the_same_successor(url: str) -> None:
    _, tokens = _prepared(url, 20)
    answers = _race(url, "rotate", [*tokens, *tokens])
    assert Counter(repeated for repeated, _ in answers) == {False: 20, True: 20 * (2 * PROCESSES - 1)}
    assert Counter(Counter(successor for _, successor in answers).values()) == {2 * PROCESSES: 20}


def test_reuse_is_told_by_one_process(url: str) -> None:
    _, tokens = _prepared(url, 20)
    assert len(_race(url, "rotate", tokens)) == 20 * PROCESSES
    answers = Counter(_race(url, "reuse", tokens))
    assert answers == {"reused": 20, "refused": 20 * (PROCESSES - 1)}


def test_each_key_is_new_to_one_process(url: str) -> None:
    _prepared(url, 0)
    answers = Counter(_race(url, "once", [f"k{n}" for n in range(200)]))
    assert answers == {True: 200, False: 200 * (PROCESSES - 1)}


def test_budgets_are_spent_together(url: str) -> None:
    _prepared(url, 0)
    answers = Counter(_race(url, "budget", ["ann"] * 20))
    assert answers == {True: 10, False: 20 * PROCESSES - 10}


def test_who_follows_the_feed_misses_nothing_while_others_write(url: str) -> None:
    _prepared(url, 0)
    writers = [_start(url, "revoke", [f"{number}-{n}" for n in range(100)]) for number in range(PROCESSES)]

    async def follow() -> list[int]:
        seen: list[int] = []
        async with await Database.open(url) as database:
            for writer in writers:
                assert writer.stdin is not None
                writer.stdin.write("go\n")
                writer.stdin.flush()
            while True:
                ended = all(writer.poll() is not None for writer in writers)
                new = await database.revocations.since(seen[-1] if seen else 0, now=NOW)
                seen.extend(revocation.sequence for revocation in new)
                if ended:
                    return seen

    seen = asyncio.run(follow())
    for writer in writers:
        _rest(writer)
        assert writer.returncode == 0
    assert seen == list(range(1, 100 * PROCESSES + 1))


def test_processes_that_sweep_at_once_delete_each_row_once(url: str) -> None:
    _prepared(url, 2000)
    assert sum(_race(url, "sweep", ["", ""])) == 4000


@pytest.mark.parametrize("lines", [3, 60, 200])
def test_a_killed_process_loses_nothing_that_it_answered(url: str, lines: int) -> None:
    _prepared(url, 0)
    process = _start(url, "live", [f"a{n}" for n in range(20)])
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    told = [process.stdout.readline() for _ in range(lines)]
    process.kill()
    answers = [json.loads(line) for line in [*told, *_rest(process)]]
    put = {name: handle for kind, name, handle in answers if kind == "put"}
    taken = {name for kind, name, _ in answers if kind == "taken"}
    newest = {name: token for kind, name, token in answers if kind == "token"}
    chains = [[token for kind, whose, token in answers if (kind, whose) == ("token", name)] for name in newest]
    oldest = [chain[0] for chain in chains if len(chain) > 2]

    async def body() -> None:
        async with await Database.open(url) as database:
            for token in newest.values():  # the newest answer is good, whether or not its successor was told
                await database.families.rotate(Secret(token), client="shop", now=NOW, idle_seconds=600)
            for token in oldest:
                with pytest.raises(HandleReusedError):
                    await database.families.rotate(Secret(token), client="shop", now=NOW, idle_seconds=600)
            for name in taken:
                with pytest.raises(HandleReusedError):
                    await database.codes.take(Secret(put[name]), client="shop", now=NOW)
            for name in put.keys() - taken:  # was it used up before the answer was told? Then not again
                for _ in range(2):
                    try:
                        await database.codes.take(Secret(put[name]), client="shop", now=NOW)
                    except HandleRefusedError:
                        break
                else:
                    raise AssertionError("a code was taken twice")

    asyncio.run(body())
    assert put
