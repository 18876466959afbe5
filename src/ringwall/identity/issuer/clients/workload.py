"""Workload identity as a client's credential: a service shows its JWT-SVID, and so needs no secret.

Source: draft-ietf-oauth-spiffe-client-auth, section 3; the SPIFFE JWT-SVID standard. A service may show one JWT-SVID as
long as it lasts, five minutes: it has no `jti`, and is good for nobody but the issuer.
"""

import logging
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from starlette.requests import Request

from ringwall.identity.issuer.clients.assertion import shown_assertion
from ringwall.identity.issuer.clients.model import AuthenticatedClient, unauthenticated
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.request import Parameters
from ringwall.identity.issuer.services import Services
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.keys import parse_key
from ringwall.model.durable import Stamp, stamp_of
from ringwall.plan.client import Client

METHOD = "spiffe_jwt"

_log = logging.getLogger(__name__)


class WorkloadMethod:
    """An identity that the control plane has given to a service of the plan."""

    names: tuple[str, ...] = (METHOD,)

    def __init__(self, context: IssuerContext, services: Services) -> None:
        self._context = context
        self._services = services
        self._stamp: Stamp | None = None
        self._keys: dict[str, EllipticCurvePublicKey] = {}

    async def presented(self, request: Request, form: Parameters) -> bool:  # noqa: ARG002  # the protocol's
        """Return whether there is an assertion that means to be a workload's identity."""
        shown = shown_assertion(form)
        return shown is not None and shown.of_workload

    async def authenticate(self, request: Request, form: Parameters) -> AuthenticatedClient:  # noqa: ARG002  # the protocol's
        """Return the service whose JWT-SVID is shown.

        1. It is a JWT-SVID that holds for the issuer (JWT-SVID, section 5; see `identity.workload.jwt_svid.verify`).
        2. It is for the issuer alone, so that nobody else to whom it was shown can use it here
           (draft-ietf-oauth-spiffe-client-auth, section 5). 3. The plan in force has that service.
        """
        from ringwall.identity.workload.jwt_svid import JwtSvidError, verify  # noqa: PLC0415  # not on the way to a start

        shown = shown_assertion(form)
        if shown is None:
            raise unauthenticated()
        issuer = self._context.directory.current().issuer
        try:
            found = verify(  # 1
                shown.text, self._bundle(), self._services.trust_domain, issuer, self._context.clock.now()
            )
        except JwtSvidError as error:
            _log.warning("a workload failed to authenticate: %s", error.message)
            raise unauthenticated() from None
        if found.claims["aud"] not in (issuer, [issuer]):  # 2
            raise unauthenticated()
        service = self._services.find(str(found.spiffe_id))
        if service is None:  # 3
            raise unauthenticated()
        return AuthenticatedClient(
            client=Client(name=service.spiffe_id), method=METHOD, confirmation={}, service=service.name
        )

    def _bundle(self) -> dict[str, EllipticCurvePublicKey]:
        """Return the keys of JWT-SVIDs that are trusted now, by key id; none where nobody has written any."""
        file = self._context.settings.bindings.jwt_bundle
        stamp = stamp_of(file)
        if stamp != self._stamp:
            self._keys = {} if stamp is None else dict(map(_key, orjson.loads(file.read_bytes())["keys"]))
            self._stamp = stamp
        return self._keys


def _key(jwk: dict[str, Any]) -> tuple[str, EllipticCurvePublicKey]:
    parsed = parse_key({**jwk, "use": "sig"})  # a bundle says `jwt-svid` (JWT-SVID, section 6)
    if not isinstance(parsed.public, EllipticCurvePublicKey):
        raise KeyRefusedError("type", "a key of JWT-SVIDs is of another type than is used here")
    return parsed.kid, parsed.public
