"""Who may connect to a service of plain TCP, and where in the blueprint that is said."""

from ringwall.model.events import Outcome
from ringwall.observe.verdict import Verdict
from ringwall.plan.decision import DecidingPolicy
from ringwall.plan.model import Plan, Service


def decide_connection(plan: Plan, service: Service, caller: str) -> Verdict:
    """Return whether a workload may connect: it may where its own `calls` name the service."""
    declared = tuple(_declaration(plan, name, service) for name in service.tcp_callers)
    reasons = (f"declared callers: {', '.join(service.tcp_callers) or 'nobody'}",)
    if caller in service.tcp_callers:
        by = (_declaration(plan, caller, service),)
        return Verdict(outcome=Outcome.ALLOWED, policies=by, reasons=reasons)
    return Verdict(outcome=Outcome.DENIED, near=declared, reasons=reasons)


def _declaration(plan: Plan, caller: str, service: Service) -> DecidingPolicy:
    source = plan.by_name[caller].source
    return DecidingPolicy(id=f"{source.file}#{caller}.calls[{service.name}]", source=source, effect="permit")
