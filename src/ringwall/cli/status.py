"""`ringwall status`."""

import time
from pathlib import Path
from typing import Any

from ringwall.bootstrap.admin_socket import request
from ringwall.bootstrap.issuer_processes import is_issuer
from ringwall.bootstrap.state import NotRunningError
from ringwall.cli.describe import listeners_of, short
from ringwall.cli.locate import running
from ringwall.cli.output import Cell, Output, Style
from ringwall.plan.client import Profile
from ringwall.plan.model import Head

_READY = "ready"
_PATIENCE_SECONDS = 5.0


def status(path: Path = Path(), /, *, json: bool = False) -> int:
    """Show what runs, which plan is in force and what listens where; exits with 1 where something is not well.

    Args:
        path: The blueprint, or the folder that holds it.
        json: Print one JSON document.
    """
    output = Output(as_json=json)
    folder, plan, bindings = running(path)
    system = request(folder.supervisor_socket, "status")
    try:
        control: dict[str, Any] = request(bindings.admin, "status", seconds=_PATIENCE_SECONDS)
    except NotRunningError as error:
        control = {"error": f"control plane: {error.message}"}
    listeners = listeners_of(plan, bindings)
    proxies: dict[str, Any] = {
        name: proxy for name, proxy in control.get("proxies", {}).items() if plan.edge is not None or name != "edge"
    }
    in_force = bool(proxies) and all(proxy["plan"] == plan.digest for proxy in proxies.values())
    well = in_force and all(process["state"] == _READY for process in system["processes"])
    output.json(
        "status",
        {
            "well": well,
            "in_force": in_force,
            "plan": plan.digest,
            "insecure": insecure(plan),
            "supervisor": system,
            "control_plane": control,
            "listeners": [{"name": name, "address": where, "purpose": what} for name, where, what in listeners],
        },
    )
    style = Style.GOOD if in_force else Style.BAD
    output.text(f"{plan.system}: plan {short(plan.digest)} is {'' if in_force else 'not '}in force", style)
    for proxy, at in proxies.items():
        if at["plan"] != plan.digest:
            output.text(f"  the {proxy} proxy {_behind(at)}", Style.WARN)
    if away := issuers_away(system["processes"]):
        output.text(f"  {away}", Style.WARN)
    for line in insecure(plan):
        output.text(f"INSECURE: {line}", Style.BAD)
    if "error" in control:
        output.text(f"  {control['error']}", Style.WARN)
    if "collector" in control:
        output.text(*decision_log(control["collector"]))
    for line in root_key(control.get("authority", {}), time.time()):
        output.text(line, Style.WARN)
    output.text()
    output.table(["process", "state", "pid", "for", "restarts", "last end"], [_row(p) for p in system["processes"]])
    output.text()
    output.table(["name", "listens at", "what it is"], listeners)
    return 0 if well else 1


def issuers_away(processes: list[dict[str, Any]]) -> str:
    """Say how many of the issuer's processes do not answer, and which; empty where all do."""
    issuers = [process for process in processes if is_issuer(process["name"])]
    away = [f"{process['name']} ({process['state']})" for process in issuers if process["state"] != _READY]
    if not away:
        return ""
    verb = "is" if len(away) == 1 else "are"
    return f"{len(away)} of {len(issuers)} processes of the issuer {verb} away: {', '.join(away)}"


def insecure(plan: Head) -> list[str]:
    """Say what of the plan is for tests and not for use."""
    return [
        f"the issuer {issuer.name!r} follows `profile: {issuer.profile.value}`, and lets clients do without PKCE"
        for issuer in plan.issuers
        if issuer.profile is Profile.OIDC_CERTIFICATION
    ]


def root_key(authority: dict[str, Any], now: float) -> list[str]:
    """Say that the intermediate is due and the root's key, which is needed for that, is away; nothing otherwise."""
    if not authority.get("root_offline") or now < authority["intermediate_due_at"]:
        return []
    return ["the root's key is offline and the intermediate is due: `ringwall ca status` says what to do"]


def decision_log(collector: dict[str, Any]) -> tuple[str, Style]:
    """Say how far decisions are stored, and above all which were lost."""
    troubles = [
        f"{count} {what}"
        for what, count in (
            ("decisions dropped", collector["drops"]),
            ("unreadable lines", collector["bad_lines"]),
            ("failed writes of a proxy", collector["proxy_write_failures"]),
        )
        if count
    ]
    if not collector["running"]:
        troubles.insert(0, "the collector does not run")
    if collector["problem"]:
        troubles.insert(0, collector["problem"])
    behind = f", {collector['lag_seconds']:.0f} s behind" if collector["lag_seconds"] >= 1 else ""
    said = f"decision log: {collector['stored']} stored{behind}"
    return (f"{said}; {', '.join(troubles)}", Style.BAD) if troubles else (said, Style.PLAIN)


def _behind(proxy: dict[str, Any]) -> str:
    if not proxy["connected"]:
        return "is not connected to the control plane, and enforces what it had"
    if proxy["rejected"]:
        return f"refused {proxy['rejected'][0]['what']}: {proxy['rejected'][0]['message']}"
    return f"still waits for {', '.join(proxy['pending'][:3]) or 'its configuration'}"


def _row(process: dict[str, Any]) -> list[object]:
    good = process["state"] == _READY
    return [
        process["name"],
        Cell(process["state"], Style.GOOD if good else Style.BAD),
        process["pid"] or "-",
        _since(process["since"]) if process["pid"] else "-",
        process["restarts"],
        process["last_end"] or "-",
    ]


def _since(start: float) -> str:
    seconds = max(0, int(time.time() - start))
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
