"""The edge's other question: does the sender of a bound token hold its key (RFC 9449, section 7)?

Asked for tokens with `cnf.jkt` alone, after Envoy has verified them. Whatever goes wrong, the answer is no.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ringwall.model.presented import ALGORITHMS, BindingJudge, BindingRefusedError, BoundToken
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE
from ringwall.plan.model import Edge

CONFIRMATION: Final = "x-ringwall-fact-confirmation"
"""The verified token's `cnf` as JSON. Only this question has it."""
PROOF: Final = "dpop"
NONCE: Final = "dpop-nonce"
REFUSED: Final = "x-ringwall-refused"
"""Of the answer: the check that failed. The proxy records it behind its own word, and tells nobody."""
REMOVE: Final = "x-envoy-auth-headers-to-remove"
"""Of the answer: what the proxy takes out of the request."""

CONFIRMATION_VALUE: Final = f"%DYNAMIC_METADATA({JWT_NAMESPACE}:{CLAIMS_KEY}:cnf)%"
_HTTPS: Final = 443
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Public:
    """How clients may call the edge.

    Attributes:
        authorities: host, and port unless it is 443, as in a request's `Host`.
        nonces: whether proofs must carry a nonce of ours (RFC 9449, section 9).
    """

    authorities: frozenset[str]
    nonces: bool


def public(edge: Edge | None, port: int | None) -> Public:
    """Return how clients may call an edge that listens on `port`.

    A proof that was made for another server on the same host must not do. Behind other proxies port 443 may be theirs.
    """
    if edge is None:
        return Public(authorities=frozenset(), nonces=False)
    ports = {port or edge.port, *([_HTTPS] if edge.trusted_hops else [])}
    hosts = [f"[{domain}]" if ":" in domain else domain for domain in edge.domains]
    named = {f"{host}:{number}" for host in hosts for number in ports}
    plain = set(hosts) if _HTTPS in ports else set()
    return Public(authorities=frozenset(map(str.lower, named | plain)), nonces=edge.dpop_nonces)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the proxy is told: 200 to go on; otherwise what the client is told."""

    status: int
    headers: tuple[tuple[str, str], ...]


def answer(method: str, target: str, headers: Mapping[str, str], *, at: Public, judge: BindingJudge | None) -> Answer:
    """Return whether the sender of a bound token holds its key.

    Args:
        method: of the request.
        target: its path and query, as the edge has normalised them.
        headers: by lower-case name; one that came more than once is empty.
        at: how clients may call the edge.
        judge: None where there is none; then nobody holds any key.
    """
    try:
        nonce = _check(method, target, headers, at, judge)
    except BindingRefusedError as refusal:
        if not refusal.oauth:
            _LOG.error("a request with a bound token was refused: %s", refusal.message)
            return Answer(503, ((REFUSED, f"[unjudged-{refusal.reason}]"),))
        challenge = f'DPoP realm="ringwall", error="{refusal.oauth}", algs="{" ".join(ALGORITHMS)}"'
        given = [(NONCE, refusal.nonce)] if refusal.nonce else []
        return Answer(401, ((REFUSED, f"[proof-{refusal.reason}]"), ("www-authenticate", challenge), *given))
    return Answer(200, ((REMOVE, PROOF), *([(NONCE, nonce)] if nonce else [])))


def _check(method: str, target: str, headers: Mapping[str, str], at: Public, judge: BindingJudge | None) -> str:
    if judge is None:
        raise BindingRefusedError("nobody", "", "there is nobody who can judge DPoP proofs")
    authority = headers.get("host", "").lower()
    if authority not in at.authorities:
        raise BindingRefusedError("authority", "invalid_dpop_proof", "the request is for another host or port")
    try:
        confirmation = json.loads(headers.get(CONFIRMATION, ""))
    except ValueError:
        confirmation = None
    token = headers.get("authorization", "").partition(" ")[2]
    if not isinstance(confirmation, dict) or not token:
        raise BindingRefusedError("confirmation", "invalid_token", "the token's `cnf` cannot be read")
    proof = headers.get(PROOF)
    shown = BoundToken(
        method=method,
        uri=f"https://{authority}{target.partition('?')[0]}",
        proofs=() if proof is None else (proof,),
        token=token,
        confirmation=confirmation,
    )
    return judge.check(shown, nonces=at.nonces)
