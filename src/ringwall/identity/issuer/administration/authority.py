"""Whether the plan's policies let somebody administer: Cedar itself is asked, once more behind both proxies.

What the proxies enforce are the same policies. They are asked here again because the operator comes through no proxy,
and because some requests do more than one thing, of which the proxies know the first.
"""

import logging
from typing import TYPE_CHECKING, Final

from ringwall.identity.issuer.administration.actor import Actor
from ringwall.identity.issuer.administration.problems import ProblemError
from ringwall.identity.issuer.context import IssuerContext
from ringwall.model.administration import ISSUER_SERVICE
from ringwall.model.durable import Stamp, stamp_of
from ringwall.plan.decision import Answer
from ringwall.plan.store import PlanStore, PlanUnreadableError

if TYPE_CHECKING:
    from ringwall.identity.issuer.administration.permissions import Permissions

_MOST_REASONS: Final = 3

_log = logging.getLogger(__name__)


class Authority:
    """Asks the plan in force; keeps the last good one where it cannot be read."""

    def __init__(self, context: IssuerContext) -> None:
        self._plans = PlanStore(context.settings.plan_folder)
        self._clock = context.clock
        self._stamp: Stamp | None = None
        self._known: Permissions | None = None

    def allows(self, actor: Actor, name: str, path: str) -> bool:
        """Return whether somebody may do one operation of the table.

        Args:
            actor: who asks.
            name: of the operation.
            path: of the request, or of the request that would do it, below the issuer's URL and as it was sent.
        """
        return self._ask(actor, name, path).allowed

    def require(self, actor: Actor, name: str, path: str) -> None:
        """Raise ProblemError unless somebody may do one operation; arguments as for `allows`."""
        answer = self._ask(actor, name, path)
        if answer.allowed:
            return
        message = f"a policy forbids you {name!r}" if answer.policies else f"no policy lets you do {name!r}"
        # Which policy, and what it says, is for whoever can read the blueprint anyway.
        why = [str(policy.source) for policy in answer.policies] or [*answer.reasons]
        hint = "; ".join(why[:_MOST_REASONS]) if actor.is_operator else ""
        raise ProblemError(403, "not-permitted", message, hint=hint)

    def powers(self, subject: str, roles: frozenset[str]) -> dict[str, int]:
        """Return for each operation whether a user with these roles, closed, may do it: 0 no, 1 it depends, 2 yes."""
        return self._current().powers(subject, roles)

    def _ask(self, actor: Actor, name: str, path: str) -> Answer:
        return self._current().ask(actor, name, path, self._clock.now())

    def _current(self) -> "Permissions":
        stamp = stamp_of(self._plans.current_file)
        if self._known is None or stamp != self._stamp:
            from ringwall.identity.issuer.administration.permissions import (  # noqa: PLC0415  # not on the way to a start
                Permissions,
            )

            try:
                self._known = Permissions(self._plans.excerpt(ISSUER_SERVICE))
            except PlanUnreadableError as error:
                if self._known is None:
                    raise
                _log.warning("keeping the former plan: %s", error.message)
            self._stamp = stamp
        return self._known
