"""Certificates of clients, at the domains where the edge asks for them (RFC 8705).

What a certificate proves is that its key is on the connection; whose it is, is for the issuer to know. A short Lua
script says its SHA-256 to the issuer, and marks a token as shown by its holder where it is bound to just this
certificate. A script that fails marks nothing, so the filter behind it refuses the token.
"""

from typing import Any, Final

from envoy.config.core.v3 import base_pb2
from envoy.config.rbac.v3 import rbac_pb2
from envoy.extensions.filters.http.lua.v3 import lua_pb2
from envoy.type.matcher.v3 import string_pb2, value_pb2

from ringwall.model import headers
from ringwall.plan.attributes import CLAIMS_KEY, JWT_NAMESPACE

FILTER: Final = "ringwall.client-certificate"
_MARK: Final = "certificate"
_SAME: Final = "same"

_SCRIPT: Final = """
function envoy_on_request(handle)
  handle:headers():remove("@HEADER@")
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
  local verified = info:dynamicMetadata():get("@JWT@")
  local claims = verified and verified["@CLAIMS@"]
  local cnf = claims and claims["cnf"]
  if type(cnf) == "table" and cnf["x5t#S256"] == text and next(cnf, next(cnf)) == nil then
    info:dynamicMetadata():set("@FILTER@", "@MARK@", "@SAME@")
  end
end
"""


def filter_config() -> Any:
    """Return the filter; it stands behind the verification of tokens."""
    script = _SCRIPT
    for name, value in {
        "@HEADER@": headers.CLIENT_CERTIFICATE,
        "@JWT@": JWT_NAMESPACE,
        "@CLAIMS@": CLAIMS_KEY,
        "@FILTER@": FILTER,
        "@MARK@": _MARK,
        "@SAME@": _SAME,
    }.items():
        script = script.replace(name, value)
    return lua_pb2.Lua(default_source_code=base_pb2.DataSource(inline_string=script))


def holds_it() -> Any:
    """Match requests with a token that is bound to the connection's certificate and to nothing else."""
    same = value_pb2.ValueMatcher(string_match=string_pb2.StringMatcher(exact=_SAME))
    return rbac_pb2.Principal(
        sourced_metadata={"metadata_matcher": {"filter": FILTER, "path": [{"key": _MARK}], "value": same}}
    )
