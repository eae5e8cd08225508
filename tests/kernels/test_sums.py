"""Compensated and snapped sums."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hpcbudget.kernels.sums import exact_sum, snap, snapping_grids, two_sum

areas = st.just(0.0) | st.floats(1e-250, 1e15)
finite = st.floats(-1e150, 1e150, allow_subnormal=False)


@given(finite, finite)
def test_two_sum_loses_nothing(a, b):
    total, lost = two_sum(a, b)
    assert total == a + b
    assert Fraction(total) + Fraction(lost) == Fraction(a) + Fraction(b)


@given(arrays(np.float64, st.integers(1, 60), elements=areas), st.randoms())
def test_snapped_parts_sum_exactly_in_any_order(terms, random):
    grids = snapping_grids(terms)
    coarse = [snap(term, grids[0]) for term in terms.tolist()]
    fine = [snap(term - part, grids[1]) for term, part in zip(terms.tolist(), coarse, strict=True)]
    for parts in (coarse, fine):
        exact = sum(map(Fraction, parts))
        random.shuffle(parts)
        assert Fraction(sum(parts)) == exact
    total = math.fsum(coarse) + math.fsum(fine)
    assert abs(total - math.fsum(terms)) <= 1e-15 * math.fsum(terms)


@given(arrays(np.float64, st.integers(0, 50), elements=finite))
def test_exact_sum_is_rounded_once(values):
    assert exact_sum(values) == float(sum(map(Fraction, values.tolist()), Fraction(0)))


def test_exact_sum_of_what_is_not_finite():
    assert exact_sum([np.inf, 1.0]) == np.inf
    assert math.isnan(exact_sum([np.inf, -np.inf]))
    assert math.isnan(exact_sum([np.nan, 1.0]))
