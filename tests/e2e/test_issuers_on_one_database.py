"""Several issuer processes on one database are one issuer: what may happen once happens once, whichever is asked."""

import asyncio
import json
import math
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from tests.support.dpop_client import DpopClient
from tests.support.issuer_browser import RelyingParty, pick, sent_back, sign_in
from tests.support.issuer_plan import BATCH, ISSUER, PORTAL, SPA, login_plan
from tests.support.issuer_processes import IssuerProcess, issuer_processes, issuer_state, new_secret
from tests.support.joserfc_keys import make_key, public_jwk, sign
from tests.support.postgres import Postgres, running_postgres

from ringwall.identity.issuer.admin_client import rotate_keys
from ringwall.identity.issuer.clients.assertion import BEARER
from ringwall.identity.issuer.throttle import BURST, SECONDS
from ringwall.identity.tokens.jws import UnverifiedToken
from ringwall.model.clock import SystemClock
from ringwall.plan.client import Client

PROCESSES = 3
ROUNDS = 8
AT_ONCE = 4
"""Requests at each process."""
KEY = make_key("ES256")
JWKS = json.dumps({"keys": [public_jwk(KEY)]})
ROBOT = Client(name="robot", jwks=JWKS)
SIGNING = PORTAL.model_copy(update={"name": "signing", "jwks": JWKS})
PLAN = login_plan(clients=(BATCH, PORTAL, SPA, ROBOT, SIGNING))


@dataclass
class Issuers:
    """The processes, and secrets of clients."""

    processes: tuple[IssuerProcess, ...]
    secrets: dict[str, str]

    @asynccontextmanager
    async def browsers(self) -> AsyncIterator[list[httpx.AsyncClient]]:
        """Yield the same browser at each process: a cookie from one is sent to all."""
        async with AsyncExitStack() as stack:
            made = [await stack.enter_async_context(process.browser()) for process in self.processes]
            for page in made[1:]:
                page._cookies = made[0]._cookies
            yield made

    @asynccontextmanager
    async def clients(self) -> AsyncIterator[list[httpx.AsyncClient]]:
        """Yield a client without cookies for each process."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(process.browser()) for process in self.processes]

    def basic(self, client: str) -> httpx.BasicAuth:
        return httpx.BasicAuth(client, self.secrets[client])


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def issuers(request: pytest.FixtureRequest) -> Iterator[Issuers]:
    with issuer_state(PLAN) as state:
        given = {name: new_secret(state, name) for name in ("batch", "portal")}
        if request.param == "sqlite":
            with issuer_processes(state, f"sqlite:///{state / 'shared.db'}", PROCESSES) as processes:
                yield Issuers(processes, given)
            return
        server: Postgres = request.getfixturevalue("postgres")
        with server.database() as url, issuer_processes(state, url, PROCESSES) as processes:
            yield Issuers(processes, given)


async def at_all(
    pages: list[httpx.AsyncClient], ask: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]], times: int = AT_ONCE
) -> list[httpx.Response]:
    """Ask all processes the same, several times each, at once."""
    answers = await asyncio.gather(*(ask(page) for page in pages * times))
    assert not [answer for answer in answers if answer.status_code >= 500], [answer.text for answer in answers]
    return answers


def statuses(answers: list[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


async def token(page: httpx.AsyncClient, form: dict[str, str], **more: Any) -> httpx.Response:
    return await page.post(f"{ISSUER}/token", data=form, **more)


async def signed_in(issuers: Issuers, page: httpx.AsyncClient, party: RelyingParty) -> dict[str, Any]:
    """Sign in and redeem the code at one process."""
    code = await sign_in(page, party)
    response = await token(page, party.redemption(code), auth=issuers.basic("portal"))
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_code_is_used_once_and_a_second_use_ends_what_came_of_it(issuers: Issuers) -> None:
    async def run() -> None:
        async with issuers.browsers() as pages, issuers.clients() as clients:
            for number in range(ROUNDS):
                party = RelyingParty()
                page = pages[number % PROCESSES]
                page.cookies.clear()
                form = party.redemption(await sign_in(page, party))
                answers = await at_all(clients, lambda at: token(at, form, auth=issuers.basic("portal")))  # noqa: B023
                assert statuses(answers)[200] <= 1
                assert statuses(answers)[400] >= len(answers) - 1
                for answer in answers:
                    if answer.status_code == 200:  # a second use came at the same moment
                        refresh = {"grant_type": "refresh_token", "refresh_token": answer.json()["refresh_token"]}
                        again = await at_all(clients, lambda at: token(at, refresh, auth=issuers.basic("portal")), 1)  # noqa: B023
                        assert statuses(again) == {400: PROCESSES}

    asyncio.run(run())


def test_a_code_that_is_used_by_one_alone_gives_tokens_and_is_refused_by_the_others(issuers: Issuers) -> None:
    async def run() -> None:
        async with issuers.browsers() as pages, issuers.clients() as clients:
            party = RelyingParty()
            form = party.redemption(await sign_in(pages[0], party))
            first = await token(clients[1], form, auth=issuers.basic("portal"))
            assert first.status_code == 200, first.text
            for client in (clients[2], clients[0]):
                assert (await token(client, form, auth=issuers.basic("portal"))).status_code == 400

    asyncio.run(run())


def test_parallel_refreshes_get_one_successor(issuers: Issuers) -> None:
    async def run() -> None:
        async with issuers.browsers() as pages, issuers.clients() as clients:
            held = (await signed_in(issuers, pages[0], RelyingParty()))["refresh_token"]
            for _ in range(ROUNDS):
                form = {"grant_type": "refresh_token", "refresh_token": held}
                answers = await at_all(clients, lambda at: token(at, form, auth=issuers.basic("portal")))  # noqa: B023
                assert statuses(answers) == {200: len(answers)}, [answer.text for answer in answers]
                (following,) = {answer.json()["refresh_token"] for answer in answers}
                assert following != held
                held = following

    asyncio.run(run())


def test_a_proof_is_taken_once_and_a_nonce_of_one_is_good_at_all(issuers: Issuers) -> None:
    form = {"grant_type": "client_credentials"}
    holder = DpopClient(SystemClock())

    async def run() -> None:
        async with issuers.clients() as clients:
            told = await token(
                clients[0], form, auth=issuers.basic("batch"), headers={"dpop": holder.proof("POST", f"{ISSUER}/token")}
            )
            assert told.json()["error"] == "use_dpop_nonce"
            holder.nonce = told.headers["dpop-nonce"]
            for _ in range(ROUNDS):
                proof = {"dpop": holder.proof("POST", f"{ISSUER}/token")}
                answers = await at_all(
                    clients,
                    lambda at: token(at, form, auth=issuers.basic("batch"), headers=proof),  # noqa: B023
                )
                assert statuses(answers) == {200: 1, 400: len(answers) - 1}
                assert {a.json()["error"] for a in answers if a.status_code == 400} == {"invalid_dpop_proof"}

    asyncio.run(run())


def test_an_assertion_is_taken_once(issuers: Issuers) -> None:
    async def run() -> None:
        async with issuers.clients() as clients:
            for _ in range(ROUNDS):
                now = int(time.time())
                claims = {"iss": "robot", "sub": "robot", "aud": ISSUER, "exp": now + 60, "jti": secrets.token_hex(8)}
                form = {
                    "grant_type": "client_credentials",
                    "client_assertion_type": BEARER,
                    "client_assertion": sign({"typ": "JWT", "alg": "ES256", "kid": "k1"}, json.dumps(claims), KEY),
                }
                answers = await at_all(clients, lambda at: token(at, form))  # noqa: B023
                assert statuses(answers) == {200: 1, 401: len(answers) - 1}

    asyncio.run(run())


def test_a_pushed_request_is_answered_once(issuers: Issuers) -> None:
    """Its page may be loaded again, at whichever process; there is one code for it (RFC 9126, section 7.3)."""
    party = RelyingParty()

    async def to_the_end(page: httpx.AsyncClient, location: str) -> httpx.Response:
        while location.startswith(ISSUER):
            answer = await page.get(location)
            location = answer.headers.get("location", "")
        return answer

    async def run() -> None:
        async with issuers.browsers() as pages:
            await sign_in(pages[0], party)
            for number in range(ROUNDS):
                pushed = await pages[number % PROCESSES].post(
                    f"{ISSUER}/par", data=party.parameters(), auth=issuers.basic("portal")
                )
                assert pushed.status_code == 201, pushed.text
                query = urlencode({"client_id": "portal", "request_uri": pushed.json()["request_uri"]})
                answers = await at_all(pages, lambda at: to_the_end(at, f"{ISSUER}/authorize?{query}"))  # noqa: B023
                codes = [answer for answer in answers if "code=" in answer.headers.get("location", "")]
                assert len(codes) == 1, statuses(answers)

    asyncio.run(run())


def test_a_signed_request_is_begun_once(issuers: Issuers) -> None:
    async def run() -> None:
        async with issuers.clients() as clients:
            for _ in range(ROUNDS):
                now = int(time.time())
                asked = RelyingParty(client="signing").parameters()
                claims = {"iss": "signing", "aud": ISSUER, "nbf": now, "exp": now + 60, "jti": secrets.token_hex(8)}
                head = {"typ": "oauth-authz-req+jwt", "alg": "ES256", "kid": "k1"}
                text = sign(head, json.dumps({**claims, **asked}), KEY)
                query = urlencode({"client_id": "signing", "request": text})
                answers = await at_all(clients, lambda at: at.get(f"{ISSUER}/authorize?{query}"))  # noqa: B023
                assert statuses(answers)[303] == 1, statuses(answers)

    asyncio.run(run())


def test_wrong_secrets_have_one_budget(issuers: Issuers) -> None:
    async def run() -> None:
        async with issuers.clients() as clients:
            name = secrets.token_hex(4)
            began = time.monotonic()
            wrong = httpx.BasicAuth(name, "wrong")
            answers = await at_all(
                clients, lambda at: token(at, {"grant_type": "client_credentials"}, auth=wrong), BURST
            )
            refilled = math.ceil((time.monotonic() - began) / SECONDS)
            assert BURST <= statuses(answers)[401] <= BURST + refilled
            assert statuses(answers)[429] == len(answers) - statuses(answers)[401]

    asyncio.run(run())


def test_a_session_of_one_is_known_to_all_and_ended_for_all(issuers: Issuers) -> None:
    async def run() -> None:
        async with issuers.browsers() as pages:
            held = await signed_in(issuers, pages[0], RelyingParty())
            spa = RelyingParty(client="spa", callback=SPA.redirect_uris[0], scope="openid")
            for page in pages:
                assert sent_back(await page.get(spa.url(prompt="none")), spa.callback)["code"]
            out = await pages[1].get(f"{ISSUER}/end_session?{urlencode({'id_token_hint': held['id_token']})}")
            assert out.status_code in {200, 303}, out.text
            for page in pages:
                back = sent_back(await page.get(spa.url(prompt="none")), spa.callback)
                assert back["error"] == "login_required"

    asyncio.run(run())


def test_a_form_of_one_is_taken_by_another(issuers: Issuers) -> None:
    async def run() -> None:
        for number in range(PROCESSES):
            async with issuers.browsers() as pages:
                shown = await pages[number].get(RelyingParty().url())
                assert sent_back(await pick(pages[(number + 1) % PROCESSES], shown))["code"]

    asyncio.run(run())


def test_what_one_revokes_is_refused_by_all_at_once(issuers: Issuers) -> None:
    async def run() -> None:
        async with issuers.clients() as clients:
            for number in range(ROUNDS):
                given = await token(
                    clients[number % PROCESSES], {"grant_type": "client_credentials"}, auth=issuers.basic("batch")
                )
                form = {"token": given.json()["access_token"]}

                async def asked(at: httpx.AsyncClient) -> httpx.Response:
                    return await at.post(f"{ISSUER}/introspect", data=form, auth=issuers.basic("batch"))  # noqa: B023

                assert {answer.json()["active"] for answer in await at_all(clients, asked)} == {True}
                await clients[number % 2].post(f"{ISSUER}/revoke", data=form, auth=issuers.basic("batch"))
                assert {answer.json()["active"] for answer in await at_all(clients, asked)} == {False}

    asyncio.run(run())


def test_all_sign_with_one_key_and_none_goes_on_with_one_that_was_dropped(issuers: Issuers) -> None:
    async def run() -> set[str]:
        async with issuers.clients() as clients:
            answers = await at_all(
                clients, lambda at: token(at, {"grant_type": "client_credentials"}, auth=issuers.basic("batch"))
            )
            return {UnverifiedToken.parse(answer.json()["access_token"]).kid for answer in answers}

    before = asyncio.run(run())
    rotate_keys(issuers.processes[0].settings.bindings, compromised=True)
    after = asyncio.run(run())
    assert len(before) == len(after) == 1
    assert before != after
    published = {
        key["kid"] for key in json.loads(Path(issuers.processes[0].settings.bindings.jwks).read_bytes())["keys"]
    }
    assert after < published
    assert not before & published
