"""Renders pages with headers that keep them from being framed, kept, or made to run anything."""

import base64
from collections.abc import Iterable
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from ringwall.identity.issuer.directory import LiveDirectory
from ringwall.plan.identity import Appearance

if TYPE_CHECKING:
    from jinja2 import Environment

_HEADERS: Final = {
    "cache-control": "no-store",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin",  # with `no-referrer` browsers would send forms with `Origin: null`
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_KEPT: Final = {"cache-control": "public, max-age=300", "x-content-type-options": "nosniff"}
_LOGO: Final = "logo"
_THEME: Final = "theme.css"
_ASSETS: Final = {
    _THEME: "text/css",
    "style.css": "text/css",
    "submit.js": "text/javascript",
    "passkey.js": "text/javascript",
}


class Pages:
    """The templates of this folder, with autoescape; loaded when the first page is shown."""

    def __init__(self, directory: LiveDirectory) -> None:
        self._directory = directory
        self._environment: Environment | None = None

    def show(
        self,
        name: str,
        *,
        status: int = 200,
        form_targets: Iterable[str] = (),
        script: bool = False,
        **values: Any,
    ) -> Response:
        """Return a page.

        Args:
            name: of the template, without `.html`.
            status: HTTP status.
            form_targets: origins, besides this one, that a form of the page may lead to: browsers check the redirect
                that answers a form as well (CSP Level 3, section 6.4.2.1).
            script: whether the page may run scripts from the issuer's own files.
            values: what the template shows.
        """
        directory = self._directory.current()
        base = directory.issuer.rstrip("/")
        content = (
            self._templates()
            .get_template(f"{name}.html")
            .render(
                **values,
                base=base,
                system=directory.appearance.title or directory.audience,
                look=directory.appearance,
                development=directory.development,
            )
        )
        targets = " ".join(("'self'", *form_targets))
        policy = (
            f"default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action {targets}"
            + ("; script-src 'self'" if script else "")
            + ("; img-src 'self'" if directory.appearance.logo else "")
        )
        return Response(content, status, {**_HEADERS, "content-security-policy": policy}, media_type="text/html")

    def _templates(self) -> "Environment":
        if self._environment is None:
            from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415  # not on the way to a start

            self._environment = Environment(
                loader=PackageLoader("ringwall.identity.issuer.pages"),
                autoescape=True,
                undefined=StrictUndefined,
                auto_reload=False,
                trim_blocks=True,
                lstrip_blocks=True,
            )
        return self._environment


def asset(name: str, appearance: Appearance) -> Response | None:
    """Return one of the files that pages refer to, or None."""
    if name == _LOGO and appearance.logo:
        # A picture may be a document with scripts in it: as one of its own it runs nothing, and is nobody's.
        alone = {**_KEPT, "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
        return Response(base64.b64decode(appearance.logo), 200, alone, media_type=appearance.logo_type)
    if name not in _ASSETS:
        return None
    content = files("ringwall.identity.issuer.pages").joinpath("assets", name).read_bytes()
    if name == _THEME:
        content += _own_theme(appearance)
    return Response(content, 200, _KEPT, media_type=_ASSETS[name])


def _own_theme(appearance: Appearance) -> bytes:
    """Return what the blueprint changes of the theme."""
    if not appearance.colour:
        return b""
    return (
        f":root {{ --accent: {appearance.colour}; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ --accent: {appearance.dark_colour}; }} }}\n"
    ).encode("ascii")
