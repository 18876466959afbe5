"""Codes and refresh tokens: what they are good for, for whom, and how often."""

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.support.issuer_browser import (
    ORIGIN,
    Edge,
    RelyingParty,
    browser,
    forms_of,
    pick,
    redeem,
    send,
    sent_back,
    sign_in,
)
from tests.support.issuer_plan import ALICE, AUDIENCE, ISSUER, PORTAL, SPA, login_plan, write_plan
from tests.support.issuer_world import IssuerWorld
from tests.support.relying_party import RelyingParty as Authlib

from ringwall.identity.issuer.settings import DAY
from ringwall.identity.tokens.claims import Expected, verify_token
from ringwall.plan.client import Client, ClientKind

SPA_CALLBACK = SPA.redirect_uris[0]


@pytest.fixture
def world(tmp_path: Path) -> IssuerWorld:
    other = Client(name="other", kind=ClientKind.WEB, redirect_uris=PORTAL.redirect_uris)
    return IssuerWorld(tmp_path, plan=login_plan(clients=(*login_plan().clients, other)))


def spa(scope: str = "openid") -> RelyingParty:
    return RelyingParty(client="spa", callback=SPA_CALLBACK, scope=scope)


async def tokens_of(page: httpx.AsyncClient, party: RelyingParty) -> dict[str, Any]:
    code = await sign_in(page, party)
    response = await redeem(page, party.redemption(code, client_id="spa"), None)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def refresh(page: httpx.AsyncClient, token: str, **more: str) -> httpx.Response:
    form = {"grant_type": "refresh_token", "client_id": "spa", "refresh_token": token, **more}
    return await redeem(page, form, None)


def error(response: httpx.Response) -> str:
    assert response.status_code in {400, 401}, response.text
    assert response.headers["cache-control"] == "no-store"
    return str(response.json()["error"])


async def userinfo(page: httpx.AsyncClient, token: str) -> httpx.Response:
    return await page.get("/auth/userinfo", headers={"authorization": f"Bearer {token}"})


def test_a_person_signs_in_and_the_client_gets_tokens(world: IssuerWorld) -> None:
    secret = world.new_secret("portal")
    party = RelyingParty(scope="openid profile orders:read orders:write")

    async def run() -> None:
        async with browser(world.app) as page:
            code = await sign_in(page, party)
            response = await redeem(page, party.redemption(code), ("portal", secret))
            assert response.status_code == 200, response.text
            body = response.json()
            assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "id_token", "scope"}
            access = world.verify(body["access_token"]).claims
            assert (access["sub"], access["client_id"], access["aud"]) == ("alice", "portal", AUDIENCE)
            # What the client may not have is left out, and it is told so.
            assert (access["roles"], access["scope"]) == (["patient"], "openid profile orders:read")
            assert body["scope"] == access["scope"]
            assert access["realm_access"] == {"level": 3}
            expected = Expected(issuer=ISSUER, audiences=frozenset({"portal"}), types=frozenset({"jwt"}))
            identity = verify_token(
                body["id_token"], keys=world.published(), expected=expected, clock=world.clock
            ).claims
            assert (identity["sub"], identity["nonce"], identity["acr"]) == ("alice", party.nonce, "0")
            assert identity["auth_time"] == int(world.clock.now())
            assert identity["sid"] == access["sid"]
            assert "grant_id" not in identity

    asyncio.run(run())


def test_without_openid_there_is_no_id_token(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            tokens = await tokens_of(page, spa(scope=""))
            assert set(tokens) == {"access_token", "token_type", "expires_in", "refresh_token"}
            assert (await userinfo(page, tokens["access_token"])).status_code == 403

    asyncio.run(run())


def test_authlib_signs_in_refreshes_and_signs_out(tmp_path: Path) -> None:
    world = IssuerWorld(tmp_path, plan=login_plan())
    world.clock.jump(time.time() - world.clock.now())  # Authlib looks at the machine's clock
    secret = world.new_secret("portal")

    async def run() -> None:
        party = Authlib(ISSUER, "portal", secret, "openid profile email", {"transport": Edge(world.app)})
        async with browser(world.app) as page:
            back = await pick(page, await page.get(await party.send_to_issuer(PORTAL.redirect_uris[0])))
            tokens = await party.take_back(back.headers["location"])
            assert tokens["userinfo"]["preferred_username"] == "alice"
            fresh = await party.refresh(tokens["refresh_token"])
            assert fresh["refresh_token"] != tokens["refresh_token"]
            out = await page.get(await party.sign_out(tokens["id_token"], "https://portal.example/"))
            assert out.headers["location"].startswith("https://portal.example/?state=")

    asyncio.run(run())


# Codes


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://portal.example/other?tenant=7"},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": None},
        {"code_verifier": None},
        {"code_verifier": "a" * 43},
        {"code_verifier": "short"},
        {"code_verifier": "\u00e9" * 43},
        {"code": None},
        {"code": "unknown"},
        {"code": "A" * 43},
        {"resource": "https://evil.example/"},
    ],
)
def test_a_code_is_good_for_exactly_what_it_was_made_for(world: IssuerWorld, changes: dict[str, str | None]) -> None:
    async def run() -> None:
        credentials = ("portal", world.new_secret("portal"))
        async with browser(world.app) as page:
            party = RelyingParty()
            code = await sign_in(page, party)
            form = {name: value for name, value in {**party.redemption(code), **changes}.items() if value is not None}
            wrong = error(await redeem(page, form, credentials))
            assert wrong in {"invalid_grant", "invalid_request", "invalid_target"}
            if not {"code"} & set(changes) and None not in changes.values():  # it was looked at, so it is used up
                assert error(await redeem(page, party.redemption(code), credentials)) == "invalid_grant"

    asyncio.run(run())


def test_a_code_is_one_clients(world: IssuerWorld) -> None:
    async def run() -> None:
        credentials = ("portal", world.new_secret("portal"))
        async with browser(world.app) as page:
            party = RelyingParty()
            code = await sign_in(page, party)
            others = ("other", world.new_secret("other"))
            assert error(await redeem(page, party.redemption(code), others)) == "invalid_grant"
            as_public = await redeem(page, party.redemption(code, client_id="spa"), None)
            assert error(as_public) == "invalid_grant"
            # A client with a secret cannot leave it out.
            assert error(await redeem(page, party.redemption(code, client_id="portal"), None)) == "invalid_client"
            assert (await redeem(page, party.redemption(code), credentials)).status_code == 200

    asyncio.run(run())


def test_a_code_that_is_slipped_into_another_browsers_answer_is_refused(world: IssuerWorld) -> None:
    """The victim's client redeems it with the victim's verifier (RFC 9700, section 4.5)."""

    async def run() -> None:
        credentials = ("portal", world.new_secret("portal"))
        async with browser(world.app) as attacker, browser(world.app) as page:
            stolen = await sign_in(page, RelyingParty())
            begun = RelyingParty()
            await sign_in(attacker, begun, "bob")
            assert error(await redeem(attacker, begun.redemption(stolen), credentials)) == "invalid_grant"

    asyncio.run(run())


def test_a_code_lives_for_a_minute(world: IssuerWorld) -> None:
    async def run() -> None:
        credentials = ("portal", world.new_secret("portal"))
        async with browser(world.app) as page:
            party = RelyingParty()
            code = await sign_in(page, party)
            world.clock.advance(61)
            assert error(await redeem(page, party.redemption(code), credentials)) == "invalid_grant"

    asyncio.run(run())


def test_a_code_ends_with_the_session_and_the_person(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            party = spa()
            code = await sign_in(page, party)
            [form] = forms_of(await page.get("/auth/end_session"))
            assert (await send(page, form, {})).status_code == 200
            assert error(await redeem(page, party.redemption(code, client_id="spa"), None)) == "invalid_grant"
            code = await sign_in(page, party, "bob")
            write_plan(world.settings.state, login_plan(people=(ALICE,)))
            assert error(await redeem(page, party.redemption(code, client_id="spa"), None)) == "invalid_grant"

    asyncio.run(run())


def test_a_second_use_of_a_code_ends_what_came_of_the_first(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            party = spa()
            code = await sign_in(page, party)
            tokens = (await redeem(page, party.redemption(code, client_id="spa"), None)).json()
            assert (await userinfo(page, tokens["access_token"])).status_code == 200
            again = await redeem(page, party.redemption(code, client_id="spa"), None)
            assert error(again) == "invalid_grant"
            assert error(await refresh(page, tokens["refresh_token"])) == "invalid_grant"
            assert (await userinfo(page, tokens["access_token"])).status_code == 401

    asyncio.run(run())


def test_of_many_uses_at_once_one_succeeds(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            party = spa()
            code = await sign_in(page, party)
            form = party.redemption(code, client_id="spa")
            answers = await asyncio.gather(*(redeem(page, form, None) for _ in range(8)))
            assert [answer.status_code for answer in answers].count(200) <= 1

    asyncio.run(run())


def test_a_kind_of_client_uses_its_own_grants(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            form = {"grant_type": "client_credentials"}
            assert error(await redeem(page, {**form, "client_id": "spa"}, None)) == "unauthorized_client"
            credentials = ("portal", world.new_secret("portal"))
            assert error(await redeem(page, form, credentials)) == "unauthorized_client"

    asyncio.run(run())


# Refresh tokens


def test_each_refresh_gives_another_token_and_parallel_requests_the_same(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            first = await tokens_of(page, spa())
            world.clock.advance(10)
            answers = await asyncio.gather(*(refresh(page, first["refresh_token"]) for _ in range(4)))
            assert {answer.status_code for answer in answers} == {200}
            [second] = {answer.json()["refresh_token"] for answer in answers}
            assert second != first["refresh_token"]
            claims = world.verify(answers[0].json()["access_token"]).claims
            before = world.verify(first["access_token"]).claims
            assert claims["iat"] == before["iat"] + 10
            assert all(claims[name] == before[name] for name in ("sub", "sid", "auth_time", "grant_id", "scope"))

    asyncio.run(run())


def test_a_token_that_was_replaced_ends_everything_when_it_is_used_again(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            first = await tokens_of(page, spa())
            second = (await refresh(page, first["refresh_token"])).json()
            world.clock.advance(11)
            assert error(await refresh(page, first["refresh_token"])) == "invalid_grant"
            assert error(await refresh(page, second["refresh_token"])) == "invalid_grant"
            assert (await userinfo(page, second["access_token"])).status_code == 401

    asyncio.run(run())


def test_refresh_tokens_end_by_idleness_and_by_age(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            tokens = await tokens_of(page, spa())
            world.clock.advance(7 * DAY)
            assert error(await refresh(page, tokens["refresh_token"])) == "invalid_grant"
            token = (await tokens_of(page, spa()))["refresh_token"]
            for _ in range(29):
                world.clock.advance(DAY)
                token = (await refresh(page, token)).json()["refresh_token"]
            world.clock.advance(DAY)
            assert error(await refresh(page, token)) == "invalid_grant"

    asyncio.run(run())


def test_scopes_are_only_ever_narrowed(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            tokens = await tokens_of(page, spa("openid profile"))
            token = tokens["refresh_token"]
            assert error(await refresh(page, token, scope="openid email")) == "invalid_scope"
            assert error(await refresh(page, token, resource="https://evil.example/")) == "invalid_target"
            narrow = (await refresh(page, token, scope="openid")).json()
            assert narrow["scope"] == "openid"
            assert (await refresh(page, narrow["refresh_token"])).json()["scope"] == "openid profile"

    asyncio.run(run())


def test_a_token_that_was_replaced_a_moment_ago_widens_nothing_either(world: IssuerWorld) -> None:
    """It is still answered, for the sake of parallel requests, but is not what is looked at before it is used."""

    async def run() -> None:
        async with browser(world.app) as page:
            token = (await tokens_of(page, spa("openid profile")))["refresh_token"]
            assert (await refresh(page, token)).status_code == 200
            assert (await refresh(page, token, scope="openid")).json()["scope"] == "openid"
            assert error(await refresh(page, token, scope="openid email")) == "invalid_scope"

    asyncio.run(run())


def test_a_refresh_token_is_one_clients(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            tokens = await tokens_of(page, spa())
            form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
            credentials = ("portal", world.new_secret("portal"))
            assert error(await redeem(page, form, credentials)) == "invalid_grant"
            assert error(await redeem(page, form, None)) == "invalid_client"
            assert (await refresh(page, tokens["refresh_token"])).status_code == 200
            for wrong in ("x", tokens["access_token"], "rwrt_" + "A" * 65, "\u00e9"):
                assert error(await refresh(page, wrong)) == "invalid_grant"

    asyncio.run(run())


def test_roles_are_those_of_now(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            tokens = await tokens_of(page, spa())
            promoted = ALICE.model_copy(update={"roles": ("auditor",)})
            write_plan(world.settings.state, login_plan(people=(promoted,)))
            fresh = (await refresh(page, tokens["refresh_token"])).json()
            assert world.verify(fresh["access_token"]).claims["roles"] == ["auditor"]
            write_plan(world.settings.state, login_plan(people=()))
            assert error(await refresh(page, fresh["refresh_token"])) == "invalid_grant"

    asyncio.run(run())


def test_signing_out_ends_tokens_but_for_those_that_were_to_outlive_it(world: IssuerWorld) -> None:
    async def run() -> None:
        credentials = ("portal", world.new_secret("portal"))
        async with browser(world.app) as page:
            online = await tokens_of(page, spa())
            party = RelyingParty(scope="openid offline_access")
            code = sent_back(await page.get(party.url()))["code"]
            offline = (await redeem(page, party.redemption(code), credentials)).json()
            out = await page.get(f"/auth/end_session?id_token_hint={online['id_token']}")
            assert out.status_code == 200
            assert sent_back(await page.get(party.url(prompt="none")))["error"] == "login_required"
            assert error(await refresh(page, online["refresh_token"])) == "invalid_grant"
            assert (await userinfo(page, online["access_token"])).status_code == 401
            form = {"grant_type": "refresh_token", "refresh_token": offline["refresh_token"]}
            fresh = await redeem(page, form, credentials)
            assert fresh.status_code == 200
            assert "sid" not in world.verify(fresh.json()["access_token"]).claims
            assert (await userinfo(page, fresh.json()["access_token"])).status_code == 200

    asyncio.run(run())


# Userinfo, sign-out, cross-origin requests


def test_userinfo_believes_access_tokens_alone(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            tokens = await tokens_of(page, spa("openid profile"))
            good = tokens["access_token"]
            form = await page.post("/auth/userinfo", data={"access_token": good})
            assert form.json() == {"sub": "alice", "name": "alice", "preferred_username": "alice"}
            assert (await page.get("/auth/userinfo")).headers["www-authenticate"] == 'Bearer realm="ringwall"'
            batch = await redeem(page, {"grant_type": "client_credentials"}, ("batch", world.new_secret()))
            for token, status in (
                (tokens["id_token"], 401),
                (good[:-4] + "AAAA", 401),
                ("x", 401),
                (batch.json()["access_token"], 403),
            ):
                response = await userinfo(page, token)
                assert response.status_code == status
                assert response.headers["www-authenticate"].startswith('Bearer error="')
            twice = await page.post(
                "/auth/userinfo", data={"access_token": good}, headers={"authorization": f"Bearer {good}"}
            )
            assert twice.status_code == 400
            world.clock.advance(906)
            assert (await userinfo(page, good)).status_code == 401

    asyncio.run(run())


def test_userinfo_tells_nothing_of_somebody_who_is_not_known_any_more(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            token = (await tokens_of(page, spa()))["access_token"]
            write_plan(world.settings.state, login_plan(people=()))
            assert (await userinfo(page, token)).status_code == 401

    asyncio.run(run())


def test_a_token_of_a_compromised_key_is_believed_nowhere(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            tokens = await tokens_of(page, spa())
            assert (await userinfo(page, tokens["access_token"])).status_code == 200
            world.keys.replace_compromised()
            assert (await userinfo(page, tokens["access_token"])).status_code == 401
            hinted = await page.get(f"/auth/end_session?id_token_hint={tokens['id_token']}")
            assert hinted.status_code == 400
            back = sent_back(await page.get(spa().url(id_token_hint=tokens["id_token"])), SPA_CALLBACK)
            assert back["error"] == "invalid_request"

    asyncio.run(run())


def test_signing_out_is_asked_for_unless_the_client_proves_that_it_knows_who_is_there(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page, browser(world.app) as other:
            mine, theirs = await tokens_of(page, spa()), await tokens_of(other, spa())
            silent = spa().url(prompt="none")
            for query in ("", "?client_id=spa", f"?id_token_hint={theirs['id_token']}"):
                asked = await page.get(f"/auth/end_session{query}")
                [form] = forms_of(asked)
                assert (await send(page, form, {}, origin="https://evil.example")).status_code == 403
                foreign = forms_of(await other.get(f"/auth/end_session{query or '?client_id=spa'}"))
                if foreign:
                    token = foreign[0].fields["form_token"]
                    assert (await send(page, form, {"form_token": token})).status_code == 403
                assert "code" in sent_back(await page.get(silent), SPA_CALLBACK)
            out = await page.post("/auth/end_session", data={"id_token_hint": mine["id_token"]})
            assert (await page.get(out.headers["location"])).status_code == 200
            assert sent_back(await page.get(silent), SPA_CALLBACK)["error"] == "login_required"

    asyncio.run(run())


def test_nobody_is_sent_where_the_client_did_not_register_after_signing_out(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            hint = (await tokens_of(page, spa()))["id_token"]
            for query in (
                "post_logout_redirect_uri=https://portal.example/",
                "client_id=nobody&post_logout_redirect_uri=https://portal.example/",
                "client_id=portal&post_logout_redirect_uri=https://evil.example/",
                "client_id=portal&post_logout_redirect_uri=https://portal.example/callback",
                f"id_token_hint={hint}&post_logout_redirect_uri=https://portal.example/",
                f"client_id=portal&id_token_hint={hint}&post_logout_redirect_uri=https://portal.example/",
                "id_token_hint=x",
                "state=1&state=2",
            ):
                response = await page.get(f"/auth/end_session?{query}")
                assert response.status_code == 400, query
                assert "location" not in response.headers
            right = "client_id=portal&post_logout_redirect_uri=https://portal.example/&state=a%26b"
            [form] = forms_of(await page.get(f"/auth/end_session?{right}"))
            location = (await send(page, form, {})).headers["location"]
            assert urlsplit(location)[:3] == ("https", "portal.example", "/")
            assert parse_qs(urlsplit(location).query) == {"state": ["a&b"]}

    asyncio.run(run())


PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization"}


def test_pages_of_browser_clients_may_ask_and_nobody_elses(world: IssuerWorld) -> None:
    async def run() -> None:
        async with browser(world.app) as page:
            for path in ("/token", "/userinfo", "/jwks", "/.well-known/openid-configuration"):
                for method, extra in (("OPTIONS", PREFLIGHT), ("GET", {})):
                    answer = await page.request(
                        method, f"/auth{path}", headers={"origin": "https://spa.example", **extra}
                    )
                    assert answer.headers["access-control-allow-origin"] == "https://spa.example"
                    assert "access-control-allow-credentials" not in answer.headers
                    assert "origin" in answer.headers["vary"].lower()
                    for origin in (
                        "https://portal.example",
                        "https://evil.example",
                        "null",
                        "https://spa.example.evil.example",
                        "http://spa.example",
                        ORIGIN,
                    ):
                        answer = await page.request(method, f"/auth{path}", headers={"origin": origin, **extra})
                        assert "access-control-allow-origin" not in answer.headers
            for path in ("/authorize", "/login", "/consent", "/end_session", "/sign-out"):
                for method, extra in (("OPTIONS", PREFLIGHT), ("GET", {})):
                    answer = await page.request(
                        method, f"/auth{path}", headers={"origin": "https://spa.example", **extra}
                    )
                    assert "access-control-allow-origin" not in answer.headers

    asyncio.run(run())


def test_client_credentials_touch_no_database(world: IssuerWorld) -> None:
    assert world.token(world.new_secret()).status_code == 200
    assert not (world.settings.folder / "issuer.db").exists()
    asyncio.run(_one_sign_in(world))
    assert (world.settings.folder / "issuer.db").exists()


async def _one_sign_in(world: IssuerWorld) -> None:
    async with browser(world.app) as page:
        await sign_in(page, RelyingParty())


def test_a_database_that_cannot_be_used_is_told_and_nobody_is_let_in(world: IssuerWorld) -> None:
    (world.settings.folder / "issuer.db").mkdir(parents=True)

    async def run() -> None:
        async with browser(world.app) as page:
            party = RelyingParty()
            told = await page.get(party.url())
            assert sent_back(told)["error"] == "temporarily_unavailable"
            assert "set-cookie" not in told.headers
            form = party.redemption("A" * 43)
            answer = await redeem(page, form, ("portal", world.new_secret("portal")))
            assert answer.status_code == 503
            back = sent_back(await page.get(party.url(), headers={"cookie": "__Host-ringwall-issuer=" + "A" * 43}))
            assert back["error"] == "temporarily_unavailable"

    asyncio.run(run())
