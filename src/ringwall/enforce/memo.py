"""What was built before from equal inputs, so that an edit costs what it touches and not what the system weighs."""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from ringwall.plan.model import Service

Built = TypeVar("Built")


class Memo:
    """Remembers what the last two rounds built, and forgets the rest. For one thread at a time."""

    def __init__(self) -> None:
        self._now: dict[Hashable, Any] = {}
        self._before: dict[Hashable, Any] = {}
        self._last: dict[tuple[str, str], tuple[object, int]] = {}
        self._numbers = 0

    def once(self, key: Hashable, build: Callable[[], Built]) -> Built:
        """Return what `build` returns, or what it returned for this key in this or the last round."""
        if key not in self._now:
            self._now[key] = self._before[key] if key in self._before else build()
        return self._now[key]  # type: ignore[no-any-return]  # one key has one type

    def version(self, service: Service) -> int:
        """Return a number that stands for everything the plan says about this service; equal for equal services.

        Comparing a service with the last one of its name is far cheaper than a digest over it.
        """
        return self.stand_in("service", service.name, service)

    def stand_in(self, kind: str, name: str, value: object) -> int:
        """Return a number for a value: the same as long as that value stays equal to the last one of this name.

        Where a value is a part of many keys, its number is hashed and compared faster.
        """
        last = self._last.get((kind, name))
        if last is not None and last[0] is value:
            return last[1]
        if last is not None and last[0] == value:
            number = last[1]
        else:
            number = self._numbers = self._numbers + 1
        self._last[kind, name] = (value, number)
        return number

    def turn(self) -> None:
        """End a round."""
        self._before, self._now = self._now, {}
