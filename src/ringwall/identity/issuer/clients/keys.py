"""The keys by which a client signs, and for which algorithms they may be."""

from typing import Final

from ringwall.identity.tokens.keys import KeySet
from ringwall.plan.client import Client, Profile

ALGORITHMS: Final = ("ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256")
"""What a client's key may be for; each key is good for its own one only (RFC 8725, section 3.1)."""
FAPI2_ALGORITHMS: Final = ("PS256", "ES256", "EdDSA")
"""What it may be for under the FAPI 2.0 Security Profile, section 5.4.1, item 1."""


def algorithms_of(profile: Profile | None) -> tuple[str, ...]:
    """Return the algorithms that clients may sign with."""
    return FAPI2_ALGORITHMS if profile is Profile.FAPI2 else ALGORITHMS


def keys_of(client: Client) -> KeySet:
    """Return a client's keys for signatures that it may use; KeyRefusedError where its set is unfit as a whole."""
    allowed = algorithms_of(client.profile)
    return KeySet(tuple(key for key in KeySet.of_client(client.jwks).keys if key.algorithm.name in allowed))
