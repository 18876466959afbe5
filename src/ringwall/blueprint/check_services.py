"""Whether every name that a service uses is declared."""

from ringwall.blueprint.check_step_up import check_step_up
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.names import Users, known, once
from ringwall.blueprint.report import Report
from ringwall.blueprint.service_model import Service
from ringwall.blueprint.shape import Names
from ringwall.blueprint.values import EDGE

RESERVED_PREFIX = "ringwall-"


def check_services(blueprint: Blueprint, report: Report) -> None:
    """Report names in services that are dangling, doubled or reserved."""
    checker = _Checker(blueprint, report)
    for service in blueprint.services:
        checker.check(service)


class _Checker:
    def __init__(self, blueprint: Blueprint, report: Report) -> None:
        self._blueprint = blueprint
        self._report = report
        self._users = Users(blueprint)
        self._roles = {role.name.value for role in blueprint.roles}
        self._data = {data.value for data in blueprint.data}
        self._services = {service.name.value for service in blueprint.services}
        self._callers: dict[str, set[str]] = {}
        for service in blueprint.services:
            for callee in service.calls:
                self._callers.setdefault(callee.value, set()).add(service.name.value)

    def check(self, service: Service) -> None:
        name, report = service.name, self._report
        if name.value == EDGE or name.value.startswith(RESERVED_PREFIX) or name.value == "ringwall":
            report.error("reserved-name", f"{name.value!r} is the name of a part of Ringwall", name.span)
        known("data class", service.holds, self._data, self._report)
        known("service", service.calls, self._services, self._report)
        for callee in service.calls:
            if callee.value == name.value:
                report.error("self-call", f"{name.value!r} does not need leave to call itself", callee.span)
        self._check_operations(service)
        self._check_websockets(service)
        check_step_up(self._blueprint, service, report)
        for form in service.allow:
            if service.operations is not None:
                known("operation", form.operations, {operation.id for operation in service.operations}, self._report)
            known("role", form.roles, self._roles, self._report)
            once("scope", form.scopes, self._report)
            once("user", form.named_users, self._report)
            self._check_callers(service, form.callers)
            for user in form.named_users:
                self._users.check(user, self._report)

    def _check_callers(self, service: Service, callers: Names) -> None:
        known("caller", callers, {*self._services, EDGE}, self._report)
        calling = self._callers.get(service.name.value, set())
        for caller in callers:
            if caller.value == EDGE and service.expose is None:
                self._report.error(
                    "caller-without-way",
                    f"{service.name.value!r} is not exposed, so the edge cannot call it",
                    caller.span,
                    hint="add `expose: /…` to it, or leave 'edge' out",
                )
            elif caller.value in self._services and caller.value not in calling:
                self._report.error(
                    "caller-without-way",
                    f"{caller.value!r} does not declare that it calls {service.name.value!r}",
                    caller.span,
                    hint=f"add {service.name.value!r} to `calls` of {caller.value!r}",
                )

    def _check_websockets(self, service: Service) -> None:
        if not service.operations:  # plain TCP, or nothing known: that is told elsewhere
            return
        methods = {operation.id: operation.method for operation in service.operations}
        known("operation", service.websockets, set(methods), self._report)
        for name in service.websockets:
            if methods.get(name.value, "GET") not in {"GET", "*"}:
                message = f"{name.value!r} is no GET, and a WebSocket connection begins with one"
                self._report.error("bad-websocket", message, name.span, hint="declare `GET` for that path as well")

    def _check_operations(self, service: Service) -> None:
        seen: set[str] = set()
        holds = {data.value for data in service.holds}
        for operation in service.known_operations:
            if operation.id in seen:
                message = f"two operations of {service.name.value!r} are called {operation.id!r}"
                self._report.error("duplicate-operation", message, operation.span)
            seen.add(operation.id)
            for data in operation.data or ():
                if data.value not in self._data:
                    self._report.unknown("data class", data.value, data.span, self._data)
                elif data.value not in holds:
                    self._report.error(
                        "data-not-held",
                        f"{service.name.value!r} does not say that it holds {data.value!r}",
                        data.span,
                        hint=f"add it to `holds` of {service.name.value!r}",
                    )
