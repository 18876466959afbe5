"""One service behind the edge and its inbound listener, with real Envoys."""

from collections.abc import Iterator

import pytest
from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import Rig, running

PLAN = plan(
    service(
        "patients",
        operation("patients", "get", "GET", "/patients/{id}"),
        operation("patients", "health", "GET", "/health", token=False),
        prefix="/api",
    )
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(PLAN, tmp_path_factory.mktemp("hops")) as started:
        yield started


def test_request_passes_both_hops_and_loses_the_prefix(rig: Rig) -> None:
    answer = rig.get("/api/patients/7?full=1", token=rig.tokens.token())
    assert answer.status == 200, answer
    seen = rig.apps["patients"].seen[-1]
    assert seen.path == "/patients/7?full=1"
    assert seen.header("x-ringwall-subject") == "alice"
    assert seen.header("x-request-id") == answer.headers["x-request-id"]
    assert seen.header("authorization") is None


def test_public_operation_needs_no_token(rig: Rig) -> None:
    assert rig.get("/api/health").status == 200
    assert rig.get("/api/patients/7").status == 401
