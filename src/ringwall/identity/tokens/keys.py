"""JSON Web Keys that verify signatures (RFC 7517), read strictly.

A key is bound to exactly one algorithm, its own `alg` (RFC 8725, section 3.1): a token cannot choose.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ringwall.identity.tokens.algorithms import ALGORITHMS, Algorithm, PublicKey
from ringwall.identity.tokens.encoding import EncodingError, decode_base64url, decode_json_object
from ringwall.identity.tokens.errors import KeyRefusedError
from ringwall.identity.tokens.roca import has_roca_fingerprint

MAX_SET_BYTES: Final = 262_144
MAX_KEYS: Final = 100
MAX_KID: Final = 256
"""Longest `kid`, in characters."""
RSA_BITS: Final = range(2048, 8193)
"""Sizes of RSA keys that are taken: RFC 7518 section 3.3 sets the lower end, the cost of verifying the upper."""

_CURVES: Final[Mapping[str, tuple[ec.EllipticCurve, int]]] = {
    "P-256": (ec.SECP256R1(), 32),
    "P-384": (ec.SECP384R1(), 48),
    "P-521": (ec.SECP521R1(), 66),
}
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_MIN_EXPONENT: Final = 65537
_ED25519_SIZE: Final = 32


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key, its identifier, and the only algorithm it may be used with."""

    kid: str
    algorithm: Algorithm
    public: PublicKey = field(repr=False)
    thumbprint: tuple[str, ...] = field(repr=False)
    """The members that make up the key, for comparing two keys (the input of RFC 7638)."""


def implied_algorithms(jwk: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of all algorithms that fit the key's `kty` and `crv`; empty for a key of no known type."""
    kty, crv = jwk.get("kty"), jwk.get("crv")
    return tuple(a.name for a in ALGORITHMS.values() if a.kty == kty and a.crv in (None, crv))


def parse_key(jwk: Mapping[str, Any]) -> VerificationKey:
    """Return the key that a JWK describes, or raise KeyRefusedError.

    Without `alg`, the one that kty and crv imply is taken; an RSA key, which fits several, must say.
    """
    # 1. Only public, asymmetric keys (RFC 8725 section 3.1; RFC 7517 section 9.2).
    check_public(jwk)
    # 2. Meant for verifying signatures (RFC 7517 sections 4.2 and 4.3).
    if jwk.get("use", "sig") != "sig":
        raise KeyRefusedError("use", "the key's `use` is not `sig`")
    operations = jwk.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise KeyRefusedError("key-ops", "the key's `key_ops` do not include `verify`")
    # 3. Named (RFC 7517 section 4.5).
    kid = jwk.get("kid", "")
    if not isinstance(kid, str) or len(kid) > MAX_KID:
        raise KeyRefusedError("kid", f"`kid` must be a text of at most {MAX_KID} characters")
    # 4. One known algorithm, which fits the key type and the curve (RFC 7517 section 4.4; RFC 8725 section 3.1).
    algorithm = _algorithm(jwk)
    # 5. The key itself is sound (RFC 8725 section 3.4, and below).
    if algorithm.kty == "RSA":
        return VerificationKey(kid, algorithm, rsa_key(jwk), ("RSA", str(jwk["n"]), str(jwk["e"])))
    if algorithm.kty == "EC":
        return VerificationKey(kid, algorithm, ec_key(jwk), ("EC", str(jwk["crv"]), str(jwk["x"]), str(jwk["y"])))
    return VerificationKey(kid, algorithm, _ed25519_key(jwk), ("OKP", str(jwk["crv"]), str(jwk["x"])))


def check_public(jwk: Mapping[str, Any]) -> None:
    """Raise KeyRefusedError for a key that is symmetric, or carries more than its public part."""
    if jwk.get("kty") == "oct":
        raise KeyRefusedError("symmetric", "a symmetric key cannot verify tokens of somebody else")
    if not _PRIVATE_MEMBERS.isdisjoint(jwk):
        raise KeyRefusedError("private", "the key carries private members", hint="publish only the public part")


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys by which tokens of one issuer are verified."""

    keys: tuple[VerificationKey, ...]

    def __post_init__(self) -> None:
        """Refuse keys that could be mistaken for each other.

        Two may share a `kid` only as one key for two algorithms (RFC 7517, section 4.5).
        """
        seen: dict[str, list[VerificationKey]] = {}
        for key in (key for key in self.keys if key.kid):
            for other in seen.setdefault(key.kid, []):
                if other.thumbprint != key.thumbprint or other.algorithm is key.algorithm:
                    raise KeyRefusedError("duplicate-kid", f"two keys are called {key.kid[:80]!r}")
            seen[key.kid].append(key)

    @classmethod
    def parse(cls, data: bytes | str) -> "KeySet":
        """Read a JWK set (RFC 7517, section 5); every key of it must be fit, or KeyRefusedError is raised.

        So a set that mixes public with symmetric or private keys is refused as a whole: whoever published it
        may have published a secret.
        """
        return cls(tuple(parse_key(jwk) for jwk in read_set(data)))

    @classmethod
    def of_client(cls, data: bytes | str) -> "KeySet":
        """Read the set of a client as `parse` does, leaving out what it has others encrypt with."""
        return cls(tuple(parse_key(jwk) for jwk in read_set(data) if jwk.get("use") != "enc"))


def read_set(data: bytes | str) -> list[Mapping[str, Any]]:
    """Return the members of a JWK set as they are, unchecked; KeyRefusedError where it is none or too large."""
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if len(raw) > MAX_SET_BYTES:
        raise KeyRefusedError("size", f"a key set is at most {MAX_SET_BYTES} bytes long")
    try:
        keys = decode_json_object(raw).get("keys")
    except EncodingError as error:
        raise KeyRefusedError("json", f"not a key set: {error}") from None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise KeyRefusedError("json", "not a key set: `keys` is not a list of objects")
    if len(keys) > MAX_KEYS:
        raise KeyRefusedError("size", f"a key set has at most {MAX_KEYS} keys")
    return keys


def _algorithm(jwk: Mapping[str, Any]) -> Algorithm:
    fitting = implied_algorithms(jwk)
    if "alg" not in jwk:
        if len(fitting) != 1:
            raise KeyRefusedError("alg", "the key names no algorithm, and its type does not imply one")
        return ALGORITHMS[fitting[0]]
    name = jwk["alg"]
    if name not in fitting:
        raise KeyRefusedError("alg", "the key's `alg` is unknown, symmetric, or does not fit its type and curve")
    return ALGORITHMS[name]


def _octets(jwk: Mapping[str, Any], member: str) -> bytes:
    value = jwk.get(member)
    if not isinstance(value, str):
        raise KeyRefusedError("member", f"the key's `{member}` is missing or no text")
    try:
        return decode_base64url(value)
    except EncodingError as error:
        raise KeyRefusedError("member", f"the key's `{member}` is {error}") from None


def _number(jwk: Mapping[str, Any], member: str) -> int:
    """Base64urlUInt: the fewest octets that hold the number (RFC 7518, section 2)."""
    octets = _octets(jwk, member)
    if not octets or octets[0] == 0:
        raise KeyRefusedError("member", f"the key's `{member}` is empty or begins with a zero octet")
    return int.from_bytes(octets)


def rsa_key(jwk: Mapping[str, Any]) -> rsa.RSAPublicKey:
    """Return the RSA key of a JWK (RFC 7518, section 6.3.1), or raise KeyRefusedError where it is not sound."""
    modulus, exponent = _number(jwk, "n"), _number(jwk, "e")
    if modulus.bit_length() not in RSA_BITS:
        raise KeyRefusedError(
            "rsa-size",
            f"the RSA key has {modulus.bit_length()} bits; {RSA_BITS.start} to {RSA_BITS.stop - 1} are taken",
        )
    # FIPS 186-5 section A.1.1: odd, and 2^16 < e < 2^256; e = 1 would accept anything.
    if not _MIN_EXPONENT <= exponent < 1 << 256 or not exponent & 1 or not modulus & 1:
        raise KeyRefusedError("rsa-exponent", "the RSA key's exponent or modulus is not usable")
    if has_roca_fingerprint(modulus):
        raise KeyRefusedError("roca", "the RSA key can be factored (CVE-2017-15361)", hint="replace it at its issuer")
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        raise KeyRefusedError("rsa", "the RSA key is not usable") from None


def ec_key(jwk: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    """Return the key of a JWK on one of the curves P-256, P-384 and P-521 (section 6.2.1), or raise KeyRefusedError."""
    curve, size = _CURVES[jwk["crv"]]
    x, y = _octets(jwk, "x"), _octets(jwk, "y")
    # RFC 7518 section 6.2.1.2: exactly as long as the curve's field.
    if len(x) != size or len(y) != size:
        raise KeyRefusedError("ec-point", "the key's coordinates have the wrong length")
    try:
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve).public_key()
    except ValueError:
        raise KeyRefusedError("ec-point", "the key is not a point of its curve") from None


def _ed25519_key(jwk: Mapping[str, Any]) -> Ed25519PublicKey:
    octets = _octets(jwk, "x")
    if len(octets) != _ED25519_SIZE:
        raise KeyRefusedError("okp", "the key has the wrong length")
    try:
        return Ed25519PublicKey.from_public_bytes(octets)
    except ValueError:
        raise KeyRefusedError("okp", "the key is not usable") from None
