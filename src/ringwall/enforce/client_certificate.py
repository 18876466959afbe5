"""Certificates of clients, at the domains where the edge asks for them (RFC 8705).

What a certificate proves is that its key is on the connection; whose it is, is for the issuer to know. A short Lua
script says its SHA-256 to the issuer, and marks a token as shown by its holder where it is bound to just this
certificate. A script that fails marks nothing, so the filter behind it refuses the token.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from envoy.config.core.v3 import base_pb2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.lua.v3 import lua_pb2
from envoy.type.matcher.v3 import string_pb2, value_pb2

from ringwall.model import headers
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE
from ringwall.plan.model import Plan

FILTER: Final = "ringwall.client-certificate"
_MARK: Final = "certificate"
_SAME: Final = "same"
_MOST: Final = 12_000
"""Characters of a chain that are passed on: with a request as large as they may be it still fits the next hop."""
_NOWHERE: Final = "^$"

_SCRIPT: Final = """
function envoy_on_request(handle)
  handle:headers():remove("@HEADER@")
  handle:headers():remove("@CHAIN@")
  local info = handle:streamInfo()
  local connection = info:downstreamSslConnection()
  if connection == nil or not connection:peerCertificatePresented() then
    return
  end
  local digest = string.gsub(connection:sha256PeerCertificateDigest(), "%x%x", function(pair)
    return string.char(tonumber(pair, 16))
  end)
  local text = string.gsub(handle:base64Escape(digest), "[+/=]", {["+"] = "-", ["/"] = "_", ["="] = ""})
  handle:headers():replace("@HEADER@", text)
  if string.find(handle:headers():get(":path") or "", "@CHAIN_TO@") then
    local chain = connection:urlEncodedPemEncodedPeerCertificateChain()
    if #chain <= @MOST@ then
      handle:headers():replace("@CHAIN@", chain)
    end
  end
  local verified = info:dynamicMetadata():get("@JWT@")
  local claims = verified and verified["@CLAIMS@"]
  local cnf = claims and claims["cnf"]
  if type(cnf) == "table" and cnf["x5t#S256"] == text and next(cnf, next(cnf)) == nil then
    info:dynamicMetadata():set("@FILTER@", "@MARK@", "@SAME@")
  end
end
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is told of certificates besides their digest.

    Attributes:
        chain_to: path prefix of the issuer where it looks at whole certificates; None where digests suffice.
    """

    chain_to: str | None


def shown(plan: Plan) -> Shown:
    """Return what is told where `plan` is in force."""
    issuer = next((service for service in plan.services if service.builtin), None)
    return Shown(issuer.prefix or "" if issuer is not None and plan.believes_authorities else None)


def filter_config(told: Shown) -> Any:
    """Return the filter; it stands behind the verification of tokens."""
    script = _SCRIPT
    for name, value in {
        "@HEADER@": headers.CLIENT_CERTIFICATE,
        "@JWT@": JWT_NAMESPACE,
        "@CLAIMS@": CLAIMS_KEY,
        "@FILTER@": FILTER,
        "@MARK@": _MARK,
        "@CHAIN_TO@": _NOWHERE if told.chain_to is None else f"^{_quoted(told.chain_to)}/",
        "@CHAIN@": headers.CLIENT_CERTIFICATE_CHAIN,
        "@MOST@": str(_MOST),
        "@SAME@": _SAME,
    }.items():
        script = script.replace(name, value)
    return lua_pb2.Lua(default_source_code=base_pb2.DataSource(inline_string=script))


def _quoted(text: str) -> str:
    """Return a Lua pattern for text as it stands; a path prefix has no quote and no backslash."""
    return re.sub(r"([^A-Za-z0-9/])", r"%\1", text)


def holds_it() -> Any:
    """Match requests with a token that is bound to the connection's certificate and to nothing else."""
    same = value_pb2.ValueMatcher(string_match=string_pb2.StringMatcher(exact=_SAME))
    return rbac_pb2.Principal(
        sourced_metadata={"metadata_matcher": {"filter": FILTER, "path": [{"key": _MARK}], "value": same}}
    )
