"""Clients are told that a session has ended, whatever ended it (OpenID Connect Back-Channel Logout 1.0)."""

import asyncio
import base64
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import ECKey
from tests.support.desk import Desk
from tests.support.issuer_browser import RelyingParty, browser, forms_of, redeem, send, sent_back, sign_in
from tests.support.issuer_plan import ISSUER, PARTNER, PORTAL, login_plan, write_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.logout_receiver import PATH, LogoutReceiver, logout_receiver
from tests.support.misbehaving_issuer import send as answer

from ringwall.identity.federation.fetch import FetchError
from ringwall.identity.issuer.backchannel_logout import FIRST_PAUSE, GIVE_UP_SECONDS, BackChannelLogout, Deliver
from ringwall.identity.issuer.browser_sessions import IDLE_SECONDS
from ringwall.identity.issuer.client_servers import ClientServers, own_edge
from ringwall.identity.issuer.clients.registered import client_of
from ringwall.identity.issuer.directory import Directory
from ringwall.identity.issuer.logout_delivery import LogoutDelivery
from ringwall.identity.issuer.operator_revocations import OperatorRevocations
from ringwall.identity.revocation import REVOCATIONS_FILE
from ringwall.identity.revocation.revoked import RevocationList
from ringwall.identity.store.clients import RegisteredClient
from ringwall.identity.tokens.claims import Expected, VerifiedClaims, verify_token
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.model.revocation import Revocation, Revoked
from ringwall.plan.client import Client, ClientKind
from ringwall.plan.identity import Registration

PARTY = RelyingParty()
PASSWORD = "correct horse battery staple"
EVENT = "http://schemas.openid.net/event/backchannel-logout"
Act = Callable[["Scene"], Awaitable[Any]]


@pytest.fixture
def receiver() -> Iterator[LogoutReceiver]:
    with logout_receiver() as found:
        yield found


def told(client: Client, receiver: LogoutReceiver) -> Client:
    return client.model_copy(update={"backchannel_logout_uri": receiver.uri})


class Scene:
    """Somebody is signed in to the portal, which wants to be told."""

    def __init__(self, folder: Path, receiver: LogoutReceiver, deliver: Deliver | None = None) -> None:
        plan = login_plan(clients=(told(PORTAL, receiver), PARTNER), development=True)
        self.world = IssuerWorld(folder, plan=plan)
        self.receiver = receiver
        self.secret = self.world.new_secret("portal")
        self.delivery = LogoutDelivery(ClientServers(self.world.settings.development_root))
        self.sender = BackChannelLogout(self.world.context, deliver or self.delivery.deliver, begun=True)
        self.session = ""
        self.tokens: dict[str, Any] = {}
        self.account = "alice"
        self.page: httpx.AsyncClient

    async def sign_in(self) -> None:
        code = await sign_in(self.page, PARTY)
        answered = await redeem(self.page, PARTY.redemption(code), ("portal", self.secret))
        assert answered.status_code == 200, answered.text
        self.tokens = answered.json()
        self.session = str(self.world.verify(self.tokens["access_token"]).claims["sid"])

    async def send(self) -> list[str]:
        await self.sender.look()
        await self.sender.settle()
        return self.receiver.tokens

    def read(self, token: str, client: str = "portal") -> VerifiedClaims:
        expected = Expected(issuer=ISSUER, audiences=frozenset({client}), types=frozenset({"logout+jwt"}))
        return verify_token(token, keys=self.world.published(), expected=expected, clock=self.world.clock)


def play(scene: Scene, act: Act) -> None:
    async def body() -> None:
        async with browser(scene.world.app) as page:
            scene.page = page
            try:
                await act(scene)
            finally:
                scene.world.context.people.close()
                await scene.world.context.storage.close()

    asyncio.run(body())


async def _sign_out(scene: Scene) -> None:
    shown = await scene.page.get(f"{ISSUER}/end_session")
    await send(scene.page, forms_of(shown)[0], {})


async def _hint(scene: Scene) -> None:
    hint = scene.tokens["id_token"]
    assert (await scene.page.get(f"{ISSUER}/end_session", params={"id_token_hint": hint})).status_code == 200


async def _another_person(scene: Scene) -> None:
    await sign_in(scene.page, PARTY, "bob", prompt="login")


async def _expire(scene: Scene) -> None:
    scene.world.clock.advance(IDLE_SECONDS)
    await scene.world.context.storage.sweep(scene.world.clock.now())


async def _revoke(scene: Scene, revocation: Revocation) -> None:
    revoked = RevocationList(scene.world.settings.state / REVOCATIONS_FILE, scene.world.clock)
    follower = OperatorRevocations(scene.world.context, begun=True)
    now = scene.world.clock.now()
    revoked.revoke(
        [
            Revocation(Revoked.SESSION, "another", ISSUER),
            Revocation(Revoked.SESSION, scene.session, "https://other.example"),
            Revocation(Revoked.USER, "alice", ISSUER, now + 900, int(now)),  # signed out everywhere, and came back
        ]
    )
    await follower.look()
    assert await scene.send() == []
    revoked.revoke([revocation])
    await follower.look()


async def _revoke_session(scene: Scene) -> None:
    await _revoke(scene, Revocation(Revoked.SESSION, scene.session, ISSUER))


async def _revoke_user(scene: Scene) -> None:
    await _revoke(scene, Revocation(Revoked.USER, "alice", ISSUER))


@pytest.mark.parametrize("end", [_sign_out, _hint, _another_person, _expire, _revoke_session, _revoke_user])
def test_a_client_is_told_once_that_a_session_has_ended(tmp_path: Path, receiver: LogoutReceiver, end: Act) -> None:
    async def act(scene: Scene) -> None:
        await scene.sign_in()
        assert await scene.send() == []
        await end(scene)
        assert receiver.asked == []  # whoever ends the session does not wait for the client
        (token,) = await scene.send()
        assert receiver.asked == [("POST", PATH)]
        claims = scene.read(token).claims
        assert (claims["sub"], claims["sid"], claims["aud"]) == ("alice", scene.session, "portal")
        assert claims["events"] == {EVENT: {}}
        assert claims["jti"]
        assert 0 < claims["exp"] - claims["iat"] <= 120
        assert "nonce" not in claims
        assert await scene.send() == [token]

    play(Scene(tmp_path, receiver), act)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "{}/disable"), ("DELETE", "{}"), ("DELETE", "{}/sessions")],
)
def test_what_the_operator_does_to_an_account_is_told(
    tmp_path: Path, receiver: LogoutReceiver, method: str, path: str
) -> None:
    async def act(scene: Scene) -> None:
        account = await scene.world.new_account("Ann", PASSWORD)
        shown = await scene.page.get(PARTY.url())
        form = next(form for form in forms_of(shown) if "password" in form.fields)
        code = sent_back(await send(scene.page, form, {"user_name": "Ann", "password": PASSWORD}))["code"]
        await redeem(scene.page, PARTY.redemption(code), ("portal", scene.secret))
        await Desk(scene.world).ask(method, f"/admin/users/{path.format(account)}")
        (token,) = await scene.send()
        assert scene.read(token).subject == account

    play(Scene(tmp_path, receiver), act)


def test_whose_id_tokens_are_encrypted_gets_encrypted_logout_tokens(tmp_path: Path, receiver: LogoutReceiver) -> None:
    """Back-Channel Logout 1.0, section 2.4: with the same key, and the issuer in the header, too."""
    key = ECKey.generate_key("P-256", {"use": "enc"})
    scene = Scene(tmp_path, receiver)
    wanted = {
        "jwks": json.dumps({"keys": [key.as_dict(private=False)]}),
        "id_token_encrypted_response_alg": "ECDH-ES",
        "id_token_encrypted_response_enc": "A256GCM",
    }
    client = told(PORTAL, receiver).model_copy(update=wanted)
    write_plan(tmp_path, login_plan(clients=(client,), development=True))

    async def act(scene: Scene) -> None:
        await scene.sign_in()
        await _sign_out(scene)
        (token,) = await scene.send()
        registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM"], strict_check_header=False)
        found = jwe.decrypt_compact(token, key, registry=registry)
        assert (found.headers()["iss"], found.headers()["cty"]) == (ISSUER, "JWT")
        assert found.plaintext is not None
        assert scene.read(found.plaintext.decode()).claims["sid"] == scene.session

    play(scene, act)


def test_a_logout_token_is_no_other_token(tmp_path: Path, receiver: LogoutReceiver) -> None:
    async def act(scene: Scene) -> None:
        await scene.sign_in()
        await _sign_out(scene)
        (token,) = await scene.send()
        shown = await scene.page.get(f"{ISSUER}/end_session", params={"id_token_hint": token})
        assert shown.status_code == 400
        answered = await scene.page.get(f"{ISSUER}/userinfo", headers={"authorization": f"Bearer {token}"})
        assert answered.status_code == 401

    play(Scene(tmp_path, receiver), act)


def test_clients_without_an_address_and_clients_without_tokens_are_not_told(
    tmp_path: Path, receiver: LogoutReceiver
) -> None:
    async def act(scene: Scene) -> None:
        await sign_in(scene.page, PARTY)  # the code is never redeemed
        other = RelyingParty(PARTNER.name, PARTNER.redirect_uris[0])
        shown = await scene.page.get(other.url())
        code = sent_back(await send(scene.page, forms_of(shown)[0], {"decision": "allow"}), other.callback)["code"]
        secret = scene.world.new_secret("partner")
        answered = await redeem(scene.page, other.redemption(code), ("partner", secret))
        assert answered.status_code == 200, answered.text
        await _sign_out(scene)
        assert await scene.send() == []

    play(Scene(tmp_path, receiver), act)


def test_a_client_that_wants_to_be_told_no_more_is_not(tmp_path: Path, receiver: LogoutReceiver) -> None:
    async def act(scene: Scene) -> None:
        await scene.sign_in()
        write_plan(tmp_path, login_plan(development=True))
        await _sign_out(scene)
        assert await scene.send() == []
        assert await (await scene.world.context.storage.database()).logouts.waiting(now=2e9) == ()

    play(Scene(tmp_path, receiver), act)


@pytest.mark.parametrize("status", [204, 302, 400, 500, 503])
def test_a_client_that_does_not_take_it_is_told_again(
    tmp_path: Path, receiver: LogoutReceiver, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(scene: Scene) -> None:
        await scene.sign_in()
        await _sign_out(scene)
        receiver.answer = lambda handler: answer(handler, b"", status, location=f"{receiver.origin}/elsewhere")
        assert len(await scene.send()) == 1
        await scene.send()
        scene.world.clock.advance(FIRST_PAUSE)
        await scene.send()
        if status == 204:
            assert len(receiver.asked) == 1
            return
        assert receiver.asked == [("POST", PATH)] * 2  # and no redirect was followed
        assert "was not told" in caplog.text
        scene.world.clock.advance(FIRST_PAUSE)
        assert len(await scene.send()) == 2  # it waits twice as long now
        receiver.answer = lambda handler: answer(handler, b"")
        scene.world.clock.advance(FIRST_PAUSE)
        first, _, third = await scene.send()
        assert scene.read(third).claims["jti"] != json.loads(_payload(first))["jti"]
        scene.world.clock.advance(GIVE_UP_SECONDS)
        assert len(await scene.send()) == 3

    play(Scene(tmp_path, receiver), act)


def test_a_client_that_stays_away_is_given_up_and_the_operator_can_see_it(
    tmp_path: Path, receiver: LogoutReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[float] = []

    async def act(scene: Scene) -> None:
        await scene.sign_in()
        await _sign_out(scene)
        database = await scene.world.context.storage.database()
        while await _pending(scene):
            scene.world.clock.advance(60.0)
            await scene.send()
            assert scene.world.clock.now() < began + 2 * GIVE_UP_SECONDS
        assert scene.world.clock.now() > began + GIVE_UP_SECONDS / 2
        assert 10 < len(attempts) < 60
        (event,) = [each for each in await database.events.by_subject("alice") if each.act == "logout-not-delivered"]
        assert (event.payload["client"], event.payload["session"]) == ("portal", scene.session)
        assert [each.levelname for each in caplog.records if "portal" in each.getMessage()] == ["WARNING", "ERROR"]

    def away(*_: object) -> None:
        attempts.append(scene.world.clock.now())
        raise FetchError("it is away")

    scene = Scene(tmp_path, receiver, away)
    began = scene.world.clock.now()
    with caplog.at_level(logging.WARNING):
        play(scene, act)


async def _until(reached: Callable[[], bool]) -> None:
    for _ in range(1000):
        if reached():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never came to that")


async def _pending(scene: Scene) -> bool:
    return bool(await (await scene.world.context.storage.database()).logouts.waiting(now=1e12))


def test_what_waits_is_sent_by_the_next_process(tmp_path: Path, receiver: LogoutReceiver) -> None:
    async def act(scene: Scene) -> None:
        await scene.sign_in()
        await _sign_out(scene)
        later = BackChannelLogout(scene.world.context, scene.delivery.deliver, begun=True)
        running = asyncio.create_task(later.run())
        await _until(lambda: bool(receiver.tokens))
        await later.settle()
        running.cancel()
        assert await scene.send() == receiver.tokens[:1]

    play(Scene(tmp_path, receiver), act)


def test_a_client_that_hangs_holds_up_no_other(tmp_path: Path, receiver: LogoutReceiver) -> None:
    async def act(scene: Scene) -> None:
        await scene.sign_in()
        database = await scene.world.context.storage.database()
        for client in ("portal", "partner"):
            await database.logouts.join(session=scene.session, client=client)
        await _sign_out(scene)
        await scene.sender.look()
        await _until(lambda: "partner" in posted)
        assert await database.logouts.waiting(now=1e12) == ("portal",)
        hanging.set()
        await scene.sender.settle()
        assert not await _pending(scene)

    hanging = threading.Event()
    posted: list[str] = []

    def deliver(to: Client, form: bytes, _: Directory) -> None:
        assert json.loads(_payload(form.decode().partition("=")[2]))["aud"] == to.name
        if to.name == "portal":
            assert hanging.wait(30)
        posted.append(to.name)

    scene = Scene(tmp_path, receiver, deliver)
    write_plan(tmp_path, login_plan(clients=(told(PORTAL, receiver), told(PARTNER, receiver)), development=True))
    play(scene, act)


def _payload(token: str) -> bytes:
    body = token.split(".")[1]
    return base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))


def test_the_metadata_say_so(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=login_plan())
    document = world.ask("GET", "/.well-known/openid-configuration").json()
    assert document["backchannel_logout_supported"] is True
    assert document["backchannel_logout_session_supported"] is True


@pytest.mark.parametrize(
    ("uri", "there"),
    [
        ("https://localhost:8443/portal/out", ("127.0.0.1", 8443)),
        ("https://clinic.test:8443/out", ("127.0.0.1", 8443)),
        ("https://localhost/out", None),
        ("https://localhost:9443/out", None),
        ("http://localhost:8443/out", None),
        ("https://other.test:8443/out", None),
        ("https://localhost.other:8443/out", None),
    ],
)
def test_the_systems_own_edge_is_reached_without_its_name(
    tmp_path: Path, uri: str, there: tuple[str, int] | None
) -> None:
    directory = replace(
        IssuerWorld(tmp_path).directory.current(),
        edge_host="0.0.0.0",  # noqa: S104  # nothing listens
        edge_domains=("localhost", "clinic.test"),
    )
    assert own_edge(uri, directory) == there


def test_a_client_that_registered_itself_has_nothing_of_this_network_asked(
    tmp_path: Path, receiver: LogoutReceiver
) -> None:
    scene = Scene(tmp_path, receiver)
    stranger = told(PORTAL, receiver).model_copy(update={"name": f"{REGISTERED_PREFIX}{'a' * 22}"})
    directory = scene.world.directory.current()
    with pytest.raises(FetchError, match="private address"):
        scene.delivery.deliver(stranger, b"logout_token=a", directory)
    assert receiver.asked == []
    scene.delivery.deliver(told(PORTAL, receiver), b"logout_token=a", directory)
    assert receiver.tokens == ["a"]


def test_a_client_that_registered_itself_is_told_where_the_policy_lets_it(tmp_path: Path) -> None:
    kept = RegisteredClient(
        id=f"{REGISTERED_PREFIX}{'a' * 22}",
        has_secret=False,
        payload={
            "grant_types": ["authorization_code"],
            "token_endpoint_auth_method": "client_secret_basic",
            "application_type": "web",
            "backchannel_logout_uri": "https://app.example/out",
        },
        created=0.0,
        changed=0.0,
        version=1,
    )
    allowed, other = (
        client_of(kept, Registration(kinds=(ClientKind.WEB,), hosts=(host,)), now=0.0)
        for host in ("app.example", "other.example")
    )
    assert allowed is not None
    assert other is not None
    assert (allowed.backchannel_logout_uri, other.backchannel_logout_uri) == ("https://app.example/out", "")
