"""Whether every name that the blueprint uses is declared, and declared once."""

from collections.abc import Iterable, Sequence

from ringwall.blueprint.check_step_up import check_step_up
from ringwall.blueprint.keys import can_encrypt, check_public, key_type
from ringwall.blueprint.model import Blueprint, Client, Issuer, Names, Person, Service
from ringwall.blueprint.report import Report
from ringwall.blueprint.shape import At
from ringwall.blueprint.values import EDGE
from ringwall.model.administration import BY_NAME
from ringwall.model.clients import REGISTERED_PREFIX

RESERVED_PREFIX = "ringwall-"
USER_ATTRIBUTES = ("sub", "iss", "scopes")
_SAFE_INTEGER = 2**53 - 1


def check_references(blueprint: Blueprint, report: Report) -> None:
    """Report every dangling, doubled or reserved name."""
    _Checker(blueprint, report).run()


class _Checker:
    def __init__(self, blueprint: Blueprint, report: Report) -> None:
        self._blueprint = blueprint
        self._report = report
        self._roles = {role.name.value for role in blueprint.roles}
        self._data = {data.value for data in blueprint.data}
        self._services = {service.name.value for service in blueprint.services}
        self._callers: dict[str, set[str]] = {}
        for service in blueprint.services:
            for callee in service.calls:
                self._callers.setdefault(callee.value, set()).add(service.name.value)
        self._claims = {claim.name.value: claim.type.value for claim in blueprint.claims}
        self._accounts: tuple[Person | Client, ...] = (*blueprint.people, *blueprint.clients)

    def run(self) -> None:
        blueprint = self._blueprint
        self._once("data class", blueprint.data)
        for claim in blueprint.claims:
            if claim.name.value in USER_ATTRIBUTES:
                self._report.error(
                    "reserved-name",
                    f"every user has {claim.name.value!r} already",
                    claim.name.span,
                    hint="declare the claim under another name, with `from:`",
                )
        self._check_roles()
        for person in self._accounts:
            self._check_person(person)
        for client in blueprint.clients:
            self._check_client(client)
        self._check_issuers(blueprint.issuers)
        for service in blueprint.services:
            self._check_service(service)

    def _once(self, what: str, names: Names) -> None:
        seen: set[str] = set()
        for name in names:
            if name.value in seen:
                code = f"duplicate-{what.replace(' ', '-')}"
                self._report.error(code, f"the {what} {name.value!r} is named twice", name.span)
            seen.add(name.value)

    def _known(self, what: str, names: Names, known: Iterable[str]) -> None:
        self._once(what, names)
        for name in names:
            if name.value not in known:
                self._report.unknown(what, name.value, name.span, known)

    def _check_roles(self) -> None:
        includes = {role.name.value: role.includes for role in self._blueprint.roles}
        done: set[str] = set()
        for role in self._blueprint.roles:
            self._known("role", role.includes, self._roles)
            cycle = _cycle(role.name.value, includes, done)
            if cycle:
                path = " → ".join(name.value for name in cycle)
                self._report.error("role-cycle", f"roles include each other: {path}", cycle[-1].span)

    def _check_client(self, client: Client) -> None:
        """A client that signs people in needs what a login needs; a machine has no use for it."""
        report, name = self._report, client.name
        self._once("scope", client.scopes)
        self._once("redirect URI", client.redirect_uris)
        self._once("redirect URI", client.post_logout_redirect_uris)
        self._check_keys(client)
        if name.value.startswith(REGISTERED_PREFIX):
            message = f"names that begin with {REGISTERED_PREFIX!r} are those of clients that register themselves"
            report.error("reserved-name", message, name.span)
        if client.kind is None or client.kind.value == "machine":
            told = (client.backchannel_logout_uri,) if client.backchannel_logout_uri else ()
            uris = (*client.redirect_uris, *client.post_logout_redirect_uris, *told)
            flags = (client.third_party, client.title, client.pushed_requests, client.device_flow)
            for what in [uri.span for uri in uris][:1] or [
                at.span
                for at in (*flags, client.id_token_signed_response_alg, client.id_token_encrypted_response_alg)
                if at
            ]:
                hint = "say what it is: `kind: web`, `native` or `browser`"
                report.error("wrong-key", f"{name.value!r} is a machine, which signs nobody in", what, hint=hint)
            return
        if "redirect_uris" not in client.given:
            hint = "`redirect_uris: [https://…]`, where people return to"
            report.error("missing-key", f"{name.value!r} needs the key 'redirect_uris'", name.span, hint=hint)
        if client.roles or client.claims:
            at = (*client.roles, *(key for key, _ in client.claims))[0]
            hint = "what people may do follows from their own roles"
            report.error("wrong-key", f"{name.value!r} acts for people, and has no roles or claims", at.span, hint=hint)
        if name.value in {self._blueprint.system.value, EDGE}:
            # An ID token's `aud` is the client, an access token's the system: no proxy may take one for the other.
            report.error("reserved-name", f"a client cannot have the system's name {name.value!r}", name.span)

    def _check_keys(self, client: Client) -> None:
        """Whoever is to have keys can keep them, and has those that it needs."""
        if client.jwks and client.kind is not None and client.kind.value in {"native", "browser"}:
            hint = "leave `jwks` out: PKCE protects what it does"
            message = f"{client.name.value!r} cannot keep a key secret"
            self._report.error(
                "wrong-key", message, client.jwks[0][0][0].span if client.jwks[0] else client.span, hint=hint
            )
        if client.certificates:
            self._check_certificates(client)
        for wanted in (client.id_token_encrypted_response_alg, client.userinfo_encrypted_response_alg):
            if wanted and not any(can_encrypt(key, wanted.value) for key in client.jwks):
                message = f"{client.name.value!r} has no key to encrypt for with {wanted.value}"
                kty = key_type(wanted.value)
                self._report.error("missing-key", message, wanted.span, hint=f"one in `jwks`: use: enc, kty: {kty}")
        for key in client.jwks:
            check_public(key, client.span, self._report)

    def _check_certificates(self, client: Client) -> None:
        where = client.certificates[0].span
        if client.kind is not None and client.kind.value in {"native", "browser"}:
            self._report.error("wrong-key", f"{client.name.value!r} cannot keep a key secret", where)
        if self._blueprint.edge is None or not self._blueprint.edge.client_certificates:
            hint = "name a domain under `client_certificates` of `edge`"
            self._report.error("no-certificates", "clients are nowhere asked for a certificate", where, hint=hint)

    def _check_person(self, person: Person | Client) -> None:
        self._known("role", person.roles, self._roles)
        for name, value in person.claims:
            declared = self._claims.get(name.value)
            if declared is None:
                self._report.unknown("claim", name.value, name.span, self._claims)
            elif not _fits(value.value, declared):
                self._report.error("wrong-type", f"the claim {name.value!r} is declared as {declared}", value.span)

    def _check_issuers(self, issuers: Sequence[Issuer] | None) -> None:
        builtin = [i for i in issuers or () if i.builtin]
        for issuer in builtin[1:]:
            self._report.error("several-builtin-issuers", "there is one built-in issuer", issuer.name.span)
        for issuer in issuers or ():
            self._check_issuer(issuer)
        if issuers is not None and not builtin:
            for person in self._accounts:
                self._report.error(
                    "no-builtin-issuer",
                    f"{person.name.value!r} needs the built-in issuer, which `issuers` leaves out",
                    person.name.span,
                    hint="add `local: {}` to `issuers`",
                )

    def _check_issuer(self, issuer: Issuer) -> None:
        report = self._report
        for _, role in issuer.roles.map if issuer.roles else ():
            self._known("role", (role,), self._roles)
        if issuer.builtin:
            self._check_administration(issuer)
            given = [(issuer.algorithms, "algorithms"), (issuer.audience, "audience"), (issuer.roles, "roles")]
            for _, key in [(value, key) for value, key in given if value]:
                report.error(
                    "wrong-key",
                    f"the built-in issuer has no {key!r}: it follows from this blueprint",
                    issuer.name.span,
                    hint="an issuer of your own needs `issuer: https://…`",
                )
            if issuer.registration is not None:
                for what in ("kinds", "scopes", "hosts"):
                    self._once(what.removesuffix("s"), getattr(issuer.registration, what))
            return
        if issuer.administration:
            message = f"{issuer.name.value!r} is not Ringwall's own issuer, so Ringwall does not administer it"
            report.error("wrong-key", message, issuer.administration[0].span)
        if issuer.registration is not None:
            message = "clients register with Ringwall's own issuer only"
            report.error("wrong-key", message, issuer.registration.span, hint="move `registration` to `local`")
        if issuer.pages is not None:
            message = "only Ringwall's own issuer has pages of Ringwall"
            report.error("wrong-key", message, issuer.pages.span, hint="move `pages` to `local`")
        if "issuer" not in issuer.given:
            hint = "it is in the discovery document, as `issuer`"
            report.error("missing-key", f"{issuer.name.value!r} needs the key 'issuer'", issuer.span, hint=hint)
        self._once("audience", issuer.audience)
        self._once("algorithm", issuer.algorithms)

    def _check_administration(self, issuer: Issuer) -> None:
        issuers = {other.name.value for other in self._blueprint.issuers or () if not other.builtin}
        for form in issuer.administration:
            self._known("operation", form.operations, BY_NAME)
            self._known("role", form.roles, self._roles)
            self._once("scope", form.scopes)
            self._once("user", form.named_users)
            for user in form.named_users:
                self._check_user(user, issuers)
            if not form.given & {"roles", "scopes", "users"}:
                self._report.error(
                    "allow-nobody", "this form does not say who may", form.span, hint="add `roles`, `scopes` or `users`"
                )

    def _check_service(self, service: Service) -> None:
        name, report = service.name, self._report
        if name.value == EDGE or name.value.startswith(RESERVED_PREFIX) or name.value == "ringwall":
            report.error("reserved-name", f"{name.value!r} is the name of a part of Ringwall", name.span)
        self._known("data class", service.holds, self._data)
        self._known("service", service.calls, self._services)
        for callee in service.calls:
            if callee.value == name.value:
                report.error("self-call", f"{name.value!r} does not need leave to call itself", callee.span)
        self._check_operations(service)
        self._check_websockets(service)
        check_step_up(self._blueprint, service, report)
        for form in service.allow:
            if service.operations is not None:
                self._known("operation", form.operations, {operation.id for operation in service.operations})
            self._known("role", form.roles, self._roles)
            self._once("scope", form.scopes)
            self._once("user", form.named_users)
            self._check_callers(service, form.callers)
            issuers = {issuer.name.value for issuer in self._blueprint.issuers or () if not issuer.builtin}
            for user in form.named_users:
                self._check_user(user, issuers)

    def _check_user(self, user: At[str], issuers: set[str]) -> None:
        prefix, bar, _ = user.value.partition("|")
        people = {person.name.value for person in self._accounts}
        if bar and prefix not in issuers:
            self._report.unknown("issuer", prefix, user.span, issuers)
        elif not bar and user.value not in people:
            hint = self._report.suggest(user.value, people)
            if hint.startswith("did you mean"):
                message = f"{user.value!r} is not declared under `people`"
                self._report.warning("unknown-user", message, user.span, hint=hint)

    def _check_callers(self, service: Service, callers: Names) -> None:
        self._known("caller", callers, {*self._services, EDGE})
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
        self._known("operation", service.websockets, set(methods))
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


def _fits(value: object, declared: str) -> bool:
    if declared == "set<string>":
        return isinstance(value, tuple)
    if declared == "bool":
        return isinstance(value, bool)
    if declared == "long":
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _SAFE_INTEGER
    return isinstance(value, str)


def _cycle(start: str, includes: dict[str, Names], done: set[str]) -> list[At[str]]:
    """Return the names of a cycle that is reachable from `start` and was not met before, else an empty list."""
    path: list[At[str]] = []
    on_path: set[str] = {start}
    stack = [(start, iter(includes.get(start, ())))]
    while stack:
        name, rest = stack[-1]
        following = next(rest, None)
        if following is None:
            done.add(name)
            on_path.discard(name)
            stack.pop()
            if path:
                path.pop()
        elif following.value in on_path:
            names = [n.value for n in path]
            first = names.index(following.value) + 1 if following.value in names else 0
            for member in [n for n, _ in stack]:
                done.add(member)
            head = [path[first - 1]] if first else [At(start, following.span)]
            return [*head, *path[first:], following]
        elif following.value not in done:
            path.append(following)
            on_path.add(following.value)
            stack.append((following.value, iter(includes.get(following.value, ()))))
    return []
