"""Several processes of the issuer behind one listener: what one has not received another gets; nothing comes twice."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Timer

from tests.support.enforce_plans import operation, plan, service
from tests.support.enforce_rig import Rig, running
from tests.support.issuer_stand_in import StandIn

ISSUER = "ringwall-issuer"
PLAN = plan(
    service(ISSUER, operation(ISSUER, "any", "*", "/{rest...}", token=False), prefix="/auth", builtin=True),
)
TIMES = 40


@contextmanager
def rig_of(state: Path, *numbers: int) -> Iterator[Rig]:
    def several(rig: Rig) -> None:
        rig.bindings = rig.bindings.model_copy(update={"issuers": numbers})

    with running(PLAN, state, apps=False, before=several) as rig:
        yield rig


def ask(rig: Rig, times: int = TIMES) -> Counter[int]:
    form = {"content-type": "application/x-www-form-urlencoded"}
    return Counter(
        rig.request("POST", "/auth/token", headers=form, body=b"grant_type=client_credentials").status
        for _ in range(times)
    )


def until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.05)


def left_out(rig: Rig) -> int:
    return rig.admin("mesh", "/clusters").count("/failed_active_hc")


def test_all_are_asked_and_what_one_refuses_goes_to_another(tmp_path: Path) -> None:
    with rig_of(tmp_path, 0, 1) as rig, StandIn(rig.bindings.issuer(0)) as first:
        with StandIn(rig.bindings.issuer(1)) as second:
            until(lambda: left_out(rig) == 0, "both are taken for well")
            assert ask(rig) == {200: TIMES}
            assert first.received
            assert second.received
            assert first.received + second.received == TIMES
        # At once, while the second is not known to be away.
        assert ask(rig) == {200: TIMES}
        assert first.received + second.received == 2 * TIMES


def test_one_that_is_away_does_not_draw_all_requests_while_another_is_busy(tmp_path: Path) -> None:
    """It has the least to do, which is by what requests are shared out."""
    with rig_of(tmp_path, 0, 1) as rig, StandIn(rig.bindings.issuer(0)) as first, ThreadPoolExecutor(TIMES) as pool:
        with StandIn(rig.bindings.issuer(1)):
            until(lambda: left_out(rig) == 0, "both are taken for well")
        first.delay = 0.3
        for _ in range(3):
            answers = [pool.submit(ask, rig, 1) for _ in range(TIMES)]
            assert sum((answer.result() for answer in answers), Counter()) == {200: TIMES}


def test_what_one_has_received_is_not_sent_again(tmp_path: Path) -> None:
    with (
        rig_of(tmp_path, 0, 1) as rig,
        StandIn(rig.bindings.issuer(0)) as first,
        StandIn(rig.bindings.issuer(1), "cut") as second,
    ):
        until(lambda: left_out(rig) == 0, "both are taken for well")
        statuses = ask(rig)
        assert statuses == {200: first.received, 503: second.received}
        assert statuses[200]
        assert statuses[503]


def test_one_that_hangs_is_left_out_until_it_answers_again(tmp_path: Path) -> None:
    with (
        rig_of(tmp_path, 0, 1) as rig,
        StandIn(rig.bindings.issuer(0)) as first,
        StandIn(rig.bindings.issuer(1)) as second,
    ):
        until(lambda: left_out(rig) == 0, "both are taken for well")
        second.does = "hang"
        until(lambda: left_out(rig) == 1, "the second is left out")
        assert ask(rig) == {200: TIMES}
        assert first.received == TIMES
        second.does = "answer"
        until(lambda: left_out(rig) == 0, "the second is asked again")
        ask(rig)
        assert second.received


def test_where_all_seem_away_all_are_tried(tmp_path: Path) -> None:
    with rig_of(tmp_path, 0, 1, 2) as rig:
        until(lambda: left_out(rig) == 3, "all are left out")
        with StandIn(rig.bindings.issuer(2)):
            assert ask(rig, 3) == {200: 3}


def test_a_request_waits_for_the_only_process_to_be_back(tmp_path: Path) -> None:
    with rig_of(tmp_path, 0) as rig, ExitStack() as stack:
        path = rig.bindings.issuer(0)
        assert ask(rig, 1) == {503: 1}
        with StandIn(path) as only:
            assert ask(rig, 1) == {200: 1}
        path.unlink()
        back = Timer(0.4, lambda: stack.enter_context(StandIn(path)))
        back.start()
        assert ask(rig, 1) == {200: 1}
        back.join()
        assert only.received == 1
