"""What the control plane can be asked about revocations: by the operator, by name; by the issuer, as tokens say it.

Names are those of the plan in force. What is revoked already can be lifted under the name that the list shows, whether
or not the plan still knows it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from ringwall.identity.revocation.revoked import RevocationError, RevocationList
from ringwall.model.clients import REGISTERED_PREFIX
from ringwall.model.clock import Clock
from ringwall.model.revocation import TOKEN_SECONDS, Revocation, Revoked
from ringwall.plan.identity import Issuer
from ringwall.plan.model import Plan

REVOKE: Final = "revoke"
RESTORE: Final = "restore"
REVOCATIONS: Final = "revocations"
FEED: Final = "revocations-of-issuer"

_SECONDS: Final[Mapping[Revoked, float | None]] = {
    Revoked.TOKEN: TOKEN_SECONDS,
    Revoked.SESSION: 2 * TOKEN_SECONDS,
    Revoked.GRANT: TOKEN_SECONDS,
}
"""How long a revocation lasts unless somebody says otherwise; all others last until they are lifted.

Tokens live for a day at most, sessions for a day, and the last token of a session for a while after that.
"""
_OF_TOKENS: Final = frozenset(Revoked) - {Revoked.WORKLOAD}
_LONGEST_SECONDS: Final = 10 * 366 * 86_400.0


class Revoking:
    """Carries out what is asked about one system's revocations; may be called from any thread."""

    def __init__(
        self,
        revoked: RevocationList,
        plan: Callable[[], Plan],
        clock: Clock,
        *,
        lift_at_issuer: Callable[[Revoked, str], None],
    ) -> None:
        """Put the parts together.

        Args:
            revoked: the list that the proxies follow.
            plan: the plan in force.
            clock: where time comes from.
            lift_at_issuer: lets the built-in issuer forget what it has revoked; a RingwallError where it cannot.
        """
        self._revoked = revoked
        self._lift_at_issuer = lift_at_issuer
        self._plan = plan
        self._clock = clock

    def revoke(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Revoke `value`, a `kind`, for `lasts` seconds (0: as long as such things usually are); return what is so now.

        Raises:
            RevocationError: there is no such thing, or it cannot be revoked.
        """
        kind, seconds = _kind(asked), float(asked["lasts"])
        if not 0 <= seconds <= _LONGEST_SECONDS:
            raise RevocationError("a revocation lasts between 0 seconds and ten years", hint="leave the duration out")
        usual = _SECONDS.get(kind)
        lasts = seconds or usual
        until = None if lasts is None else self._clock.now() + lasts
        plan = self._plan()
        entries = [Revocation(each, value, issuer, until) for each, issuer, value in _about(plan, kind, asked["value"])]
        changed = self._revoked.revoke(entries)
        return {"changed": changed, "revoked": [_shown(plan, entry) for entry in entries]}

    def restore(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Lift what `revoke` did, or what the issuer told; RevocationError where it is not revoked.

        The issuer forgets first: what it still knew, it would tell again when it starts. Where it is away, nothing is
        lifted.
        """
        kind, value, plan = _kind(asked), asked["value"], self._plan()
        known = self._revoked.revocations()
        named = [entry for entry in known if entry.kind is kind and value in {_name(plan, entry), entry.value}]
        lifted = [entry for entry in named if value == _name(plan, entry)] or named
        if len(lifted) > 1:
            raise RevocationError(f"{value[:80]!r} of more than one issuer is revoked", hint="write ISSUER|NAME")
        if not lifted:
            raise RevocationError(f"the {kind} {value[:80]!r} is not revoked", hint="see `ringwall revoke list`")
        if kind is Revoked.WORKLOAD:
            lifted += [e for e in known if e.kind is Revoked.CLIENT and e.value == lifted[0].value]
        own = {issuer.url for issuer in plan.issuers if issuer.builtin}
        for entry in lifted:
            if kind is not Revoked.WORKLOAD and entry.issuer in own:
                self._lift_at_issuer(entry.kind, entry.value)
            self._revoked.lift(entry.kind, entry.value, entry.issuer)
        return {"lifted": [_shown(plan, entry) for entry in lifted]}

    def list(self, _asked: Mapping[str, Any]) -> dict[str, Any]:
        """Return everything that is revoked now."""
        plan = self._plan()
        return {"revoked": [_shown(plan, entry) for entry in self._revoked.revocations()]}

    def feed(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Take over what the built-in issuer has revoked: `entries` of kind, value, until when and, or null, `before`.

        It may send the same again; what has run out meanwhile is left out.
        """
        issuer = _builtin(self._plan())
        now = self._clock.now()
        entries = [_entry(issuer.url, each) for each in asked["entries"]]
        return {"changed": self._revoked.revoke(e for e in entries if e.until is not None and e.until > now)}


def _entry(issuer: str, entry: Any) -> Revocation:
    match entry:
        case [str(kind), str(value), int() | float() as until, int() | None as before] if kind in _OF_TOKENS:
            return Revocation(Revoked(kind), value, issuer, float(until), before)
    raise RevocationError("an entry of the issuer's feed is no revocation of a token, session, grant, user or client")


def _kind(asked: Mapping[str, Any]) -> Revoked:
    if asked["kind"] not in set(Revoked):
        raise RevocationError(f"there is no kind {asked['kind'][:80]!r}", hint=f"there are {', '.join(Revoked)}")
    return Revoked(asked["kind"])


def _about(plan: Plan, kind: Revoked, named: str) -> list[tuple[Revoked, str, str]]:
    """Return kind, `iss` and value of each revocation that revokes what somebody named."""
    if kind is Revoked.WORKLOAD:
        if named not in plan.by_name:
            raise RevocationError(f"there is no service {named[:80]!r}", hint=f"there are {', '.join(plan.by_name)}")
        spiffe_id = plan.by_name[named].spiffe_id
        # As a client of the issuer a workload has its SPIFFE ID for a name.
        own = [(Revoked.CLIENT, issuer.url, spiffe_id) for issuer in plan.issuers if issuer.builtin]
        return [(kind, "", spiffe_id), *own]
    name, bar, rest = named.partition("|")
    external = next((issuer for issuer in plan.issuers if not issuer.builtin and bar and issuer.name == name), None)
    if external is not None:
        return [(kind, external.url, rest)]
    issuer = _builtin(plan)
    known = [client.name for client in plan.clients]
    if kind is Revoked.CLIENT and named not in known and not named.startswith(REGISTERED_PREFIX):
        raise RevocationError(f"there is no client {named[:80]!r}", hint=f"there are {', '.join(known) or 'none'}")
    return [(kind, issuer.url, named)]


def _builtin(plan: Plan) -> Issuer:
    for issuer in plan.issuers:
        if issuer.builtin:
            return issuer
    external = ", ".join(f"{issuer.name}|NAME" for issuer in plan.issuers)
    raise RevocationError("the plan has no issuer of its own", hint=f"name the issuer as well: {external or 'none'}")


def _name(plan: Plan, entry: Revocation) -> str:
    """Return how somebody would name what is revoked; as it is where the plan knows it no more."""
    if entry.kind is Revoked.WORKLOAD:
        return next((s.name for s in plan.services if s.spiffe_id == entry.value), entry.value)
    issuer = next((issuer for issuer in plan.issuers if issuer.url == entry.issuer), None)
    if issuer is None:
        return f"{entry.issuer}|{entry.value}"
    return entry.value if issuer.builtin else f"{issuer.name}|{entry.value}"


def _shown(plan: Plan, entry: Revocation) -> dict[str, Any]:
    return {
        "kind": entry.kind.value,
        "name": _name(plan, entry),
        "value": entry.value,
        "issuer": entry.issuer,
        "until": entry.until,
        "before": entry.before,
    }
