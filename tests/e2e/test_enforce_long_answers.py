"""A service may take as long as its blueprint says, and no longer, at every hop of the real proxies."""

from collections.abc import Iterator

import pytest
from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import Rig, running

from ringwall.enforce import http_manager, mesh

PLAN = plan(
    service(
        "slow",
        operation("slow", "get", "GET", "/x", token=False, callers=("edge", "caller")),
        prefix="/slow",
        timeout_seconds=4,
    ),
    service("late", operation("late", "get", "GET", "/x", token=False), prefix="/late", timeout_seconds=1),
    service("caller", calls=("slow",)),
)


@pytest.fixture
def rig(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr(http_manager, "SILENCE_SECONDS", 1)  # nobody waits a minute for a test
    monkeypatch.setattr(mesh, "_IDLE_SECONDS", 1)
    with running(PLAN, tmp_path_factory.mktemp("long")) as started:
        yield started


def test_silence_ends_no_request_before_its_time(rig: Rig) -> None:
    for app in rig.apps.values():
        app.delay = 2.5
    assert rig.get("/slow/x").status == 200
    assert rig.get("/x", to=rig.bindings.outbound["caller>slow"]).status == 200
    assert rig.get("/late/x").status == 504
