"""RSA keys: their size, and how one is made."""

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

MakeRsa = Callable[[], rsa.RSAPrivateKey]
"""Returns a key that nobody has seen."""
RSA_BITS: Final = 2048
_EXPONENT: Final = 65537


def make_rsa_key() -> rsa.RSAPrivateKey:
    """Return a new key; that takes some 50 ms, in which other threads go on."""
    return rsa.generate_private_key(_EXPONENT, RSA_BITS)
