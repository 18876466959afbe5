"""Whether each policy is Cedar, and where it stops being that."""

import re
from functools import lru_cache
from typing import Final

import cedarpy

from ringwall.blueprint.report import Report, suggest
from ringwall.compile.policies.text import MAX_DEPTH, MAX_POLICY_CHARACTERS, PolicyText, SourceText, Token

_UNFINISHED: Final = "unexpected end of input"
_QUOTED = re.compile(r"`([^`]+)`")
_WRITTEN_OTHERWISE: Final = {
    "and": "write &&",
    "or": "write ||",
    "not": "write !",
    "=": "write ==",
    '"': "the closing quote is missing",
    "'": "text stands in double quotes",
    "#": "a comment begins with //",
}
_KEYWORDS: Final = (
    "permit",
    "forbid",
    "when",
    "unless",
    "principal",
    "action",
    "resource",
    "context",
    "contains",
    "containsAll",
    "containsAny",
    "isEmpty",
    "isInRange",
    "isIpv4",
    "isIpv6",
    "isLoopback",
    "isMulticast",
    "datetime",
    "duration",
    "decimal",
    "offset",
    "durationSince",
    "toDate",
    "toTime",
    "lessThan",
    "greaterThan",
    "like",
    "true",
    "false",
    "then",
    "else",
)


def check_syntax(source: SourceText, text: PolicyText, report: Report) -> bool:
    """Return whether a piece of a file is one static Cedar policy; reports why it is not."""
    start = text.tokens[0].start
    if len(text.text) > MAX_POLICY_CHARACTERS or text.depth > MAX_DEPTH:
        report.error(
            "policy-too-complex",
            f"a policy has at most {MAX_POLICY_CHARACTERS} characters and nests at most {MAX_DEPTH} deep",
            source.span(start),
            hint="split it into several policies; list members in [ ] rather than with ||",
        )
        return False
    slot = next((token for token in text.tokens if token.kind == "slot"), None)
    if slot is not None:
        report.error(
            "policy-template",
            f"templates are not read, and {slot.text} makes this one",
            source.span(slot.start),
            hint="name the principal or the resource",
        )
        return False
    message = _parse(text.text)
    if not message:
        return text.ended
    if not text.ended and message == _UNFINISHED:
        last = text.tokens[-1]
        report.error("policy-syntax", "the policy ends early: ';' or more is missing", source.span(last.start))
        return False
    token = _offender(text, message)
    near = _QUOTED.findall(message) or [token.text]
    report.error(
        "policy-syntax",
        f"this is not valid Cedar: {message[:200]}",
        source.span(token.start),
        hint=_hint(near, token),
    )
    return False


@lru_cache(maxsize=1)
def json_of(text: str) -> str:
    """Return policies in Cedar's JSON form; ValueError says what is wrong. Who checks one soon asks for it again."""
    return cedarpy.policies_to_json_str(text)


def _parse(text: str) -> str:
    """Return what Cedar says is wrong with a text, or an empty text."""
    try:
        json_of(text)
    except ValueError as error:
        return str(error)
    return ""


def _offender(text: PolicyText, message: str) -> Token:
    """Return the token that Cedar stumbled over: the last one of the shortest prefix that cannot be continued."""
    tokens = text.tokens
    if "unexpected token" in message or "invalid token" in message or message == _UNFINISHED:
        low, high = 0, len(tokens) - 1
        while low < high:
            middle = (low + high) // 2
            end = tokens[middle].end - tokens[0].start
            if _parse(text.text[:end]) in {"", _UNFINISHED}:
                low = middle + 1
            else:
                high = middle
        return tokens[low]
    for quoted in _QUOTED.findall(message):
        word = quoted.rsplit("::", 1)[-1]
        for token in tokens:
            if token.text in {quoted, word}:
                return token
    words = {*re.findall(r"[A-Za-z_][A-Za-z0-9_]*", message.rpartition(":")[2])} - {"policy", "a", "the"}
    return next((token for token in tokens if token.text in words), tokens[0])


def _hint(near: list[str], token: Token) -> str:
    if token.text in _WRITTEN_OTHERWISE:
        return _WRITTEN_OTHERWISE[token.text]
    for word in (token.text, *near):
        if word.isidentifier() and word not in _KEYWORDS:
            hint = suggest(word, _KEYWORDS)
            if hint.startswith("did you mean"):
                return hint
    return "see docs/reference/policy.md for what policies can say"
