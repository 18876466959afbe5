"""What the issuer has revoked reaches the control plane, whichever of them was away."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ringwall.identity.issuer.revocation_feed import ACTION, AGAIN_SECONDS, BATCH, FeedError, RevocationFeed
from ringwall.identity.issuer.storage import Storage
from ringwall.model.clock import ManualClock


class ControlPlane:
    """Takes what it is told over its socket, or refuses it."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.told: list[list[Any]] = []
        self.requests = 0
        self.answer: dict[str, Any] = {"ok": {"changed": 1}}
        self.full_of_tokens = False
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self.socket, limit=65_536)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.socket.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = json.loads(await reader.readline())
        assert asked["do"] == ACTION
        self.requests += 1
        answer = self.answer
        if self.full_of_tokens and any(entry[0] == "token" for entry in asked["entries"]):
            answer = {"error": {"code": "revocation", "message": "no more tokens"}}
        if "ok" in answer:
            self.told += asked["entries"]
        writer.write(json.dumps(answer).encode() + b"\n")
        writer.close()


class World:
    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(1000.5)
        self.url = f"sqlite:///{folder / 'issuer.db'}"
        self.storage = Storage(self.url)
        self.control = ControlPlane(folder / "admin.sock")

    def feed(self, *, begun: bool = False) -> RevocationFeed:
        return RevocationFeed(self.storage, self.clock, self.control.socket, begun=begun)

    async def revoke(self, kind: str, subject: str) -> None:
        database = await self.storage.database()
        await database.revocations.add(kind, subject, reason="test", now=self.clock.now(), expires=2000.0)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # what it looks at tells nobody
            await asyncio.sleep(0.005)


def _play(folder: Path, scene: Callable[[World], Awaitable[None]]) -> None:
    async def run() -> None:
        world = World(folder)
        try:
            await scene(world)
        finally:
            with suppress(AssertionError):
                await world.control.stop()
            await world.storage.close()

    asyncio.run(run())


async def _running(feed: RevocationFeed, scene: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.create_task(feed.run())
    try:
        await scene()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def test_what_is_revoked_is_told_at_once_in_the_words_of_tokens(tmp_path: Path) -> None:
    async def scene(world: World) -> None:
        await world.control.start()

        async def act() -> None:
            await world.revoke("token", "j1")
            await _until(lambda: len(world.control.told) == 1)
            for kind in ("family", "session", "account", "client", "something-else"):
                await world.revoke(kind, f"{kind}-1")
            await _until(lambda: len(world.control.told) == 5)

        await _running(world.feed(), act)
        assert world.control.told == [
            ["token", "j1", 2000.0, None],
            ["grant", "family-1", 2000.0, None],
            ["session", "session-1", 2000.0, None],
            ["user", "account-1", 2000.0, 1000],
            ["client", "client-1", 2000.0, 1000],
        ]

    _play(tmp_path, scene)


def test_it_waits_for_the_control_plane_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(world: World) -> None:
        async def act() -> None:
            await world.revoke("token", "j1")
            await _until(lambda: bool(caplog.records))
            await world.control.start()
            await _until(lambda: bool(world.control.told))

        await _running(world.feed(), act)

    with caplog.at_level(logging.ERROR):
        _play(tmp_path, scene)
    assert len(caplog.records) == 1


def test_what_was_not_told_before_the_issuer_ended_is_told_afterwards(tmp_path: Path) -> None:
    async def scene(world: World) -> None:
        await world.revoke("token", "j1")
        await world.storage.close()
        world.storage = Storage(world.url)
        await world.control.start()

        async def act() -> None:
            await _until(lambda: bool(world.control.told))

        await _running(world.feed(begun=True), act)

    _play(tmp_path, scene)


def test_what_is_refused_is_sent_again(tmp_path: Path) -> None:
    async def scene(world: World) -> None:
        await world.control.start()
        world.control.answer = {"error": {"code": "storage"}}
        await world.revoke("token", "j1")
        feed = world.feed()
        with pytest.raises(FeedError, match="storage"):
            await feed.send()
        world.control.answer = {"ok": {}}
        await feed.send()
        assert [entry[1] for entry in world.control.told] == ["j1"]
        await feed.send()
        assert world.control.requests == 2, "what was taken is not sent again"

    _play(tmp_path, scene)


def test_tokens_for_which_there_is_no_room_keep_nothing_else_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Else a client that revokes token after token would keep others' sign-outs from reaching the proxies."""

    async def scene(world: World) -> None:
        await world.control.start()
        world.control.full_of_tokens = True
        feed = world.feed()
        for number in range(BATCH + 1):
            await world.revoke("token", f"j{number}")
        await world.revoke("session", "s1")
        await feed.send()
        assert [entry[1] for entry in world.control.told] == ["s1"]
        await world.revoke("session", "s2")
        await feed.send()
        assert [entry[1] for entry in world.control.told] == ["s1", "s2"]
        world.control.full_of_tokens = False
        world.clock.advance(AGAIN_SECONDS)
        await feed.send()
        assert {entry[1] for entry in world.control.told} == {"s1", "s2", *(f"j{n}" for n in range(BATCH + 1))}
        before = world.control.requests
        world.clock.advance(AGAIN_SECONDS)
        await feed.send()
        assert world.control.requests == before

    with caplog.at_level(logging.ERROR):
        _play(tmp_path, scene)
    assert len(caplog.records) == 1


def test_many_are_sent_in_parts_and_what_is_over_is_not(tmp_path: Path) -> None:
    async def scene(world: World) -> None:
        await world.control.start()
        database = await world.storage.database()
        await database.revocations.add("token", "over", reason="test", now=1.0, expires=1000.0)
        for number in range(BATCH + 1):
            await world.revoke("token", f"{'x' * 40}{number}")
        await world.feed().send()
        assert world.control.requests == 2
        assert len({entry[1] for entry in world.control.told}) == BATCH + 1

    _play(tmp_path, scene)


def test_the_database_is_not_opened_where_nobody_needs_it(tmp_path: Path) -> None:
    async def scene(world: World) -> None:
        async def act() -> None:
            await asyncio.sleep(0.05)

        await _running(world.feed(), act)
        assert not world.storage.opened.is_set()

    _play(tmp_path, scene)
