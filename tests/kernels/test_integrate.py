"""Integration over zones: exactness, missing and infinite cells, independence of batching."""

from __future__ import annotations

import math
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.kernels.integrate import integrate, make_runs, warm
from hpcbudget.kernels.runs import TILE


def twin(values, labels, weight, area_m2, n_zones):
    """Integrate with numpy and math.fsum: the oracle. Returns sums, magnitudes, missing area."""
    shape = (len(values), n_zones)
    sums, magnitudes, missing_m2 = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for step, field in enumerate(values.astype(np.float64)):
        for zone in range(n_zones):
            mine = labels == zone
            terms = (field * weight)[mine & ~np.isnan(field)]
            sums[step, zone] = math.fsum(terms)
            magnitudes[step, zone] = math.fsum(np.abs(terms))
            missing_m2[step, zone] = math.fsum(area_m2[mine & np.isnan(field)])
    return sums, magnitudes, missing_m2


def assert_agrees(values, labels, weight, area_m2, n_zones, row_length):
    runs = make_runs(labels, weight, area_m2, n_zones, row_length)
    sums, missing_m2, n_infinite = integrate(values, runs)
    expected, magnitudes, expected_missing_m2 = twin(values, labels, weight, area_m2, n_zones)
    assert (np.abs(sums - expected) <= 1e-15 * magnitudes).all()
    np.testing.assert_allclose(missing_m2, expected_missing_m2, rtol=1e-15)
    assert not n_infinite.any()
    return runs, sums, missing_m2


@st.composite
def problems(draw):
    """Draw values, labels, weights and areas of a small grid of any structure."""
    rows, row_length = draw(st.integers(1, 20)), draw(st.integers(1, 200))
    n_zones, n_steps = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cells = rows * row_length
    stretch = draw(st.sampled_from([1, 3, 40]))
    labels = rng.integers(-1, n_zones, cells // stretch + 1).repeat(stretch)[:cells]
    if draw(st.booleans()):  # rows alike: stacks
        labels = np.tile(labels[:row_length], rows)
    area_m2 = rng.uniform(0.0, 1e10, rows).repeat(row_length)
    weight = area_m2 * draw(st.sampled_from([1.0, -3.7, 0.0]))
    if draw(st.booleans()):
        weight = weight * rng.choice([0.0, 0.3, 1.0], cells)
    if draw(st.booleans()):
        area_m2 = area_m2 * rng.choice([0.0, 1.0, 1.0 / 3.0], cells)
    scale = 10.0 ** rng.integers(-draw(st.sampled_from([1, 15])), 2, (n_steps, cells))
    values = rng.normal(size=(n_steps, cells)) * scale
    values[rng.random(values.shape) < draw(st.sampled_from([0.0, 0.1, 0.9, 1.0]))] = np.nan
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return values.astype(dtype), labels.astype(np.int32), weight, area_m2, n_zones, row_length


@given(problems())
def test_agrees_with_the_numpy_twin(problem):
    assert_agrees(*problem)


@given(problems(), st.data())
def test_batching_of_steps_changes_no_bit(problem, data):
    values, *grid = problem
    runs = make_runs(*grid)
    whole = integrate(values, runs)
    cut = data.draw(st.integers(0, len(values)))
    parts = [integrate(values[:cut], runs), integrate(values[cut:], runs)]
    for together, *apart in zip(whole, *parts, strict=True):
        np.testing.assert_array_equal(together, np.concatenate(apart))


@given(problems())
def test_step_without_valid_cells_misses_exactly_the_area_of_its_zones(problem):
    values, *grid = problem
    runs = make_runs(*grid)
    sums, missing_m2, _ = integrate(np.full_like(values, np.nan), runs)
    np.testing.assert_array_equal(missing_m2, np.broadcast_to(runs.zone_area_m2, missing_m2.shape))
    assert not sums.any()


@given(problems(), st.data())
def test_a_cell_that_turns_valid_or_missing_is_seen(problem, data):
    values, labels, weight, area_m2, n_zones, row_length = problem
    cell = data.draw(st.integers(0, labels.size - 1))
    values[0, cell] = 5.0 if np.isnan(values[0, cell]) else np.nan
    assert_agrees(values, labels, weight, area_m2, n_zones, row_length)


def stacked(rows, row_length=150, width=10):
    """Return labels and areas of boxes of so many columns, in one stack after the other."""
    labels = np.tile(np.arange(row_length) // width, rows).astype(np.int32)
    labels[-row_length:] = -1  # the last row of a grid is not always part of a stack
    return labels, np.repeat(np.linspace(1.0, 2.0, rows), row_length)


@given(st.integers(4, 30), st.integers(0, 2**32 - 1), st.data())
def test_gaps_of_one_zone_change_no_bit_of_another(rows, seed, data):
    labels, area_m2 = stacked(rows)
    runs = make_runs(labels, area_m2, area_m2, 15, 150)
    assert runs.stacks.height.sum() == rows - 1
    values = np.random.default_rng(seed).normal(size=(1, labels.size)).astype(np.float32)
    whole = integrate(values, runs)[0][0]
    zone = data.draw(st.integers(0, 14))
    cells = np.flatnonzero(labels == zone)
    gone = data.draw(st.lists(st.sampled_from(cells), min_size=1, unique=True))
    values[0, gone] = np.nan
    gappy, missing_m2, _ = integrate(values, runs)
    others = np.arange(15) != zone
    np.testing.assert_array_equal(gappy[0, others], whole[others])
    assert missing_m2[0, zone] == pytest.approx(area_m2[gone].sum(), rel=1e-15)
    assert not missing_m2[0, others].any()


@pytest.mark.parametrize("rows", [4, 6, 9, 20])
@pytest.mark.parametrize(
    ("cells", "total"),
    [([np.inf, 0.0], np.inf), ([np.inf, -np.inf], np.nan), ([-np.inf, np.nan], -np.inf)],
)
def test_infinite_values_of_a_stack_reach_only_their_zone(rows, cells, total):
    labels, area_m2 = stacked(rows)
    runs = make_runs(labels, area_m2, area_m2, 15, 150)
    assert runs.stacks.height.sum() == rows - 1
    values = np.ones((1, rows, 150))
    expected = integrate(values, runs)[0]
    values[0, :2, 33] = cells  # one below the other
    sums, _, n_infinite = integrate(values, runs)
    expected[0, 3] = total
    np.testing.assert_array_equal(sums, expected)
    assert n_infinite.tolist() == [np.isinf(cells).sum()]


def test_runs_longer_than_a_tile_keep_their_bits():
    n = 3 * TILE + 77
    rng = np.random.default_rng(11)
    values, area_m2 = rng.normal(size=(2, n)), rng.uniform(size=n)
    values[:, ::7] = np.nan
    assert_agrees(values, np.zeros(n, np.int32), area_m2, area_m2, 1, n)


def test_3x4_grid_by_hand():
    # areas 1, 2, 1 by row; zone 0 left, zone 1 right, last cell outside; one NaN in zone 1
    area_m2 = np.repeat([1.0, 2.0, 1.0], 4)
    labels = np.array([0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, -1], dtype=np.int32)
    values = np.array([[1, 2, 3, 4, 5, 6, 7, np.nan, 9, 10, 11, 12]], dtype=np.float32)
    runs = make_runs(labels, area_m2, area_m2, n_zones=2, row_length=4)
    sums, missing_m2, n_infinite = integrate(values, runs)
    assert sums.tolist() == [[1 + 2 + 2 * (5 + 6) + 9 + 10, 3 + 4 + 2 * 7 + 11]]
    assert missing_m2.tolist() == [[0.0, 2.0]]
    assert n_infinite.tolist() == [0]
    assert runs.zone_area_m2.tolist() == [8.0, 7.0]


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ten_million_cells_of_both_signs(dtype):
    rng = np.random.default_rng(3)
    n = 10_000_000
    values = (rng.normal(size=n) * 10.0 ** rng.integers(-6, 6, n)).astype(dtype)[None]
    one = np.ones(n)
    runs = make_runs(np.zeros(n, np.int32), one, one, n_zones=1, row_length=n)
    sums, _, _ = integrate(values, runs)
    exact = math.fsum(values[0].tolist())
    magnitude = math.fsum(np.abs(values[0]).tolist())
    assert abs(sums[0, 0] - exact) < 1e-15 * magnitude


def test_a_large_term_does_not_swallow_small_ones():
    values = np.full((1, 4096), 2.0**-53)
    values[0, 0] = 1.0
    one = np.ones(4096)
    runs = make_runs(np.zeros(4096, np.int32), one, one, n_zones=1, row_length=4096)
    sums, _, _ = integrate(values, runs)
    assert sums[0, 0] == pytest.approx(1.0 + 4095 * 2.0**-53, rel=3e-16)


@pytest.mark.parametrize(
    ("cells", "total"),
    [([np.inf, 1.0], np.inf), ([-np.inf, np.nan], -np.inf), ([np.inf, -np.inf], np.nan)],
)
def test_infinite_values_are_counted_and_reach_only_their_zone(cells, total):
    values = np.array([[*cells, 2.0, 3.0], [1.0, 1.0, 2.0, 3.0]])
    one = np.ones(4)
    runs = make_runs(np.array([0, 0, 1, 1], np.int32), one, one, n_zones=2, row_length=4)
    sums, _, n_infinite = integrate(values, runs)
    np.testing.assert_array_equal(sums, [[total, 5.0], [2.0, 5.0]])
    assert n_infinite.tolist() == [np.isinf(cells).sum(), 0]


def test_what_lies_outside_every_zone_is_never_counted():
    values = np.array([[np.inf, np.nan, 1.0, np.inf]])
    weight = np.array([1.0, 1.0, 1.0, 0.0])
    runs = make_runs(np.array([-1, -1, 0, 0], np.int32), weight, weight, n_zones=1, row_length=4)
    sums, missing_m2, n_infinite = integrate(values, runs)
    assert (sums.item(), missing_m2.item(), n_infinite.item()) == (1.0, 0.0, 0)


def test_accepts_buffers_of_every_origin():
    one = np.ones(12)
    runs = make_runs(np.zeros(12, np.int32), one, one, n_zones=1, row_length=4)
    values = np.arange(24.0).reshape(2, 12)
    expected = integrate(values, runs)[0]
    frozen = values.copy()
    frozen.flags.writeable = False
    for other in (
        frozen,
        values.astype(">f8"),
        values.astype(np.float32),
        values.reshape(2, 3, 4),
        np.asfortranarray(values),
        np.repeat(values, 2, axis=1)[:, ::2],
    ):
        np.testing.assert_array_equal(integrate(other, runs)[0], expected)
    again = pickle.loads(pickle.dumps(runs))
    np.testing.assert_array_equal(integrate(values, again)[0], expected)


def test_no_steps_no_zones_no_cells():
    one = np.ones(4)
    runs = make_runs(np.full(4, -1, np.int32), one, one, n_zones=0, row_length=4)
    assert integrate(np.ones((3, 4)), runs)[0].shape == (3, 0)
    runs = make_runs(np.zeros(4, np.int32), one, one, n_zones=2, row_length=4)
    assert integrate(np.ones((0, 4)), runs)[0].shape == (0, 2)
    empty = make_runs(np.zeros(0, np.int32), one[:0], one[:0], n_zones=1, row_length=1)
    assert integrate(np.ones((2, 0)), empty)[0].tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        (np.zeros((1, 3), np.int64), TypeError, "int64"),
        (np.zeros((1, 4)), ValueError, r"\(1, 4\)"),
        (np.zeros(3), ValueError, r"\(3,\)"),
    ],
)
def test_bad_input_values(values, error, words):
    one = np.ones(3)
    runs = make_runs(np.zeros(3, np.int32), one, one, n_zones=1, row_length=3)
    with pytest.raises(error, match=words):
        integrate(values, runs)


def test_eight_threads_at_once():
    warm()
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 7, 2000).astype(np.int32)
    weight = rng.uniform(size=2000)
    runs = make_runs(labels, weight, weight, n_zones=7, row_length=50)
    values = rng.normal(size=(8, 2000)).astype(np.float32)
    expected = integrate(values, runs)[0]
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda step: integrate(values[step : step + 1], runs)[0], range(8)))
    np.testing.assert_array_equal(np.concatenate(parts), expected)
