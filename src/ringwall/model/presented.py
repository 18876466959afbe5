"""An access token that is bound to a key, with the proof that its sender has that key (RFC 9449, section 7).

`enforce` takes both out of a request and `identity` judges them; neither sees the other, both see these types.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from ringwall.model.errors import RingwallError

ALGORITHMS: Final = ("ES256", "PS256", "EdDSA")
"""What a proof may be signed with (those of FAPI 2.0 Security Profile, section 5.4.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundToken:
    """What came with one request. The token itself is verified already, the proof is not.

    Attributes:
        method: HTTP method.
        uri: where the request went, with an authority that is known to be ours.
        proofs: the `DPoP` headers.
        token: the token, as it came.
        confirmation: its `cnf` (RFC 7800, section 3.1).
    """

    method: str
    uri: str
    proofs: tuple[str, ...]
    token: str
    confirmation: Mapping[str, object]


class BindingRefusedError(RingwallError):
    """Whoever sends a bound token does not show what it is bound to.

    Attributes:
        reason: short stable name of the check that failed, such as `htu`.
        oauth: error code of the challenge (RFC 9449, section 7.1); empty where nobody could judge.
        nonce: the nonce that the next proof must carry; empty for none.
    """

    code = "binding-refused"

    def __init__(self, reason: str, oauth: str, message: str, *, nonce: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.oauth = oauth
        self.nonce = nonce


class BindingJudge(Protocol):
    """Judges proofs, each once."""

    def check(self, shown: BoundToken, *, nonces: bool) -> str:
        """Return the nonce for the next proof, empty for none; raise BindingRefusedError where the proof fails.

        Args:
            shown: token and proof.
            nonces: whether a proof must carry a nonce of ours (RFC 9449, section 9).
        """
        ...
