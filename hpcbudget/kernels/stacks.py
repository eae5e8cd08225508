"""Stacks: rows whose runs are alike, added up column by column before they are added run by run.

Where the edges of zones follow meridians, as those of boxes and of masks of coarser cells do, rows
repeat each other. A run costs some nanoseconds however short it is; in a stack it costs them once
for all its rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcbudget.kernels.columns import all_missing, sum_rows
from hpcbudget.kernels.jit import kernel
from hpcbudget.kernels.lanes import BLOCK, any_nan, load, spread, store
from hpcbudget.kernels.sums import two_sum
from hpcbudget.kernels.vectors import LANES

_Ints: TypeAlias = NDArray[np.int64]
_Floats: TypeAlias = NDArray[np.float64]

ROWS = 8
"""Rows that are added up at a time, as a tree."""
LEAST_ROWS = 3
LONG_RUN = 64
"""Mean cells of a run beyond which adding up columns first is slower where cells are missing."""
EVERY = (1 << ROWS) - 1
"""All rows, as bits."""


class Stacks(NamedTuple):
    """Rows alike, in the order in which they lie in memory.

    The rows of stack s come in eights, ``eight[s] .. eight[s + 1] - 1`` (int64[stack + 1]): eight e
    has ``height[e]`` rows (int64[eight]) with their first cells ``first`` (int64[eight, 8]) and the
    ``weight``, ``area_coarse`` and ``area_fine`` of their cells (float64[eight, 8]). Where rows are
    wanting, the first stands again with nothing of either. The stack's runs are
    ``begin[s] .. begin[s + 1] - 1`` (int64[stack + 1]), with their columns ``start``, ``stop`` and
    their ``group`` (int32[run], see `hpcbudget.kernels.runs.Runs`).
    """

    eight: _Ints
    height: _Ints
    first: _Ints
    weight: _Floats
    area_coarse: _Floats
    area_fine: _Floats
    begin: _Ints
    start: NDArray[np.int32]
    stop: NDArray[np.int32]
    group: NDArray[np.int32]


def make_stacks(
    start: _Ints,
    stop: _Ints,
    group: NDArray[np.int32],
    uniform: NDArray[np.bool_],
    weight: _Floats,
    area_coarse: _Floats,
    area_fine: _Floats,
    row_length: int,
    n_cells: int,
) -> tuple[Stacks, NDArray[np.bool_]]:
    """Find the stacks of a grid.

    Parameters
    ----------
    start, stop, group, uniform, weight, area_coarse, area_fine : [run]
        As in `hpcbudget.kernels.runs.Runs`.
    row_length, n_cells : int

    Returns
    -------
    stacks : Stacks
    taken : bool[run]
        The runs that are part of a stack.

    Examples
    --------
    >>> start = np.array([0, 4, 8, 12, 16, 20])
    >>> one, group = np.ones(6), np.array([0, 1, 0, 1, 0, 1])
    >>> stacks, taken = make_stacks(start, start + 4, group, one > 0, one, one, one, 8, 32)
    >>> stacks.height.tolist(), stacks.start.tolist(), stacks.stop.tolist(), stacks.group.tolist()
    ([3], [0, 4], [4, 8], [0, 1])
    """
    row, first, size = np.unique(start // row_length, return_index=True, return_counts=True)
    leader = np.repeat(first, size)
    # whole vectors are read, some cells beyond the last run
    plain = uniform & (stop + LANES - 1 <= n_cells)
    for values in (weight, area_coarse, area_fine):
        plain &= values == values[leader]
    # the run above, in case that rows have equally many
    above = np.maximum(np.arange(start.size) - np.repeat(np.roll(size, 1), size), 0)
    alike = plain & plain[above] & (group == group[above])
    alike &= (start - start[above] == row_length) & (stop - stop[above] == row_length)
    follows = np.zeros(row.size, dtype=np.bool_)
    follows[1:] = (size[1:] == size[:-1]) & np.logical_and.reduceat(alike, first[1:])
    top = np.flatnonzero(~follows)
    height = np.diff(np.append(top, row.size))
    span = stop[first[top] + size[top] - 1] - start[first[top]]
    kept = (height >= LEAST_ROWS) & (span < LONG_RUN * size[top])
    height, across, begin = height[kept], size[top[kept]], first[top[kept]]

    eights = -(-height // ROWS)
    number = _ranges(np.zeros_like(eights), eights)  # of an eight in its stack
    rest = np.repeat(height, eights) - ROWS * number
    there = np.arange(ROWS) < rest[:, np.newaxis]
    ordinal = ROWS * number[:, np.newaxis] + np.where(there, np.arange(ROWS), 0)
    base, stride = (np.repeat(x, eights)[:, np.newaxis] for x in (begin, across))
    lead = base + ordinal * stride
    runs = _ranges(begin, across)
    taken = np.zeros(start.size, dtype=np.bool_)
    taken[_ranges(begin, across * height)] = True
    stacks = Stacks(
        eight=np.append(0, np.cumsum(eights)),
        height=np.minimum(rest, ROWS),
        first=start[lead] // row_length * row_length,
        weight=np.where(there, weight[lead], 0.0),
        area_coarse=np.where(there, area_coarse[lead], 0.0),
        area_fine=np.where(there, area_fine[lead], 0.0),
        begin=np.append(0, np.cumsum(across)),
        start=(start[runs] % row_length).astype(np.int32),
        stop=((stop[runs] - 1) % row_length + 1).astype(np.int32),
        group=group[runs],
    )
    return stacks, taken


def _ranges(first: _Ints, size: _Ints) -> _Ints:
    """Return the numbers of all ranges ``first .. first + size - 1``, one after the other."""
    before = np.cumsum(size) - size
    return np.asarray(np.arange(size.sum()) + np.repeat(first - before, size))


class Desk(NamedTuple):
    """Where a stack is added up.

    ``sums`` (float64[2, column]) are the sums of its columns and what was lost in rounding them,
    ``areas_m2`` (float64[2, column]) the coarse and the fine part of their missing areas.
    ``missing`` (int32[8]) and ``subsets_m2`` (float64[2, 256]) are for eight rows.
    """

    sums: _Floats
    areas_m2: _Floats
    missing: NDArray[np.int32]
    subsets_m2: _Floats


@kernel
def make_desk(row_length: Any) -> Desk:
    """Return a desk for rows of so many cells."""
    width = row_length + BLOCK  # more than a row: whole vectors are written, whole blocks read
    missing, subsets_m2 = np.zeros(LANES, np.int32), np.zeros((2, EVERY + 1))
    return Desk(np.zeros((2, width)), np.zeros((2, width)), missing, subsets_m2)


@kernel
def add_rows(field: Any, s: Any, stacks: Any, desk: Any) -> bool:
    """Add up the columns of a stack on the desk; tell whether cells may be missing."""
    left, right = stacks.start[stacks.begin[s]], stacks.stop[stacks.begin[s + 1] - 1]
    desk.sums[:, left : right + LANES] = 0.0
    desk.areas_m2[:, left : right + LANES] = 0.0
    gaps = False
    for e in range(stacks.eight[s], stacks.eight[s + 1]):
        gaps |= _add_eight(field, e, stacks, left, right, desk)
    return gaps


_VALID, _MIXED, _MISSING = range(3)


@kernel
def _add_eight(field: Any, e: Any, stacks: Any, left: Any, right: Any, desk: Any) -> bool:
    """Add up to eight rows to the desk; tell whether cells may be missing.

    What is quick is tried first, as the columns before suggest: where all were valid, to add up and
    see whether a sum is NaN; where all were missing, to see whether they still are. The last
    vector's columns beyond `right` belong to nobody, whatever is written there.
    """
    first, weight = stacks.first[e], stacks.weight[e]
    high, low = desk.sums[0], desk.sums[1]
    gaps = False
    state = _VALID
    lanes = spread(0.0)
    for column in range(left, right, LANES):
        if state == _VALID:
            lanes = sum_rows(field, first, weight, column, None)
            if any_nan(lanes):
                state = _MIXED
        elif state == _MISSING and not all_missing(field, first, column):
            state = _MIXED
        if state == _MIXED:
            lanes = sum_rows(field, first, weight, column, desk.missing)
            state = _state(desk.missing)
        if state != _MISSING:
            total, lost = two_sum(load(high, column), lanes)
            store(high, column, total)
            store(low, column, load(low, column) + lost)
        if state != _VALID:
            if not gaps:
                _subset_sums(stacks.area_coarse[e], desk.subsets_m2[0])
                _subset_sums(stacks.area_fine[e], desk.subsets_m2[1])
                gaps = True
            for lane in range(np.uint64(LANES)):
                bits = EVERY if state == _MISSING else desk.missing[lane]
                desk.areas_m2[0, column + lane] += desk.subsets_m2[0, bits]
                desk.areas_m2[1, column + lane] += desk.subsets_m2[1, bits]
    return gaps


@kernel
def _state(missing: Any) -> int:
    some, every = np.int32(0), np.int32(EVERY)
    for bits in missing:
        some |= bits
        every &= bits
    if some == 0:
        return _VALID
    return _MISSING if every == EVERY else _MIXED


@kernel
def _subset_sums(terms: Any, sums: Any) -> None:
    """Write to sums[m] the sum of those of eight terms whose bits are set in m."""
    for row in range(ROWS):
        for m in range(1 << row):
            sums[m + (1 << row)] = sums[m] + terms[row]
