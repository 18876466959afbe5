"""The table of what `clients` may hold."""

from typing import Final

from ringwall.blueprint import values
from ringwall.blueprint.client_model import Client
from ringwall.blueprint.record import Field, Record
from ringwall.blueprint.shape import Flag, ListOf, Text
from ringwall.blueprint.texts import CLAIM_VALUES, FILE, IDENTIFIER, KEYS, SCOPE, choice
from ringwall.model import certificate_names

_REDIRECT: Final = Text("a redirect URI", values.REDIRECT, values.redirect, "https://app.example/callback")

CLIENT: Final = Record(
    Client,
    {
        "kind": Field(
            choice(values.CLIENT_KINDS),
            "`machine` (default): asks for tokens of its own. `web`, `native` or `browser`: signs people in; "
            "the last two cannot keep a secret and have none.",
        ),
        "title": Field(
            Text("a title of one line", r"^[^\x00-\x1f\x7f]{1,80}$", str, "Patient portal"),
            "What people read at sign-in; default: its name.",
        ),
        "redirect_uris": Field(
            ListOf(_REDIRECT, minimum=1),
            "Where people return to after signing in: exactly these; https, or http on loopback. "
            "For `native` the port of a loopback URI is free.",
        ),
        "post_logout_redirect_uris": Field(
            ListOf(_REDIRECT, minimum=1), "Where people may return to after signing out."
        ),
        "id_token_signed_response_alg": Field(
            choice(values.ID_TOKEN_ALGORITHMS),
            "What its ID tokens and logout tokens are signed with; default ES256.",
        ),
        "userinfo_signed_response_alg": Field(
            choice(values.ID_TOKEN_ALGORITHMS), "What `/userinfo` signs its answers with; default: plain JSON."
        ),
        "id_token_encrypted_response_alg": Field(
            choice(values.KEY_MANAGEMENT),
            "Its ID tokens and logout tokens are encrypted for the key of `jwks` with `use: enc`; "
            "default: only signed.",
        ),
        "id_token_encrypted_response_enc": Field(choice(values.CONTENT_ENCRYPTION), "How; default A128CBC-HS256."),
        "userinfo_encrypted_response_alg": Field(
            choice(values.KEY_MANAGEMENT),
            "The same of what `/userinfo` tells it, which is then a signed token inside; default: plain JSON.",
        ),
        "userinfo_encrypted_response_enc": Field(choice(values.CONTENT_ENCRYPTION), "How; default A128CBC-HS256."),
        "introspection_encrypted_response_alg": Field(
            choice(values.KEY_MANAGEMENT),
            "The same of what `/introspect` tells it, always (RFC 9701); default: plain JSON, or signed where it asks.",
        ),
        "introspection_encrypted_response_enc": Field(choice(values.CONTENT_ENCRYPTION), "How; default A128CBC-HS256."),
        "backchannel_logout_uri": Field(
            Text("an address", values.REDIRECT, values.back_channel, "https://app.example/signed-out"),
            "Where it is told of sign-ins that have ended (OpenID Connect Back-Channel Logout); https, or in "
            "development mode http on loopback. Default: it is not told.",
        ),
        "jwks": Field(
            KEYS,
            "Public keys (JWK) by which it proves who it is, in place of a secret (`private_key_jwt`).",
        ),
        "jwks_uri": Field(
            Text("an address", values.REDIRECT, values.document, "https://app.example/jwks.json"),
            "Where it keeps such keys itself, in place of `jwks`; the issuer fetches them when it needs them.",
        ),
        "subject_type": Field(
            choice(values.SUBJECT_TYPES),
            "`pairwise`: it knows people by names that no client of another sector knows; default `public`.",
        ),
        "sector_identifier_uri": Field(
            Text("an address", values.REDIRECT, values.document, "https://example.org/sector.json"),
            "Its host is the sector of a pairwise client, and nothing is fetched from there; default: the one host of "
            "`redirect_uris`.",
        ),
        "third_party": Field(Flag(), "true: people are asked before it learns about them; default false."),
        "pushed_requests": Field(
            Flag(),
            "true: it announces each sign-in to the issuer by itself (PAR, RFC 9126); default false.",
        ),
        "device_flow": Field(
            Flag(),
            "true: people may let it in by a code that it shows (RFC 8628), for devices without a browser; "
            "default false.",
        ),
        "certificates": Field(
            ListOf(Text("a SHA-256 fingerprint", values.FINGERPRINT, values.fingerprint, "AB:CD:…"), minimum=1),
            "SHA-256 fingerprints of certificates by which it proves who it is, in place of a secret (RFC 8705).",
        ),
        "tls_client_auth_subject_dn": Field(
            Text("a distinguished name", r"^[^\x00-\x1f\x7f]{3,1000}$", str, "CN=robot,O=Example"),
            "What its certificate says of it, signed by one of `authorities`, in place of a secret (RFC 8705): the "
            "subject, as RFC 4514 writes it. One of these five keys.",
        ),
        "tls_client_auth_san_dns": Field(
            Text("a host name", certificate_names.DNS_NAME, str.lower, "robot.example"),
            "The same: a DNS name of `subjectAltName`. `*` in a certificate stands for no other name.",
        ),
        "tls_client_auth_san_uri": Field(
            Text("a URI", certificate_names.URI, str, "urn:example:robot"),
            "The same: a URI of it, letter by letter.",
        ),
        "tls_client_auth_san_ip": Field(
            Text("an IP address", r"^[0-9A-Fa-f.:]{2,45}$", values.ip_address, "192.0.2.7"),
            "The same: an address of it.",
        ),
        "tls_client_auth_san_email": Field(
            Text("an e-mail address", certificate_names.EMAIL, certificate_names.mail_address, "robot@clinic.example"),
            "The same: an e-mail address of it.",
        ),
        "authorities": Field(
            FILE, "PEM file of those who sign its certificate; default: `client_authorities` of `edge`."
        ),
        "bound_tokens": Field(
            Flag(),
            "true: it gets no token but one that is bound to a key, of a DPoP proof (RFC 9449) or of its certificate; "
            "default false.",
        ),
        "profile": Field(
            choice(values.CLIENT_PROFILES),
            "`fapi2`: the FAPI 2.0 Security Profile, for this client; default the issuer's.",
        ),
        "roles": Field(ListOf(IDENTIFIER), "Roles this client holds."),
        "scopes": Field(ListOf(SCOPE), "Scopes it may ask for."),
        "claims": CLAIM_VALUES,
    },
    tells_given=True,
)
