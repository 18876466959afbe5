"""Colours of pages: whether text can be read in them (WCAG 2.2, success criterion 1.4.3)."""

from typing import Final

ENOUGH: Final = 4.5
"""Contrast that text needs."""
LIGHT: Final = "#ffffff"
"""What text stands on in light pages, as in the issuer's theme.css."""
DARK: Final = "#1a232d"
"""What text stands on in dark pages, as there."""
_STEPS: Final = 20


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours `#rrggbb`: from 1 for the same to 21 for black and white."""
    brighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def for_dark_pages(colour: str) -> str:
    """Return a colour, lightened until it can be read on dark pages."""
    channels = _channels(colour)
    for step in range(_STEPS):
        share = step / _STEPS
        lighter = "#" + "".join(f"{round(value + (255 - value) * share):02x}" for value in channels)
        if contrast(lighter, DARK) >= ENOUGH:
            return lighter
    return LIGHT


def _luminance(colour: str) -> float:
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # noqa: PLR2004  # of the definition
        for value in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))
