"""Operations that ask for a surer or fresher sign-in: each once, of levels that somebody can reach."""

from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.blueprint.service_model import Service
from ringwall.model.assurance import STRENGTHS


def check_step_up(blueprint: Blueprint, service: Service, report: Report) -> None:
    """Report demands that are about no operation, twice about one, or about nothing."""
    if not service.operations:  # plain TCP, or nothing known: that is told elsewhere
        return
    builtin = blueprint.issuers is None or any(issuer.builtin for issuer in blueprint.issuers)
    names = [operation.id for operation in service.operations]
    seen: set[str] = set()
    for form in service.step_up:
        for name in form.operations:
            if name.value not in names:
                report.unknown("operation", name.value, name.span, names)
        about = {name.value for name in form.operations} or set(names)
        if about & seen:
            message = f"two forms are about {min(about & seen)!r}"
            report.error("step-up-twice", message, form.span, hint="name operations that no other form names")
        seen |= about
        if form.acr is None and form.max_age is None:
            report.error("step-up-nothing", "this form asks for nothing", form.span, hint="add `acr` or `max_age`")
        # An issuer that passes over a level it does not know would send browsers back and forth without end.
        if form.acr is not None and builtin and form.acr.value not in STRENGTHS:
            report.unknown("level", form.acr.value, form.acr.span, STRENGTHS)
