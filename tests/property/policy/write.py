"""Policies aimed at one construct at a time.

Random values alone rarely tell a right compiler from a wrong one. So each construct that is written into a
policy leaves hints: strings that overlap, numbers next to the literal, addresses next to the block.
Requests are drawn from these (`draw`).
"""

import ipaddress
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.property.policy.requests import Hints
from tests.property.policy.world import CALLERS, GET, LIST, LOCAL, PARTNER, ROLES, ZONES, Site

WORDS = ("a", "ab", "aba", "er", "cardio", "x y", "é", "日本", "A", "7", "read", "write", "a*b", 'q"', "b\\", "")
LONG_WORD = "abc" * 24
CLASSIC = 1_700_000_000.0
BLOCKS = ("10.0.0.0/8", "10.1.2.0/24", "192.168.1.7", "0.0.0.0/0", "2001:db8::/32", "::1", "127.0.0.0/8", "10.1.2.3/32")


def quoted(text: str) -> str:
    """Write a Cedar string literal."""
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
    return '"' + "".join(escapes.get(char, char) for char in text) + '"'


class PolicyWriter:
    """Writes policies from one seed, and notes hints for requests."""

    def __init__(self, seed: int, *, aims: tuple[str, ...] = ()) -> None:
        self._random = random.Random(seed)  # noqa: S311  # reproducible, not secret
        self._aims = aims
        self.hints = Hints()

    def site(self) -> Site:
        pick = self._random
        issuers = pick.choice(((LOCAL,), (LOCAL, PARTNER), (LOCAL, PARTNER), (PARTNER,)))
        return Site(
            issuers=issuers,
            hop=pick.choice(("edge", "inbound", "inbound")),
            action=GET if pick.random() < 0.85 else LIST,
            callers=pick.choice(CALLERS),
            timezone=pick.choice(ZONES),
        )

    def policies(self, site: Site) -> list[str]:
        """Return one to four policies that apply to the site, with noise that does not."""
        self.hints = Hints()
        pick = self._random
        found = [self._policy(site, "permit")]
        more = pick.choice((0, 0, 0, 1, 1, 2, 3))
        found += [self._policy(site, pick.choice(("permit", "permit", "forbid"))) for _ in range(more)]
        if pick.random() < 0.2:
            found.append('permit(principal, action == Action::"store/get", resource);')
        if pick.random() < 0.1:
            found.append('forbid(principal, action, resource == Service::"store");')
        pick.shuffle(found)
        return found

    def _policy(self, site: Site, effect: str) -> str:
        pick = self._random
        principal = pick.choice(
            (
                "principal",
                "principal is User",
                "principal is User",
                "principal is User",
                f"principal in Role::{quoted(self._role())}",
                f"principal is User in Role::{quoted(self._role())}",
                f"principal == {self._user()}",
                "principal is Guest",
                'principal == Workload::"portal"',
                "principal is Workload",
            )
        )
        user = "User" in principal or "Role" in principal
        action = pick.choice(
            (
                f"action == Action::{quoted(site.action)}",
                "action",
                'action in Action::"patients/*"' if site.action == LIST else f"action in [Action::{quoted(GET)}]",
            )
        )
        resource = pick.choice(("resource", "resource", 'resource == Service::"patients"', "resource is Service"))
        conditions = ""
        for _ in range(pick.choice((0, 1, 1, 1, 1, 2))):
            kind = pick.choice(("when", "when", "when", "unless"))
            conditions += f" {kind} {{ {self._bool(site, user=user, depth=pick.choice((0, 0, 1, 1, 2, 3)))} }}"
        return f"{effect}({principal}, {action}, {resource}){conditions};"

    def _bool(self, site: Site, *, user: bool, depth: int) -> str:
        pick = self._random
        if depth <= 0:
            return self._atom(site, user=user)
        left = self._bool(site, user=user, depth=depth - 1)
        right = self._bool(site, user=user, depth=depth - 1)
        return pick.choice(
            (
                f"({left} && {right})",
                f"({left} && {right})",
                f"({left} || {right})",
                f"!({left})",
                f"(if {self._atom(site, user=user)} then {left} else {right})",
                f"(({left}) == ({right}))",
                left,
            )
        )

    def _atom(self, site: Site, *, user: bool) -> str:
        pick = self._random
        makers = self._user_atoms() if user else {}
        makers |= self._other_atoms(site)
        aimed = [makers[name] for name in self._aims if name in makers]
        if not user and pick.random() < 0.5:
            inner = self._wanted(self._user_atoms())
            return pick.choice((f"(principal is User && {inner()})", f"(!(principal is User) || {inner()})"))
        if aimed and pick.random() < 0.8:
            return pick.choice(aimed)()
        return pick.choice(list(makers.values()))()

    def _wanted(self, makers: dict[str, Callable[[], str]]) -> Callable[[], str]:
        aimed = [makers[name] for name in self._aims if name in makers]
        return self._random.choice(aimed or list(makers.values()))

    def _user_atoms(self) -> dict[str, Callable[[], str]]:
        return {
            "role": self._in_role,
            "user": lambda: f"principal == {self._user()}",
            "sub": self._sub,
            "iss": lambda: f"principal.iss == {quoted(self._random.choice((LOCAL.url, PARTNER.url, 'https://x')))}",
            "scopes": self._scopes,
            "text": self._text,
            "like": self._like,
            "long": self._long,
            "bool": self._flag,
            "set": self._set,
            "has": lambda: f"principal has {self._read(self._random.choice(('dept', 'level', 'active', 'tags')))}",
        }

    def _other_atoms(self, site: Site) -> dict[str, Callable[[], str]]:
        makers: dict[str, Callable[[], str]] = {
            "source": self._source,
            "clock": self._clock,
            "now": self._now,
            "caller": lambda: (
                f'context.caller == Workload::"{self._random.choice(("edge", "portal", "billing", "x"))}"'
            ),
            "kind": lambda: self._random.choice(
                ("principal is Guest", "principal is User", "principal is Workload", 'principal == Workload::"portal"')
            ),
            "known": lambda: self._random.choice(
                (
                    'resource.zone == "app"',
                    'resource.holds.contains("card")',
                    'resource.holds.contains("x")',
                    f"action == Action::{quoted(site.action)}",
                    "true",
                    "false",
                    'resource in Service::"patients"',
                )
            ),
        }
        if site.action == GET:
            makers["path"] = self._path
        return makers

    def _role(self) -> str:
        return self._random.choice([role.name for role in ROLES] + ["nobody"])

    def _user(self) -> str:
        name = self._random.choice(("alice", "bob", "partner|alice", "partner|bob", "x|y", "partner|a|b", ""))
        self.hints.subs += [name, name.partition("|")[2], "alice"]
        return f"User::{quoted(name)}"

    def _in_role(self) -> str:
        pick = self._random
        if pick.random() < 0.5:
            return f"principal in Role::{quoted(self._role())}"
        return f"principal in [Role::{quoted(self._role())}, Role::{quoted(self._role())}]"

    def _sub(self) -> str:
        pick = self._random
        word = pick.choice(("alice", "bob", "al", "a|b", "x"))
        self.hints.subs += [word, f"{word}s", f"x{word}", "alice"]
        return pick.choice(
            (
                f"principal.sub == {quoted(word)}",
                f"principal.sub like {quoted(word + '*')}",
                f"principal.sub != {quoted(word)}",
            )
        )

    def _scopes(self) -> str:
        pick = self._random
        word, other = pick.choice(("read", "write", "read:all", "x y")), pick.choice(("read", "admin", ""))
        self.hints.scopes += [
            word,
            f"{word} {other}",
            f"{other} {word}",
            f"a {word} b",
            f"{word}er",
            f"x{word}",
            f"a{word} {word}b",
        ]
        self.hints.scopes += ["", " ", "  ", f"{word}  {other}"]
        choices = [
            f"principal.scopes.contains({quoted(word)})",
            f"principal.scopes.contains({quoted(word)})",
            f"principal.scopes.containsAll([{quoted(word)}, {quoted(other)}])",
            f"principal.scopes.containsAny([{quoted(word)}, {quoted(other)}])",
            f"[{quoted(word)}].containsAny(principal.scopes)",
            "principal.scopes.isEmpty()",
        ]
        choices += [f"(principal has dept && principal.scopes.contains(principal.{self._read('dept')}))"] * 3
        self.hints.texts.setdefault("dept", []).extend([word, other, "", "", " "])
        return pick.choice(choices)

    def _guarded(self, name: str, atom: str) -> str:
        """Write an atom over an optional claim in one of the ways that strict validation accepts."""
        self._read(name)
        return self._random.choice(
            (
                f"(principal has {name} && {atom})",
                f"(principal has {name} && {atom})",
                f"(!(principal has {name}) || {atom})",
                f"(if principal has {name} then {atom} else {self._random.choice(('true', 'false'))})",
                f"(principal has {name} && !({atom}))",
            )
        )

    def _read(self, name: str) -> str:
        self.hints.read.add(name)
        return name

    def _text(self) -> str:
        pick = self._random
        name = pick.choice(("dept", "team"))
        other = "team" if name == "dept" else "dept"
        word, second = pick.choice(WORDS), pick.choice((*WORDS, LONG_WORD))
        self.hints.texts.setdefault(name, []).extend([word, second, word + "x", word[:-1], word.upper()])
        self.hints.texts.setdefault(other, []).extend([word, second])
        atom = pick.choice(
            (
                f"principal.{name} == {quoted(word)}",
                f"principal.{name} != {quoted(word)}",
                f"{quoted(word)} == principal.{name}",
                f"[{quoted(word)}, {quoted(second)}].contains(principal.{name})",
                f"(principal has {self._read(other)} && principal.{name} == principal.{other})",
                f"(if principal.active_or == true then principal.{name} else {quoted(second)}) == {quoted(word)}",
                f"principal.{name} == principal.sub",
            )
        ).replace("principal.active_or == true", "context.hour < 12")
        self.hints.subs += [word or "alice", "alice"]
        return self._guarded(name, atom)

    def _like(self) -> str:
        pick = self._random
        name = pick.choice(("dept", "team"))
        first, last = (
            pick.choice(("a", "ab", "aba", "é", "", "a.b", "x+")),
            pick.choice(("b", "ba", "aba", "", "日本", "$")),
        )
        if pick.random() < 0.15:
            first, last = LONG_WORD, pick.choice((LONG_WORD, "c", "abcx"))
        middle = pick.choice(("", "m", "\\*", "a"))
        pattern = pick.choice(
            (
                f"{first}*{last}",
                f"{first}*{last}",
                f"*{last}",
                f"{first}*",
                f"*{middle}*",
                f"{first}*{middle}*{last}",
                first,
                "*",
            )
        )
        if len(pattern) > 120:
            pattern = f"{first}*{last}"
        plain = middle.replace("\\", "")
        overlaps = [
            first + last[size:] for size in range(1, min(len(first), len(last)) + 1) if first.endswith(last[:size])
        ]
        values = [
            *overlaps[:3],
            *overlaps[-2:],
            first + last,
            f"{first}--{last}",
            f"{first}{plain}{last}",
            f"{first}\n{plain}{last}",
            last + first,
            first,
            last,
            plain,
        ]
        values += [f"{first.replace('.', '-').replace('+', 'x')}{plain}{last}" for _ in range(2)]
        values += [f"{first}{last}x", f"x{first}{last}", f"x{plain}y", first[:-1] + last]
        self.hints.texts.setdefault(name, []).extend(values)
        literal = '"' + pattern + '"'
        return self._guarded(name, f"principal.{name} like {literal}")

    def _long(self) -> str:
        pick = self._random
        name = pick.choice(("level", "rank"))
        other = "rank" if name == "level" else "level"
        literal = pick.choice(
            (0, 1, 5, 12, -3, 2**53 - 1, -(2**53) + 1, 2**53, 9_223_372_036_854_775_807, -9_223_372_036_854_775_808)
        )
        operator = pick.choice(("<", "<=", ">", ">=", "==", "!="))
        near = [literal, literal + 1, literal - 1, float(literal), literal + 0.5, -literal]
        self.hints.longs.setdefault(name, []).extend([value for value in near if abs(value) < 2**63])
        self.hints.longs.setdefault(other, []).extend([literal, literal + 1])
        shown = str(literal) if literal >= 0 or literal == -9_223_372_036_854_775_808 else f"-{-literal}"
        atom = pick.choice(
            (
                f"principal.{name} {operator} {shown}",
                f"principal.{name} {operator} {shown}",
                f"{shown} {operator} principal.{name}",
                f"[{shown}, 7].contains(principal.{name})",
                f"(principal has {self._read(other)} && principal.{name} {operator} principal.{other})",
                f"principal.{name} {operator} context.hour",
            )
        )
        return self._guarded(name, atom)

    def _flag(self) -> str:
        name = self._random.choice(("active", "vip"))
        return self._guarded(
            name, self._random.choice((f"principal.{name}", f"principal.{name} == false", f"!principal.{name}"))
        )

    def _set(self) -> str:
        pick = self._random
        name = pick.choice(("patients", "tags", "groups"))
        word, other = pick.choice(WORDS), pick.choice(("b", "admin", "7"))
        lists: list[list[Any]] = [
            [word],
            [other, word],
            [word, 3, None],
            [word + "x"],
            [],
            [3],
            [None],
            [other],
            [word, other, {}],
        ]
        self.hints.sets.setdefault(name, []).extend(lists)
        self.hints.texts.setdefault("dept", []).extend([word, other])
        self.hints.paths.setdefault("id", []).append(other)
        atoms = [
            f"principal.{name}.contains({quoted(word)})",
            f"principal.{name}.containsAll([{quoted(word)}, {quoted(other)}])",
            f"principal.{name}.containsAny([{quoted(word)}, {quoted(other)}])",
            f"[{quoted(word)}].containsAny(principal.{name})",
            f"principal.{name}.isEmpty()",
            f"(principal has {self._read('dept')} && principal.{name}.contains(principal.dept))",
        ]
        return self._guarded(name, pick.choice(atoms))

    def _path(self) -> str:
        pick = self._random
        param = pick.choice(("id", "kind"))
        word = pick.choice(("7", "a", "ab", "me", "a.b", "x-y", "é", "a/b", "7%41", LONG_WORD))
        near = [
            word,
            word,
            word.replace(".", "-"),
            word + "x",
            word[:-1],
            "x" + word,
            "a;b",
            "%41",
            "b\\c",
            "",
            "a b",
            "ab-aba",
            "aba",
        ]
        self.hints.paths.setdefault(param, []).extend(near)
        # What is wanted of one parameter, spread over both: a pattern must not cross the slash between them.
        self.hints.paths.setdefault("id", []).append("ab")
        self.hints.paths.setdefault("kind", []).append("aba")
        atoms = [
            f"context.path.{param} == {quoted(word)}",
            f"context.path.{param} != {quoted(word)}",
            f"context.path.{param} like {quoted(word[:40] + '*')}",
            f'context.path.{param} like "ab*aba"',
            f'context.path.{param} like "*b"',
            f'[{quoted(word)}, "z"].contains(context.path.{param})',
            "context.path.id == context.path.kind",
        ]
        if "path" in self._aims or pick.random() < 0.5:
            claim = pick.choice(("dept", "patients", "tags"))
            self.hints.texts.setdefault("dept", []).extend(near)
            self.hints.sets.setdefault(claim, []).extend([[value] for value in near])
            text = f"(principal has dept && principal.{self._read('dept')} == context.path.{param})"
            held = f"(principal has tags && principal.{self._read('tags')}.contains(context.path.{param}))"
            owned = f"(principal has patients && principal.{self._read('patients')}.contains(context.path.{param}))"
            scope = f"principal.scopes.contains(context.path.{param})"
            self.hints.scopes += [word, f"{word} x", "  "]
            atoms += [f"(principal is User && {atom})" for atom in (text, held, owned, owned, scope)]
            atoms += [f"(principal is User && !{owned})"]
        return pick.choice(atoms)

    def _source(self) -> str:
        pick = self._random
        block = pick.choice(BLOCKS)
        network = ipaddress.ip_network(block)
        edges = [network.network_address, network.broadcast_address]
        values = [str(edge) for edge in edges]
        for edge, step in ((edges[0], -1), (edges[1], 1)):
            if 0 <= int(edge) + step < 2**edge.max_prefixlen:
                values.append(str(edge + step))
        self.hints.sources += values
        atom = pick.choice(
            (
                f'context.source.isInRange(ip("{block}"))',
                f'context.source.isInRange(ip("{block}"))',
                f'context.source == ip("{block}")',
                "context.source.isIpv4()",
                "context.source.isIpv6()",
                "context.source.isLoopback()",
                "context.source.isMulticast()",
            )
        )
        return pick.choice(
            (
                f"(context has source && {atom})",
                f"(!(context has source) || {atom})",
                f"(context has source && !({atom}))",
                "context has source",
            )
        )

    def _clock(self) -> str:
        pick = self._random
        unit, high = pick.choice((("hour", 23), ("minute", 59), ("weekday", 7), ("weekday", 7)))
        literal = pick.choice((0, 1, high // 2, high - 1, high, high + 1, pick.randrange(high + 1)))
        operator = pick.choice(("<", "<=", ">", ">=", "==", "!="))
        base = datetime.fromtimestamp(CLASSIC, UTC).replace(hour=0, minute=0, second=0)
        for hours in range(0, 24 * 8, 5):
            self.hints.times.append((base + timedelta(hours=hours, minutes=pick.randrange(60))).timestamp())
        return pick.choice(
            (
                f"context.{unit} {operator} {literal}",
                f"{literal} {operator} context.{unit}",
                f"[{literal}, 6].contains(context.{unit})",
            )
        )

    def _now(self) -> str:
        pick = self._random
        operator = pick.choice(("<", "<=", ">", ">=", "==", "!="))
        millis = pick.choice((0, 123, 999))
        second = pick.randrange(60)
        stamp = f"2023-11-14T22:13:{second:02}.{millis:03}Z"
        moment = datetime.fromisoformat(stamp).timestamp()
        self.hints.times += [
            moment,
            moment - 0.001,
            moment + 0.001,
            moment + 0.0005,
            moment + 0.000_9,
            moment - 0.000_1,
        ]
        day = 1 + pick.randrange(86_399)
        midnight = datetime(2023, 11, 14, tzinfo=UTC).timestamp()
        self.hints.times += [
            midnight + day,
            midnight + day - 0.001,
            midnight + day + 0.0004,
            midnight,
            midnight - 0.001,
        ]
        return pick.choice(
            (
                f'context.now {operator} datetime("{stamp}")',
                f'datetime("{stamp}") {operator} context.now',
                f'context.now.toTime() {operator} duration("{day}s")',
                f'context.now.offset(duration("-1d2h")) {operator} datetime("2023-11-13T22:13:20+0200")',
                f'context.now {operator} datetime("2023-11-14")',
                'context.now < datetime("9999-12-31")',
            )
        )
