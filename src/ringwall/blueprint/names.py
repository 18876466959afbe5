"""Whether names that the blueprint uses are declared, and used once."""

from collections.abc import Iterable

from ringwall.blueprint.model import Blueprint
from ringwall.blueprint.report import Report
from ringwall.blueprint.shape import At, Names


def once(what: str, names: Names, report: Report) -> None:
    """Report each of the names that is there twice; `what` says what they name."""
    seen: set[str] = set()
    for name in names:
        if name.value in seen:
            code = f"duplicate-{what.replace(' ', '-')}"
            report.error(code, f"the {what} {name.value!r} is named twice", name.span)
        seen.add(name.value)


def known(what: str, names: Names, declared: Iterable[str], report: Report) -> None:
    """Report each of the names that is not declared, or is there twice."""
    once(what, names, report)
    for name in names:
        if name.value not in declared:
            report.unknown(what, name.value, name.span, declared)


class Users:
    """The users that policies can name."""

    def __init__(self, blueprint: Blueprint) -> None:
        self._issuers = {issuer.name.value for issuer in blueprint.issuers or () if not issuer.builtin}
        self._people = {account.name.value for account in blueprint.accounts}

    def check(self, user: At[str], report: Report) -> None:
        """Report a user of an issuer that is not declared, and warn of what looks like a slip for one."""
        prefix, bar, _ = user.value.partition("|")
        if bar and prefix not in self._issuers:
            report.unknown("issuer", prefix, user.span, self._issuers)
        elif not bar and user.value not in self._people:
            hint = report.suggest(user.value, self._people)
            if hint.startswith("did you mean"):
                message = f"{user.value!r} is not declared under `people`"
                report.warning("unknown-user", message, user.span, hint=hint)
