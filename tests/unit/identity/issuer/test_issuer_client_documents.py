"""What clients keep at addresses of theirs: who is asked for it, how often, and what nobody can make the issuer ask."""

import asyncio
import ipaddress
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey
from tests.support import misbehaving_issuer as misbehave
from tests.support.document_server import DocumentServer, document_server
from tests.support.issuer_plan import BATCH, BUILTIN, ISSUER, PORTAL, login_plan
from tests.support.issuer_world import IssuerWorld, ask
from tests.support.joserfc_keys import make_key, public_jwk, sign

from ringwall.identity.federation import fetch
from ringwall.identity.issuer.client_servers import ClientServers
from ringwall.identity.issuer.clients import documents
from ringwall.identity.issuer.clients.documents import AT_ONCE, PER_HOST, ClientDocuments, DocumentRefusedError
from ringwall.identity.issuer.clients.keys import FRESH_SECONDS, KEPT_SECONDS, MAX_BYTES, MAX_KEYS, MIN_SECONDS
from ringwall.plan.client import ClientKind
from ringwall.plan.identity import Registration

Key = ECKey | OKPKey | RSAKey
FIRST, SECOND = make_key("ES256", "first"), make_key("ES256", "second")
OTHER = make_key("ES256", "other")


def world_of(folder: Path, **policy: Any) -> IssuerWorld:
    """An issuer that lets anybody register, and has a client `batch` of the blueprint."""
    allowed = {"document_hosts": ("127.0.0.1",), "private_documents": True, **policy}
    registration = Registration(open=True, kinds=(ClientKind.WEB, ClientKind.MACHINE), **allowed)
    issuer = BUILTIN.model_copy(update={"registration": registration})
    return IssuerWorld(folder, plan=login_plan(issuers=(issuer,), clients=(BATCH, PORTAL), development=True))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[DocumentServer]:
    with document_server(tmp_path / "dev-ca.pem") as found:
        yield found


def keys(*found: Key) -> dict[str, Any]:
    return {"keys": [public_jwk(key) for key in found]}


def register(world: IssuerWorld, **metadata: Any) -> dict[str, Any]:
    asked = {"token_endpoint_auth_method": "private_key_jwt", "grant_types": ["client_credentials"], **metadata}
    response = world.ask("POST", "/register", json=asked)
    assert response.status_code == 201, response.text
    return dict(response.json())


def form(world: IssuerWorld, client: str, key: Key) -> dict[str, str]:
    now = int(world.clock.now())
    claims = {"iss": client, "sub": client, "aud": ISSUER, "jti": f"{time.monotonic()}", "iat": now, "exp": now + 60}
    signed = sign({"alg": "ES256", "kid": key.kid}, json.dumps(claims), key)
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": signed}


def authenticates(world: IssuerWorld, client: str, key: Key) -> bool:
    response = world.ask("POST", "/token", data=form(world, client, key))
    assert response.status_code in {200, 401}, response.text
    return response.status_code == 200


def test_keys_are_fetched_when_they_are_needed_and_kept_for_a_while(tmp_path: Path, server: DocumentServer) -> None:
    world = world_of(tmp_path)
    client = register(world, jwks_uri=server.put("/jwks", keys(FIRST)))["client_id"]
    assert server.asked == [], "registering asks nobody"
    assert [authenticates(world, client, FIRST) for _ in range(3)] == [True] * 3
    assert server.asked == ["/jwks"]
    world.clock.advance(FRESH_SECONDS)
    assert authenticates(world, client, FIRST)
    assert server.asked == ["/jwks"] * 2


def test_a_new_key_is_looked_for_at_once_and_the_old_one_is_refused(tmp_path: Path, server: DocumentServer) -> None:
    world = world_of(tmp_path)
    client = register(world, jwks_uri=server.put("/jwks", keys(FIRST)))["client_id"]
    assert authenticates(world, client, FIRST)
    server.put("/jwks", keys(SECOND))
    world.clock.advance(MIN_SECONDS)
    assert authenticates(world, client, SECOND)
    assert not authenticates(world, client, FIRST), "it is not there any more"


def test_an_old_key_is_gone_in_time_though_nobody_uses_the_new_one(tmp_path: Path, server: DocumentServer) -> None:
    world = world_of(tmp_path)
    client = register(world, jwks_uri=server.put("/jwks", keys(FIRST)))["client_id"]
    assert authenticates(world, client, FIRST)
    server.put("/jwks", keys(SECOND))
    world.clock.advance(FRESH_SECONDS)
    assert not authenticates(world, client, FIRST)


def test_names_of_keys_that_are_made_up_do_not_have_the_client_asked_each_time(
    tmp_path: Path, server: DocumentServer
) -> None:
    world = world_of(tmp_path)
    client = register(world, jwks_uri=server.put("/jwks", keys(FIRST)))["client_id"]
    for _ in range(5):
        assert not authenticates(world, client, OTHER)
    assert len(server.asked) == 1
    world.clock.advance(MIN_SECONDS)
    assert not authenticates(world, client, OTHER)
    assert len(server.asked) == 2


def test_what_is_known_outlives_a_failure_but_not_for_ever(tmp_path: Path, server: DocumentServer) -> None:
    world = world_of(tmp_path)
    client = register(world, jwks_uri=server.put("/jwks", keys(FIRST)))["client_id"]
    assert authenticates(world, client, FIRST)
    server.answers["/jwks"] = misbehave.failing
    world.clock.advance(KEPT_SECONDS - 1)
    assert authenticates(world, client, FIRST)
    world.clock.advance(MIN_SECONDS)
    assert not authenticates(world, client, FIRST)


@pytest.mark.parametrize(
    "answer",
    [
        misbehave.failing,
        misbehave.html,
        misbehave.short,
        misbehave.compressed,
        misbehave.garbage,
        misbehave.redirecting("/keys"),
        lambda handler: misbehave.send(handler, json.dumps({**keys(FIRST), "x": "y" * MAX_BYTES}).encode()),
        lambda handler: misbehave.send(handler, json.dumps(keys(FIRST)["keys"]).encode()),
        lambda handler: misbehave.send(handler, json.dumps(keys(FIRST, *[OTHER] * MAX_KEYS)).encode()),
        lambda handler: misbehave.send(handler, b'{"keys":[],' + json.dumps(keys(FIRST)).encode()[1:]),
        lambda handler: misbehave.send(handler, json.dumps({"keys": [FIRST.as_dict(private=True)]}).encode()),
        lambda handler: misbehave.send(handler, json.dumps({"keys": [{"kty": "oct", "k": "AAAA"}]}).encode()),
        lambda handler: misbehave.send(handler, json.dumps({"keys": [{**public_jwk(FIRST), "use": "enc"}]}).encode()),
    ],
)
def test_no_other_answer_lets_a_client_in(tmp_path: Path, server: DocumentServer, answer: misbehave.Answer) -> None:
    world = world_of(tmp_path)
    server.keys = keys(FIRST)["keys"]
    client = register(world, jwks_uri=server.put("/jwks", {}))["client_id"]
    server.answers["/jwks"] = answer
    assert not authenticates(world, client, FIRST)


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/jwks",
        "https://elsewhere.example/jwks",
        "https://127.0.0.1.elsewhere.example/jwks",
        "https://127.0.0.1@elsewhere.example/jwks",
        "https://elsewhere.example#@127.0.0.1/",
        "https://127.0.0.1:99999/",
        "file:///etc/passwd",
        "",
        7,
    ],
)
@pytest.mark.parametrize("name", ["jwks_uri", "sector_identifier_uri", "request_uris"])
def test_documents_lie_where_the_blueprint_says_alone(tmp_path: Path, name: str, uri: object) -> None:
    world = world_of(tmp_path)
    metadata = {
        "redirect_uris": ["https://suite.example/callback"],
        "jwks": keys(FIRST),
        name: [uri] if name == "request_uris" else uri,
    }
    if name == "jwks_uri":
        del metadata["jwks"]
    refused = world.ask("POST", "/register", json=metadata)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")


def test_without_hosts_nothing_can_be_registered_that_is_fetched(tmp_path: Path) -> None:
    world = world_of(tmp_path, document_hosts=())
    refused = world.ask(
        "POST",
        "/register",
        json={
            "token_endpoint_auth_method": "private_key_jwt",
            "grant_types": ["client_credentials"],
            "jwks_uri": "https://127.0.0.1/jwks",
        },
    )
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client_metadata")


def test_who_has_registered_is_asked_no_more_where_the_policy_has_changed(
    tmp_path: Path, server: DocumentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_address_of", lambda _: ipaddress.IPv4Address("1.0.0.1"))  # so this alone matters
    uri = server.put("/jwks", keys(FIRST))
    client = register(world_of(tmp_path), jwks_uri=uri)["client_id"]
    assert not authenticates(world_of(tmp_path, document_hosts=("other.example",)), client, FIRST)
    assert server.asked == []
    assert authenticates(world_of(tmp_path), client, FIRST)


def test_nothing_within_this_network_is_connected_to_for_a_stranger(tmp_path: Path) -> None:
    world = world_of(tmp_path, private_documents=False)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        client = register(world, jwks_uri=f"https://127.0.0.1:{listener.getsockname()[1]}/jwks")["client_id"]
        assert not authenticates(world, client, FIRST)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_client_of_the_blueprint_may_keep_its_keys_within_this_network(
    tmp_path: Path, server: DocumentServer
) -> None:
    uri = server.put("/jwks", keys(FIRST))
    client = BATCH.model_copy(update={"name": "keeper", "jwks_uri": uri})
    world = IssuerWorld(tmp_path, plan=login_plan(clients=(client,), development=True))
    assert authenticates(world, "keeper", FIRST)
    assert not authenticates(world, "keeper", OTHER)


def test_two_places_for_keys_are_one_too_many(tmp_path: Path, server: DocumentServer) -> None:
    world = world_of(tmp_path)
    asked = {"jwks": keys(FIRST), "jwks_uri": f"{server.url}/jwks", "grant_types": ["client_credentials"]}
    assert world.ask("POST", "/register", json=asked).status_code == 400


def test_a_client_that_answers_slowly_holds_up_nobody_else(
    tmp_path: Path, server: DocumentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "SECONDS", 1.5)
    world = world_of(tmp_path)
    server.answers["/slow"] = lambda _: time.sleep(3)
    slow = [register(world, jwks_uri=f"{server.url}/slow")["client_id"] for _ in range(2 * PER_HOST)]
    good = register(world, jwks=keys(SECOND))["client_id"]

    async def run() -> None:
        waiting = [
            asyncio.create_task(ask(world.app, "POST", "/token", data=form(world, client, FIRST))) for client in slow
        ]
        await asyncio.sleep(0.3)
        began = time.monotonic()
        response = await ask(world.app, "POST", "/token", data=form(world, good, SECOND))
        assert response.status_code == 200
        assert time.monotonic() - began < 1
        assert not all(task.done() for task in waiting)
        assert {response.status_code for response in await asyncio.gather(*waiting)} == {401}

    asyncio.run(run())
    assert server.asked.count("/slow") == PER_HOST, "so many at once from one host, and no more"


def test_strangers_cannot_take_all_places(tmp_path: Path, server: DocumentServer) -> None:
    world = world_of(tmp_path)
    found = ClientDocuments(ClientServers(tmp_path / "dev-ca.pem"))
    for number in range(AT_ONCE):
        found._enter((True, f"host-{number}.example"))
    uri, directory = server.put("/jwks", keys(FIRST)), world.directory.current()

    async def get(*, stranger: bool) -> bytes:
        return await found.get(uri, directory=directory, stranger=stranger, max_bytes=10_000, media_type="*/*")

    with pytest.raises(DocumentRefusedError, match="too many"):
        asyncio.run(get(stranger=True))
    assert b"keys" in asyncio.run(get(stranger=False))
