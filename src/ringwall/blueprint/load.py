"""From files to a checked blueprint; every error of every file is found in one run."""

from dataclasses import replace

from ringwall.blueprint.check_access import check_access
from ringwall.blueprint.check_audiences import check_audiences
from ringwall.blueprint.check_client_certificates import check_client_certificates
from ringwall.blueprint.check_profile import check_profile
from ringwall.blueprint.check_references import check_references
from ringwall.blueprint.check_routes import check_routes
from ringwall.blueprint.check_topology import check_topology
from ringwall.blueprint.check_upstreams import check_upstreams
from ringwall.blueprint.client_authorities import with_client_authorities
from ringwall.blueprint.contract import dump_operations, load_operations, read_contract
from ringwall.blueprint.document import Mapping, Scalar, decode, parse
from ringwall.blueprint.files import FileRefusedError, Files
from ringwall.blueprint.format import BLUEPRINT, EDGE
from ringwall.blueprint.logo import with_logos
from ringwall.blueprint.model import Blueprint, Edge, PolicyFile
from ringwall.blueprint.report import Report
from ringwall.blueprint.saml_metadata import with_saml_metadata
from ringwall.blueprint.service_model import Operation, Service
from ringwall.blueprint.shape import At
from ringwall.model.cache import PlanCache, key_of
from ringwall.model.errors import Diagnostic, InvalidBlueprintError, Span

BLUEPRINT_NAME = "ringwall.yaml"
DEFAULT_POLICIES = "policies/*.cedar"


def load_blueprint(
    files: Files, name: str = BLUEPRINT_NAME, *, listen: str | None = None
) -> tuple[Blueprint, tuple[Diagnostic, ...]]:
    """Read and check a blueprint with everything it names, except what its policies say.

    Args:
        files: the blueprint's folder.
        name: the blueprint's file in it.
        listen: replaces `edge.listen`, in the same form; for runs beside another one.

    Returns:
        The blueprint and its warnings.

    Raises:
        InvalidBlueprintError: with all errors and warnings found.
    """
    report = Report()
    blueprint = read_blueprint(files, name, report, listen=listen)
    if blueprint is None or report.failed:
        raise InvalidBlueprintError(report.diagnostics)
    return blueprint, report.diagnostics


def read_blueprint(
    files: Files, name: str, report: Report, *, listen: str | None = None, cache: PlanCache | None = None
) -> Blueprint | None:
    """Read and check a blueprint like `load_blueprint`, into a report; None where nothing at all can be read."""
    blueprint = _read(files, name, cache, report)
    if blueprint is None:
        return None
    if listen is not None:
        blueprint = _with_listen(blueprint, listen, report)
    services = tuple(_with_operations(files, service, cache, report) for service in blueprint.services)
    policy_files = _policy_files(files, blueprint, report)
    issuers = with_logos(with_saml_metadata(blueprint.issuers, files, report), files, report)
    blueprint = replace(blueprint, issuers=issuers, services=services, policy_files=policy_files, texts=report.texts)
    blueprint = with_client_authorities(blueprint, files, report)
    check_references(blueprint, report)
    check_client_certificates(blueprint, report)
    check_profile(blueprint, report)
    check_topology(blueprint, files, report)
    check_routes(blueprint, report)
    check_access(blueprint, report)
    check_upstreams(blueprint, report)
    check_audiences(blueprint, report)
    return blueprint


def _read(files: Files, name: str, cache: PlanCache | None, report: Report) -> Blueprint | None:
    try:
        content = files.read(name)
    except FileRefusedError as error:
        report.error(error.code, error.message, Span(name), hint=error.hint)
        return None
    key = key_of("blueprint", name, content.decode("utf-8", "surrogateescape"))
    known = cache.get_object(key) if cache is not None else None
    if isinstance(known, Blueprint):
        decode(name, content, report)
        return known
    root = parse(name, content, report)
    if root is None:
        return None
    if not isinstance(root, Mapping):
        report.error("wrong-type", "a blueprint is a mapping that begins with `ringwall: 1`", root.span)
        return None
    blueprint = BLUEPRINT.read(root, "the blueprint", report)
    if cache is not None and not report.count:
        cache.put_object(key, blueprint)
    return blueprint


def _with_listen(blueprint: Blueprint, listen: str, report: Report) -> Blueprint:
    read = EDGE.fields["listen"].shape.read(Scalar(listen, plain=False, span=Span("--listen")), "--listen", report)
    edge = blueprint.edge or Edge(span=blueprint.span)
    return replace(blueprint, edge=replace(edge, listen=read))


def _with_operations(files: Files, service: Service, cache: PlanCache | None, report: Report) -> Service:
    if service.contract is None:
        return service.with_operations(service.declared or ())
    content = _content(files, service.contract, report)
    if content is None:
        return service.with_operations(None)
    operations = _contract(service.contract.value, content, cache, report)
    return service.with_operations(None if operations is None else operations + (service.declared or ()))


def _contract(file: str, content: bytes, cache: PlanCache | None, report: Report) -> tuple[Operation, ...] | None:
    """Return the operations of a contract, from the cache where the same file was read without a finding."""
    key = key_of("contract", file, content.decode("utf-8", "surrogateescape"))
    known = cache.get_object(key) if cache is not None else None
    data = cache.get(key) if cache is not None and known is None else None
    if cache is not None and data is not None:
        known = load_operations(file, data)
        cache.put_object(key, known)
    if isinstance(known, tuple):
        report.add_source(file, content.decode())
        return known
    before = report.count
    root = parse(file, content, report)
    operations = read_contract(root, report) if root is not None else None
    if cache is not None and operations is not None and report.count == before:
        cache.put(key, dump_operations(operations))
        cache.put_object(key, operations)
    return operations


def _content(files: Files, path: At[str], report: Report) -> bytes | None:
    try:
        return files.read(path.value)
    except FileRefusedError as error:
        report.error(error.code, error.message, path.span, hint=error.hint)
        return None


def _policy_files(files: Files, blueprint: Blueprint, report: Report) -> tuple[PolicyFile, ...]:
    patterns = blueprint.policies
    if patterns is None:
        patterns = (At(DEFAULT_POLICIES, blueprint.span),)
    found: dict[str, At[str]] = {}
    for pattern in patterns:
        try:
            matched = files.glob(pattern.value)
        except FileRefusedError as error:
            report.error(error.code, error.message, pattern.span, hint=error.hint)
            continue
        if not matched and blueprint.policies is not None:
            report.error("file-not-found", f"no file matches {pattern.value!r}", pattern.span)
        for path in matched:
            found.setdefault(path, At(path, pattern.span))
    loaded = []
    for path, at in sorted(found.items()):
        content = _content(files, at, report)
        text = decode(path, content, report) if content is not None else None
        if text is not None:
            loaded.append(PolicyFile(path, text))
    return tuple(loaded)
