"""JWK thumbprints (RFC 7638): names of keys that follow from the keys alone."""

import hashlib
from typing import Final

from ringwall.identity.tokens.encoding import encode_base64url, encode_json
from ringwall.identity.tokens.keys import VerificationKey

_MEMBERS: Final = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}
"""Names of what `VerificationKey.thumbprint` holds, by key type."""


def thumbprint_of(key: VerificationKey) -> str:
    """Return base64url of the SHA-256 over the required members in alphabetical order (sections 3 and 3.2).

    Which members are required: RFC 7638, section 3.2; RFC 8037, section 2, for `OKP`. Since keys are read strictly,
    there is one text for each member, so one thumbprint for each key.
    """
    named = dict(zip(_MEMBERS[key.thumbprint[0]], key.thumbprint, strict=True))
    return encode_base64url(hashlib.sha256(encode_json(dict(sorted(named.items())))).digest())
