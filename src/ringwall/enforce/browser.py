"""What a browser carries, at the edge: no cookie of Ringwall's reaches a service, and one of them stands for a token.

Behind one host all services share their cookies, so those of the issuer would be sent to every service: they are taken
out of each request that is not the issuer's. On routes with `login` the token in the session's cookie becomes the
request's bearer token, which every later filter and hop verifies like any other.

A cookie is sent whoever made the browser ask. So it counts only where the page that asks is of this host: with methods
that change nothing by that cookie's own `SameSite=Lax`, with the others where the browser says so (W3C Fetch Metadata,
section 2.4; RFC 6454, section 7).
"""

from typing import Any, Final

from envoy.config.core.v3 import base_pb2
from envoy.config.route.v3 import route_components_pb2
from envoy.extensions.filters.http.lua.v3 import lua_pb2

from ringwall.enforce.proto import pack
from ringwall.model import cookies, headers

FILTER: Final = "ringwall.browser"

_STRIP: Final = """
local OURS = "@OURS@"
local TOKEN = "@COOKIE@"

local function take_out(headers)
  local kept, found = {}, {}
  for index = 0, headers:getNumValues("cookie") - 1 do
    for pair in string.gmatch(headers:getAtIndex("cookie", index), "[^;]+") do
      local name, value = string.match(pair, "^%s*([^=]-)%s*=%s*(.-)%s*$")
      if name == TOKEN then
        found[#found + 1] = value
      elseif name == nil or string.sub(name, 1, #OURS) ~= OURS then
        kept[#kept + 1] = string.match(pair, "^%s*(.-)%s*$")
      end
    end
  end
  headers:remove("cookie")
  if #kept > 0 then
    headers:add("cookie", table.concat(kept, "; "))
  end
  return found
end
"""
_ONLY_STRIP: Final = """
function envoy_on_request(handle)
  local headers = handle:headers()
  if headers:get("cookie") ~= nil then
    take_out(headers)
  end
end
"""
_LOGIN: Final = """
local CHANGES_NOTHING = {GET = true, HEAD = true, OPTIONS = true}

function envoy_on_request(handle)
  local headers = handle:headers()
  local found = {}
  if headers:get("cookie") ~= nil then
    found = take_out(headers)
  end
  if headers:get("authorization") ~= nil then
    return
  end
  local method = headers:get(":method")
  local accept = headers:get("accept") or ""
  if (method == "GET" or method == "HEAD") and string.find(accept, "text/html", 1, true) then
    headers:replace("@PAGE@", "1")
  end
  if #found ~= 1 then
    return
  end
  if not CHANGES_NOTHING[method] then
    local site = headers:get("sec-fetch-site")
    local origin = headers:get("origin")
    local here = origin == "https://" .. (headers:get(":authority") or "")
    if (site ~= nil and site ~= "same-origin") or (origin ~= nil and not here) or (site == nil and origin == nil) then
      headers:replace("@CROSS@", "1")
      return
    end
  end
  headers:add("authorization", "Bearer " .. found[1])
end
"""


def filter_config() -> Any:
    """Return the filter's own configuration; it works on routes that name one of its scripts and on no other."""
    names = {
        "@OURS@": cookies.PREFIX,
        "@COOKIE@": cookies.TOKEN,
        "@PAGE@": headers.WANTS_A_PAGE,
        "@CROSS@": headers.CROSS_SITE,
    }
    scripts = {"strip": _STRIP + _ONLY_STRIP, "login": _STRIP + _LOGIN}
    for mark, name in names.items():
        scripts = {script: text.replace(mark, name) for script, text in scripts.items()}
    return lua_pb2.Lua(source_codes={name: base_pb2.DataSource(inline_string=text) for name, text in scripts.items()})


def per_route(*, login: bool) -> Any:
    """Return a route's word that cookies are looked at, and whether one may stand for a token."""
    chosen = lua_pb2.LuaPerRoute(name="login" if login else "strip")
    return route_components_pb2.FilterConfig(config=pack(chosen))
