from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hpcbudget.science.dipoles import DIPOLE_COLUMNS, compensation, dipoles

pairs = st.integers(3, 14).flatmap(
    lambda n: st.tuples(*(st.lists(st.floats(-5, 5), min_size=n, max_size=n),) * 2)
)


@given(pair=pairs)
def test_agrees_with_scipy(pair):
    a, b = np.array(pair)
    if a.std() < 1e-3 or b.std() < 1e-3:
        return
    n, r, p, ratio = compensation(a, b)
    expected = stats.pearsonr(a, b)
    assert n == a.size
    assert r == pytest.approx(expected.statistic, abs=1e-9)
    if abs(r) < 1 - 1e-9:
        assert p == pytest.approx(expected.pvalue, abs=1e-6)
    assert ratio == pytest.approx(np.var(a + b) / (np.var(a) + np.var(b)), abs=1e-9)


@given(pair=pairs, shift=st.floats(-3, 3))
def test_symmetric_and_free_of_offsets(pair, shift):
    a, b = np.array(pair)
    np.testing.assert_allclose(compensation(a, b), compensation(b, a), atol=1e-12)
    if min(a.std(), b.std()) > 1e-3:
        np.testing.assert_allclose(compensation(a + shift, b), compensation(a, b), atol=1e-6)


def test_few_or_constant_models():
    nan = float("nan")
    assert compensation(np.array([1.0]), np.array([1.0]))[0] == 1
    n, r, p, ratio = compensation(np.array([1.0, 2.0]), np.array([2.0, 1.0]))
    assert (n, ratio) == (2, 0.0)
    assert np.isnan([r, p]).all()
    assert np.isnan(compensation(np.ones(5), np.ones(5))[1:]).all()
    n, *_ = compensation(np.array([1.0, nan, 3.0]), np.array([1.0, 2.0, nan]))
    assert n == 1


def test_perfect_dipole_in_a_dataset(make_fluxes):
    north = np.array([-2.0, -1.0, 0.0, 1.0])
    series = {
        ("inversion", f"m{k}", f"m{k}", "land"): np.array([[-1.0], [v], [-1.0 - v], [0.0]])
        for k, v in enumerate(north)
    }
    table = dipoles(make_fluxes(series), {"p": (2000, 2000)})
    assert tuple(table.columns) == DIPOLE_COLUMNS
    assert not (table[["region_a", "region_b"]] == "Globe").any(axis=None)
    row = table[(table["region_a"] == "North") & (table["region_b"] == "South")].iloc[0]
    assert row["n"] == 4
    assert row["correlation"] == pytest.approx(-1)
    assert row["variance_ratio"] == pytest.approx(0, abs=1e-12)
    assert row["p_value"] < 1e-6
