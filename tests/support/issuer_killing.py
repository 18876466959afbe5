"""A load of codes and refresh tokens on an issuer that is killed again and again, and what must hold all the while."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import httpx
from tests.support.issuer_browser import RelyingParty, sign_in
from tests.support.issuer_plan import ISSUER
from tests.support.issuer_processes import IssuerProcess

from ringwall.identity.store.families import GRACE_SECONDS

WORKERS = 4
CHAIN = 5
"""Refreshes of one family."""
PATIENCE_SECONDS = 300.0
BETWEEN_KILLS = (0.15, 0.4, 0.25, 0.6)
"""Seconds that the issuer answers before the next kill, in turn."""


@dataclass
class Outcome:
    """What happened.

    Attributes:
        kills: how often the issuer was killed.
        answered: codes and refresh tokens for which somebody got tokens.
        broken: requests whose answer a kill cut off.
        twice: codes and refresh tokens that were taken twice.
        lost: answered tokens that did not work afterwards.
    """

    kills: int = 0
    answered: int = 0
    broken: int = 0
    twice: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


async def load_under_kills(process: IssuerProcess, secret: str, kills: int) -> Outcome:
    """Kill and start a running issuer so many times while clients redeem codes and refresh; return what came of it."""
    clients = _Clients(process, secret)
    workers = [asyncio.create_task(clients.work(number)) for number in range(WORKERS)]
    try:
        for number in range(kills):
            await asyncio.sleep(BETWEEN_KILLS[number % len(BETWEEN_KILLS)])
            if number % 2:  # however slow the machine is, something is answered between some of the kills
                await clients.answered(2 * number)
            process.kill()
            process.start()
            await asyncio.to_thread(process.ready)
            clients.outcome.kills += 1
            for worker in workers:
                if worker.done():
                    worker.result()
        clients.stopping.set()
        await asyncio.gather(*workers)
        await clients.check_those_left()
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return clients.outcome


class _Clients:
    """Clients that sign people in, redeem and refresh, until told to stop."""

    def __init__(self, process: IssuerProcess, secret: str) -> None:
        self.outcome = Outcome()
        self.stopping = asyncio.Event()
        self._process = process
        self._auth = httpx.BasicAuth("portal", secret)
        self._left: list[str] = []

    async def work(self, number: int) -> None:
        """Sign in once, and get code after code with that session, which outlives the kills as well."""
        async with self._process.browser() as page:
            party = RelyingParty(scope="orders:read offline_access")
            await self._until_answered(lambda: self._signed_in(page, party))
            while not self.stopping.is_set():
                number += 1
                back = await self._until_answered(lambda: page.get(party.url(prompt="none")))
                found = parse_qs(urlsplit(back.headers["location"]).query)
                if "code" not in found:
                    self.outcome.lost.append(f"session: {found}")
                    return
                form = party.redemption(found["code"][0])
                if number % 3 == 0:
                    await self._redeem_twice(form)
                else:
                    await self._redeem_and_live(form, leave=number % 3 == 1)

    async def answered(self, count: int) -> None:
        """Wait until so many codes and refresh tokens have been answered, or patience is over."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.outcome.answered <= count and time.monotonic() < deadline:  # noqa: ASYNC110  # others count
            await asyncio.sleep(0.01)

    async def check_those_left(self) -> None:
        """Use the last token of each family that nobody has ended."""
        for token in self._left:
            told = await self._token({"grant_type": "refresh_token", "refresh_token": token})
            if told.status_code != 200:
                self.outcome.lost.append(f"last refresh token: {told.text}")

    async def _redeem_twice(self, form: dict[str, str]) -> None:
        """Redeem a code twice at once: one may get tokens, and they are worth nothing."""
        both = await asyncio.gather(self._token(form), self._token(form))
        given = [told.json()["refresh_token"] for told in both if told.status_code == 200]
        self.outcome.answered += len(given)
        if len(given) > 1:
            self.outcome.twice.append("code")
        for token in given:
            told = await self._token({"grant_type": "refresh_token", "refresh_token": token})
            if told.status_code == 200:
                self.outcome.twice.append("refresh token of a code that was used twice")

    async def _redeem_and_live(self, form: dict[str, str], *, leave: bool) -> None:
        told = await self._token(form)
        if told.status_code != 200:
            return  # the code was used up, and a kill cut the answer off
        self.outcome.answered += 1
        first = held = str(told.json()["refresh_token"])
        for _ in range(CHAIN):
            begun = time.monotonic()
            refresh = {"grant_type": "refresh_token", "refresh_token": held}
            both = await asyncio.gather(self._token(refresh), self._token(refresh))
            if any(told.status_code != 200 for told in both):
                if time.monotonic() - begun < GRACE_SECONDS:
                    self.outcome.lost.append(f"refresh token: {[told.text for told in both]}")
                return
            following = {str(told.json()["refresh_token"]) for told in both}
            if len(following) > 1:
                self.outcome.twice.append("refresh token")
            self.outcome.answered += 1
            held = following.pop()
        if leave:
            self._left.append(held)
            return
        for old in ({"grant_type": "refresh_token", "refresh_token": first}, form):
            if (await self._token(old)).status_code == 200:
                self.outcome.twice.append(f"old {old['grant_type']}")
        if (await self._token({"grant_type": "refresh_token", "refresh_token": held})).status_code == 200:
            self.outcome.twice.append("refresh token of a family that was used twice")

    async def _signed_in(self, page: httpx.AsyncClient, party: RelyingParty) -> httpx.Response:
        page.cookies.clear()
        await sign_in(page, party)
        return httpx.Response(200)

    async def _token(self, form: dict[str, str]) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with self._process.browser() as client:
                return await client.post(f"{ISSUER}/token", data=form, auth=self._auth)

        return await self._until_answered(ask)

    async def _until_answered(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                try:
                    answer = await ask()
                except httpx.ConnectError:
                    await asyncio.sleep(0.02)
                except httpx.TransportError:
                    self.outcome.broken += 1
                else:
                    if answer.status_code < 500:
                        return answer
                    await asyncio.sleep(0.02)
