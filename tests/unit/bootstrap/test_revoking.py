"""What the control plane makes of what it is asked about revocations."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.enforce_plans import plan, service, spiffe

from ringwall.bootstrap.revoking import Revoking
from ringwall.identity.issuer.admin_client import IssuerRequestError
from ringwall.identity.revocation.revoked import RevocationError, RevocationList
from ringwall.model.clock import ManualClock
from ringwall.model.revocation import TOKEN_SECONDS, Revocation, Revoked
from ringwall.plan.client import Client
from ringwall.plan.identity import Issuer

OWN = "https://localhost/auth"
ENTRA = Issuer(
    name="entra", url="https://login.test/1", discovery="https://x.test", audiences=("a",), algorithms=("RS256",)
)
PLAN = plan(service("portal"), clients=(Client(name="batch"),))
BOTH = PLAN.model_copy(update={"issuers": (*PLAN.issuers, ENTRA)})


class World:
    def __init__(self, tmp_path: Path) -> None:
        self.clock = ManualClock(1000)
        self.list = RevocationList(tmp_path / "revocations.json", self.clock)
        self.plan = BOTH
        self.at_issuer: list[tuple[Revoked, str]] = []
        self.issuer_is_away = False
        self.asked = Revoking(self.list, lambda: self.plan, self.clock, lift_at_issuer=self._lift_at_issuer)

    def _lift_at_issuer(self, kind: Revoked, value: str) -> None:
        if self.issuer_is_away:
            raise IssuerRequestError("the issuer does not answer")
        self.at_issuer.append((kind, value))

    def revoke(self, kind: str, value: str, seconds: float = 0.0) -> dict[str, Any]:
        return self.asked.revoke({"kind": kind, "value": value, "lasts": seconds})

    def restore(self, kind: str, value: str) -> dict[str, Any]:
        return self.asked.restore({"kind": kind, "value": value})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("kind", "name", "expected"),
    [
        ("user", "alice", Revocation(Revoked.USER, "alice", OWN)),
        ("user", "entra|a|b", Revocation(Revoked.USER, "a|b", ENTRA.url)),
        ("user", "other|a", Revocation(Revoked.USER, "other|a", OWN)),
        ("client", "batch", Revocation(Revoked.CLIENT, "batch", OWN)),
        ("client", "dyn-a", Revocation(Revoked.CLIENT, "dyn-a", OWN)),  # has registered itself
        ("client", "entra|anything", Revocation(Revoked.CLIENT, "anything", ENTRA.url)),
        ("token", "j1", Revocation(Revoked.TOKEN, "j1", OWN, 1000 + TOKEN_SECONDS)),
        ("session", "s1", Revocation(Revoked.SESSION, "s1", OWN, 1000 + 2 * TOKEN_SECONDS)),
        ("grant", "g1", Revocation(Revoked.GRANT, "g1", OWN, 1000 + TOKEN_SECONDS)),
    ],
)
def test_names_become_what_tokens_say(world: World, kind: str, name: str, expected: Revocation) -> None:
    told = world.revoke(kind, name)
    assert world.list.revocations() == (expected,)
    assert told["changed"] == 1
    assert [each["name"] for each in told["revoked"]] == [name]
    assert world.asked.list({})["revoked"] == told["revoked"]
    assert world.restore(kind, name)["lifted"] == told["revoked"]
    assert world.list.revocations() == ()


def test_a_workload_is_refused_as_a_caller_and_as_a_client_of_the_issuer(world: World) -> None:
    world.revoke("workload", "portal")
    expected = (Revocation(Revoked.CLIENT, spiffe("portal"), OWN), Revocation(Revoked.WORKLOAD, spiffe("portal")))
    assert world.list.revocations() == expected
    world.restore("workload", "portal")
    assert world.list.revocations() == ()


def test_a_workload_that_has_left_the_plan_can_be_lifted(world: World) -> None:
    world.revoke("workload", "portal")
    world.plan = plan(service("other"))
    assert [each["name"] for each in world.asked.list({})["revoked"]] == [spiffe("portal")] * 2
    world.restore("workload", spiffe("portal"))
    assert world.list.revocations() == ()


def test_it_lasts_as_long_as_was_asked(world: World) -> None:
    world.revoke("user", "alice", 60.0)
    assert world.list.revocations()[0].until == 1060


@pytest.mark.parametrize(
    ("kind", "name", "seconds", "why"),
    [
        ("client", "nobody", 0.0, "there is no client"),
        ("workload", "nobody", 0.0, "there is no service"),
        ("workload", "edge", 0.0, "there is no service"),
        ("workload", spiffe("portal"), 0.0, "there is no service"),
        ("planet", "earth", 0.0, "no kind"),
        ("user", "", 0.0, "1 to 512"),
        ("user", "a\nb", 0.0, "printable"),
        ("user", "a" * 513, 0.0, "1 to 512"),
        ("user", "entra|", 0.0, "1 to 512"),
        ("user", "alice", -1.0, "lasts between"),
        ("user", "alice", float("nan"), "lasts between"),
        ("user", "alice", float("inf"), "lasts between"),
    ],
)
def test_what_does_not_exist_is_not_revoked(world: World, kind: str, name: str, seconds: float, why: str) -> None:
    with pytest.raises(RevocationError, match=why):
        world.revoke(kind, name, seconds)
    assert world.list.revocations() == ()


def test_without_an_own_issuer_the_issuer_must_be_named(world: World) -> None:
    world.plan = PLAN.model_copy(update={"issuers": (ENTRA,)})
    with pytest.raises(RevocationError, match="no issuer of its own") as refused:
        world.revoke("user", "alice")
    assert "entra|NAME" in refused.value.hint


def test_only_what_is_revoked_can_be_lifted(world: World) -> None:
    with pytest.raises(RevocationError, match="not revoked"):
        world.restore("user", "alice")
    world.revoke("user", "alice")
    world.revoke("user", "entra|alice")
    assert [each["issuer"] for each in world.restore("user", "alice")["lifted"]] == [OWN]
    assert world.list.revocations() == (Revocation(Revoked.USER, "alice", ENTRA.url),)
    with pytest.raises(RevocationError, match="not revoked"):
        world.restore("user", "entra|bob")


def test_the_issuer_tells_as_often_as_it_likes(world: World) -> None:
    entries = [["token", "j1", 2000, None], ["grant", "g1", 2000.5, 7], ["session", "old", 999, None]]
    assert world.asked.feed({"entries": entries})["changed"] == 2
    assert world.asked.feed({"entries": entries})["changed"] == 0
    assert {each.value for each in world.list.revocations()} == {"j1", "g1"}
    assert {each.issuer for each in world.list.revocations()} == {OWN}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        ["token", "j1", 2000],
        ["token", 1, 2000, None],
        ["workload", "portal", 2000, None],
        ["x", "y", 1, None],
        ["token", "j", None, None],
        ["token", "j", 2000, "soon"],
    ],
)
def test_the_issuer_can_revoke_nothing_but_what_it_issues(world: World, entry: Any) -> None:
    with pytest.raises(RevocationError, match="feed"):
        world.asked.feed({"entries": [["token", "good", 2000, None], entry]})
    assert world.list.revocations() == ()


def test_the_issuer_forgets_what_is_lifted(world: World) -> None:
    world.asked.feed({"entries": [["session", "s1", 1500.0, None]]})
    world.revoke("user", "entra|a")
    world.revoke("workload", "portal")
    world.restore("session", "s1")
    world.restore("user", "entra|a")
    world.restore("workload", "portal")
    assert world.at_issuer == [(Revoked.SESSION, "s1")]
    assert world.list.revocations() == ()


def test_nothing_is_lifted_that_the_issuer_would_tell_again(world: World) -> None:
    world.asked.feed({"entries": [["session", "s1", 1500.0, None]]})
    world.issuer_is_away = True
    with pytest.raises(IssuerRequestError):
        world.restore("session", "s1")
    assert [each.value for each in world.list.revocations()] == ["s1"]
