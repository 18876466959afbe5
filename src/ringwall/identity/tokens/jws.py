"""Compact JSON Web Signatures (RFC 7515): from text to an unverified token, from there to a verified payload."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from ringwall.identity.tokens.algorithms import ALGORITHMS
from ringwall.identity.tokens.encoding import EncodingError, decode_base64url, decode_json_object
from ringwall.identity.tokens.errors import TokenRefusedError
from ringwall.identity.tokens.keys import MAX_KID, KeySet, VerificationKey

MAX_TOKEN_BYTES: Final = 16_384

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+", re.ASCII)
_REFUSED_HEADERS: Final = ("crit", "b64", "jku", "jwk", "x5u", "x5c")
"""Extensions nobody here understands, and keys that a token brings along (RFC 7515, 4.1; RFC 8725, 3.10)."""


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A well-formed token of which nothing may be believed yet.

    Attributes:
        algorithm: `alg` of its header, one of ALGORITHMS.
        kid: its key identifier, "" where there is none.
        typ: its media type as written, "" where there is none.
    """

    algorithm: str
    kid: str
    typ: str
    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    jwk: Mapping[str, Any] | None = field(default=None, repr=False)
    """The key that it brings along; always None but from `parse_with_key`."""

    @classmethod
    def parse_with_key(cls, text: str | bytes) -> Self:
        """Read a token that must bring its own key along, as DPoP proofs do (RFC 9449, section 4.2).

        Such a token proves nothing but that somebody holds the key, so never take it for anything else. Everything
        but the rule about `jwk` is as in `parse`.
        """
        return cls._parse(text, brings_key=True)

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read the compact serialization; raise TokenRefusedError for anything that is not exactly that.

        1. At most MAX_TOKEN_BYTES, and three parts of base64url; neither header nor signature is empty
           (RFC 7515 sections 3.1 and 7.1).
        2. Each part decodes strictly (RFC 7515 section 2).
        3. The header is a JSON object without duplicate members, of bounded depth (RFC 7515 section 4).
        4. The algorithm is a known asymmetric one, hence not `none` (RFC 8725 sections 3.1 and 3.2).
        5. No critical extension, and no key brought along (RFC 7515 section 4.1.11; RFC 8725 section 3.10).
        6. `kid` and `typ`, where present, are short texts (RFC 7515 sections 4.1.4 and 4.1.9).
        """
        return cls._parse(text, brings_key=False)

    @classmethod
    def _parse(cls, text: str | bytes, *, brings_key: bool) -> Self:
        if len(text) > MAX_TOKEN_BYTES:  # 1
            raise TokenRefusedError("size", f"a token is at most {MAX_TOKEN_BYTES} bytes long")
        compact = text.decode("latin-1") if isinstance(text, bytes) else text
        if not _COMPACT.fullmatch(compact):
            raise TokenRefusedError("malformed", "not a signed token in compact form")
        protected, body, mac = compact.split(".")
        try:
            header_json, payload, signature = (decode_base64url(part) for part in (protected, body, mac))  # 2
            header = decode_json_object(header_json)  # 3
        except EncodingError as error:
            raise TokenRefusedError("malformed", f"the token is malformed: {error}") from None
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:  # 4
            raise TokenRefusedError("algorithm", "the token's algorithm is missing, unknown, symmetric or `none`")
        for name in _REFUSED_HEADERS:  # 5
            if name in header and not (brings_key and name == "jwk"):
                raise TokenRefusedError("header", f"the token's header has `{name}`, which is never accepted")
        jwk = header.get("jwk")
        if brings_key and not isinstance(jwk, dict):
            raise TokenRefusedError("header", "the token's header must hold its public key as `jwk`")
        return cls(
            algorithm=algorithm,
            kid=_short_text(header, "kid"),  # 6
            typ=_short_text(header, "typ"),
            payload=payload,
            signature=signature,
            signed=f"{protected}.{body}".encode("ascii"),
            jwk=jwk,
        )


def verify_signature(token: UnverifiedToken, keys: KeySet) -> bytes:
    """Return the payload of a token that one of these keys has signed, or raise TokenRefusedError.

    1. The key is the one that `kid` names; a token without `kid` needs a set of exactly one key (RFC 7515 section 6).
    2. The token's algorithm is that key's own (RFC 8725 section 3.1).
    3. The signature verifies (RFC 7515 section 5.2).
    """
    key = _key_for(token, keys)
    key.algorithm.verify(key.public, token.signature, token.signed)  # 3
    return token.payload


def _key_for(token: UnverifiedToken, keys: KeySet) -> VerificationKey:
    if token.kid:  # 1
        candidates = [key for key in keys.keys if key.kid == token.kid]
    else:
        candidates = list(keys.keys) if len(keys.keys) == 1 else []
    if not candidates:
        raise TokenRefusedError("unknown-key", "no key of the issuer is called as the token says")
    for key in candidates:  # 2
        if key.algorithm.name == token.algorithm:
            return key
    raise TokenRefusedError("algorithm", "the token's algorithm is not the one its key is for")


def _short_text(header: Mapping[str, Any], name: str) -> str:
    value = header.get(name, "")
    if not isinstance(value, str) or len(value) > MAX_KID:
        raise TokenRefusedError("header", f"the token's `{name}` must be a text of at most {MAX_KID} characters")
    return value
