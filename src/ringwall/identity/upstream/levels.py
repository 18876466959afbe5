"""Our levels of assurance that a provider's word can give, from the least sure to the surest."""

from typing import Final

LEVELS: Final = ("pwd", "mfa", "phr")
PROVEN: Final = LEVELS[0]
"""What a sign-in counts for of which the provider says nothing that the plan knows."""


def at_least(wanted: tuple[str, ...], known: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Return a provider's values that stand for the least wanted level or a surer one, the least sure first."""
    ranks = [LEVELS.index(level) for level in wanted if level in LEVELS]
    if not ranks:
        return ()
    fitting = [(LEVELS.index(level), value) for value, level in known if LEVELS.index(level) >= min(ranks)]
    return tuple(value for _, value in sorted(fitting))
