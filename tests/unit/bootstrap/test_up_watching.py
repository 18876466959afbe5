"""What `up --watch` does with edits that cannot be put in force."""

import asyncio
from typing import Any

import pytest

from ringwall.bootstrap import up
from ringwall.bootstrap.watch import Watch
from ringwall.model.errors import RingwallError


class _Run:
    """Applies edits by raising what the test says, and then ends the watch."""

    def __init__(self, *outcomes: BaseException | str) -> None:
        self._outcomes = iter(outcomes)
        self.compiler = self
        self.seen: dict[Any, Any] = {}

    async def apply(self) -> str:
        outcome = next(self._outcomes)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


class _Talk:
    def __init__(self) -> None:
        self.said: list[Any] = []

    def changed(self, change: str) -> None:
        self.said.append(change)

    def refused(self, error: RingwallError) -> None:
        self.said.append(error.message)


def test_neither_a_wrong_edit_nor_a_defect_ends_the_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    async def changed_at_once(_watch: Watch) -> None:
        """Let the loop turn."""

    monkeypatch.setattr(Watch, "change", changed_at_once)
    run: Any = _Run(RingwallError("wrong"), KeyError("odd"), OSError(28, "full"), "good", asyncio.CancelledError())
    talk: Any = _Talk()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(up._watch(run, talk))
    wrong, defect, full, good = talk.said
    assert (wrong, good) == ("wrong", "good")
    assert "KeyError" in defect
    assert "full" in full
