"""DPoP proofs (RFC 9449, sections 4.2 and 4.3): from headers of a request to the key that its sender holds."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ringwall.identity.dpop.nonces import Nonces
from ringwall.identity.dpop.uris import UriRefusedError, normal_uri
from ringwall.identity.tokens.claims import MAX_SECONDS
from ringwall.identity.tokens.encoding import EncodingError, decode_json_object, encode_base64url
from ringwall.identity.tokens.errors import KeyRefusedError, TokenRefusedError
from ringwall.identity.tokens.jws import UnverifiedToken
from ringwall.identity.tokens.keys import VerificationKey, parse_key
from ringwall.identity.tokens.thumbprint import thumbprint_of
from ringwall.model.clock import Clock
from ringwall.model.errors import RingwallError
from ringwall.model.presented import ALGORITHMS

PROOF_SECONDS: Final = 60.0
"""How old a proof may be."""
AHEAD_SECONDS: Final = 10.0
"""How far a client's clock may be ahead."""
MAX_PROOF_BYTES: Final = 4096
MAX_JTI: Final = 256
_TYP: Final = "dpop+jwt"


class ProofRefusedError(RingwallError):
    """A proof does not show what it should (`invalid_dpop_proof`; RFC 9449, sections 5 and 7.1).

    Attributes:
        reason: short stable name of the check that failed.
    """

    code = "dpop-proof"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NonceNeededError(ProofRefusedError):
    """The proof holds but for its nonce, so the sender is told which one to use (`use_dpop_nonce`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedProof:
    """Somebody has just shown for one request that they hold a key.

    Attributes:
        jkt: thumbprint of the key (RFC 7638), what `cnf.jkt` of a token must be (RFC 9449, section 6.1).
        jti: unique name of the proof among those of its key.
        until: when the proof is refused as too old, seconds since the epoch; until then, `jti` must be remembered.
    """

    jkt: str
    jti: str
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofFor:
    """The request that a proof must be about.

    Attributes:
        method: HTTP method.
        uri: where the request went, as the client knows it: built from settings, never from the `Host` header alone.
        access_token: the token that comes with it; None for none.
    """

    method: str
    uri: str
    access_token: str | None = None


def verify_proof(headers: Sequence[str], *, expected: ProofFor, clock: Clock, nonces: Nonces | None) -> VerifiedProof:
    """Return what the `DPoP` headers of a request prove, or raise ProofRefusedError.

    Sections and items are those of RFC 9449; items are in section 4.3.

    1. There is exactly one header (item 1), of bounded size.
    2. It is one well-formed, signed JWT with an asymmetric algorithm of ALGORITHMS that brings its key along (items
       2 and 5).
    3. `typ` is `dpop+jwt`, so that nothing else that the client signs is taken for a proof (item 4; section 11.6).
    4. The key is public, sound, and for this algorithm (item 7; see `parse_key`).
    5. The signature verifies with it (item 6).
    6. `jti`, `htm`, `htu` and `iat` are there (item 3; section 4.2).
    7. `htm` is the method of the request (item 8), letter by letter (RFC 9110, section 9.1).
    8. `htu` is its URI, without query and fragment, both normalised (item 9).
    9. `iat` is neither older than PROOF_SECONDS nor further ahead than AHEAD_SECONDS (item 11; section 11.1).
    10. `ath` is the hash of the access token, where there is one (item 12). That the token is bound to the key is for
        the caller to compare.
    11. `nonce` is one of ours (item 10). This comes last, so that only who made a right proof is told to try again.

    That `jti` is seen once (section 11.1) is for the caller, who has a memory.
    """
    if len(headers) != 1:  # 1
        raise ProofRefusedError("count", "there must be exactly one DPoP header")
    if len(headers[0]) > MAX_PROOF_BYTES:
        raise ProofRefusedError("size", f"a DPoP proof is at most {MAX_PROOF_BYTES} bytes long")
    key, claims = _signed(headers[0])  # 2, 3, 4, 5
    jti = _text(claims, "jti", MAX_JTI)  # 6
    issued = _issued(claims)
    if _text(claims, "htm") != expected.method:  # 7
        raise ProofRefusedError("htm", "the DPoP proof is for another method")
    _check_uri(_text(claims, "htu"), expected.uri)  # 8
    now = clock.now()
    if not now - PROOF_SECONDS < issued <= now + AHEAD_SECONDS:  # 9
        raise ProofRefusedError("iat", "the DPoP proof is too old, or from the future")
    if expected.access_token is not None:  # 10
        _check_token_hash(claims, expected.access_token)
    if nonces is not None and not nonces.is_good(_nonce(claims)):  # 11
        raise NonceNeededError("nonce", "the DPoP proof must carry the nonce that is given with this answer")
    return VerifiedProof(jkt=thumbprint_of(key), jti=jti, until=issued + PROOF_SECONDS)


def _signed(text: str) -> tuple[VerificationKey, dict[str, Any]]:
    """Return the key that a proof brings along, and what it has signed."""
    try:
        token = UnverifiedToken.parse_with_key(text)  # 2
        if token.algorithm not in ALGORITHMS:
            raise ProofRefusedError("algorithm", f"a DPoP proof is signed with one of {', '.join(ALGORITHMS)}")
        if token.typ.lower().removeprefix("application/") != _TYP:  # 3
            raise ProofRefusedError("type", f"the `typ` of a DPoP proof is {_TYP}")
        assert token.jwk is not None  # noqa: S101  # `parse_with_key` gives one
        key = parse_key({"alg": token.algorithm, **token.jwk})  # 4: an RSA key need not say which algorithm it is for
        if key.algorithm.name != token.algorithm:
            raise ProofRefusedError("algorithm", "the DPoP proof's key is for another algorithm")
        key.algorithm.verify(key.public, token.signature, token.signed)  # 5
        return key, decode_json_object(token.payload)
    except (TokenRefusedError, KeyRefusedError) as error:
        raise ProofRefusedError(error.reason, f"the DPoP proof is refused: {error.message}") from None
    except EncodingError as error:
        raise ProofRefusedError("claims", f"the claims of the DPoP proof are {error}") from None


def _check_uri(shown: str, expected: str) -> None:
    try:
        same = normal_uri(shown) == normal_uri(expected)
    except UriRefusedError:
        same = False
    if not same:
        raise ProofRefusedError("htu", "the DPoP proof is for another URI")


def _check_token_hash(claims: Mapping[str, Any], token: str) -> None:
    """Compare `ath`, base64url of the SHA-256 of the token's ASCII text (section 4.2)."""
    made = encode_base64url(hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest())
    if not hmac.compare_digest(_text(claims, "ath").encode("utf-8"), made.encode("ascii")):
        raise ProofRefusedError("ath", "the DPoP proof is for another access token")


def _text(claims: Mapping[str, Any], name: str, most: int = MAX_PROOF_BYTES) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise ProofRefusedError(name, f"the `{name}` of the DPoP proof is missing, no text, or too long")
    return value


def _nonce(claims: Mapping[str, Any]) -> str:
    value = claims.get("nonce", "")
    if not isinstance(value, str):
        raise ProofRefusedError("nonce", "the `nonce` of the DPoP proof is no text")
    return value


def _issued(claims: Mapping[str, Any]) -> float:
    value = claims.get("iat")
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_SECONDS:
        raise ProofRefusedError("iat", "the `iat` of the DPoP proof is missing or no time")
    return float(value)
