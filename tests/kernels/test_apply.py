from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.kernels.apply import apply_csr, apply_separable, outer_csr


def csr(dense):
    rows, columns = np.nonzero(dense)
    indptr = np.concatenate([[0], np.cumsum(np.count_nonzero(dense, axis=1))])
    assert (np.diff(rows) >= 0).all()
    return indptr, columns.astype(np.int32), dense[rows, columns]


def plain(values, dense):
    """What the kernels do, by dense matrices."""
    there = ~np.isnan(values)
    return np.where(there, values, 0.0).astype("f8") @ dense.T, there @ dense.T


def case(seed, shape):
    rng = np.random.default_rng(seed)
    dense = rng.uniform(0.1, 1, shape) * (rng.random(shape) < 0.5)
    return rng, dense


@given(st.integers(0, 2**31), st.integers(1, 9), st.sampled_from(["f4", "f8"]), st.floats(0, 1))
def test_csr_is_the_dense_product_without_missing_values(seed, steps, dtype, missing):
    rng, dense = case(seed, (5, 7))
    values = rng.normal(size=(steps, 7)).astype(dtype)
    values[rng.random(values.shape) < missing] = np.nan
    sums, valid = apply_csr(values, *csr(dense), dense.sum(axis=1))
    expected, there = plain(values, dense)
    np.testing.assert_allclose(sums, expected, atol=1e-14)
    np.testing.assert_allclose(valid, there, atol=1e-14)


@given(st.integers(0, 2**31), st.integers(1, 5), st.sampled_from(["f4", "f8"]), st.floats(0, 1))
def test_separable_is_the_dense_product_without_missing_values(seed, steps, dtype, missing):
    rng, by_row = case(seed, (3, 4))
    by_column = rng.uniform(0.1, 1, (5, 6)) * (rng.random((5, 6)) < 0.5)
    values = rng.normal(size=(steps, 4, 6)).astype(dtype)
    values[rng.random(values.shape) < missing] = np.nan
    sums, valid = apply_separable(values, *csr(by_row), *csr(by_column))
    expected, there = plain(values.reshape(steps, -1), np.kron(by_row, by_column))
    np.testing.assert_allclose(sums.reshape(steps, -1), expected, atol=1e-14)
    np.testing.assert_allclose(valid.reshape(steps, -1), there, atol=1e-14)


@given(st.integers(0, 2**31))
def test_tables_multiply_out(seed):
    rng, one = case(seed, (3, 4))
    two = rng.uniform(0.1, 1, (2, 5)) * (rng.random((2, 5)) < 0.7)
    indptr, index, data = outer_csr(*csr(one), *csr(two), 5, 1)
    dense = np.zeros((6, 20))
    dense[np.repeat(np.arange(6), np.diff(indptr)), index] = data
    np.testing.assert_allclose(dense, np.kron(one, two))


def test_infinity_is_no_missing_value():
    table = csr(np.ones((1, 2)))
    sums, valid = apply_csr(np.array([[np.inf, 1.0]]), *table, np.array([2.0]))
    assert np.isinf(sums[0, 0])
    assert valid[0, 0] == pytest.approx(2)
