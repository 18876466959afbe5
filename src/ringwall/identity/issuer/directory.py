"""Who the issuer knows: the part of the plan that it needs, read anew whenever the plan is replaced."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ringwall.identity.turn import FirstLook, every_time
from ringwall.model.durable import stamp_of
from ringwall.plan.audience import Audience
from ringwall.plan.client import Client, Profile
from ringwall.plan.identity import Appearance, ClaimType, Person, Registration
from ringwall.plan.model import Edge, Head
from ringwall.plan.store import PlanStore, PlanUnreadableError
from ringwall.plan.upstream import Upstream

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """What one plan says about the built-in issuer.

    Attributes:
        issuer: its URL, the `iss` of every token.
        audience: the `aud` of every token.
        development: whether people may be given tokens without any login.
        role_claim: path of the roles inside a token.
        claim_paths: for each declared claim, its path inside a token.
        claim_types: for each declared claim, what policies take it for.
        roles: names of the roles that there are.
        edge_host: address on which this system's edge listens; empty where it has none.
        edge_domains: host names that it answers.
        includes: for each role, those that whoever holds it holds too.
        ambiguous: names of both a person and a client: no token is given to either, as `sub` could not
            tell them apart (RFC 9068, section 5).
        registration: how clients may register themselves; None where they may not, nor did.
        profile: what is followed for every client.
        upstreams: providers at which people can sign in.
        audiences: services of others for which services may exchange tokens.
        appearance: how pages look.
        certificate_url: its URL at the domain where clients are asked for a certificate; empty where there is none.
        client_authorities: who vouches for certificates of clients that name no others, base64 DER.
    """

    issuer: str
    audience: str
    development: bool
    role_claim: tuple[str, ...]
    claim_paths: Mapping[str, tuple[str, ...]]
    claim_types: Mapping[str, ClaimType]
    roles: frozenset[str]
    includes: Mapping[str, frozenset[str]]
    people: Mapping[str, Person]
    clients: Mapping[str, Client]
    ambiguous: frozenset[str]
    registration: Registration | None = None
    profile: Profile | None = None
    upstreams: Mapping[str, Upstream]
    audiences: tuple[Audience, ...] = ()
    appearance: Appearance = field(default_factory=Appearance)
    edge_host: str = ""
    edge_domains: tuple[str, ...] = ()
    certificate_url: str = ""
    client_authorities: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """The issuer's own origin (RFC 6454, section 6.2), from the plan: never from what a request says."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    def base_for(self, host: str) -> str:
        """Return the URL, without its last slash, at which a client asks that names `host` (RFC 8705, section 5).

        It is one of the two that the metadata name, whatever a request says.
        """
        asked = host.lower().removesuffix(":443")
        at_alias = self.certificate_url and asked == urlsplit(self.certificate_url).netloc.lower()
        return (self.certificate_url if at_alias else self.issuer).rstrip("/")

    @classmethod
    def of(cls, plan: Head) -> "Directory":
        """Take what the issuer needs from a plan; PlanUnreadableError where it has no built-in issuer."""
        builtin = next((issuer for issuer in plan.issuers if issuer.builtin), None)
        if builtin is None:
            raise PlanUnreadableError("the plan has no built-in issuer")
        people = {person.name: person for person in plan.people}
        clients = {client.name: client for client in plan.clients}
        return cls(
            issuer=builtin.url,
            audience=plan.audience,
            development=plan.development,
            role_claim=builtin.role_claim,
            claim_paths={claim.name: claim.path for claim in plan.claims},
            claim_types={claim.name: claim.type for claim in plan.claims},
            appearance=builtin.pages or Appearance(),
            roles=frozenset(role.name for role in plan.roles),
            includes={role.name: frozenset(role.includes) for role in plan.roles},
            people=people,
            clients=clients,
            ambiguous=frozenset(people.keys() & clients.keys()),
            registration=builtin.registration,
            profile=builtin.profile,
            upstreams={upstream.name: upstream for upstream in plan.upstreams},
            audiences=plan.audiences,
            edge_host=plan.edge.host if plan.edge is not None else "",
            edge_domains=plan.edge.domains if plan.edge is not None else (),
            certificate_url=_certificate_url(builtin.url, plan.edge),
            client_authorities=plan.edge.client_authorities if plan.edge is not None else (),
        )


def _certificate_url(issuer: str, edge: Edge | None) -> str:
    if edge is None or not edge.client_certificates:
        return ""
    parts = urlsplit(issuer)
    port = "" if parts.port is None else f":{parts.port}"
    return f"https://{edge.client_certificates[0]}{port}{parts.path}"


class LiveDirectory:
    """The directory of the plan in force; follows the file, and keeps the last good one where it cannot be read."""

    def __init__(self, plans: PlanStore, *, first_look: FirstLook = every_time) -> None:
        """Read the plan; PlanUnreadableError where there is none that can be read."""
        self._plans = plans
        self._first_look = first_look
        self._file = os.fspath(plans.current_file)
        self._stamp = stamp_of(self._file)
        self._current = Directory.of(plans.head())

    def current(self) -> Directory:
        """Return the directory of the plan as it lies there now; costs one look at the file's date."""
        if not self._first_look(self):
            return self._current
        stamp = stamp_of(self._file)
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._current = Directory.of(self._plans.head())
            except PlanUnreadableError as error:
                _log.warning("keeping the former plan: %s", error.message)
        return self._current
