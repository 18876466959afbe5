"""Recognises RSA keys made by the flawed Infineon library (ROCA, CVE-2017-15361).

Source: Nemec et al., "The Return of Coppersmith's Attack", ACM CCS 2017, section 2: the primes have the form
k * M + (65537^a mod M), with M a product of the first primes, so for each such prime p the modulus lies in the
subgroup that 65537 generates modulo p. An ordinary modulus does for all of them with probability below 2^-100.
"""

from typing import Final

_GENERATOR: Final = 65537
_PRIMES: Final = (
    *(3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97),
    *(101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167),
)


def _subgroup(prime: int) -> frozenset[int]:
    members, power = {1}, _GENERATOR % prime
    while power not in members:
        members.add(power)
        power = power * _GENERATOR % prime
    return frozenset(members)


_SUBGROUPS: Final = tuple((prime, _subgroup(prime)) for prime in _PRIMES)


def has_roca_fingerprint(modulus: int) -> bool:
    """Return True where `modulus` shows the structure of a key that can be factored."""
    return all(modulus % prime in subgroup for prime, subgroup in _SUBGROUPS)
