from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.kernels.apply import apply_csr, apply_separable, mend_csr, outer_csr


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


def both(values, table, shares, totals, divisor):
    """As weights are applied: in one go, and again where something is missing."""
    out = np.full((len(values), len(totals)), 7.0)
    valid = np.broadcast_to(totals, out.shape).copy()
    by = np.where(totals > 0, totals, np.nan) if divisor is None else divisor
    odd = apply_csr(values, *table, by, out)
    assert (odd == 0) == (not np.isnan(out[:, totals > 0]).any())
    mend_csr(
        values, *table, shares, totals, np.empty(0) if divisor is None else divisor, out, valid
    )
    return out, valid


@given(
    st.integers(0, 2**31),
    st.integers(1, 9),
    st.sampled_from(["f4", "f8"]),
    st.floats(0, 1),
    st.booleans(),
)
def test_csr_is_the_dense_product_without_missing_values(seed, steps, dtype, missing, mean):
    rng, dense = case(seed, (5, 7))
    values = rng.normal(size=(steps, 7)).astype(dtype)
    values[rng.random(values.shape) < missing] = np.nan
    table = csr(dense)
    shares, divisor = rng.uniform(0.5, 2, len(table[2])), rng.uniform(1, 2, 5)
    wide = np.zeros(dense.shape)
    wide[dense > 0] = shares
    if mean:
        wide, shares, divisor = dense, table[2], None
    out, valid = both(values, table, shares, wide.sum(axis=1), divisor)
    expected, _ = plain(values, dense)
    _, there = plain(values, wide)
    with np.errstate(invalid="ignore"):
        expected = np.where(there > 0, expected / (there if mean else divisor), np.nan)
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(valid, there, atol=1e-14)


@given(st.integers(0, 2**31), st.integers(1, 9), st.integers(0, 9))
def test_csr_gives_the_same_bits_however_steps_are_shared_out(seed, steps, cut):
    rng, dense = case(seed, (5, 7))
    values = rng.normal(size=(steps, 7)).astype("f4")
    values[rng.random(values.shape) < 0.2] = np.nan
    table, totals = csr(dense), dense.sum(axis=1)
    whole, _ = both(values, table, table[2], totals, None)
    parts = [both(v, table, table[2], totals, None)[0] for v in (values[:cut], values[cut:])]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@given(st.integers(0, 2**31), st.integers(1, 5), st.sampled_from(["f4", "f8"]), st.floats(0, 1))
def test_separable_is_the_dense_product_without_missing_values(seed, steps, dtype, missing):
    rng, by_row = case(seed, (3, 4))
    by_column = rng.uniform(0.1, 1, (5, 6)) * (rng.random((5, 6)) < 0.5)
    values = rng.normal(size=(steps, 4, 6)).astype(dtype)
    values[rng.random(values.shape) < missing] = np.nan
    sums, valid = np.empty((2, steps, 3, 5))
    apply_separable(values, *csr(by_row), *csr(by_column), sums, valid)
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
    values = np.array([[np.inf, 1.0]])
    out, valid = both(values, table, table[2], np.array([2.0]), None)
    assert np.isinf(out[0, 0])
    assert valid[0, 0] == pytest.approx(2)
