"""What a plan has running."""

from ringwall.plan.model import Plan, Service


def runnable(plan: Plan) -> list[Service]:
    """Return the services of the user that are started here."""
    return [service for service in plan.services if service.run is not None and not service.builtin]


def issuers(plan: Plan) -> int:
    """Return how many processes the built-in issuer has; 0 where there is none."""
    return next((issuer.processes for issuer in plan.issuers if issuer.builtin), 0)


def nodes(plan: Plan) -> list[str]:
    """Return the node ids of the proxies."""
    return ["edge", "mesh"] if plan.edge is not None else ["mesh"]
