"""Time means by cell and their hand-over to another grid, against plain numpy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.kernels.means import accumulate, settle, spread_csr, spread_separable


@given(st.integers(1, 30), st.integers(1, 50), st.sampled_from(["f4", "f8"]), st.integers(0, 99))
def test_sums_are_numpys_and_batches_change_no_bit(
    steps: int, cells: int, dtype: str, seed: int
) -> None:
    random = np.random.default_rng(seed)
    values = random.normal(size=(steps, cells)).astype(dtype)
    values[random.random(values.shape) < 0.3] = np.nan
    factor, seconds = random.random(steps), random.random(steps)
    whole = np.zeros(cells), np.zeros(cells)
    accumulate(values, factor, seconds, *whole)
    known = ~np.isnan(values)
    exact = (np.where(known, values, 0).astype("f8") * factor[:, None]).sum(axis=0)
    assert np.allclose(whole[0], exact, rtol=1e-12, atol=1e-12)
    assert np.allclose(whole[1], (known * seconds[:, None]).sum(axis=0), rtol=1e-14)
    cut = int(random.integers(0, steps + 1))
    pieces = np.zeros(cells), np.zeros(cells)
    for part in (slice(0, cut), slice(cut, steps)):
        accumulate(values[part], factor[part], seconds[part], *pieces)
    assert np.array_equal(whole[0], pieces[0])
    assert np.array_equal(whole[1], pieces[1])


def test_separable_and_general_shares_agree() -> None:
    random = np.random.default_rng(1)
    rows, columns = random.random((3, 4)), random.random((2, 5))
    amounts = random.normal(size=(4, 5))

    def csr(dense: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n, m = dense.shape
        return np.arange(n + 1) * m, np.tile(np.arange(m, dtype="i4"), n), dense.ravel()

    expected = rows @ amounts @ columns.T
    assert np.allclose(spread_separable(amounts, *csr(rows), *csr(columns)), expected, rtol=1e-13)
    table = np.kron(rows, columns)
    assert np.allclose(spread_csr(amounts.ravel(), *csr(table)), expected.ravel(), rtol=1e-13)


@given(st.integers(1, 9000), st.integers(0, 99))
def test_settling_is_a_product_and_begins_anew(cells: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    sums, weight = random.normal(size=cells), random.random(cells)
    weight[random.random(cells) < 0.2] = 0.0
    sums[weight == 0] = random.choice([np.nan, np.inf, 1.0], (weight == 0).sum())
    seen = random.choice([0.0, 3.0], cells)
    expected = np.where(weight != 0, sums, 0.0) * weight
    there, amounts, known = seen == 3.0, np.empty(cells), np.zeros(cells, bool)
    total, magnitude, partly, same = settle(sums, seen, weight, 3.0, amounts, known)
    assert np.array_equal(amounts, expected)
    assert abs(total - expected.sum()) <= 1e-13 * magnitude
    assert np.isclose(magnitude, np.abs(expected).sum(), rtol=1e-13)
    assert (partly, same) == (False, not there.any())
    assert np.array_equal(known, there)
    assert not sums.any()
    assert not seen.any()


def test_values_that_came_and_went_are_told() -> None:
    seen, known = np.array([3.0, 1.0]), np.ones(2, bool)
    *_, partly, same = settle(np.zeros(2), seen, np.ones(2), 3.0, np.zeros(2), known)
    assert (partly, same) == (True, False)
    assert seen.tolist() == [3.0, 1.0]
