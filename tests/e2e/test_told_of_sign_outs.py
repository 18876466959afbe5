"""Clients of a running system are told that somebody has signed out: on this machine, and behind its own edge."""

import asyncio
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from tests.support.issuer_browser import forms_of
from tests.support.logout_receiver import LogoutReceiver, logout_receiver
from tests.support.relying_party import RelyingParty
from tests.support.system import System, copy_example

from ringwall.identity.tokens.claims import Expected, verify_token
from ringwall.identity.tokens.keys import KeySet
from ringwall.model.clock import SystemClock

CALLBACK = "https://portal.example/callback"
DEFINITION = """
clients:
  portal: {{kind: web, redirect_uris: [{callback}], backchannel_logout_uri: "{local}"}}
  behind:
    kind: web
    redirect_uris: [{callback}]
    backchannel_logout_uri: "https://unmodified.localhost:{port}/bin/status/204"
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[LogoutReceiver]:
    with logout_receiver() as found:
        yield found


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, receiver: LogoutReceiver) -> Iterator[System]:
    made = System(copy_example("unmodified", tmp_path_factory.mktemp("told")))
    text = made.blueprint.read_text().replace(
        "      - headers: GET /headers\n", "      - headers: GET /headers\n      - told: POST /status/204\n", 1
    )
    text = text.replace(
        "    allow:\n      - {operations: [headers",
        "    allow:\n      - {operations: [told], public: true}\n      - {operations: [headers",
        1,
    )
    made.blueprint.write_text(text + DEFINITION.format(callback=CALLBACK, local=receiver.uri, port=made.port))
    with made as running:
        yield running


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


async def _sign_in(system: System, page: httpx.AsyncClient, client: str) -> dict[str, object]:
    secret = system.ringwall("client", client).strip()
    issuer = f"https://localhost:{system.port}/auth"
    party = RelyingParty(issuer, client, secret, "openid", {"verify": system.trust})
    back = await page.get(await party.send_to_issuer(CALLBACK))
    if back.status_code == 200:
        form = next(form for form in forms_of(back) if ("person", "tess") in form.buttons)
        origin = {"origin": f"https://localhost:{system.port}"}
        back = await page.post(form.action, data={**form.fields, "person": "tess"}, headers=origin)
    tokens = await party.take_back(back.headers["location"])
    return dict(tokens)


def test_every_client_is_told(system: System, receiver: LogoutReceiver) -> None:
    async def run() -> str:
        async with httpx.AsyncClient(verify=system.trust, base_url=f"https://localhost:{system.port}") as page:
            await _sign_in(system, page, "behind")
            tokens = await _sign_in(system, page, "portal")
            out = await page.get("/auth/end_session", params={"id_token_hint": str(tokens["id_token"])})
            assert out.status_code == 200, out.text
        userinfo = tokens["userinfo"]
        assert isinstance(userinfo, dict)
        return str(userinfo["sid"])

    session = asyncio.run(run())
    issuer = f"https://localhost:{system.port}/auth"
    _until(lambda: len(receiver.tokens) == 1)
    keys = KeySet.of_client(system.ask("GET", "/auth/jwks").body)
    expected = Expected(issuer=issuer, audiences=frozenset({"portal"}), types=frozenset({"logout+jwt"}))
    told = verify_token(receiver.tokens[0], keys=keys, expected=expected, clock=SystemClock())
    assert (told.subject, told.claims["sid"]) == ("tess", session)
    log = system.state / "log" / "ringwall-issuer.log"
    _until(lambda: "client 'behind' was told" in log.read_text())


def test_what_the_operator_revokes_is_told(system: System, receiver: LogoutReceiver) -> None:
    async def run() -> None:
        async with httpx.AsyncClient(verify=system.trust, base_url=f"https://localhost:{system.port}") as page:
            await _sign_in(system, page, "portal")

    before = len(receiver.tokens)
    asyncio.run(run())
    system.ringwall("revoke", "user", "tess")
    _until(lambda: len(receiver.tokens) == before + 1)
    system.ringwall("revoke", "user", "tess", "--lift")
