"""Has the control plane put a plan in force, and says how long that may take."""

import asyncio
from typing import Final

from ringwall.bootstrap.admin_socket import request
from ringwall.plan.bindings import Bindings
from ringwall.plan.model import Plan

_SPARE_SECONDS: Final = 5.0
"""How much longer than for the proxies themselves the control plane's answer is waited for."""


async def put_in_force(plan: Plan, bindings: Bindings) -> None:
    """Tell the control plane of the plan on disk and wait until every proxy has it."""
    within = in_force_seconds(len(plan.services))
    seconds = within + _SPARE_SECONDS
    await asyncio.to_thread(request, bindings.admin, "plan", seconds=seconds, digest=plan.digest, within=within)


def in_force_seconds(services: int) -> float:
    """Return how long the proxies may take to put a plan of so many services in force: on a busy machine it is long.

    200 services take two seconds on a quiet machine with two cores.
    """
    return 15.0 + services / 4
