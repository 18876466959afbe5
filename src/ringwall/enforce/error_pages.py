"""What a proxy says by itself to a browser that asked for a page: HTML in place of a problem document.

Envoy writes it natively, as it does problem documents; the page loads nothing, runs nothing, and takes nothing from the
request but the id that this system gave it.
"""

import base64
import hashlib
from typing import Any, Final

from envoy.config.core.v3 import base_pb2, substitution_format_string_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.type.matcher.v3 import string_pb2

from ringwall.enforce.log_filters import all_of, header_is
from ringwall.enforce.proto import header

MEDIA_TYPE: Final = "text/html"

_JAVA: Final = "*; q=.2"
"""In `Accept` of Java's HttpURLConnection, after `text/html, image/gif, image/jpeg`; no browser writes it."""
_ELSE: Final = 0
_HEADINGS: Final = {
    401: "You are not signed in",
    403: "You may not do this",
    404: "There is nothing here",
    408: "This took too long",
    413: "This is too large",
    429: "Too many requests",
    503: "Not available now",
    504: "This took too long",
    _ELSE: "This did not work",
}
_ADVICE: Final = {
    401: "Open the page again and sign in. Your sign-in may have ended.",
    403: "If you should be allowed to, ask whoever runs this system.",
    404: "Look whether the address is right, or begin at the first page.",
    413: "Send something smaller.",
    429: "Wait a minute, then try again.",
    503: "Try again in a moment.",
    _ELSE: "Go back and try again. If it stays like this, tell whoever runs this system.",
}
_STYLE: Final = (
    ":root{color-scheme:light dark;--t:#16202b;--b:#f3f5f8;--c:#fff}"
    "@media(prefers-color-scheme:dark){:root{--t:#e8edf2;--b:#10161d;--c:#1a232d}}"
    "body{margin:0;font:1rem/1.5 system-ui,sans-serif;color:var(--t);background:var(--b)}"
    "main{max-width:28rem;margin:10vh auto;padding:2rem;background:var(--c);border-radius:.75rem;"
    "overflow-wrap:anywhere}h1{margin:0;font-size:1.6rem;line-height:1.2}"
)
_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ID: Final = "<p>Whoever helps you needs this number: <code>%REQ(x-request-id)%</code></p>"


def wanted() -> Any:
    """Match requests that ask for a page (RFC 9110, section 12.5.1), but not what Java asks for where nobody says."""
    accepts, java = (string_pb2.StringMatcher(contains=text) for text in (MEDIA_TYPE, _JAVA))
    matcher = route_components_pb2.HeaderMatcher
    return all_of(
        header_is(matcher(name="accept", string_match=accepts)),
        header_is(matcher(name="accept", string_match=java, invert_match=True)),
    )


def policy() -> Any:
    """Return the header that lets the page have its own style, and nothing else (CSP Level 3)."""
    return header("content-security-policy", _POLICY)


def page(*, known: bool) -> Any:
    """Return the page; `known` where the request has an id that this system gave it."""
    heading = _chosen(_HEADINGS)
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{heading}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{heading}</h1><p>{_chosen(_ADVICE)}</p>{_ID if known else ''}</main></body></html>\n"
    )
    return substitution_format_string_pb2.SubstitutionFormatString(
        text_format_source=base_pb2.DataSource(inline_string=text), content_type=f"{MEDIA_TYPE}; charset=utf-8"
    )


def _chosen(texts: dict[int, str]) -> str:
    """Return what Envoy replaces by the text for the answer's status; no text has a bracket or a percent sign."""
    return f"%CEL({texts}[response.code in {[*texts]} ? response.code : {_ELSE}])%"
