"""Runs: every counted cell once, tables only where needed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.kernels.runs import make_runs


@given(
    st.lists(st.integers(-1, 3), min_size=1, max_size=60),
    st.integers(1, 12),
    st.one_of(
        st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=720, max_size=720), st.just([2.0] * 720)
    ),
)
def test_runs_cover_every_counted_cell_once(row, n_rows, weights):
    labels = np.array(row * n_rows, dtype=np.int32)
    weight = np.array(weights[: labels.size])
    runs = make_runs(labels, weight, weight, n_zones=4, row_length=len(row))
    seen = np.full(labels.size, -1)
    zones = runs.owner[runs.group]
    for start, stop, zone, uniform, of_run in zip(
        runs.start, runs.stop, zones, runs.uniform, runs.weight, strict=True
    ):
        assert start < stop
        assert start // len(row) == (stop - 1) // len(row)
        assert (seen[start:stop] == -1).all()
        seen[start:stop] = zone
        assert uniform == (np.ptp(weight[start:stop]) == 0.0)
        assert not uniform or weight[start] == of_run
    stacks = runs.stacks
    for s in range(stacks.eight.size - 1):
        for e in range(stacks.eight[s], stacks.eight[s + 1]):
            height = stacks.height[e]
            for first, of_row in zip(
                stacks.first[e, :height], stacks.weight[e, :height], strict=True
            ):
                for r in range(stacks.begin[s], stacks.begin[s + 1]):
                    cells = slice(first + stacks.start[r], first + stacks.stop[r])
                    assert (seen[cells] == -1).all()
                    seen[cells] = runs.owner[stacks.group[r]]
                    assert (weight[cells] == of_row).all()
    assert (seen[runs.lone] == -1).all()
    seen[runs.lone] = runs.lone_zone
    np.testing.assert_array_equal(seen, np.where(weight > 0, labels, -1))
    assert (np.diff(runs.start) > 0).all()


def test_rows_alike_are_stacked_in_eights():
    row = np.repeat([0, 1, -1, 2], 4).astype(np.int32)
    labels = np.concatenate([np.tile(row, 18), np.tile(row[::-1], 3), np.tile(row, 2)])
    area = np.repeat(np.arange(1.0, 24.0), 16)
    runs = make_runs(labels, area, area, 3, 16)
    assert runs.stacks.eight.tolist() == [0, 3, 4]
    assert runs.stacks.height.tolist() == [8, 8, 2, 3]
    assert runs.stacks.first[:, 0].tolist() == [0, 8 * 16, 16 * 16, 18 * 16]
    assert runs.start.size == 2 * 3  # two rows are no stack
    assert runs.stacks.weight[3].tolist() == [19.0, 20.0, 21.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    # rows with more than one weight, and rows of long runs
    assert not make_runs(labels, area * (labels + 2), area, 3, 16).stacks.height.size
    long = np.repeat(labels, 32)
    assert not make_runs(long, np.ones(long.size), np.ones(long.size), 3, 512).stacks.height.size


def test_cell_tables_only_where_a_run_is_mixed():
    labels, one = np.zeros(6, np.int32), np.ones(6)
    assert make_runs(labels, one, one, 1, 3).cell_weight.size == 0
    assert make_runs(labels, one, np.arange(6.0), 1, 3).cell_weight.size == 6


def test_bad_input_is_refused():
    one = np.ones(4)
    labels = np.zeros(4, np.int32)
    with pytest.raises(ValueError, match="4 labels, 3 weights"):
        make_runs(labels, one[:3], one, 1, 4)
    with pytest.raises(ValueError, match="whole rows of 3"):
        make_runs(labels, one, one, 1, 3)
    with pytest.raises(ValueError, match="labels run from 0 to 1"):
        make_runs(np.array([0, 1, 0, 1], np.int32), one, one, 1, 4)
    with pytest.raises(ValueError, match="weight that is not finite"):
        make_runs(labels, one * np.nan, one, 1, 4)
    with pytest.raises(ValueError, match="area that is negative"):
        make_runs(labels, one, -one, 1, 4)
    make_runs(labels - 1, one * np.nan, -one, 1, 4)  # outside every zone anything goes
