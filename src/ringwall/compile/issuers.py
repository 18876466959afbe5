"""Who is believed, and who is known: issuers, roles, claims, people and clients of the plan."""

import base64
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlsplit

from ringwall.blueprint.check_routes import ISSUER_PREFIX
from ringwall.blueprint.client_model import Client
from ringwall.blueprint.issuer_model import Appearance, Issuer, Person, Registration
from ringwall.blueprint.keys import members_of
from ringwall.blueprint.logo import media_type
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.shape import At, Key
from ringwall.blueprint.values import CONTENT_ENCRYPTION
from ringwall.model.colours import for_dark_pages
from ringwall.plan.audience import Audience
from ringwall.plan.base import canonical
from ringwall.plan.certificate import CertificateSubject, SubjectKind
from ringwall.plan.client import Client as PlanClient
from ringwall.plan.client import ClientKind, Profile
from ringwall.plan.identity import Appearance as PlanAppearance
from ringwall.plan.identity import Claim, ClaimType, Role
from ringwall.plan.identity import Issuer as PlanIssuer
from ringwall.plan.identity import Person as PlanPerson
from ringwall.plan.identity import Registration as PlanRegistration
from ringwall.plan.model import EDGE, Edge

T = TypeVar("T")

DEFAULT_ISSUER = "local"
BUILTIN_ALGORITHMS = ("ES256",)
DEFAULT_ALGORITHMS = ("RS256", "ES256")
_METADATA = "/.well-known/openid-configuration"
_HTTPS = 443
_REGISTERED_KINDS = (ClientKind.WEB, ClientKind.NATIVE, ClientKind.BROWSER)


def has_builtin_issuer(blueprint: Blueprint) -> bool:
    """Return whether the system runs Ringwall's own issuer, which is the default."""
    return blueprint.issuers is None or any(issuer.builtin for issuer in blueprint.issuers)


def lower_issuers(blueprint: Blueprint, edge: Edge | None) -> tuple[PlanIssuer, ...]:
    """Return the issuers of the plan, ordered by name."""
    found = []
    if blueprint.issuers is None:
        found.append(_builtin(DEFAULT_ISSUER, blueprint, edge))
    for issuer in blueprint.issuers or ():
        name = issuer.name.value
        own = issuer.builtin
        found.append(_builtin(name, blueprint, edge, issuer) if own else _external(issuer, blueprint))
    return tuple(sorted(found, key=lambda issuer: issuer.name))


def _builtin(name: str, blueprint: Blueprint, edge: Edge | None, issuer: Issuer | None = None) -> PlanIssuer:
    domain = edge.domains[0] if edge is not None else "localhost"
    host = f"[{domain}]" if ":" in domain else domain
    port = "" if edge is None or edge.port == _HTTPS else f":{edge.port}"
    return PlanIssuer(
        name=name,
        url=f"https://{host}{port}{ISSUER_PREFIX}",
        builtin=True,
        audiences=(blueprint.system.value,),
        algorithms=BUILTIN_ALGORITHMS,
        registration=_registration(issuer.registration) if issuer is not None and issuer.registration else None,
        profile=Profile(issuer.profile.value) if issuer is not None and issuer.profile else None,
        pages=_appearance(issuer.pages) if issuer is not None and issuer.pages else None,
        processes=issuer.processes.value if issuer is not None and issuer.processes else 1,
    )


def _appearance(pages: Appearance) -> PlanAppearance:
    return PlanAppearance(
        title=pages.title.value if pages.title is not None else "",
        colour=pages.colour.value if pages.colour is not None else "",
        dark_colour=for_dark_pages(pages.colour.value) if pages.colour is not None else "",
        logo=base64.b64encode(pages.image).decode("ascii"),
        logo_type=media_type(pages.image),
    )


def _registration(registration: Registration) -> PlanRegistration:
    kinds = tuple(ClientKind(kind.value) for kind in registration.kinds) or _REGISTERED_KINDS
    return PlanRegistration(
        open=registration.open is not None and registration.open.value,
        kinds=tuple(sorted(kinds)),
        scopes=tuple(sorted(scope.value for scope in registration.scopes)),
        hosts=tuple(sorted(host.value for host in registration.hosts)),
        device_flow=registration.device_flow is not None and registration.device_flow.value,
        document_hosts=tuple(sorted(host.value for host in registration.document_hosts)),
        private_documents=registration.private_documents is not None and registration.private_documents.value,
        seconds=registration.lifetime.value if registration.lifetime is not None else 0,
    )


def _external(issuer: Issuer, blueprint: Blueprint) -> PlanIssuer:
    url = issuer.issuer.value if issuer.issuer is not None else ""
    roles = issuer.roles
    return PlanIssuer(
        name=issuer.name.value,
        url=url,
        discovery=issuer.discovery.value if issuer.discovery is not None else url.rstrip("/") + _METADATA,
        audiences=tuple(audience.value for audience in issuer.audience) or (blueprint.system.value,),
        algorithms=tuple(algorithm.value for algorithm in issuer.algorithms) or DEFAULT_ALGORITHMS,
        role_claim=roles.claim.value if roles is not None and roles.claim is not None else ("roles",),
        roles=tuple((value.value, role.value) for value, role in _sorted(roles.map)) if roles is not None else (),
    )


def _sorted(pairs: tuple[tuple[At[str], T], ...]) -> list[tuple[At[str], T]]:
    """Return pairs ordered by the text of their keys."""
    return sorted(pairs, key=lambda pair: pair[0].value)


def lower_roles(blueprint: Blueprint) -> tuple[Role, ...]:
    """Return the roles ordered by name, with everything that each includes."""
    includes = {role.name.value: [name.value for name in role.includes] for role in blueprint.roles}
    return tuple(Role(name=name, includes=_closure(name, includes)) for name in sorted(includes))


def _closure(name: str, includes: dict[str, list[str]]) -> tuple[str, ...]:
    found: set[str] = set()
    waiting = list(includes[name])
    while waiting:
        role = waiting.pop()
        if role not in found:
            found.add(role)
            waiting.extend(includes.get(role, ()))
    return tuple(sorted(found))


def lower_claims(blueprint: Blueprint) -> tuple[Claim, ...]:
    """Return every declared claim, ordered by name."""
    found = [
        Claim(
            name=claim.name.value,
            type=ClaimType(claim.type.value),
            path=claim.source.value if claim.source is not None else (claim.name.value,),
        )
        for claim in blueprint.claims
    ]
    return tuple(sorted(found, key=lambda claim: claim.name))


def _claims_of(person: Person | Client) -> tuple[tuple[str, str | int | bool | tuple[str, ...]], ...]:
    return tuple((name.value, value.value) for name, value in _sorted(person.claims))


def lower_people(blueprint: Blueprint) -> tuple[PlanPerson, ...]:
    """Return the development users, ordered by name."""
    found = [
        PlanPerson(name=p.name.value, roles=tuple(sorted(r.value for r in p.roles)), claims=_claims_of(p))
        for p in blueprint.people
    ]
    return tuple(sorted(found, key=lambda person: person.name))


def _asks_to_sign_in(blueprint: Blueprint) -> bool:
    return any(service.login is not None and service.login.value for service in blueprint.services)


def _edge_client(issuer: PlanIssuer) -> PlanClient:
    """Return the edge as a client: for it the issuer itself takes the code and gives the browser the session."""
    return PlanClient(name=EDGE, kind=ClientKind.BROWSER, redirect_uris=(f"{issuer.url}/session",))


def _answers(client: Client) -> dict[str, str]:
    """Return how what a client is told is secured, by the names of OpenID Connect Registration 1.0 and RFC 9701."""
    signed = client.id_token_signed_response_alg
    found = {"id_token_signed_response_alg": signed.value} if signed is not None else {}
    if client.userinfo_signed_response_alg is not None:
        found["userinfo_signed_response_alg"] = client.userinfo_signed_response_alg.value
    for what, alg, enc in (
        ("id_token", client.id_token_encrypted_response_alg, client.id_token_encrypted_response_enc),
        ("userinfo", client.userinfo_encrypted_response_alg, client.userinfo_encrypted_response_enc),
        ("introspection", client.introspection_encrypted_response_alg, client.introspection_encrypted_response_enc),
    ):
        if alg is not None:
            found[f"{what}_encrypted_response_alg"] = alg.value
            found[f"{what}_encrypted_response_enc"] = enc.value if enc is not None else CONTENT_ENCRYPTION[0]
    return found


def _jwks(jwks: Sequence[Key]) -> str:
    """Return keys as a JWK set (RFC 7517, section 5); empty for none."""
    keys = [{name.value: list(v) if isinstance(v := at.value, tuple) else v for name, at in key} for key in jwks]
    return canonical({"keys": keys}).decode() if keys else ""


def _certificate_subject(client: Client) -> CertificateSubject | None:
    named = client.certificate_subjects
    return CertificateSubject(kind=SubjectKind(named[0][0]), value=named[0][1].value) if named else None


def _profile(client: Client, issuers: Sequence[PlanIssuer]) -> Profile | None:
    whole = next((issuer.profile for issuer in issuers if issuer.builtin), None)
    if client.profile is not None:
        return Profile(client.profile.value)
    return whole if whole is Profile.FAPI2 else None  # the other one is the issuer's own affair


def _sector(client: Client) -> str:
    """Return the sector of a pairwise client (OpenID Connect Core 1.0, section 8.1); empty for any other."""
    if client.subject_type is None or client.subject_type.value != "pairwise":
        return ""
    uri = client.sector_identifier_uri or client.redirect_uris[0]
    return urlsplit(uri.value).hostname or ""


def lower_clients(blueprint: Blueprint, issuers: Sequence[PlanIssuer]) -> tuple[PlanClient, ...]:
    """Return the clients, ordered by name; the edge is one of them where services ask browsers to sign in.

    The FAPI 2.0 Security Profile has them push their requests and bind their tokens (sections 5.3.2.1 and 5.3.2.2).
    """
    strict = {client.name.value for client in blueprint.clients if _profile(client, issuers) is Profile.FAPI2}
    found = [_edge_client(issuer) for issuer in issuers if issuer.builtin and _asks_to_sign_in(blueprint)]
    found += [
        PlanClient(
            name=client.name.value,
            roles=tuple(sorted(role.value for role in client.roles)),
            scopes=tuple(sorted(scope.value for scope in client.scopes)),
            claims=_claims_of(client),
            kind=ClientKind(client.kind.value) if client.kind is not None else ClientKind.MACHINE,
            redirect_uris=tuple(sorted(uri.value for uri in client.redirect_uris)),
            post_logout_redirect_uris=tuple(sorted(uri.value for uri in client.post_logout_redirect_uris)),
            **_answers(client),
            backchannel_logout_uri=client.backchannel_logout_uri.value if client.backchannel_logout_uri else "",
            jwks=_jwks(client.jwks),
            jwks_uri=client.jwks_uri.value if client.jwks_uri is not None else "",
            sector=_sector(client),
            third_party=client.third_party is not None and client.third_party.value,
            title=client.title.value if client.title is not None else "",
            pushed_requests=client.name.value in strict
            or (client.pushed_requests is not None and client.pushed_requests.value),
            device_flow=client.device_flow is not None and client.device_flow.value,
            certificates=tuple(sorted(certificate.value for certificate in client.certificates)),
            certificate_subject=_certificate_subject(client),
            authorities=tuple(sorted(client.authorities_read)),
            bound_tokens=client.name.value in strict or (client.bound_tokens is not None and client.bound_tokens.value),
            profile=_profile(client, issuers),
        )
        for client in blueprint.clients
    ]
    return tuple(sorted(found, key=lambda client: client.name))


def lower_audiences(blueprint: Blueprint) -> tuple[Audience, ...]:
    """Return the services of others for which services may exchange tokens, ordered by name."""
    found = []
    for audience in blueprint.audiences:
        how: dict[str, str] = {}
        if audience.jwks:
            how["alg"] = str(members_of(audience.jwks[0])["alg"].value)
            how["enc"] = audience.enc.value if audience.enc is not None else CONTENT_ENCRYPTION[0]
        found.append(Audience(name=audience.name.value, url=audience.url.value, jwks=_jwks(audience.jwks), **how))
    return tuple(sorted(found, key=lambda audience: audience.name))
