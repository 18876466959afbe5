"""`ringwall can`."""

import sys
import time
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from ringwall.bootstrap.state import StateFolder, find_blueprint
from ringwall.cli.explanations import STYLES, places, policy_data
from ringwall.cli.locate import here
from ringwall.cli.main import UsageError
from ringwall.cli.moments import moment
from ringwall.cli.output import Cell, Output, Style
from ringwall.cli.revoked_askers import RevokedAskers
from ringwall.model.events import Outcome
from ringwall.observe.askers import Asker, asker_of_token, known_asker, put_claim
from ringwall.observe.foresee import Asked, Foreseen, Foresight
from ringwall.plan.evaluate import Evaluator
from ringwall.plan.identity import Claim, ClaimType
from ringwall.plan.model import Plan

EXIT_DENIED: Final = 3
_LONGEST_TOKEN: Final = 64 * 1024


def can(
    who: Annotated[str, Parameter(allow_leading_hyphen=True)],
    method: str,
    path: str,
    /,
    *,
    at: str = "",
    from_: Annotated[str, Parameter(name="--from")] = "127.0.0.1",
    via: str = "",
    service: str = "",
    claim: list[str] | None = None,
    json: bool = False,
) -> int:
    """Say whether somebody may do something, and which policy decides. Nothing is sent.

    The plan in force answers, or the blueprint where nothing runs. Exits with 0 where every hop allows it, with 3
    where one does not, and with 2 where the question cannot be answered.

    Who or what is revoked is refused; revocations outlive the system, so this holds where nothing runs, too.

    Args:
        who: A development person, a client or a service by name; `guest`; or a file with a token (`-` reads it from
            standard input). The signature of a token is not verified.
        method: The HTTP method; `TCP` for a service that speaks plain TCP.
        path: As a client sends it to the edge. With `--via` or `--service`, or where a service asks: the
            service's own path.
        at: When: `10:00`, `monday 10:00`, `2026-03-01T10:00`; now by default.
        from_: The client's address.
        via: The service that passes the request on with the user's token.
        service: The service that is asked, where the path alone does not tell.
        claim: A claim to set or change in the token, as `name=value`; may be given several times.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    plan, source = _plan()
    now = time.time()
    when = moment(at, now=now, timezone=plan.timezone) if at else now
    revoked = RevokedAskers(plan, here().path)
    asker = revoked.checked(_with_claims(plan, _asker(plan, who, when, output), claim or []))
    asked = Asked(method=method.upper(), path=path, time=when, source=from_, via=via, service=service)
    hops = Foresight(plan, Evaluator(plan), revoked=revoked.workloads()).hops(asker, asked)
    allowed = all(hop.verdict.outcome is Outcome.ALLOWED for hop in hops)
    output.json(
        "can",
        {"allowed": allowed, "plan": plan.digest, "answered_from": source, "hops": [_data(hop) for hop in hops]},
    )
    _print(output, asker, asked, hops, source)
    return 0 if allowed else EXIT_DENIED


def _plan() -> tuple[Plan, str]:
    """Return the plan in force, or what the blueprint would be, and in words which it is."""
    blueprint = find_blueprint(Path())
    folder = StateFolder.beside(blueprint)
    if folder.holder() is not None:
        return folder.plan(), "the plan in force"
    from ringwall.bootstrap.compiling import Compiler  # noqa: PLC0415  # costs time that a running system saves

    return Compiler(blueprint).compile().plan, "the blueprint; nothing runs"


def _asker(plan: Plan, who: str, when: float, output: Output) -> Asker:
    file = Path(who)
    if who != "-" and not file.is_file():
        return known_asker(plan, who)
    try:
        with sys.stdin.buffer if who == "-" else file.open("rb") as stream:
            text = stream.read(_LONGEST_TOKEN).decode("ascii", "replace")
    except OSError as error:
        raise UsageError(f"{who} cannot be read: {error.strerror}") from error
    output.warn("the token's signature is not verified here")
    return asker_of_token(plan, text, at=when)


def _with_claims(plan: Plan, asker: Asker, changes: list[str]) -> Asker:
    if not changes:
        return asker
    if asker.claims is None:
        raise UsageError(f"{asker.name} has no token that could hold a claim")
    declared = {claim.name: claim for claim in plan.claims}
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals or name not in declared:
            known = ", ".join(declared) or "none"
            raise UsageError(
                f"--claim {change!r} names no claim that a policy reads", hint=f"those are {known}; write name=value"
            )
        put_claim(asker.claims, declared[name].path, _value(declared[name], text))
    return asker


def _value(claim: Claim, text: str) -> object:
    match claim.type:
        case ClaimType.STRING:
            return text
        case ClaimType.STRING_SET:
            return [part.strip() for part in text.split(",") if part.strip()]
        case ClaimType.BOOL:
            if text in {"true", "false"}:
                return text == "true"
        case ClaimType.LONG:
            if text.removeprefix("-").isdigit():
                return int(text)
    raise UsageError(f"{text!r} is no {claim.type.value}, which the claim {claim.name!r} is")


def _data(hop: Foreseen) -> dict[str, object]:
    verdict = hop.verdict
    return {
        "hop": hop.hop,
        "caller": hop.caller,
        "operation": hop.operation,
        "path": hop.path,
        "outcome": verdict.outcome.value,
        "status": hop.status,
        "policies": policy_data(verdict.policies),
        "near": policy_data(verdict.near),
        "reasons": list(verdict.reasons),
        "missing": list(verdict.missing),
        "shadow": verdict.shadow,
        "todo": hop.todo,
    }


def _print(output: Output, asker: Asker, asked: Asked, hops: tuple[Foreseen, ...], source: str) -> None:
    rows = []
    for hop in hops:
        verdict = hop.verdict
        why = "; ".join(filter(None, [verdict.why, *(f"missing: {name}" for name in verdict.missing)]))
        decided = places(verdict.policies) or (f"nearest: {places(verdict.near)}" if verdict.near else "-")
        answer = "allowed" if verdict.outcome is Outcome.ALLOWED else f"{verdict.outcome} ({hop.status})"
        rows.append([hop.hop, hop.caller, hop.operation or "-", Cell(answer, STYLES[verdict.outcome]), decided, why])
    refused = next((hop for hop in hops if hop.verdict.outcome is not Outcome.ALLOWED), None)
    may = "may" if refused is None else "may not"
    style = Style.GOOD if refused is None else Style.BAD
    output.text(f"{asker.name} {may} {asked.method} {asked.path}", style)
    output.table(["at", "called by", "operation", "answer", "policy", "why"], rows)
    for hop in hops:
        if hop.verdict.shadow:
            output.text(f"with shadow policies enforced, {hop.hop} would say: {hop.verdict.shadow}", Style.WARN)
    if refused is not None and refused.todo:
        output.text(f"hint: {refused.todo}")
    output.text(f"answered from {source}", Style.FAINT)
