"""Mergeable moments against numpy, whatever the values, their order and the cuts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hpcbudget.kernels import moments

VALUES = st.one_of(st.floats(-1e6, 1e6, width=32), st.just(float("nan")), st.just(0.0))
SAMPLES = arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 6)), elements=VALUES)


def state_of(samples: np.ndarray) -> np.ndarray:
    state = moments.empty_state(samples.shape[1])
    for values in samples:
        moments.push(state, values)
    return state


@given(SAMPLES, st.sampled_from([0, 1]))
def test_moments_are_numpys(samples: np.ndarray, ddof: int) -> None:
    mean, sd, agreement = moments.describe(state_of(samples), ddof)
    for cell, column in enumerate(samples.T):
        known = column[~np.isnan(column)]
        size = np.abs(known).max(initial=0.0) + 1e-300
        if known.size == 0:
            assert np.isnan(mean[cell])
        else:
            assert abs(mean[cell] - known.mean()) <= 1e-14 * size
        if known.size <= ddof:
            assert np.isnan(sd[cell])
        else:
            assert abs(sd[cell] - known.std(ddof=ddof)) <= 1e-12 * size
        signed = known[known != 0]
        if signed.size == 0:
            assert np.isnan(agreement[cell])
        else:
            assert agreement[cell] in ((signed > 0).mean(), (signed < 0).mean())


@given(SAMPLES, st.data())
def test_merged_states_are_those_of_both_samples(samples: np.ndarray, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(samples)), max_size=3)))
    merged = moments.empty_state(samples.shape[1])
    for part in np.split(samples, cuts):
        moments.merge(merged, state_of(part))
    whole = state_of(samples)
    size = np.nan_to_num(np.abs(samples)).max(axis=0) + 1e-300
    for plane in (moments.COUNT, moments.ABOVE, moments.BELOW):
        assert np.array_equal(merged[plane], whole[plane])
    assert np.all(np.abs(merged[moments.MEAN] - whole[moments.MEAN]) <= 1e-13 * size)
    difference = merged[moments.SQUARES] - whole[moments.SQUARES]
    assert np.all(np.abs(difference) <= 1e-12 * size**2)


@given(SAMPLES)
def test_merging_nothing_changes_no_bit(samples: np.ndarray) -> None:
    state = state_of(samples)
    kept = state.copy()
    moments.merge(state, moments.empty_state(samples.shape[1]))
    assert np.array_equal(state, kept)
    empty = moments.empty_state(samples.shape[1])
    moments.merge(empty, kept)
    assert np.array_equal(empty, kept)


@given(SAMPLES, st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_quantiles_are_numpys(samples: np.ndarray, levels: list[float]) -> None:
    found = moments.quantiles(samples, np.array(levels))
    for cell, column in enumerate(samples.T):
        known = column[~np.isnan(column)]
        if known.size == 0:
            assert np.isnan(found[:, cell]).all()
            continue
        expected = np.quantile(known, levels)
        assert found[:, cell] == pytest.approx(expected, rel=1e-12, abs=1e-12 * np.abs(known).max())


def test_a_large_mean_leaves_the_spread_exact() -> None:
    samples = 1e9 + np.array([[0.0], [1.0], [2.0]])
    mean, sd, agreement = moments.describe(state_of(samples), 1)
    assert (mean[0], sd[0], agreement[0]) == (1e9 + 1, 1.0, 1.0)
