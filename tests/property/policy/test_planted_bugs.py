"""The differential tests can fail: each bug planted into the compiler is found by the quick test's own samples."""

import ipaddress
import itertools
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from tests.property.policy.differential import Count, Sample, forget, mismatches, samples
from tests.property.policy.test_compiled_rules_agree_with_cedar import QUICK
from tests.property.policy.world import LOCAL

from ringwall.compile.cedar import (
    attributes,
    cases,
    compare,
    compiler,
    facts,
    fold,
    formula,
    guard,
    like,
    longs,
    membership,
    moments,
    network,
    place,
    re2,
    sets,
    text,
)
from ringwall.compile.cedar.cel import Call, Cel, call, const, every, infix
from ringwall.compile.cedar.formula import FALSE, TRUE, Lit, any_of
from ringwall.compile.cedar.guard import type_guards
from ringwall.compile.cedar.terms import Clock, LongTerm
from ringwall.plan.identity import ClaimType
from ringwall.plan.rule import AllOf, ClaimText, SourceIn

Plant = Callable[[pytest.MonkeyPatch], None]
BUGS: dict[str, Plant] = {}


def bug(plant: Plant) -> Plant:
    BUGS[plant.__name__] = plant
    return plant


@bug
def like_forgets_that_prefix_and_suffix_may_not_overlap(patch: pytest.MonkeyPatch) -> None:
    def cel(self: like.TextLike) -> Cel | None:
        whole = original(self)
        return whole.args[0] if whole is not None and ">=" in whole.text else whole  # type: ignore[union-attr]

    original = like.TextLike.cel
    patch.setattr(like.TextLike, "cel", cel)
    patch.setattr(like.TextLike, "_size", lambda *_args, **_named: 1_000)
    patch.setattr(like, "_around", prefix_and_suffix)


def prefix_and_suffix(path: tuple[str, ...], first: str, last: str) -> Any:
    return AllOf(
        parts=(ClaimText(path=path, match="prefix", value=first), ClaimText(path=path, match="suffix", value=last))
    )


@bug
def like_takes_a_prefix_for_a_substring(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        like.TextLike,
        "_simple",
        lambda self, path: (
            ClaimText(path=path, match="contains", value="".join(self.pieces)) if "" in self.pieces else None
        ),
    )


@bug
def like_does_not_quote_regular_expressions(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(re2, "quote", lambda value: value)


@bug
def like_in_a_path_crosses_slashes(patch: pytest.MonkeyPatch) -> None:
    def segment(self: like.TextLike, number: int) -> Any:
        return re2.segment_matches(number, ".*".join(re2.quote(piece) for piece in self.pieces))

    patch.setattr(like.TextLike, "_segment", segment)


@bug
def at_most_becomes_less_than(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        longs.LongIs,
        "cel",
        lambda self: infix(self.op.replace("<=", "<"), longs.long_cel(self.left), longs.long_cel(self.right)),
    )


@bug
def greater_is_the_opposite_of_less(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(longs._NEGATED, ">", "<")


@bug
def sunday_is_day_zero(patch: pytest.MonkeyPatch) -> None:
    original = longs.long_cel

    def raw(term: LongTerm) -> Cel:
        known = original(term)
        return known.args[2] if isinstance(known, Call) and known.function == "_?_:_" else known

    patch.setattr(longs, "long_cel", raw)


@bug
def the_clock_ignores_the_time_zone(patch: pytest.MonkeyPatch) -> None:
    original = longs.long_cel

    def utc(term: Any) -> Cel:
        return original(Clock(term.unit, "UTC")) if isinstance(term, Clock) else original(term)

    patch.setattr(longs, "long_cel", utc)


@bug
def fractions_pass_for_whole_numbers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(facts, "is_whole", lambda path: facts.has_type(facts.claim(path), "double"))


@bug
def not_later_than_a_moment_forgets_its_last_millisecond(patch: pytest.MonkeyPatch) -> None:
    original = moments._compare
    patch.setattr(moments, "_compare", lambda op, millis, before: original("<" if op == "<=" else op, millis, before))


@bug
def roles_do_not_include_each_other(patch: pytest.MonkeyPatch) -> None:
    original = place.System.of.__func__  # type: ignore[attr-defined]

    def alone(_cls: type[place.System], /, **named: Any) -> place.System:
        system = original(place.System, **named)
        system.holders.update({name: frozenset({name}) for name in system.holders})
        return system  # type: ignore[no-any-return]

    patch.setattr(place.System, "of", classmethod(alone))


@bug
def every_issuer_gives_every_role(patch: pytest.MonkeyPatch) -> None:
    original = membership.holds_role

    def mixed(role: str, where: place.Place) -> formula.Formula:
        return any_of(original(role, replace(where, issuer=issuer)) for issuer in where.system.issuers)

    patch.setattr(membership, "holds_role", mixed)


@bug
def users_of_issuers_are_confused(patch: pytest.MonkeyPatch) -> None:
    original = membership.is_user
    patch.setattr(membership, "is_user", lambda name, where: original(name, replace(where, issuer=LOCAL)))


@bug
def builtin_names_may_hold_a_bar(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(guard.SubjectNamed, "native", lambda _self: ClaimText(path=("sub",), match="regex", value="(?s).+"))


@bug
def types_are_not_guarded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiler, "type_guards", lambda *_args: ())


@bug
def lists_are_not_guarded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        compiler,
        "type_guards",
        lambda *args: tuple(one for one in type_guards(*args) if one.type is not ClaimType.STRING_SET),
    )


@bug
def a_list_of_numbers_is_no_list(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(guard.TypeGuard, "exact", lambda _self, *, present: const(False))  # noqa: ARG005  # its signature


@bug
def path_parameters_are_not_guarded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiler, "readable_params", lambda _names, _segments: TRUE)


@bug
def the_exposure_prefix_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    original = compiler._Hop._place

    def shifted(self: compiler._Hop, *args: Any, **named: Any) -> place.Place:
        if self._context.hop == "edge":
            self._segments = {param.name: param.segment for param in self._context.params}
        return original(self, *args, **named)

    patch.setattr(compiler._Hop, "_place", shifted)


@bug
def only_the_first_forbid_counts(patch: pytest.MonkeyPatch) -> None:
    original = formula.all_of
    patch.setattr(
        compiler, "all_of", lambda parts: original([*itertools.islice(listed := list(parts), 1), *listed[-1:]])
    )


@bug
def unless_is_read_as_when(patch: pytest.MonkeyPatch) -> None:
    from ringwall.compile.cedar import satisfied  # noqa: PLC0415  # only this bug needs it

    patch.setattr(satisfied, "negation", lambda part: part)


@bug
def a_guest_may_carry_a_token(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiler, "TokenPresent", lambda: guard.ClaimIsThere(("nowhere",)))


@bug
def any_token_is_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compiler, "token_is_believed", lambda _issuers: Lit(guard.TokenPresent()))


@bug
def a_block_of_addresses_is_one_bit_too_wide(patch: pytest.MonkeyPatch) -> None:
    def wider(self: network.SourceInBlock) -> Any:
        address, _, length = self.cidr.partition("/")
        wide = ipaddress.ip_network(f"{address}/{max(int(length) - 1, 0)}", strict=False)
        return SourceIn(cidr=str(wide))

    patch.setattr(network.SourceInBlock, "native", wider)


@bug
def scopes_are_searched_as_text(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sets.ScopeIs, "native", lambda self: ClaimText(path=("scope",), match="contains", value=self.value))


@bug
def two_spaces_make_an_empty_scope(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sets.ScopeIsText, "cel", lambda self: sets._in_scopes(text.text_cel(self.item)))


@bug
def contains_all_is_satisfied_by_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sets, "all_of", any_of)


@bug
def an_object_passes_for_a_list(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sets.SetHasText, "needs", lambda _self: None)


@bug
def if_then_else_forgets_to_negate_its_test(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(fold, "choice", lambda test, then, otherwise: any_of([formula.all_of([test, then]), otherwise]))


@bug
def has_is_always_true(patch: pytest.MonkeyPatch) -> None:
    original = attributes.has
    patch.setattr(attributes, "has", lambda *args: (TRUE, original(*args)[1]))


@bug
def different_is_the_same(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(compare, "negation", lambda part: part)


@bug
def the_rest_of_an_alternative_is_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cases, "MOST_ALTERNATIVES", 1)
    patch.setattr(
        cases.Alternative, "__and__", lambda self, other: cases.Alternative(self.native + other.native, other.rest)
    )


@bug
def alternatives_share_what_only_one_has(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cases, "_factored", lambda natives: natives[0])


@bug
def any_workload_is_the_edge(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(membership, "called_by", lambda name, where: FALSE if name not in where.callers else TRUE)


@bug
def a_number_is_proven_whole_by_comparing_it(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(longs.LongIs, "proves", longs.LongIs.reads)


@bug
def equality_of_two_claims_compares_their_sizes(patch: pytest.MonkeyPatch) -> None:
    def sizes(self: text.SameText) -> Cel:
        return every([infix("==", call("size", text.text_cel(self.left)), call("size", text.text_cel(self.right)))])

    patch.setattr(text.SameText, "cel", sizes)


@cache
def quick_samples() -> list[Sample]:
    return list(samples(QUICK, 12))


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = quick_samples()
    forget()
    BUGS[name](monkeypatch)
    try:
        assert any(is_found(sample) for sample in known), f"nothing noticed that {name.replace('_', ' ')}"
    finally:
        monkeypatch.undo()
        forget()


def is_found(sample: Sample) -> bool:
    try:
        return next(mismatches(sample, sample.site.compile(sample.policies), Count()), None) is not None
    except (AssertionError, IndexError, AttributeError, re.error):
        # An expression that errs, whose two forms differ, or that Envoy would refuse, is found too.
        return True


def test_there_are_enough_planted_bugs() -> None:
    assert len(BUGS) >= 12
