import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import misbehaving_issuer as misbehave
from tests.support.joserfc_keys import make_key
from tests.support.misbehaving_issuer import DISCOVERY, IssuerServer, issuer_server

from ringwall.identity.federation.fetch import Fetcher
from ringwall.identity.federation.key_filter import EMPTY
from ringwall.identity.federation.remote import (
    MAX_AGE_SECONDS,
    MIN_SECONDS,
    REFRESH_SECONDS,
    RETRY_KEYLESS_SECONDS,
    RETRY_SECONDS,
    RemoteKeys,
)
from ringwall.model.clock import ManualClock
from ringwall.plan.identity import Issuer


@pytest.fixture
def server() -> Iterator[IssuerServer]:
    with issuer_server() as made:
        yield made


class Follower:
    """An external issuer's keys, polled by hand, with a clock that tests move."""

    def __init__(self, server: IssuerServer, folder: Path, clock: ManualClock | None = None, **changes: Any) -> None:
        fields = {"name": "partner", "url": server.url, "discovery": server.discovery, **changes}
        issuer = Issuer(audiences=("clinic",), algorithms=("RS256", "ES256"), **fields)
        self.clock = clock or ManualClock()
        self.changes = 0
        fetcher = Fetcher(development=True, seconds=0.5)
        self.keys = RemoteKeys(issuer, self._changed, folder=folder, fetcher=fetcher, clock=self.clock)

    def _changed(self) -> None:
        self.changes += 1

    def kids(self) -> list[str]:
        return [key["kid"] for key in json.loads(self.keys.jwks)["keys"]]

    def poll(self, after: float = 0) -> list[str]:
        self.clock.advance(after)
        self.keys.poll()
        return self.kids()


def test_keys_are_found_by_discovery(server: IssuerServer, tmp_path: Path) -> None:
    follower = Follower(server, tmp_path)
    assert follower.keys.jwks == EMPTY
    assert follower.poll() == ["k1"]
    assert server.asked == [DISCOVERY, "/keys"]
    assert follower.changes == 1
    status = follower.keys.status
    assert (status.name, status.url, status.keys, status.error) == ("partner", server.url, 1, "")
    assert status.last_success == follower.clock.now()


def test_discovery_is_derived_where_it_is_not_given(server: IssuerServer, tmp_path: Path) -> None:
    assert Follower(server, tmp_path, discovery=None).poll() == ["k1"]


def test_it_asks_on_schedule_only_and_follows_a_rotation(server: IssuerServer, tmp_path: Path) -> None:
    follower = Follower(server, tmp_path)
    follower.poll()
    server.add_key("k2")
    assert follower.poll(REFRESH_SECONDS - 1) == ["k1"]
    assert len(server.asked) == 2
    assert follower.poll(1) == ["k1", "k2"]
    server.drop_key("k1")
    assert follower.poll(REFRESH_SECONDS) == ["k2"]
    assert follower.changes == 3
    follower.poll(REFRESH_SECONDS)
    assert follower.changes == 3


def test_an_unknown_key_name_makes_it_ask_at_once_but_not_often(server: IssuerServer, tmp_path: Path) -> None:
    follower = Follower(server, tmp_path)
    follower.poll()
    server.add_key("k2")
    assert follower.keys.refresh()
    assert follower.poll() == ["k1", "k2"]
    assert len(server.asked) == 4
    server.add_key("k3")
    for _ in range(100):
        assert follower.keys.refresh()
        assert follower.poll((MIN_SECONDS - 1) / 100) == ["k1", "k2"]
    assert len(server.asked) == 4
    assert follower.poll(2) == ["k1", "k2", "k3"]
    assert len(server.asked) == 6
    follower.poll(MIN_SECONDS)
    assert len(server.asked) == 6


def test_a_flood_of_unknown_key_names_does_not_put_off_the_schedule(server: IssuerServer, tmp_path: Path) -> None:
    follower = Follower(server, tmp_path)
    follower.poll()
    for _ in range(int(REFRESH_SECONDS)):
        follower.keys.refresh()
        follower.poll(1)
    fetches = len(server.asked) // 2
    assert fetches <= 2 + REFRESH_SECONDS / MIN_SECONDS


MISBEHAVIOUR = {
    "html": misbehave.html,
    "failing": misbehave.failing,
    "huge": misbehave.huge,
    "endless": misbehave.endless,
    "dripping": misbehave.dripping,
    "short": misbehave.short,
    "garbage": misbehave.garbage,
    "redirect": misbehave.redirecting("/keys"),
}


@pytest.mark.parametrize("path", [DISCOVERY, "/keys"])
@pytest.mark.parametrize("name", MISBEHAVIOUR)
def test_the_last_good_keys_stay_whatever_the_issuer_answers(
    server: IssuerServer, tmp_path: Path, name: str, path: str
) -> None:
    follower = Follower(server, tmp_path)
    good = follower.poll()
    confirmed = follower.clock.now()
    server.answers[path] = MISBEHAVIOUR[name]
    assert follower.poll(REFRESH_SECONDS) == good
    assert follower.keys.status.error
    assert follower.keys.status.last_success == confirmed
    assert follower.changes == 1
    del server.answers[path]
    server.add_key("k2")
    assert follower.poll(RETRY_SECONDS) == ["k1", "k2"]
    assert follower.keys.status.error == ""


DOCUMENTS: list[tuple[dict[str, Any], str]] = [
    ({"issuer": "https://evil.example"}, "evil.example"),
    ({"issuer": None}, "None"),
    ({"issuer": ["x"]}, "belongs to the issuer"),
    ({"jwks_uri": None}, "no `jwks_uri`"),
    ({"jwks_uri": "file:///etc/passwd"}, "usable address"),
    ({"jwks_uri": "http://169.254.169.254/latest/meta-data"}, "only https"),
    ({"jwks_uri": "http://10.0.0.1/keys"}, "only https"),
    ({"jwks_uri": "https://user@127.0.0.1/keys"}, "usable address"),
]


@pytest.mark.parametrize(("changes", "problem"), DOCUMENTS)
def test_a_document_that_is_not_right_is_not_followed(
    server: IssuerServer, tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    follower = Follower(server, tmp_path)
    server.document.update(changes)
    assert follower.poll() == []
    assert problem in follower.keys.status.error
    assert server.asked == [DISCOVERY]


def test_the_issuer_is_compared_to_the_letter(server: IssuerServer, tmp_path: Path) -> None:
    server.document["issuer"] = server.url + "/"
    follower = Follower(server, tmp_path)
    assert follower.poll() == []
    assert "belongs to the issuer" in follower.keys.status.error


@pytest.mark.parametrize("known", [True, False], ids=["keys are known", "none is"])
def test_failures_are_retried_ever_more_slowly(server: IssuerServer, tmp_path: Path, *, known: bool) -> None:
    follower = Follower(server, tmp_path)
    if known:
        follower.poll()
        follower.clock.advance(REFRESH_SECONDS)
    server.answers[DISCOVERY] = misbehave.failing
    times = []
    for second in range(1200):
        before = len(server.asked)
        follower.poll(1 if second else 0)
        if len(server.asked) > before:
            times.append(second)
    waits = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert waits[:4] == [5, 10, 20, 40 if known else RETRY_KEYLESS_SECONDS]
    assert max(waits) == (REFRESH_SECONDS if known else RETRY_KEYLESS_SECONDS)


def test_an_issuer_that_publishes_no_usable_key_has_none(server: IssuerServer, tmp_path: Path) -> None:
    follower = Follower(server, tmp_path)
    follower.poll()
    server.keys = [{"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}]
    assert follower.poll(REFRESH_SECONDS) == []
    assert "no key that can be used" in follower.keys.status.error
    assert "symmetric" in follower.keys.status.dropped[0]


def test_keys_survive_a_restart_while_the_issuer_is_away(tmp_path: Path) -> None:
    with issuer_server() as server:
        Follower(server, tmp_path).poll()
    again = Follower(server, tmp_path)
    assert again.kids() == ["k1"]
    assert again.poll() == ["k1"]
    assert "cannot be asked" in again.keys.status.error
    assert again.keys.status.last_success == again.clock.now()


def test_kept_keys_are_only_for_the_issuer_they_came_from(server: IssuerServer, tmp_path: Path) -> None:
    Follower(server, tmp_path).poll()
    assert Follower(server, tmp_path).kids() == ["k1"]
    assert Follower(server, tmp_path, url="https://other.example").kids() == []
    assert Follower(server, tmp_path, discovery=f"{server.url}/other").kids() == []
    (kept,) = tmp_path.iterdir()
    stolen = json.loads(kept.read_text())
    kept.write_text(json.dumps({**stolen, "issuer": "https://other.example"}))
    assert Follower(server, tmp_path).kids() == []


def test_kept_keys_are_filtered_anew(server: IssuerServer, tmp_path: Path) -> None:
    Follower(server, tmp_path).poll()
    (kept,) = tmp_path.iterdir()
    value = json.loads(kept.read_text())
    value["jwks"] = json.dumps({"keys": [make_key("ES256", "x").as_dict(private=True)]})
    kept.write_text(json.dumps(value))
    assert Follower(server, tmp_path).kids() == []


@pytest.mark.parametrize("content", ["", "{}", "[]", "\x00", '{"confirmed":"x"}', "[" * 10_000])
def test_kept_keys_that_are_damaged_are_left_alone(server: IssuerServer, tmp_path: Path, content: str) -> None:
    Follower(server, tmp_path).poll()
    (kept,) = tmp_path.iterdir()
    kept.write_text(content)
    follower = Follower(server, tmp_path)
    assert follower.kids() == []
    assert follower.poll() == ["k1"]


def test_keys_that_nobody_confirmed_for_a_week_are_believed_no_more(tmp_path: Path) -> None:
    clock = ManualClock()
    with issuer_server() as server:
        follower = Follower(server, tmp_path, clock)
        follower.poll()
    assert follower.poll(MAX_AGE_SECONDS) == ["k1"]
    assert Follower(server, tmp_path, clock).kids() == ["k1"]
    assert follower.poll(1) == []
    assert follower.changes == 2
    assert "week" in follower.keys.status.error
    assert Follower(server, tmp_path, clock).kids() == []


def test_keys_are_asked_for_before_they_are_too_old_because_the_clock_jumped(
    server: IssuerServer, tmp_path: Path
) -> None:
    """A machine that slept for long, or whose clock was set, refuses nobody until the schedule comes round."""
    follower = Follower(server, tmp_path)
    follower.poll()
    follower.clock.jump(MAX_AGE_SECONDS + 1)
    assert follower.poll(1) == ["k1"]
    assert follower.changes == 1
    follower.clock.jump(-2 * MAX_AGE_SECONDS)
    assert follower.poll(1) == ["k1"]


def test_a_full_disk_is_told_and_does_not_stop_the_keys(server: IssuerServer, tmp_path: Path) -> None:
    folder = tmp_path / "federation"
    folder.write_text("in the way")
    follower = Follower(server, folder)
    assert follower.poll() == ["k1"]
    assert "cannot be kept" in follower.keys.status.error
