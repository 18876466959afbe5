"""QR codes as drawings inside a page (ISO/IEC 18004), as pages load nothing from elsewhere."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup


def qr_code(text: str) -> "Markup":
    """Return a QR code as SVG that takes the size that the style sheet gives to its class."""
    import segno  # noqa: PLC0415  # as below
    from markupsafe import Markup  # noqa: PLC0415  # not on the way to a start

    drawn = segno.make(text, micro=False, error="m").svg_inline(svgclass="qr", lineclass="", omitsize=True, border=4)
    return Markup(drawn)  # noqa: S704  # made of squares alone
