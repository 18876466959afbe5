"""Operations that ask for a surer or fresher sign-in, at the real proxies (RFC 9470)."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.enforce_plans import operation, plan, service, spiffe
from tests.support.enforce_rig import Answer, Rig, running

from ringwall.plan.operation import Operation, StepUp
from ringwall.plan.policy import Mode
from ringwall.plan.rule import DENY


def _asking(name: str, path: str, demand: StepUp, **more: Any) -> Operation:
    made = operation("bank", name, "GET", path, callers=("edge", "portal"), **more)
    return made.model_copy(update={"step_up": demand})


BANK = (
    _asking("sure", "/sure", StepUp(acr=("mfa", "phr"))),
    _asking("fresh", "/fresh", StepUp(max_age=300)),
    _asking("both", "/both", StepUp(acr=("phr",), max_age=300)),
    _asking("open", "/open", StepUp(acr=("pwd", "mfa", "phr")), token=False),
    _asking("closed", "/closed", StepUp(acr=("phr",)), edge=DENY),
    operation("bank", "free", "GET", "/free"),
)
PLAN = plan(
    service("bank", *BANK, prefix="/bank"),
    service("tried", *(each.model_copy(update={"id": f"tried/{each.id}"}) for each in BANK), prefix="/tried",
            mode=Mode.SHADOW),
    service("portal", operation("portal", "home", "GET", "/", token=False), prefix="/home", calls=("bank",)),
)  # fmt: skip


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("step-up")) as started:
        yield started


def _refused(answer: Answer, *said: str) -> None:
    assert answer.status == 401, answer
    told = answer.headers["www-authenticate"]
    assert told.startswith('Bearer realm="ringwall", error="insufficient_user_authentication"')
    for words in said:
        assert words in told
    assert answer.headers["content-type"] == "application/problem+json"


def _passes(rig: Rig, path: str, **claims: Any) -> bool:
    answer = rig.get(f"/bank{path}", token=rig.tokens.token(**claims))
    if answer.status != 200:
        _refused(answer)
    return answer.status == 200


def test_the_challenge_says_what_to_ask_for(rig: Rig) -> None:
    token = rig.tokens.token(acr="pwd", auth_time=1)
    _refused(rig.get("/bank/sure", token=token), 'acr_values="mfa phr"')
    _refused(rig.get("/bank/fresh", token=token), 'max_age="300"')
    _refused(rig.get("/bank/both", token=token), 'acr_values="phr", max_age="300"')
    assert rig.get("/bank/free", token=token).status == 200
    assert rig.get("/bank/sure").status == 401


@pytest.mark.parametrize("acr", ["mfa", "phr"])
def test_whoever_is_sure_enough_passes(rig: Rig, acr: str) -> None:
    assert _passes(rig, "/sure", acr=acr)


@pytest.mark.parametrize("acr", [None, "", "pwd", "0", "MFA", "mfa ", 7, True, ["mfa"], {"mfa": 1}])
def test_whoever_is_not_does_not(rig: Rig, acr: Any) -> None:
    assert not _passes(rig, "/sure", acr=acr)


@pytest.mark.parametrize(("age", "passes"), [(0, True), (-20, True), (290, True), (310, False), (100_000, False)])
def test_a_sign_in_grows_old(rig: Rig, age: int, passes: bool) -> None:  # noqa: FBT001  # a parameter of the test
    assert _passes(rig, "/fresh", auth_time=int(time.time()) - age) is passes


@pytest.mark.parametrize("moment", [None, "", "now", "9999999999", -1, 1e300, -1e300, True, [1], {"a": 1}])
def test_a_sign_in_of_no_time_is_too_old(rig: Rig, moment: Any) -> None:
    """Whatever CEL makes of such a value, an error included, which Envoy takes for no match."""
    assert not _passes(rig, "/fresh", auth_time=moment)


def test_both_are_asked_for_where_both_are_named(rig: Rig) -> None:
    now = int(time.time())
    assert _passes(rig, "/both", acr="phr", auth_time=now)
    assert not _passes(rig, "/both", acr="mfa", auth_time=now)
    assert not _passes(rig, "/both", acr="phr", auth_time=now - 400)
    assert not _passes(rig, "/both", acr="phr")


def test_nobody_in_particular_is_not_sure_enough(rig: Rig) -> None:
    _refused(rig.get("/bank/open"), 'acr_values="pwd mfa phr"')


def test_what_the_policies_deny_is_not_promised(rig: Rig) -> None:
    """Signing in again would not help."""
    assert rig.get("/bank/closed", token=rig.tokens.token(acr="pwd")).status == 403


def test_a_service_refuses_by_itself(rig: Rig) -> None:
    """Whoever comes around the edge with a person's token; what a service does in its own name, the policies decide."""
    inbound = rig.bindings.inbound["bank"]
    portal, edge = (rig.mesh_context(spiffe(name)) for name in ("portal", "edge"))
    weak, sure = (rig.tokens.token(acr=acr) for acr in ("pwd", "mfa"))
    for context in (portal, edge):
        assert rig.get("/sure", token=sure, to=inbound, context=context).status == 200
        _refused(rig.get("/sure", token=weak, to=inbound, context=context))
        _refused(rig.get("/open", token=rig.tokens.token(), to=inbound, context=context))
    assert rig.get("/open", to=inbound, context=portal).status == 200
    _refused(rig.get("/open", to=inbound, context=edge))


def test_in_shadow_mode_nothing_is_asked(rig: Rig) -> None:
    assert rig.get("/tried/sure", token=rig.tokens.token(acr="pwd")).status == 200
