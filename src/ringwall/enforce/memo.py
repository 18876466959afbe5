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
        self._services: dict[str, tuple[Service, int]] = {}
        self._versions = 0

    def once(self, key: Hashable, build: Callable[[], Built]) -> Built:
        """Return what `build` returns, or what it returned for this key in this or the last round."""
        if key not in self._now:
            self._now[key] = self._before[key] if key in self._before else build()
        return self._now[key]  # type: ignore[no-any-return]  # one key has one type

    def version(self, service: Service) -> int:
        """Return a number that stands for everything the plan says about this service; equal for equal services.

        Comparing a service with the last one of its name is far cheaper than a digest over it.
        """
        last = self._services.get(service.name)
        if last is None or last[0] != service:
            self._versions += 1
            last = (service, self._versions)
        elif last[0] is not service:
            last = (service, last[1])
        self._services[service.name] = last
        return last[1]

    def turn(self) -> None:
        """End a round."""
        self._before, self._now = self._now, {}
