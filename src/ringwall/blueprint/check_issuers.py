"""Whether issuers have what their kind needs, and what they name is declared."""

from collections.abc import Sequence

from ringwall.blueprint.issuer_model import Issuer
from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.names import Users, known, once
from ringwall.blueprint.report import Report
from ringwall.model.administration import BY_NAME


def check_issuers(blueprint: Blueprint, report: Report) -> None:
    """Report issuers that contradict themselves, and names in them that are not declared."""
    _Checker(blueprint, report).check(blueprint.issuers)


class _Checker:
    def __init__(self, blueprint: Blueprint, report: Report) -> None:
        self._blueprint = blueprint
        self._report = report
        self._users = Users(blueprint)
        self._roles = {role.name.value for role in blueprint.roles}

    def check(self, issuers: Sequence[Issuer] | None) -> None:
        builtin = [i for i in issuers or () if i.builtin]
        for issuer in builtin[1:]:
            self._report.error("several-builtin-issuers", "there is one built-in issuer", issuer.name.span)
        for issuer in issuers or ():
            self._check_issuer(issuer)
        if issuers is not None and not builtin:
            for person in self._blueprint.accounts:
                self._report.error(
                    "no-builtin-issuer",
                    f"{person.name.value!r} needs the built-in issuer, which `issuers` leaves out",
                    person.name.span,
                    hint="add `local: {}` to `issuers`",
                )

    def _check_issuer(self, issuer: Issuer) -> None:
        report = self._report
        for _, role in issuer.roles.map if issuer.roles else ():
            known("role", (role,), self._roles, self._report)
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
            self._check_registration(issuer)
            return
        self._check_own_keys(issuer)
        if "issuer" not in issuer.given:
            hint = "it is in the discovery document, as `issuer`"
            report.error("missing-key", f"{issuer.name.value!r} needs the key 'issuer'", issuer.span, hint=hint)
        once("audience", issuer.audience, self._report)
        once("algorithm", issuer.algorithms, self._report)

    def _check_own_keys(self, issuer: Issuer) -> None:
        """Report keys that mean nothing for an issuer of somebody else."""
        if issuer.administration:
            message = f"{issuer.name.value!r} is not Ringwall's own issuer, so Ringwall does not administer it"
            self._report.error("wrong-key", message, issuer.administration[0].span)
        for key, given, message in (
            ("registration", issuer.registration, "clients register with Ringwall's own issuer only"),
            ("pages", issuer.pages, "only Ringwall's own issuer has pages of Ringwall"),
            ("processes", issuer.processes, "Ringwall runs processes of its own issuer only"),
        ):
            if given is not None:
                self._report.error("wrong-key", message, given.span, hint=f"move `{key}` to `local`")

    def _check_registration(self, issuer: Issuer) -> None:
        registration = issuer.registration
        if registration is None:
            return
        for what in ("kinds", "scopes", "hosts", "document_hosts"):
            once(what.removesuffix("s").replace("_", " "), getattr(registration, what), self._report)
        if registration.private_documents is not None and not registration.document_hosts:
            hint = "name hosts in `document_hosts`, or leave this out"
            message = "no document is fetched from anywhere"
            self._report.error("wrong-key", message, registration.private_documents.span, hint=hint)

    def _check_administration(self, issuer: Issuer) -> None:
        for form in issuer.administration:
            known("operation", form.operations, BY_NAME, self._report)
            known("role", form.roles, self._roles, self._report)
            once("scope", form.scopes, self._report)
            once("user", form.named_users, self._report)
            for user in form.named_users:
                self._users.check(user, self._report)
            if not form.given & {"roles", "scopes", "users"}:
                self._report.error(
                    "allow-nobody", "this form does not say who may", form.span, hint="add `roles`, `scopes` or `users`"
                )
