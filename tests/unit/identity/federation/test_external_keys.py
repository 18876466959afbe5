import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support import misbehaving_issuer as misbehave
from tests.support.issuer_plan import BUILTIN, issuer_plan
from tests.support.joserfc_keys import make_key, public_jwk
from tests.support.misbehaving_issuer import DISCOVERY, IssuerServer, issuer_server

from ringwall.identity.federation.external_keys import ExternalKeys
from ringwall.identity.federation.fetch import Fetcher
from ringwall.model.clock import SystemClock
from ringwall.model.credentials import TokenKeySource
from ringwall.model.durable import replace_file
from ringwall.plan.bindings import Bindings
from ringwall.plan.identity import Issuer


def partner(server: IssuerServer, name: str = "partner") -> Issuer:
    return Issuer(
        name=name, url=server.url, discovery=server.discovery, audiences=("clinic",), algorithms=("RS256", "ES256")
    )


def follow(state: Path, *issuers: Issuer) -> ExternalKeys:
    return ExternalKeys(
        plan=issuer_plan(issuers=issuers),
        bindings=Bindings(state=state),
        clock=SystemClock(),
        fetcher=Fetcher(development=True, seconds=2),
    )


def publish(state: Path, *kids: str) -> None:
    keys = [public_jwk(make_key("ES256", kid)) for kid in kids]
    replace_file(Bindings(state=state).jwks, json.dumps({"keys": keys}).encode())


def kids(keys: TokenKeySource, issuer: str) -> list[str]:
    return [key["kid"] for key in json.loads(keys.key_sets()[issuer])["keys"]]


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("it did not come about")


@pytest.fixture
def server() -> Iterator[IssuerServer]:
    with issuer_server() as made:
        yield made


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("keys of")])


def test_every_issuer_has_a_key_set_from_the_start(server: IssuerServer, tmp_path: Path) -> None:
    publish(tmp_path, "own")
    keys = follow(tmp_path, BUILTIN, partner(server))
    assert kids(keys, "local") == ["own"]
    assert kids(keys, "partner") == []
    assert not server.asked
    keys.stop()


def test_it_follows_both_kinds_and_tells_every_subscriber(server: IssuerServer, tmp_path: Path) -> None:
    publish(tmp_path, "own")
    keys = follow(tmp_path, BUILTIN, partner(server))
    told = [threading.Event(), threading.Event()]

    def broken() -> None:
        raise RuntimeError

    for subscriber in (told[0].set, broken, told[1].set):
        keys.subscribe(subscriber)
    keys.start()
    try:
        until(lambda: kids(keys, "partner") == ["k1"])
        until(lambda: all(event.is_set() for event in told))
        publish(tmp_path, "own", "own-next")
        until(lambda: kids(keys, "local") == ["own", "own-next"])
    finally:
        keys.stop()
    assert [status.name for status in keys.status()] == ["local", "partner"]
    assert all(status.error == "" and status.last_success for status in keys.status())


def test_an_issuer_that_hangs_does_not_hold_up_the_others(server: IssuerServer, tmp_path: Path) -> None:
    server.answers[DISCOVERY] = misbehave.dripping
    with issuer_server() as healthy:
        keys = follow(tmp_path, BUILTIN, partner(server, "a-slow-one"), partner(healthy, "healthy"))
        keys.start()
        try:
            until(lambda: bool(server.asked))
            until(lambda: kids(keys, "healthy") == ["k1"])
            publish(tmp_path, "own")
            until(lambda: kids(keys, "local") == ["own"])
        finally:
            keys.stop()
    until(lambda: "took longer" in keys.status()[0].error)


def test_a_plan_change_adds_removes_and_keeps(server: IssuerServer, tmp_path: Path) -> None:
    publish(tmp_path, "own")
    keys = follow(tmp_path, BUILTIN)
    keys.start()
    changes: list[None] = []
    keys.subscribe(lambda: changes.append(None))
    try:
        keys.update(issuer_plan(issuers=(BUILTIN, partner(server))))
        assert kids(keys, "local") == ["own"]
        until(lambda: kids(keys, "partner") == ["k1"])
        count = len(changes)
        keys.update(issuer_plan(issuers=(BUILTIN, partner(server))))
        assert len(changes) == count
        assert kids(keys, "partner") == ["k1"]
        keys.update(issuer_plan(issuers=(partner(server),)))
        assert set(keys.key_sets()) == {"partner"}
        assert len(changes) > count
    finally:
        keys.stop()


def test_a_changed_issuer_starts_without_the_former_ones_keys(server: IssuerServer, tmp_path: Path) -> None:
    keys = follow(tmp_path, partner(server))
    keys.start()
    try:
        until(lambda: kids(keys, "partner") == ["k1"])
        moved = partner(server).model_copy(update={"url": "https://other.example"})
        keys.update(issuer_plan(issuers=(moved,)))
        assert kids(keys, "partner") == []
    finally:
        keys.stop()


def test_refresh_helps_only_where_somebody_can_be_asked(server: IssuerServer, tmp_path: Path) -> None:
    keys = follow(tmp_path, BUILTIN, partner(server))
    assert keys.refresh("partner")
    assert not keys.refresh("local")
    assert not keys.refresh("nobody")
    keys.stop()


def test_all_are_asked_out_of_turn_but_the_builtin_one(server: IssuerServer, tmp_path: Path) -> None:
    publish(tmp_path, "own")
    with issuer_server() as second:
        keys = follow(tmp_path, BUILTIN, partner(server), partner(second, "second"))
        keys.start()
        try:
            until(lambda: kids(keys, "partner") == kids(keys, "second") == ["k1"])
            for each in (server, second):
                each.add_key("k2")
            keys.refresh_all()
            until(lambda: kids(keys, "partner") == kids(keys, "second") == ["k1", "k2"])
        finally:
            keys.stop()


def test_damage_to_the_key_file_leaves_the_last_good_keys(tmp_path: Path) -> None:
    publish(tmp_path, "own")
    keys = follow(tmp_path, BUILTIN)
    keys.start()
    file = Bindings(state=tmp_path).jwks
    try:
        for content in (b"", b"<html>", b'{"keys":7}'):
            file.write_bytes(content)
            until(lambda: keys.status()[0].error != "")
            assert kids(keys, "local") == ["own"]
            publish(tmp_path, "own")
            until(lambda: keys.status()[0].error == "")
        aside = file.rename(tmp_path / "aside")
        until(lambda: keys.status()[0].error != "")
        assert kids(keys, "local") == ["own"]
        aside.rename(file)
        until(lambda: keys.status()[0].error == "")
    finally:
        keys.stop()


def test_outside_development_mode_this_machine_is_not_asked_over_plain_http(
    server: IssuerServer, tmp_path: Path
) -> None:
    plan = issuer_plan(issuers=(partner(server),), development=False)
    keys = ExternalKeys(plan=plan, bindings=Bindings(state=tmp_path), clock=SystemClock())
    keys.start()
    try:
        until(lambda: "only https" in keys.status()[0].error)
    finally:
        keys.stop()
    assert not server.asked
