"""Whether clients that authenticate with a certificate (RFC 8705) can do so, and as nobody else."""

from ringwall.blueprint.client_model import Client
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.blueprint.shape import At
from ringwall.model.distinguished_names import read_name


def check_client_certificates(blueprint: Blueprint, report: Report) -> None:
    """Report certificates that nobody asks for, names that nobody vouches for, and names that are several clients'."""
    edge = blueprint.edge
    asked = edge is not None and bool(edge.client_certificates)
    seen: dict[tuple[object, ...], str] = {}
    for client in blueprint.clients:
        where = _first(client)
        if where is None:
            continue
        if client.kind is not None and client.kind.value in {"native", "browser"}:
            report.error("wrong-key", f"{client.name.value!r} cannot keep a key secret", where.span)
        if not asked:
            hint = "name a domain under `client_certificates` of `edge`"
            report.error("no-certificates", "clients are nowhere asked for a certificate", where.span, hint=hint)
        _check_subject(client, report, shared=edge is not None and edge.client_authorities is not None)
        _check_alone(client, seen, report)
    if edge is not None and edge.client_authorities is not None and not asked:
        hint = "name a domain under `client_certificates`"
        message = "clients are nowhere asked for a certificate"
        report.error("no-certificates", message, edge.client_authorities.span, hint=hint)


def _first(client: Client) -> At[str] | None:
    named = (*client.certificates, *(at for _, at in client.certificate_subjects), client.authorities)
    return next((at for at in named if at is not None), None)


def _check_subject(client: Client, report: Report, *, shared: bool) -> None:
    """One name, for which somebody vouches (RFC 8705, section 2.1.2: exactly one of the five)."""
    subjects = client.certificate_subjects
    for key, at in subjects[1:]:
        hint = f"leave {key!r} or {subjects[0][0]!r} out"
        report.error("several-subjects", "a client is named by one part of its certificate", at.span, hint=hint)
    if subjects and client.certificates:
        hint = "leave `certificates` out, or the name"
        message = "a client proves itself by certificates of its own, or by what an authority says in one"
        report.error("several-subjects", message, subjects[0][1].span, hint=hint)
    if subjects and client.authorities is None and not shared:
        hint = "name a PEM file as `authorities`, or as `client_authorities` of `edge`"
        report.error("no-authorities", "nobody says whose certificates are believed", subjects[0][1].span, hint=hint)
    if client.authorities is not None and not any(key.startswith("tls_client_auth_") for key in client.given):
        hint = "for instance `tls_client_auth_san_dns: robot.example`"
        message = "whoever has a certificate of these authorities would be this client"
        report.error("no-subject", message, client.authorities.span, hint=hint)


def _check_alone(client: Client, seen: dict[tuple[object, ...], str], report: Report) -> None:
    """No certificate is two clients': each could take the other's name."""
    for key, at in client.certificate_subjects:
        value: object = at.value
        if key == "tls_client_auth_subject_dn":
            try:
                value = read_name(at.value)
            except ValueError as error:
                report.error("bad-value", str(error), at.span, hint="for instance CN=robot,O=Example")
                continue
        by = client.authorities.value if client.authorities is not None else ""
        other = seen.setdefault((key, value, by), client.name.value)
        if other != client.name.value:
            hint = "give each client a certificate of its own"
            report.warning("same-subject", f"whoever proves to be {other!r} can be this client too", at.span, hint=hint)
