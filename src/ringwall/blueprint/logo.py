"""The logo on the issuer's pages: read and looked at before any browser sees it."""

from dataclasses import replace
from typing import Final

from ringwall.blueprint.files import FileRefusedError, Files
from ringwall.blueprint.issuer_model import Issuer
from ringwall.blueprint.report import Report

MAX_BYTES: Final = 64 * 1024
"""It goes with the plan to the issuer."""
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_LOOKED_AT: Final = 1024


def with_logos(issuers: tuple[Issuer, ...] | None, files: Files, report: Report) -> tuple[Issuer, ...] | None:
    """Return issuers with what their logos' files hold; what is wrong with one goes into the report.

    An SVG file may hold anything, scripts too: what keeps them from running is how the issuer serves it.
    """
    return None if issuers is None else tuple(_with_logo(issuer, files, report) for issuer in issuers)


def _with_logo(issuer: Issuer, files: Files, report: Report) -> Issuer:
    if issuer.pages is None or issuer.pages.logo is None:
        return issuer
    logo = issuer.pages.logo
    try:
        content = files.read(logo.value)
    except FileRefusedError as error:
        report.error(error.code, error.message, logo.span, hint=error.hint)
        return issuer
    if len(content) > MAX_BYTES:
        report.error("logo", f"the logo is larger than {MAX_BYTES // 1024} KiB", logo.span, hint="make it smaller")
    elif not media_type(content):
        report.error("logo", f"{logo.value!r} is neither a PNG nor an SVG file", logo.span)
    return replace(issuer, pages=replace(issuer.pages, image=content))


def media_type(content: bytes) -> str:
    """Return the media type of a picture; empty for anything else."""
    if content.startswith(_PNG):
        return "image/png"
    return "image/svg+xml" if b"<svg" in content[:_LOOKED_AT] else ""
