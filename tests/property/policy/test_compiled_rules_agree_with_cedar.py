"""The compiler's proof, in process: generated policies and requests, compiled rules against cedarpy.

Native predicates run in a small interpreter, CEL in Google's cel-cpp, in both of its forms (text and `Expr`). An
expression that errs fails the test, even where the error would have denied rightly: rules are total.
"""

import time

import pytest
from tests.property.policy.differential import AIMS, Count, forget, mismatches, samples

QUICK = range(700)
DEEP = range(1_000_000, 1_008_500)


def run(seeds: range, requests: int) -> Count:
    forget()
    count = Count()
    for sample in samples(seeds, requests):
        wrong = next(mismatches(sample, sample.site.compile(sample.policies), count), None)
        if wrong is not None:
            pytest.fail(wrong)
    return count


def test_generated_requests_are_answered_as_cedar_answers() -> None:
    count = run(QUICK, 12)
    assert count.requests > 5_000
    assert count.allowed > count.requests // 8, "a generator that is hardly ever allowed proves little"
    assert count.undecided.total() < count.rules // 50


@pytest.mark.deep
def test_a_hundred_thousand_generated_requests() -> None:
    began = time.monotonic()
    count = run(DEEP, 20)
    print(f"\nin process: {count}, aims {len(AIMS)}, 0 mismatches, {time.monotonic() - began:.0f} s")  # noqa: T201  # the count is the point
    assert count.requests >= 100_000
