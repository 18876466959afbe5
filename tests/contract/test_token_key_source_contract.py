"""What every source of token keys keeps to, wherever the keys come from: a file of ours, or somebody else's server."""

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import misbehaving_issuer as misbehave
from tests.support.issuer_plan import BUILTIN, issuer_plan
from tests.support.joserfc_keys import make_key, public_jwk, sign
from tests.support.misbehaving_issuer import IssuerServer, issuer_server

from ringwall.identity.federation.external_keys import ExternalKeys
from ringwall.identity.federation.fetch import Fetcher
from ringwall.identity.federation.remote import MIN_SECONDS
from ringwall.identity.federation.source import IssuerStatus
from ringwall.identity.tokens.jws import UnverifiedToken, verify_signature
from ringwall.identity.tokens.keys import KeySet
from ringwall.model.clock import ManualClock
from ringwall.model.credentials import TokenKeySource
from ringwall.model.durable import replace_file
from ringwall.plan.bindings import Bindings
from ringwall.plan.identity import Issuer


class Published(ABC):
    """Some place where an issuer's keys are published, and the source that follows it."""

    name: str

    def __init__(self, state: Path, issuer: Issuer) -> None:
        self.clock = ManualClock()
        self.keys = ExternalKeys(
            plan=issuer_plan(issuers=(issuer,)),
            bindings=Bindings(state=state),
            clock=self.clock,
            fetcher=Fetcher(development=True, seconds=5),
        )
        self.told = threading.Semaphore(0)
        self.source: TokenKeySource = self.keys
        self.source.subscribe(self.told.release)

    @abstractmethod
    def publish(self, *jwks: dict[str, Any]) -> None:
        """Replace what is published."""

    @abstractmethod
    def spoil(self) -> None:
        """Publish something that is no key set."""

    def kids(self) -> list[str]:
        return [key["kid"] for key in json.loads(self.source.key_sets()[self.name])["keys"]]

    def becomes(self, *kids: str) -> bool:
        """Wait until these are the keys in force, as somebody who sees unknown keys would: by asking for news."""
        for _ in range(500):
            if self.kids() == list(kids):
                return True
            self.clock.advance(MIN_SECONDS)
            self.keys.refresh(self.name)
            time.sleep(0.02)
        return False

    def fails(self) -> bool:
        """Wait until the source has noticed that something is wrong."""
        return self._comes_to(lambda status: status.error != "")

    def looks(self) -> bool:
        """Wait until the source has looked again, and found something that is right."""
        before = self.keys.status()[0].last_success
        return self._comes_to(lambda status: status.last_success != before)

    def _comes_to(self, condition: Callable[[IssuerStatus], bool]) -> bool:
        for _ in range(500):
            if condition(self.keys.status()[0]):
                return True
            self.clock.advance(MIN_SECONDS)
            self.keys.refresh(self.name)
            time.sleep(0.02)
        return False


class File(Published):
    name = BUILTIN.name

    def __init__(self, state: Path) -> None:
        self._file = Bindings(state=state).jwks
        super().__init__(state, BUILTIN)

    def publish(self, *jwks: dict[str, Any]) -> None:
        replace_file(self._file, json.dumps({"keys": jwks}).encode())

    def spoil(self) -> None:
        replace_file(self._file, b"<html>")


class Server(Published):
    name = "partner"

    def __init__(self, state: Path, server: IssuerServer) -> None:
        self._server = server
        server.keys = []
        issuer = Issuer(
            name=self.name,
            url=server.url,
            discovery=server.discovery,
            audiences=("clinic",),
            algorithms=("ES256",),
        )
        super().__init__(state, issuer)

    def publish(self, *jwks: dict[str, Any]) -> None:
        self._server.answers.pop("/keys", None)
        self._server.keys = list(jwks)

    def spoil(self) -> None:
        self._server.answers["/keys"] = misbehave.html


@pytest.fixture(params=["file", "server"])
def published(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Published]:
    if request.param == "file":
        made: Published = File(tmp_path)
        made.keys.start()
        yield made
        made.keys.stop()
        return
    with issuer_server() as server:
        made = Server(tmp_path, server)
        made.keys.start()
        yield made
        made.keys.stop()


def jwk(kid: str, **changes: Any) -> dict[str, Any]:
    return {**public_jwk(make_key("ES256", kid)), **changes}


def test_before_anything_is_known_there_is_an_empty_set(published: Published) -> None:
    assert published.source.key_sets() == {published.name: '{"keys":[]}'}


def test_keys_verify_tokens_of_their_issuer(published: Published) -> None:
    key = make_key("ES256", "a")
    published.publish(public_jwk(key))
    assert published.becomes("a")
    token = sign({"alg": "ES256", "kid": "a"}, b"payload", key)
    keys = KeySet.parse(published.source.key_sets()[published.name])
    assert verify_signature(UnverifiedToken.parse(token), keys) == b"payload"


def test_a_rotation_is_followed_and_told(published: Published) -> None:
    a, b = jwk("a"), jwk("b")
    published.publish(a)
    assert published.becomes("a")
    assert published.told.acquire(timeout=10)
    published.publish(a, b)
    assert published.becomes("a", "b")
    assert published.told.acquire(timeout=10)
    published.publish(b)
    assert published.becomes("b")
    assert published.told.acquire(timeout=10)
    assert not published.told.acquire(timeout=0.3)


def test_nothing_is_told_where_nothing_changed(published: Published) -> None:
    a, b = jwk("a"), jwk("b")
    published.publish(a, b)
    assert published.becomes("a", "b")
    assert published.told.acquire(timeout=10)
    published.publish(b, {**a, "x5t": "ignored"})
    assert published.looks()
    assert not published.told.acquire(timeout=0.1)
    assert published.kids() == ["a", "b"]


def test_only_public_signature_keys_with_a_pinned_algorithm_come_out(published: Published) -> None:
    private = dict(make_key("ES256", "private").as_dict(private=True))
    published.publish(
        jwk("good"),
        private,
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared", "alg": "HS256"},
        jwk("sealing", use="enc"),
        public_jwk(make_key("RS256", "other-algorithm")),
    )
    assert published.becomes("good")
    (key,) = json.loads(published.source.key_sets()[published.name])["keys"]
    assert (key["alg"], key["use"]) == ("ES256", "sig")
    assert str(private["d"]) not in published.source.key_sets()[published.name]


def test_the_last_good_keys_stay_while_there_is_only_nonsense(published: Published) -> None:
    published.publish(jwk("a"))
    assert published.becomes("a")
    published.spoil()
    assert published.fails()
    assert published.kids() == ["a"]
    published.publish(jwk("b"))
    assert published.becomes("b")
    assert published.keys.status()[0].error == ""
