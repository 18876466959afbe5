"""Bound tokens at the edge (RFC 9449, section 7.1): whoever sends one shows its key, with a new proof each time."""

import hmac
import secrets
from pathlib import Path
from typing import Final

from ringwall.identity.dpop.nonces import KEY_BYTES, Nonces
from ringwall.identity.dpop.proof import NonceNeededError, ProofFor, ProofRefusedError, verify_proof
from ringwall.identity.dpop.seen import MemoryFullError, SeenProofs
from ringwall.model.clock import Clock
from ringwall.model.presented import BindingRefusedError, BoundToken
from ringwall.model.secret import Secret

_INVALID_PROOF: Final = "invalid_dpop_proof"


class HolderCheck:
    """Judges what comes to every listener of the edge, with one memory of the proofs that were used. For one thread."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        """Take the folder of that memory."""
        self._clock = clock
        self._nonces = Nonces(Secret(secrets.token_bytes(KEY_BYTES)), clock)
        self._seen = SeenProofs(folder, clock)

    def close(self) -> None:
        """Take nothing any more."""
        self._seen.close()

    def check(self, shown: BoundToken, *, nonces: bool) -> str:
        """Return the nonce for the next proof, or raise BindingRefusedError.

        1. The token is bound to a key and to nothing else (RFC 9449, section 6.1): what else `cnf` holds, nobody here
           has looked at.
        2. The proof is right for this request and this token (RFC 9449, sections 4.3 and 7.1).
        3. Its key is the token's (RFC 9449, section 7.1).
        4. It was not used before (RFC 9449, section 11.1). This comes last, so only right proofs take up memory.
        """
        jkt = shown.confirmation.get("jkt")
        if set(shown.confirmation) != {"jkt"} or not isinstance(jkt, str):  # 1
            raise BindingRefusedError("confirmation", "invalid_token", "the token is not bound to a key alone")
        given = self._nonces.current() if nonces else ""
        expected = ProofFor(method=shown.method, uri=shown.uri, access_token=shown.token)
        try:
            proof = verify_proof(  # 2
                shown.proofs, expected=expected, clock=self._clock, nonces=self._nonces if nonces else None
            )
            if not hmac.compare_digest(proof.jkt.encode(), jkt.encode("utf-8", "surrogatepass")):  # 3
                raise BindingRefusedError("key", "invalid_token", "the token is bound to another key", nonce=given)
            self._seen.once(proof.jkt, proof.jti, proof.until)  # 4
        except NonceNeededError as error:
            raise BindingRefusedError(error.reason, "use_dpop_nonce", error.message, nonce=given) from None
        except MemoryFullError as error:
            raise BindingRefusedError(error.reason, "", error.message) from None
        except ProofRefusedError as error:
            raise BindingRefusedError(error.reason, _INVALID_PROOF, error.message, nonce=given) from None
        return given
