"""Whether the short forms say what they mean, and whether anybody can reach what there is."""

from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.blueprint.service_model import Allow, Service
from ringwall.blueprint.values import EDGE
from ringwall.model.errors import Span


def check_access(blueprint: Blueprint, report: Report) -> None:
    """Report short forms that contradict themselves, and services that nobody can call."""
    if blueprint.mode is not None and blueprint.mode.value == "shadow":
        _warn_shadow("the whole system", blueprint.mode.span, report)
    called = {callee.value for service in blueprint.services for callee in service.calls}
    for service in blueprint.services:
        if service.mode is not None and service.mode.value == "shadow":
            _warn_shadow(repr(service.name.value), service.mode.span, report)
        for form in service.allow:
            _check_form(service, form, report)
        if service.expose is None and service.name.value not in called:
            _check_uncalled(service, report)
        if service.name.value in called and service.operations == () and _is_http(service):
            report.warning(
                "no-operations",
                f"{service.name.value!r} is called and has no operations, so every call is refused",
                service.span,
                hint="give it a `contract:` or `operations:`",
            )


def _warn_shadow(what: str, span: Span, report: Report) -> None:
    report.warning(
        "shadow-mode",
        f"shadow mode: policies of {what} only report what they would decide; every declared caller is let through",
        span,
        hint="insecure: remove `mode: shadow` once the log shows what you expect",
    )


def _is_http(service: Service) -> bool:
    return service.protocol is None or service.protocol.value != "tcp"


def _check_uncalled(service: Service, report: Report) -> None:
    if service.known_operations or not _is_http(service):
        report.warning(
            "nobody-calls",
            f"nobody can call {service.name.value!r}: no service names it in `calls` and it is not exposed",
            service.name.span,
            hint="add it to the `calls` of its callers, or expose it",
        )


def _check_form(service: Service, form: Allow, report: Report) -> None:
    public = form.public is not None and form.public.value
    who = bool(form.given & {"roles", "scopes", "users"})
    if public and who:
        report.error(
            "public-and-who",
            "`public: true` means that no token is needed, so roles, scopes and users say nothing here",
            form.span,
            hint="leave `public` out, or put it into a form of its own",
        )
    callers = {caller.value for caller in form.callers}
    if not public and not who and (not callers or EDGE in callers):
        at_edge = service.expose is not None
        report.error(
            "allow-nobody",
            "this form does not say who may" + (" through the edge" if EDGE in callers else ""),
            form.span,
            hint="add `roles`, `scopes`, `users: any`" + (", or `public: true`" if at_edge else ", or `callers`"),
        )
