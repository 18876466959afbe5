"""Keys and tokens made by joserfc: an implementation that is not ours, to check ours against."""

import warnings
from typing import Any

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, KeyParameters, OKPKey, RSAKey

ALL_ALGORITHMS = ["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"]
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_rsa: list[RSAKey] = []


def make_key(algorithm: str, kid: str = "k1") -> ECKey | OKPKey | RSAKey:
    """Return a private key for an algorithm; the RSA key is made once, as that takes long."""
    parameters: KeyParameters = {"alg": algorithm, "use": "sig", "kid": kid}
    if algorithm in _CURVES:
        return ECKey.generate_key(_CURVES[algorithm], parameters)
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519", parameters)
    if not _rsa:
        _rsa.append(RSAKey.generate_key(2048))
    return RSAKey.import_key(_rsa[0].as_dict(private=True), parameters)


def public_jwk(key: ECKey | OKPKey | RSAKey) -> dict[str, Any]:
    return dict(key.as_dict(private=False))


def sign(header: dict[str, Any], payload: bytes | str, key: ECKey | OKPKey | RSAKey) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # RFC 9864 calls EdDSA Ed25519; issuers and proxies do not yet
        return jws.serialize_compact(header, payload, key, algorithms=ALL_ALGORITHMS)
