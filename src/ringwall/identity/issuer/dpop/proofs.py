"""Takes proofs: each once, with a nonce of ours, about a request to one of the issuer's own endpoints."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request

from ringwall.identity.dpop.nonces import Nonces
from ringwall.identity.dpop.proof import NonceNeededError, ProofFor, ProofRefusedError, VerifiedProof, verify_proof
from ringwall.identity.issuer.context import IssuerContext
from ringwall.identity.issuer.kept_key import kept_key
from ringwall.identity.issuer.request import RequestRefusedError

HEADER: Final = "dpop"
NONCE_HEADER: Final = "dpop-nonce"
_ENTRY: Final = "dpop-nonces"
_KIND: Final = "dpop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What a request's proof, or its absence, means for the answer.

    Attributes:
        jkt: thumbprint of the key that the sender holds; empty where it shows none.
        headers: what the answer must carry: the nonce for the next request (RFC 9449, section 8.2).
    """

    jkt: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def confirmation(self) -> dict[str, str]:
        """Members of `cnf` (RFC 9449, section 6.1)."""
        return {"jkt": self.jkt} if self.jkt else {}


_UNBOUND: Final = Binding()


class ProofTaker:
    """Verifies the proofs of requests, and remembers them."""

    def __init__(self, context: IssuerContext) -> None:
        self._context = context
        self._made: Nonces | None = None

    @property
    def nonces(self) -> Nonces:
        """The nonces; the key is read, or made, when first needed."""
        if self._made is None:
            self._made = Nonces(kept_key(self._context.keystore, _ENTRY), self._context.clock)
        return self._made

    async def take(self, request: Request, path: str, *, access_token: str | None = None) -> VerifiedProof:
        """Return what a request's `DPoP` header proves, or raise ProofRefusedError.

        1. The proof is right for this request (RFC 9449, section 4.3). The URI is built from the issuer's own, or its
        alias for clients with certificates (RFC 8705, section 5): `Host` only says which of the two was asked. 2. It
        has not been used before, within its lifetime (section 11.1).
        """
        base = self._context.directory.current().base_for(request.headers.get("host", ""))
        expected = ProofFor(method=request.method, uri=f"{base}{path}", access_token=access_token)
        clock = self._context.clock
        shown = verify_proof(request.headers.getlist(HEADER), expected=expected, clock=clock, nonces=self.nonces)  # 1
        replay = (await self._context.storage.database()).replay
        if not await replay.once(_KIND, f"{shown.jkt} {shown.jti}", until=shown.until, now=clock.now()):  # 2
            raise ProofRefusedError("replay", "the DPoP proof was used before")
        return shown

    async def bind(self, request: Request, path: str) -> Binding:
        """Return the key that a request to an endpoint for clients proves, if any; RequestRefusedError otherwise.

        Answers are those of RFC 9449, sections 5 and 8: `invalid_dpop_proof`, and `use_dpop_nonce` with a nonce.
        """
        if HEADER not in request.headers:
            return _UNBOUND
        try:
            shown = await self.take(request, path)
        except ProofRefusedError as error:
            oauth = "use_dpop_nonce" if isinstance(error, NonceNeededError) else "invalid_dpop_proof"
            raise RequestRefusedError(400, oauth, error.message, headers=self.answer_headers()) from None
        return Binding(jkt=shown.jkt, headers=self.answer_headers())

    def answer_headers(self) -> dict[str, str]:
        """Return the header that gives the sender a nonce for its next proof."""
        return {NONCE_HEADER: self.nonces.current()}
