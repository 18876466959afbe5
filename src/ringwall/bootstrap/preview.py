"""What a proxy would be given for a plan, as JSON for people to read; nothing runs, and no key is in it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from ringwall.bootstrap.state import NotRunningError, StateFolder
from ringwall.enforce.resources import snapshot
from ringwall.model.credentials import X509Credential
from ringwall.model.revocation import NothingRevoked
from ringwall.model.secret import Secret
from ringwall.plan.bindings import Address, Bindings
from ringwall.plan.model import Plan

_LEFT_OUT: Final = X509Credential(chain_pem=b"(left out)", key_pem=Secret(b"(left out)"), not_before=0, not_after=0)


class _NoCredentials:
    """Stands in for the certificate authority and the issuers, of which a preview shows nothing."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def svid(self, spiffe_id: str) -> X509Credential:
        del spiffe_id
        return _LEFT_OUT

    def trust_bundle(self) -> bytes:
        return b"(left out)"

    def edge_certificate(self, domains: Sequence[str]) -> X509Credential:
        del domains
        return _LEFT_OUT

    def key_sets(self) -> Mapping[str, str]:
        return {issuer.name: '{"keys":[]}' for issuer in self._plan.issuers}

    def subscribe(self, changed: Callable[[], None]) -> None:
        del changed


def proxy_resources(plan: Plan, folder: StateFolder, node: str) -> str:
    """Return every resource of `edge` or `mesh` as a JSON object by name, with the addresses of the last run."""
    stand_in = _NoCredentials(plan)
    made = snapshot(plan, _bindings(plan, folder), node, stand_in, stand_in, revoked=NothingRevoked())
    shown: dict[str, dict[str, Any]] = {}
    for kind in made.resources:
        for name, resource in made.of_type(kind).items():
            shown.setdefault(kind, {})[name] = MessageToDict(resource.body, preserving_proto_field_name=True)
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


def _bindings(plan: Plan, folder: StateFolder) -> Bindings:
    """Return the addresses of the last run; port 0 for what it did not have."""
    try:
        known = folder.bindings()
    except NotRunningError:
        known = Bindings(state=folder.path)
    nowhere = Address()
    pairs = [f"{service.name}>{callee}" for service in plan.services for callee in service.calls]
    redirects = plan.edge is not None and plan.edge.redirect_port is not None
    return known.model_copy(
        update={
            "edge": known.edge or (nowhere if plan.edge else None),
            "redirect": known.redirect or (nowhere if redirects else None),
            "inbound": {service.name: nowhere for service in plan.services} | known.inbound,
            "outbound": dict.fromkeys(pairs, nowhere) | known.outbound,
            "app": {service.name: nowhere for service in plan.services} | known.app,
        }
    )
