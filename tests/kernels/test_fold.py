"""Folding zones to regions: compensated, and honest about what is not finite."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.kernels.fold import fold, membership


@given(st.integers(1, 4), st.integers(1, 30), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_fold_agrees_with_fsum(n_steps, n_zones, n_regions, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n_steps, n_zones)) * 10.0 ** rng.integers(-9, 9, n_zones)
    dense = rng.uniform(size=(n_zones, n_regions)) * (rng.random((n_zones, n_regions)) < 0.5)
    indptr = np.concatenate([[0], np.cumsum((dense != 0).sum(axis=1))])
    indices = np.nonzero(dense)[1].astype(np.int32)
    out = fold(values, membership(indptr, indices, dense[dense != 0], n_regions))
    for step in range(n_steps):
        for region in range(n_regions):
            terms = values[step] * dense[:, region]
            error = abs(out[step, region] - math.fsum(terms))
            assert error <= 1e-15 * math.fsum(np.abs(terms))


def test_fold_does_not_depend_on_the_step_before():
    values = np.array([[1.0, 2.0], [1.0, 2.0], [0.5, 2.0], [np.nan, 2.0], [np.nan, 2.0]])
    indptr, indices = np.array([0, 1, 3]), np.array([1, 0, 1], np.int32)
    part = np.array([1.0, 0.25, 0.75])
    members = membership(indptr, indices, part, 2)
    apart = [fold(step[None], members) for step in values]
    np.testing.assert_array_equal(fold(values, members), np.concatenate(apart))


def test_fold_keeps_what_is_not_finite_in_its_regions():
    indptr, indices = np.array([0, 1, 2, 3]), np.array([0, 1, 1], np.int32)
    members = membership(indptr, indices, np.ones(3), 3)
    out = fold(np.array([[np.nan, np.inf, 1.0]]), members)
    np.testing.assert_array_equal(out, [[np.nan, np.inf, 0.0]])


def test_bad_input_fold():
    indptr, indices = np.array([0, 1, 2, 3]), np.zeros(3, np.int32)
    with pytest.raises(ValueError, match="2 zones"):
        fold(np.ones((1, 2)), membership(indptr, indices, np.ones(3), 1))
