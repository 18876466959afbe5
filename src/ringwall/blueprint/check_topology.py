"""Whether the parts fit together: listeners, protocols, issuers' addresses, files of the edge."""

from urllib.parse import urlsplit

from ringwall.blueprint.files import FileRefusedError, Files, check_relative
from ringwall.blueprint.model import Blueprint, Edge
from ringwall.blueprint.report import Report
from ringwall.blueprint.service_model import Service
from ringwall.blueprint.shape import At, BadValueError
from ringwall.blueprint.values import Endpoint, arguments
from ringwall.model.errors import Span

MAX_SERVICES = 2_000


def check_topology(blueprint: Blueprint, files: Files, report: Report) -> None:
    """Report what cannot run, or cannot run safely, as described."""
    if len(blueprint.services) > MAX_SERVICES:
        message = f"{len(blueprint.services)} services, at most {MAX_SERVICES} are planned"
        report.error("too-many-services", message, blueprint.span)
        return
    _check_edge(blueprint, files, report)
    _check_listeners(blueprint, report)
    _check_people(blueprint, report)
    _check_urls(blueprint, report)
    for service in blueprint.services:
        _check_service(service, report)
        _check_cors(service, report)
        _check_login(blueprint, service, report)
        _check_run(service, report)


def _check_edge(blueprint: Blueprint, files: Files, report: Report) -> None:
    edge = blueprint.edge
    if edge is None:
        return
    _check_certificate(blueprint, edge, files, report)
    for endpoint in (edge.listen, edge.redirect):
        if endpoint is not None and blueprint.is_development and not endpoint.value.is_loopback:
            report.error(
                "not-loopback",
                f"development mode binds loopback only, not {endpoint.value}",
                endpoint.span,
                hint="bind 127.0.0.1, or set `development: false`",
            )
    if edge.redirect is not None and edge.redirect.value.host != _edge_listen(edge).host:
        report.error("redirect-host", "`redirect` has the same host as `listen`", edge.redirect.span)
    names = [domain.value for domain in edge.domains]
    for index, domain in enumerate(edge.domains):
        if domain.value in names[:index]:
            report.error("duplicate-domain", f"the domain {domain.value!r} is named twice", domain.span)
    _check_client_certificates(edge, names, report)


def _check_client_certificates(edge: Edge, names: list[str], report: Report) -> None:
    """Browsers would ask people for a certificate, so it is not asked for where they sign in."""
    for domain in edge.client_certificates:
        if domain.value not in names:
            hint = "name it under `domains` as well"
            report.error("unknown-domain", f"{domain.value!r} is no domain of the edge", domain.span, hint=hint)
        elif domain.value == names[0]:
            hint = "use a domain of its own, and name it behind the first"
            message = f"{domain.value!r} is where people sign in, and browsers would ask them for a certificate"
            report.error("first-domain", message, domain.span, hint=hint)
    if edge.client_certificates and edge.http3 is not None and edge.http3.value:
        hint = "leave out `http3` or `client_certificates`"
        message = "clients would move to HTTP/3, where no certificate is asked for"
        report.error("http3-certificates", message, edge.http3.span, hint=hint)


def _check_certificate(blueprint: Blueprint, edge: Edge, files: Files, report: Report) -> None:
    for given, other, missing in ((edge.certificate, edge.key, "key"), (edge.key, edge.certificate, "certificate")):
        if given is not None and other is None:
            report.error("missing-key", f"the edge needs the key {missing!r} as well", given.span)
        if given is not None:
            _check_exists(given, files, report)
    if not blueprint.is_development and edge.certificate is None:
        report.error(
            "certificate-required",
            "outside development mode the edge needs a certificate of its own",
            edge.span,
            hint="add `certificate:` and `key:`",
        )


def _check_exists(path: At[str], files: Files, report: Report) -> None:
    try:
        if not files.glob(path.value):
            report.error("file-not-found", f"there is no file {path.value!r}", path.span)
    except FileRefusedError as error:
        report.error(error.code, error.message, path.span, hint=error.hint)


def _edge_listen(edge: Edge | None) -> Endpoint:
    return edge.listen.value if edge is not None and edge.listen is not None else Endpoint("127.0.0.1", 8443)


def _check_listeners(blueprint: Blueprint, report: Report) -> None:
    edge = blueprint.edge
    taken: list[tuple[str, Endpoint, Span]] = [
        ("the edge", _edge_listen(edge), edge.listen.span if edge and edge.listen else blueprint.span)
    ]
    if edge is not None and edge.redirect is not None:
        taken.append(("the redirect", edge.redirect.value, edge.redirect.span))
    for service in blueprint.services:
        if service.listen is None:
            continue
        endpoint, span = service.listen.value, service.listen.span
        if not endpoint.is_loopback:
            report.error(
                "not-loopback",
                f"{service.name.value!r} would be reachable without its proxy on {endpoint}",
                span,
                hint="let it listen on 127.0.0.1 or on unix:path",
            )
        if endpoint.socket is None and endpoint.port == 0:
            report.error(
                "port-zero",
                "a service is told its port only where `listen` is left out",
                span,
                hint="leave `listen` out",
            )
        taken.append((repr(service.name.value), endpoint, span))
    seen: dict[tuple[str, int], list[tuple[str, Endpoint]]] = {}
    for who, endpoint, span in taken:
        others = seen.setdefault((endpoint.socket or "", endpoint.port), [])
        for other, earlier in others:
            if _same(endpoint, earlier):
                report.error("listener-twice", f"{who} and {other} both listen on {endpoint}", span)
                break
        others.append((who, endpoint))


def _same(one: Endpoint, other: Endpoint) -> bool:
    """Return whether two endpoints with the same socket path or port collide."""
    if one.socket is not None:
        return True
    wildcard = {"0.0.0.0", "::"} & {one.host, other.host}  # noqa: S104  # compared, not bound
    return one.port != 0 and (one.host == other.host or bool(wildcard))


def _check_people(blueprint: Blueprint, report: Report) -> None:
    if blueprint.is_development:
        return
    for person in blueprint.people:
        report.error(
            "people-outside-development",
            f"{person.name.value!r} can be declared in development mode only",
            person.name.span,
            hint="manage people in an identity provider, and name it under `issuers`",
        )


def _check_urls(blueprint: Blueprint, report: Report) -> None:
    for issuer in blueprint.issuers or ():
        for url in (issuer.issuer, issuer.discovery):
            if url is None:
                continue
            try:
                parts = urlsplit(url.value)
                host, _ = parts.hostname, parts.port
            except ValueError:
                host = None
            if not host:
                report.error("bad-value", "this is not a URL with a host", url.span)
                continue
            local = host == "localhost" or Endpoint(host).is_loopback
            if url.value.startswith("http:") and not (blueprint.is_development and local):
                hint = "plain http is for loopback in development mode"
                report.error("insecure-url", "keys are fetched over https", url.span, hint=hint)
            if url is issuer.issuer and (parts.query or parts.fragment):
                report.error("bad-value", "an issuer URL has no query and no fragment", url.span)


def _check_cors(service: Service, report: Report) -> None:
    if service.cors is not None and service.expose is None:
        message = f"{service.name.value!r} is not exposed, so no web page reaches it"
        report.error("cors-not-exposed", message, service.cors.span, hint="add `expose: /…`, or leave `cors` out")


def _check_login(blueprint: Blueprint, service: Service, report: Report) -> None:
    if service.login is None or not service.login.value:
        return
    name = service.name.value
    if service.expose is None:
        message = f"{name!r} is not exposed, so no browser reaches it"
        report.error("login-not-exposed", message, service.login.span, hint="add `expose: /…`, or leave `login` out")
    if blueprint.issuers is not None and not any(issuer.builtin for issuer in blueprint.issuers):
        message = "browsers sign in at Ringwall's own issuer, and this system has none"
        report.error("login-without-issuer", message, service.login.span, hint="add the built-in one under `issuers`")


def _check_service(service: Service, report: Report) -> None:
    name = service.name.value
    protocol = service.protocol.value if service.protocol else "http1"
    if service.expose is not None and service.zone is not None and service.zone.value == "data":
        report.error(
            "data-zone-exposed",
            f"{name!r} is in the data zone and cannot be exposed",
            service.expose.span,
            hint="let a service of the app zone call it",
        )
    if protocol == "tcp":
        _check_tcp(service, report)
        return
    for operation in service.known_operations:
        is_grpc = operation.template.count("/") == 2 and operation.method == "POST"  # noqa: PLR2004  # /service/method
        if protocol == "grpc" and not is_grpc:
            hint = "write `/package.Service/Method`"
            report.error("bad-route", f"{operation.id!r} is not a gRPC method", operation.span, hint=hint)
    if service.expose is not None and service.operations == ():
        report.error(
            "no-operations",
            f"{name!r} is exposed and has no operations",
            service.expose.span,
            hint="give it a `contract:` or `operations:`",
        )


def _check_run(service: Service, report: Report) -> None:
    if not service.given & {"run", "listen"}:
        message = f"{service.name.value!r} needs `run:` (start it) or `listen:` (where it listens already)"
        report.error("unreachable", message, service.name.span)
    if service.run is not None:
        try:
            arguments(service.run.value)
        except BadValueError as error:
            report.error("bad-value", f"'run': {error.message}", service.run.span, hint=error.hint)
    if service.cwd is not None:
        try:
            check_relative(service.cwd.value)
        except FileRefusedError as error:
            report.error(error.code, error.message, service.cwd.span, hint=error.hint)


def _check_tcp(service: Service, report: Report) -> None:
    name = service.name.value
    for given, key in (
        (service.expose, "expose"),
        (service.contract, "contract"),
        (service.limit, "limit"),
        (service.max_body, "max_body"),
        (service.ready, "ready"),
    ):
        if given is not None:
            message = f"{name!r} speaks plain TCP, which has no {key!r}"
            report.error("not-for-tcp", message, given.span, hint="who may connect follows from `calls`")
    for what, spans in (
        ("operations", [operation.span for operation in service.declared or ()]),
        ("allow", [form.span for form in service.allow]),
        ("websockets", [operation.span for operation in service.websockets]),
        ("step_up", [form.span for form in service.step_up]),
    ):
        for span in spans[:1]:
            message = f"{name!r} speaks plain TCP, which has no {what!r}"
            report.error("not-for-tcp", message, span, hint="who may connect follows from `calls`")
