"""Lanes: compiled vectors and their numpy twins give the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from hpcbudget.kernels.columns import all_missing, sum_rows
from hpcbudget.kernels.lanes import (
    BLOCK,
    any_nan,
    load,
    load_where_missing,
    spread,
    store,
    sum_block,
    sum_numbers,
    sum_part,
)
from hpcbudget.kernels.sums import two_sum
from hpcbudget.kernels.vectors import LANES


@njit
def whole(field, weight, first, out):
    lanes, n_missing = sum_block(field, weight, first)
    store(out, 0, lanes)
    return n_missing


@njit
def part(field, weight, first, stop, out):
    lanes, n_missing = sum_part(field, weight, first, stop)
    store(out, 0, lanes)
    return n_missing


@njit
def numbers(field, first, stop, out):
    store(out, 0, sum_numbers(field, first, stop))
    return 0


@njit
def rows_of(field, rows, weight, column, missing, out):
    store(out, 0, sum_rows(field, rows, weight, column, missing))
    return 0


@njit
def nan_in(lanes, out):
    return any_nan(load(lanes, 0))


@njit
def none_there(field, rows, column, out):
    return all_missing(field, rows, column)


@njit
def arithmetic(a, b, out):
    total, lost = two_sum(load(a, 0), load(b, 8) * spread(3.0))
    store(out, 0, total - load(b, 0))
    store(out, LANES, lost)
    store(out, 2 * LANES, load_where_missing(b, a, 8))


def both(function, *args):
    """Run compiled and twin; assert equal bits and return what they agree on."""
    outs = np.zeros(3 * LANES), np.zeros(3 * LANES)
    twin = getattr(function, "py_func", function)
    copies = [arg.copy() if isinstance(arg, np.ndarray) else arg for arg in args]
    results = function(*args, outs[0]), twin(*copies, outs[1])
    assert results[0] == results[1]
    for mine, other in zip(args, copies, strict=True):
        np.testing.assert_array_equal(mine, other)
    np.testing.assert_array_equal(*outs)
    return outs[0], results[0]


fields = st.tuples(
    st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 1.0]), st.sampled_from(["f4", "f8"])
)


def make(seed, missing, kind):
    rng = np.random.default_rng(seed)
    field = rng.normal(size=2 * BLOCK).astype(kind)
    field[rng.random(field.size) < missing] = np.nan
    return field, rng.normal(size=field.size)


@pytest.mark.parametrize("weighted", [False, True])
@given(problem=fields, first=st.integers(0, BLOCK))
def test_block(weighted, problem, first):
    field, weight = make(*problem)
    out, n_missing = both(whole, field, weight if weighted else None, first)
    cells = field[first : first + BLOCK].astype(float)
    assert n_missing == np.isnan(cells).sum()
    if weighted:
        cells *= weight[first : first + BLOCK]
    assert out[:LANES].sum() == pytest.approx(np.nansum(cells), abs=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@given(problem=fields, first=st.integers(0, BLOCK), length=st.integers(1, BLOCK))
def test_part_sees_nothing_beyond_its_end(weighted, problem, first, length):
    field, weight = make(*problem)
    table = weight if weighted else None
    stop = first + length
    once = both(part, field, table, first, stop)
    field[stop:] = np.nan
    weight[stop:] = np.inf
    again = both(part, field, table, first, stop)
    np.testing.assert_array_equal(once[0], again[0])
    assert once[1] == again[1] == np.isnan(field[first:stop]).sum()


@given(problem=fields, first=st.integers(0, BLOCK), length=st.integers(1, BLOCK))
def test_numbers_are_summed_as_parts_without_gaps(problem, first, length):
    _, field = make(*problem)
    stop = first + length
    out, _ = both(numbers, field, first, stop)
    np.testing.assert_array_equal(out, both(part, field, None, first, stop)[0])
    field[first] = np.nan
    assert np.isnan(both(numbers, field, first, stop)[0]).sum() == 1


@given(problem=fields, column=st.integers(0, 8))
def test_rows_are_summed_by_column(problem, column):
    field, weight = make(*problem)
    rows = 16 * np.arange(LANES)[::-1].copy()
    missing = np.zeros(LANES, np.int32)
    out, _ = both(rows_of, field, rows, weight[:LANES].copy(), column, missing)
    cells = field.reshape(LANES, 16)[::-1, column : column + LANES].astype(float)
    terms = cells * weight[:LANES, np.newaxis]
    np.testing.assert_allclose(out[:LANES], np.nansum(terms, axis=0), rtol=1e-12, atol=1e-12)
    bits = np.isnan(cells).T @ (1 << np.arange(LANES))
    np.testing.assert_array_equal(missing, bits)
    assert both(none_there, field, rows, column)[1] == (bits == 255).all()
    raw, _ = both(rows_of, field, rows, weight[:LANES].copy(), column, None)
    np.testing.assert_array_equal(raw[:LANES], np.where(bits, np.nan, out[:LANES]))
    assert both(nan_in, raw)[1] == bits.any()


@given(st.integers(0, 2**32 - 1))
def test_arithmetic(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 2 * LANES)) * 10.0 ** rng.integers(-9, 9, (2, 2 * LANES))
    a[rng.random(a.size) < 0.2] = np.nan
    both(arithmetic, a, b)
